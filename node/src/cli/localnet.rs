//! `iota localnet`.

use std::net::IpAddr;

use clap::{Args, Subcommand};

/// What `iota localnet` takes.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LocalnetArgs {
    /// `start` is what happens without a verb, too.
    #[command(subcommand)]
    pub command: Option<LocalnetCommand>,
    /// The same as `start` takes.
    #[command(flatten)]
    pub start: StartArgs,
}

/// The verbs of `iota localnet`.
#[derive(Clone, Debug, Subcommand)]
pub enum LocalnetCommand {
    /// Start a chain and serve it until interrupted
    Start(StartArgs),
}

/// What `iota localnet start` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  iota localnet                        a block every 12 s, as on the real chain
  iota localnet --block-time 250       a block every quarter of a second
  iota localnet --instant              a block as soon as there is an extrinsic
  iota localnet --port 0 --json        any free port; the first line says which")]
pub struct StartArgs {
    /// Address to serve on
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub ip: IpAddr,
    /// Port to serve on; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 9944)]
    pub port: u16,
    /// What the randomness of the chain follows from
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Milliseconds per block
    #[arg(long, value_name = "MS", default_value_t = 12_000)]
    pub block_time: u64,
    /// Make a block as soon as there is an extrinsic, and none without
    #[arg(long)]
    pub instant: bool,
    /// Write JSON objects
    #[arg(long)]
    pub json: bool,
    /// Stop when stdin closes, that is when the parent process ends
    #[arg(long, hide = true)]
    pub stop_on_stdin_close: bool,
}
