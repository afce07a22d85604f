//! `iota demo`.

use crate::cli::DemoArgs;
use crate::demo::play;
use crate::error::Result;
use crate::settings::{self, DemoSettings};

/// Checks what was typed, and plays.
pub(super) async fn run(args: &DemoArgs) -> Result<()> {
    let settings = DemoSettings::new(args)?;
    settings::check_data(settings.data.as_deref())?;
    play::run(settings).await
}
