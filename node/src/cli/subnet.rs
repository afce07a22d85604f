//! `iota subnet`.

use clap::Subcommand;

use super::{ChainArgs, SignArgs};

/// The verbs of `iota subnet`.
#[derive(Clone, Debug, Subcommand)]
pub enum SubnetCommand {
    /// Show all subnets
    List {
        /// The chain to ask.
        #[command(flatten)]
        chain: ChainArgs,
        /// Write one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Create a subnet, owned by the coldkey
    Create {
        /// The chain.
        #[command(flatten)]
        chain: ChainArgs,
        /// Who signs.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Start a subnet's emission (its owner)
    Start {
        /// The chain and subnet.
        #[command(flatten)]
        chain: ChainArgs,
        /// Who signs.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Show a subnet's hyperparameters
    Hyperparameters {
        /// The chain and subnet.
        #[command(flatten)]
        chain: ChainArgs,
        /// Write one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Set a hyperparameter (its owner, or root)
    #[command(after_help = "\
The name is that of the chain's call without `sudo_set_`; a wrong one is answered with those near it.

Examples:
  iota subnet set --netuid 9 min_allowed_weights 8
  iota subnet set --netuid 1 tempo 20 --sudo --chain local")]
    Set {
        /// The parameter
        parameter: String,
        /// Its value, or values
        #[arg(required = true)]
        values: Vec<String>,
        /// As root: only the chain's sudo key may
        #[arg(long)]
        sudo: bool,
        /// The chain and subnet.
        #[command(flatten)]
        chain: ChainArgs,
        /// Who signs.
        #[command(flatten)]
        sign: SignArgs,
    },
}
