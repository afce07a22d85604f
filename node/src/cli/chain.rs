//! Which chain and subnet; `iota metagraph`, `iota history` and `iota register`.

use clap::{Args, Subcommand};

use iota_chain::Rao;

use crate::cli::{SignArgs, WalletFlags};
use crate::env;

/// Which chain and subnet.
#[derive(Clone, Debug, Args)]
pub struct ChainArgs {
    /// URL of the chain, or `finney`, `test`, `archive` or `local`; several, separated by commas,
    /// are tried in turn [default: local]
    #[arg(
        long,
        visible_alias = "network",
        alias = "subtensor.chain_endpoint",
        alias = "subtensor.network",
        value_name = "URL"
    )]
    pub chain: Option<String>,
    /// The subnet
    #[arg(long, value_name = "N", env = env::NETUID, default_value_t = 1)]
    pub netuid: u16,
}

/// The verbs of `iota chain`.
#[derive(Clone, Debug, Subcommand)]
pub enum ChainCommand {
    /// Check that a chain has all that this program relies on; exit code 1 if it does not
    #[command(after_help = "\
Examples:
  iota chain check --chain finney
  iota chain check --chain metadata.scale --json")]
    Check {
        /// URL of the chain, or `finney`, `test`, `archive` or `local`, or a file with a chain's
        /// metadata: encoded, or in hex, or a node's JSON [default: local]
        #[arg(long, visible_alias = "network", value_name = "URL|FILE")]
        chain: Option<String>,
        /// Write one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// What `iota metagraph` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  iota metagraph --chain ws://127.0.0.1:9944
  iota metagraph --chain finney --netuid 9 --json | jq '.neurons[] | select(.incentive > 0)'
  iota metagraph --netuid 9 --watch
  iota metagraph --netuid 9 --since 4200000 --chain archive")]
pub struct MetagraphArgs {
    /// The chain and subnet.
    #[command(flatten)]
    pub chain: ChainArgs,
    /// As of this block, where the node still has its state [default: the last finalized one]
    #[arg(long, value_name = "BLOCK", conflicts_with = "watch")]
    pub block: Option<u32>,
    /// Show what has changed since this block
    #[arg(long, value_name = "BLOCK", conflicts_with = "watch")]
    pub since: Option<u32>,
    /// Go on with what changes in each block, until interrupted
    #[arg(short, long)]
    pub watch: bool,
    /// Write one JSON object; with `--watch`, one per line
    #[arg(long)]
    pub json: bool,
}

/// What `iota history` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Newest first. Nodes that are no archive have the states of the last few hundred blocks alone.

Examples:
  iota history --netuid 9 --wallet.name cold --wallet.hotkey hot
  iota history --netuid 9 --blocks 216000 --every 7200 --chain archive --json")]
pub struct HistoryArgs {
    /// How far to look back, in blocks
    #[arg(long, value_name = "N", default_value_t = 7200)]
    pub blocks: u32,
    /// Blocks between two lines [default: a twentieth of `--blocks`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub every: Option<u32>,
    /// Whose.
    #[command(flatten)]
    pub wallet: WalletFlags,
    /// The chain and subnet.
    #[command(flatten)]
    pub chain: ChainArgs,
    /// Write one JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// What `iota register` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  iota register --chain test --netuid 9 --wallet.name cold --wallet.hotkey hot
  iota register --netuid 9 --limit 0.5 --yes
  iota register --netuid 9 --pow --yes")]
pub struct RegisterArgs {
    /// Register only if it costs no more than this, in TAO [default: 5 % above the present price]
    #[arg(long, value_name = "TAO")]
    pub limit: Option<Rao>,
    /// Register by work instead, where the chain has that
    #[arg(long, conflicts_with = "limit")]
    pub pow: bool,
    /// Threads that work [default: one per core]
    #[arg(long, value_name = "N", requires = "pow")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// The chain and subnet.
    #[command(flatten)]
    pub chain: ChainArgs,
    /// Whose coldkey pays and whose hotkey is registered.
    #[command(flatten)]
    pub sign: SignArgs,
}
