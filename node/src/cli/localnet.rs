//! `iota localnet`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use iota_chain::Rao;

use crate::env;

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
    /// Give an account TAO out of nothing
    Fund {
        /// The account: its address, or its public key in hex
        account: String,
        /// How much, in TAO
        #[arg(value_name = "TAO")]
        amount: Rao,
        /// The chain.
        #[command(flatten)]
        dev: DevArgs,
    },
    /// Make many blocks at once
    Warp(WarpArgs),
    /// Keep the chain as it is now, to go back to; prints a number
    Snapshot {
        /// The chain.
        #[command(flatten)]
        dev: DevArgs,
    },
    /// Go back to a snapshot
    Revert {
        /// The snapshot's number
        #[arg(value_name = "N")]
        snapshot: u32,
        /// The chain.
        #[command(flatten)]
        dev: DevArgs,
    },
    /// Write any storage entry
    SetStorage(SetStorageArgs),
    /// Bring pulses of the public beacon to a chain started with `--quicknet`
    #[command(after_help = "\
Example:
  curl https://api.drand.sh/v2/beacons/quicknet/rounds/1000 | iota localnet pulse")]
    Pulse {
        /// Where the pulses are, as drand serves them: JSON objects with `round` and `signature`
        /// [default: stdin]
        file: Option<PathBuf>,
        /// The chain.
        #[command(flatten)]
        dev: DevArgs,
    },
    /// Let answers get lost or come late, or hold finality; without flags, nothing of it any more
    #[command(after_help = "\
Examples:
  iota localnet faults --lose author_submitExtrinsic=3
  iota localnet faults --delay 250 --hold-finality
  iota localnet faults")]
    Faults(FaultsArgs),
    /// Look at the chain's state
    #[command(subcommand)]
    State(StateCommand),
    /// Set a subnet up: registered, started, with parameters for testing, and wallets on disk
    Scaffold(ScaffoldArgs),
}

/// What `iota localnet start` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  iota localnet                        a block every 12 s, as on the real chain
  iota localnet --block-time 250       a block every quarter of a second
  iota localnet --instant              a block as soon as there is an extrinsic
  iota localnet --port 0 --json        any free port; the first line says which
  iota localnet --data ./chain         kept on disk: a restart goes on where it was")]
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
    /// Take the public beacon's key, with which the Bittensor SDKs hide weights; its pulses are
    /// brought with `iota localnet pulse`
    #[arg(long)]
    pub quicknet: bool,
    /// Folder to keep the chain in, where it goes on after a restart [default: in memory]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub data: Option<PathBuf>,
    /// Write JSON objects
    #[arg(long)]
    pub json: bool,
    /// Stop when stdin closes, that is when the parent process ends
    #[arg(long, hide = true)]
    pub stop_on_stdin_close: bool,
}

/// Which development chain, and how to print.
#[derive(Clone, Debug, Args)]
pub struct DevArgs {
    /// URL of the development chain [default: local]
    #[arg(long, visible_alias = "network", value_name = "URL")]
    pub chain: Option<String>,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `iota localnet faults` takes.
#[derive(Clone, Debug, Args)]
pub struct FaultsArgs {
    /// A method whose answers are lost, and how many of them [default: 1]
    #[arg(long, value_name = "METHOD[=COUNT]", value_parser = lost)]
    pub lose: Vec<(String, u32)>,
    /// Milliseconds by which every answer is late
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub delay: u64,
    /// Blocks are not final any more
    #[arg(long)]
    pub hold_finality: bool,
    /// The chain.
    #[command(flatten)]
    pub dev: DevArgs,
}

/// A method, and how many of its answers are lost.
fn lost(typed: &str) -> Result<(String, u32), String> {
    let (method, count) = typed.split_once('=').unwrap_or((typed, "1"));
    let count = count.parse().map_err(|_| format!("`{count}` is no number of answers"))?;
    Ok((method.to_owned(), count))
}

/// What `iota localnet warp` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  iota localnet warp 7200               a day of blocks that are 12 s apart
  iota localnet warp --to 100           up to block 100
  iota localnet warp --epoch            up to the block in which subnet 1 pays
  iota localnet warp --epoch --netuid 2")]
pub struct WarpArgs {
    /// How many blocks
    #[arg(value_name = "N", required_unless_present_any = ["to", "epoch"])]
    pub blocks: Option<u32>,
    /// Up to the block of this height
    #[arg(long, value_name = "BLOCK", conflicts_with = "blocks")]
    pub to: Option<u32>,
    /// Up to the block that runs the subnet's next epoch
    #[arg(long, conflicts_with_all = ["blocks", "to"])]
    pub epoch: bool,
    /// The subnet
    #[arg(long, value_name = "N", env = env::NETUID, default_value_t = 1)]
    pub netuid: u16,
    /// The chain.
    #[command(flatten)]
    pub dev: DevArgs,
}

/// What `iota localnet set-storage` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  iota localnet set-storage SubtensorModule.NetworkMinLockCost 0x0100000000000000
  iota localnet set-storage SubtensorModule.Tempo:0x0100 0x0a00     the entry of netuid 1
  iota localnet set-storage SubtensorModule.Tempo:0x0100 --remove")]
pub struct SetStorageArgs {
    /// The key in hex, or `Pallet.Item`, with `:0x..` for what follows the item's name in the key
    pub key: String,
    /// The value in hex, encoded
    #[arg(required_unless_present = "remove")]
    pub value: Option<String>,
    /// Remove the entry
    #[arg(long, conflicts_with = "value")]
    pub remove: bool,
    /// The chain.
    #[command(flatten)]
    pub dev: DevArgs,
}

/// The verbs of `iota localnet state`.
#[derive(Clone, Debug, Subcommand)]
pub enum StateCommand {
    /// Show the storage entries that differ between two blocks
    #[command(after_help = "\
Example:
  iota localnet state diff 10 12")]
    Diff {
        /// The block before
        before: u32,
        /// The block after [default: the newest]
        after: Option<u32>,
        /// The chain.
        #[command(flatten)]
        dev: DevArgs,
    },
}

/// What `iota localnet scaffold` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  iota localnet scaffold
  iota localnet scaffold --validators 1 --miners 8 --wallet.path ./wallets --json

The wallets are localnet-owner, localnet-validator-N and localnet-miner-N, each with the hotkey
`default`. Their keys are always the same, and worth nothing on another chain.")]
pub struct ScaffoldArgs {
    /// Validators: registered, staked, with a permit
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=32))]
    pub validators: u16,
    /// Miners: registered
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(0..=253))]
    pub miners: u16,
    /// Blocks of an epoch
    #[arg(long, value_name = "BLOCKS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(2..))]
    pub tempo: u16,
    /// TAO of each wallet
    #[arg(long, value_name = "TAO", default_value = "10000")]
    pub funds: Rao,
    /// Folder of wallets [default: ~/.bittensor/wallets]
    #[arg(long = "wallet.path", visible_alias = "wallet-path", value_name = "DIR", env = env::WALLET_PATH)]
    pub path: Option<PathBuf>,
    /// The chain.
    #[command(flatten)]
    pub dev: DevArgs,
}
