//! One file per verb: what each command does, given what was typed.

use crate::cli::{Cli, Command};
use crate::error::{Error, Result};

mod localnet;

/// Runs the command.
///
/// # Errors
/// What ends the command, with its exit code.
pub async fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Localnet(args) => localnet::run(args).await,
        _ => Err(Error::user("this command is not part of this build")),
    }
}
