//! `iota weights`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ChainArgs, SignArgs};

/// Weights as they are typed.
#[derive(Clone, Debug, Args)]
pub struct WeightArgs {
    /// Uids, separated by commas
    #[arg(long, value_name = "UIDS", value_delimiter = ',', required = true)]
    pub uids: Vec<u16>,
    /// A weight for each; only ratios count
    #[arg(long, value_name = "WEIGHTS", value_delimiter = ',', required = true)]
    pub weights: Vec<f64>,
    /// Version of the rules they follow [default: what the subnet asks for]
    #[arg(long, value_name = "N")]
    pub version_key: Option<u64>,
    /// The mechanism
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub mechanism: u8,
}

/// The verbs of `iota weights`.
#[derive(Clone, Debug, Subcommand)]
pub enum WeightsCommand {
    /// Set a validator's weights: in the clear, or timelocked where the subnet hides them
    #[command(after_help = "\
Example:
  iota weights set --netuid 9 --uids 3,4 --weights 0.25,0.75 --wallet.hotkey validator")]
    Set {
        /// The weights.
        #[command(flatten)]
        weights: WeightArgs,
        /// The chain and subnet.
        #[command(flatten)]
        chain: ChainArgs,
        /// Who signs.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Commit to weights by their hash, to be shown with `reveal`
    Commit {
        /// The weights.
        #[command(flatten)]
        weights: WeightArgs,
        /// Where to keep what must be shown; the file must not exist
        #[arg(long, value_name = "FILE")]
        keep: PathBuf,
        /// The chain and subnet.
        #[command(flatten)]
        chain: ChainArgs,
        /// Who signs.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Show weights that were committed
    Reveal {
        /// The file that `commit` wrote
        #[arg(long, value_name = "FILE")]
        keep: PathBuf,
        /// The chain and subnet.
        #[command(flatten)]
        chain: ChainArgs,
        /// Who signs.
        #[command(flatten)]
        sign: SignArgs,
    },
}
