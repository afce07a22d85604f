//! `iota miner` and `iota validator`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use iota_trainer::Device;

use crate::cli::{ChainArgs, WalletFlags};
use crate::env;
use crate::settings::HostileKind;

/// What `iota miner` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example:
  iota miner --chain finney --netuid 9 --wallet.name cold --wallet.hotkey hot --manifest run.toml")]
pub struct MinerArgs {
    /// What both roles take.
    #[command(flatten)]
    pub role: RoleArgs,
    /// Compute activations again instead of keeping them: less memory, a third more work
    #[arg(long)]
    pub recompute: bool,
    /// Where to train: `cpu`, `cuda` or `cuda:NUMBER` [default: the first GPU, if there is one]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<Device>,
    /// Cheat, to see that it is found out
    #[arg(long, value_name = "KIND", hide_short_help = true)]
    pub hostile: Option<HostileKind>,
}

/// What `iota validator` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example:
  iota validator --chain finney --netuid 9 --wallet.name cold --wallet.hotkey hot --manifest run.toml")]
pub struct ValidatorArgs {
    /// What both roles take.
    #[command(flatten)]
    pub role: RoleArgs,
    /// Write the whole model to this folder after each merge; the last three are kept
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub checkpoints: Option<PathBuf>,
}

/// What both roles take.
#[derive(Clone, Debug, Args)]
pub struct RoleArgs {
    /// The chain and subnet.
    #[command(flatten)]
    pub chain: ChainArgs,
    /// Who to act for.
    #[command(flatten)]
    pub wallet: WalletFlags,
    /// The run's manifest; its hash must be the one that the subnet's owner committed
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub manifest: PathBuf,
    /// Text to train on, a file or a folder; without it, text that comes with the program's sources
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub data: Option<PathBuf>,
    /// Address to listen on for peers [default: 0.0.0.0 with a free port]
    #[arg(long, value_name = "IP:PORT", conflicts_with = "port")]
    pub listen: Option<SocketAddr>,
    /// Port to listen on for peers, on all addresses
    #[arg(long, value_name = "PORT", env = env::AXON_PORT)]
    pub port: Option<u16>,
    /// Folder for what must survive a restart [default: ~/.iota/NETUID/WALLET/HOTKEY]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub state: Option<PathBuf>,
    /// Write one JSON object per event
    #[arg(long)]
    pub json: bool,
    /// Stop when stdin closes, that is when the parent process ends
    #[arg(long, hide = true)]
    pub stop_on_stdin_close: bool,
}
