//! Commands that sign: what they share, and `iota stake`, `iota subnet`, `iota weights`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use iota_chain::{Alpha, Rao};

use super::{ChainArgs, WalletFlags};

/// Who signs, and whether anybody is asked.
#[derive(Clone, Debug, Args)]
pub struct SignArgs {
    /// Whose key signs.
    #[command(flatten)]
    pub wallet: WalletFlags,
    /// Sign without asking
    #[arg(short, long)]
    pub yes: bool,
    /// Show effect and fee, and sign nothing that is sent
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Write one JSON object; needs `--yes` or `--dry-run`
    #[arg(long)]
    pub json: bool,
}

/// How far the price may move.
#[derive(Clone, Copy, Debug, Args)]
pub struct PriceArgs {
    /// Share by which the price may move: 0.05 is five per cent
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub tolerance: f64,
    /// Trade as much as the tolerance lets pass, rather than nothing
    #[arg(long)]
    pub partial: bool,
    /// Trade at any price
    #[arg(long, conflicts_with_all = ["tolerance", "partial"])]
    pub any_price: bool,
}

/// The verbs of `iota stake`.
#[derive(Clone, Debug, Subcommand)]
pub enum StakeCommand {
    /// Stake TAO on a hotkey
    #[command(after_help = "\
Examples:
  iota stake add --netuid 9 --amount 10
  iota stake add --netuid 9 --amount 10 --hotkey-ss58 5F3sa... --tolerance 0.01 --dry-run")]
    Add {
        /// How much, in TAO
        #[arg(long, value_name = "TAO")]
        amount: Rao,
        /// Address of the hotkey [default: the wallet's]
        #[arg(long, value_name = "SS58")]
        hotkey_ss58: Option<String>,
        /// The price.
        #[command(flatten)]
        price: PriceArgs,
        /// The chain and subnet.
        #[command(flatten)]
        chain: ChainArgs,
        /// Who signs.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Take stake back from a hotkey
    #[command(after_help = "\
Examples:
  iota stake remove --netuid 9 --amount 2.5
  iota stake remove --netuid 9 --all --yes")]
    Remove {
        /// How much, in the subnet's alpha
        #[arg(long, value_name = "ALPHA", required_unless_present = "all")]
        amount: Option<Alpha>,
        /// All of it
        #[arg(long, conflicts_with = "amount")]
        all: bool,
        /// Address of the hotkey [default: the wallet's]
        #[arg(long, value_name = "SS58")]
        hotkey_ss58: Option<String>,
        /// The price.
        #[command(flatten)]
        price: PriceArgs,
        /// The chain and subnet.
        #[command(flatten)]
        chain: ChainArgs,
        /// Who signs.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Show what a coldkey has staked, and what it is worth
    List {
        /// Which wallet.
        #[command(flatten)]
        wallet: WalletFlags,
        /// The chain to ask.
        #[command(flatten)]
        chain: ChainArgs,
        /// Write one JSON object
        #[arg(long)]
        json: bool,
    },
}

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

/// What `iota wallet transfer` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example:
  iota wallet transfer --destination 5F3sa... --amount 1.5")]
pub struct TransferArgs {
    /// Who gets it
    #[arg(long, alias = "dest", value_name = "SS58")]
    pub destination: String,
    /// How much, in TAO
    #[arg(long, value_name = "TAO")]
    pub amount: Rao,
    /// The chain.
    #[command(flatten)]
    pub chain: ChainArgs,
    /// Who signs.
    #[command(flatten)]
    pub sign: SignArgs,
}
