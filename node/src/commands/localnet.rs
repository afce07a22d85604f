//! `iota localnet`: start a development chain, and do to it what only a developer may.

use crate::cli::{DevArgs, LocalnetArgs, LocalnetCommand, StateCommand};
use crate::dev::Dev;
use crate::error::Result;
use crate::printer::Printer;
use crate::settings::Surroundings;

mod powers;
mod scaffold;
mod start;

/// Runs the verb.
pub(super) async fn run(args: LocalnetArgs) -> Result<()> {
    let command = match args.command {
        Some(command) => command,
        None => return start::run(args.start).await,
    };
    match command {
        LocalnetCommand::Start(args) => start::run(args).await,
        LocalnetCommand::Fund { account, amount, dev } => {
            powers::fund(&Target::reach(&dev).await?, &account, amount).await
        }
        LocalnetCommand::Warp(args) => powers::warp(&Target::reach(&args.dev).await?, &args).await,
        LocalnetCommand::Snapshot { dev } => powers::snapshot(&Target::reach(&dev).await?).await,
        LocalnetCommand::Revert { snapshot, dev } => {
            powers::revert(&Target::reach(&dev).await?, snapshot).await
        }
        LocalnetCommand::SetStorage(args) => {
            powers::set_storage(&Target::reach(&args.dev).await?, &args).await
        }
        LocalnetCommand::Pulse { file, dev } => {
            powers::pulse(&Target::reach(&dev).await?, file.as_deref()).await
        }
        LocalnetCommand::Faults(args) => {
            powers::faults(&Target::reach(&args.dev).await?, &args).await
        }
        LocalnetCommand::State(StateCommand::Diff { before, after, dev }) => {
            powers::state_diff(&Target::reach(&dev).await?, before, after).await
        }
        LocalnetCommand::Scaffold(args) => {
            let wallets = Surroundings::of_process().wallets(args.path.as_deref())?;
            scaffold::run(&Target::reach(&args.dev).await?, &args, &wallets).await
        }
    }
}

/// A development chain, and how its answers are printed.
struct Target {
    dev: Dev,
    url: String,
    printer: Printer,
}

impl Target {
    async fn reach(args: &DevArgs) -> Result<Self> {
        let url = Surroundings::of_process().chain_url(args.chain.as_deref())?;
        let dev = Dev::connect(&url)
            .await
            .map_err(|error| error.hint("start one with `iota localnet`, or pass its `--chain`"))?;
        Ok(Self { dev, url, printer: Printer::new(args.json) })
    }

    /// Prints a result in its two forms.
    fn print(&self, object: &serde_json::Value, text: &str) -> Result<()> {
        match self.printer {
            Printer::Json => self.printer.object(object)?,
            Printer::Text => self.printer.line(text)?,
        }
        Ok(())
    }
}
