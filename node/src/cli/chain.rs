//! Which chain and subnet; `iota metagraph` and `iota register`.

use clap::{Args, Subcommand};

use iota_chain::Rao;

use crate::cli::SignArgs;
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
  iota metagraph --chain finney --netuid 9 --json | jq '.neurons[] | select(.incentive > 0)'")]
pub struct MetagraphArgs {
    /// The chain and subnet.
    #[command(flatten)]
    pub chain: ChainArgs,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `iota register` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  iota register --chain test --netuid 9 --wallet.name cold --wallet.hotkey hot
  iota register --netuid 9 --limit 0.5 --yes")]
pub struct RegisterArgs {
    /// Register only if it costs no more than this, in TAO [default: 5 % above the present price]
    #[arg(long, value_name = "TAO")]
    pub limit: Option<Rao>,
    /// The chain and subnet.
    #[command(flatten)]
    pub chain: ChainArgs,
    /// Whose coldkey pays and whose hotkey is registered.
    #[command(flatten)]
    pub sign: SignArgs,
}
