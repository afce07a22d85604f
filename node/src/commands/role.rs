//! `iota miner` and `iota validator`.

use crate::cli::{MinerArgs, ValidatorArgs};
use crate::error::Result;
use crate::protocol::members::Role;
use crate::settings::{RoleSettings, Surroundings};
use crate::{shell, shutdown};

/// Trains a stage until interrupted.
pub(super) async fn miner(args: &MinerArgs) -> Result<()> {
    let mut settings = Surroundings::of_process().role(&args.role, args.hostile)?;
    settings.recompute = args.recompute;
    settings.device = args.device;
    run(Role::Miner, &settings).await
}

/// Audits and sets weights until interrupted.
pub(super) async fn validator(args: &ValidatorArgs) -> Result<()> {
    let mut settings = Surroundings::of_process().role(&args.role, None)?;
    settings.checkpoints = args.checkpoints.clone();
    run(Role::Validator, &settings).await
}

async fn run(role: Role, settings: &RoleSettings) -> Result<()> {
    let stop = shutdown::token(settings.stop_on_stdin_close)?;
    shell::run(role, settings, stop).await
}
