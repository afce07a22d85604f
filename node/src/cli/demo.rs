//! `iota demo`.

use std::path::PathBuf;

use clap::Args;

use crate::settings::HostileKind;

/// What `iota demo` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  iota demo                                    3 stages with 2 miners each, one of them hostile
  iota demo --data ~/books --epochs 12         your own text, for longer
  iota demo --hostile-kind false-loss          another way to cheat
  iota demo --json | jq 'select(.event == \"summary\")'

While it runs, `iota metagraph --chain ws://..` shows the subnet from outside; the first lines of
the demo name the address.")]
pub struct DemoArgs {
    /// How many miners take part
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub miners: u16,
    /// Into how many stages the model is cut
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub stages: u16,
    /// How many validators take part
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub validators: u16,
    /// How many epochs to train
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub epochs: u32,
    /// What keys, draws and beacons follow from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many of the miners cheat
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub hostile: u16,
    /// How they cheat
    #[arg(long, value_name = "KIND", default_value = "garbage-activations")]
    pub hostile_kind: HostileKind,
    /// Text to train on, a file or a folder; without it, text that comes with the program's sources
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub data: Option<PathBuf>,
    /// Keep wallets, logs and states in this folder, which must be empty or new
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub keep: Option<PathBuf>,
    /// Milliseconds per block
    #[arg(long, value_name = "MS", default_value_t = 500, hide_short_help = true)]
    pub block_time: u64,
    /// Write one JSON object per event, and a summary as the last one
    #[arg(long)]
    pub json: bool,
}
