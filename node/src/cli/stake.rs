//! `iota stake` and `iota child`.

use clap::{ArgGroup, Args, Subcommand};
use iota_chain::{Alpha, Rao};

use super::{ChainArgs, SignArgs, WalletFlags};

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

/// What every trade in a subnet's pool takes.
#[derive(Clone, Debug, Args)]
pub struct TradeArgs {
    /// Address of the hotkey [default: the wallet's]
    #[arg(long, value_name = "SS58")]
    pub hotkey_ss58: Option<String>,
    /// The price.
    #[command(flatten)]
    pub price: PriceArgs,
    /// The chain and subnet.
    #[command(flatten)]
    pub chain: ChainArgs,
    /// Who signs.
    #[command(flatten)]
    pub sign: SignArgs,
}

/// How much stake.
#[derive(Clone, Copy, Debug, Args)]
pub struct AlphaArgs {
    /// How much, in the subnet's alpha
    #[arg(long, value_name = "ALPHA", required_unless_present = "all")]
    pub amount: Option<Alpha>,
    /// All of it
    #[arg(long, conflicts_with = "amount")]
    pub all: bool,
}

/// Where stake goes.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("destination").required(true).multiple(true))]
pub struct DestinationArgs {
    /// To another subnet, through both pools; at a limited price if hotkey and coldkey stay
    #[arg(long, value_name = "N", group = "destination")]
    pub to_netuid: Option<u16>,
    /// To another hotkey
    #[arg(long, value_name = "SS58", group = "destination")]
    pub to_hotkey: Option<String>,
    /// To another coldkey, which then owns it
    #[arg(long, value_name = "SS58", group = "destination", conflicts_with = "to_hotkey")]
    pub to_coldkey: Option<String>,
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
        /// The trade.
        #[command(flatten)]
        trade: TradeArgs,
    },
    /// Take stake back from a hotkey
    #[command(after_help = "\
Examples:
  iota stake remove --netuid 9 --amount 2.5
  iota stake remove --netuid 9 --all --yes")]
    Remove {
        /// How much.
        #[command(flatten)]
        amount: AlphaArgs,
        /// The trade.
        #[command(flatten)]
        trade: TradeArgs,
    },
    /// Move stake to another subnet, hotkey or coldkey, without taking it back in between
    #[command(after_help = "\
Examples:
  iota stake move --netuid 9 --amount 2.5 --to-netuid 4
  iota stake move --netuid 9 --all --to-hotkey 5F3sa... --yes
  iota stake move --netuid 9 --all --to-coldkey 5Grwv...")]
    Move {
        /// How much.
        #[command(flatten)]
        amount: AlphaArgs,
        /// Where to.
        #[command(flatten)]
        to: DestinationArgs,
        /// The trade, where subnets differ.
        #[command(flatten)]
        trade: TradeArgs,
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

/// The verbs of `iota child`.
#[derive(Clone, Debug, Subcommand)]
pub enum ChildCommand {
    /// Lend shares of a hotkey's stake to others, which validate with it
    #[command(after_help = "\
The chain applies it some blocks later, with an epoch. What was set before is replaced.

Examples:
  iota child set --netuid 9 --children 5F3sa...:0.25,5Grwv...:0.5
  iota child set --netuid 9 --none")]
    Set {
        /// Each child's address and share of the stake
        #[arg(
            long,
            value_name = "SS58:SHARE",
            value_delimiter = ',',
            required_unless_present = "none"
        )]
        children: Vec<String>,
        /// Lend nothing any more
        #[arg(long, conflicts_with = "children")]
        none: bool,
        /// The chain and subnet.
        #[command(flatten)]
        chain: ChainArgs,
        /// Who signs.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Set the share that a hotkey keeps of what it earns with stake that was lent to it
    #[command(after_help = "\
Example:
  iota child take --netuid 9 0.09")]
    Take {
        /// From 0 to what the chain allows, 0.18 at most
        #[arg(value_name = "SHARE")]
        take: f64,
        /// The chain and subnet.
        #[command(flatten)]
        chain: ChainArgs,
        /// Who signs.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Show a hotkey's children, what waits to be applied, its parents and its take
    List {
        /// Address of the hotkey [default: the wallet's]
        #[arg(long, value_name = "SS58")]
        hotkey_ss58: Option<String>,
        /// Which wallet.
        #[command(flatten)]
        wallet: WalletFlags,
        /// The chain and subnet.
        #[command(flatten)]
        chain: ChainArgs,
        /// Write one JSON object
        #[arg(long)]
        json: bool,
    },
}
