//! `iota wallet`, and the flags that select a wallet.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::{ChainArgs, TransferArgs};
use crate::env;

/// The flags that select a wallet, by btcli's names.
#[derive(Clone, Debug, Args)]
pub struct WalletFlags {
    /// Name of the wallet, that is of its coldkey
    #[arg(
        long = "wallet.name",
        visible_alias = "wallet-name",
        value_name = "NAME",
        env = env::WALLET_NAME,
        default_value = "default"
    )]
    pub name: String,
    /// Name of the hotkey within the wallet
    #[arg(
        long = "wallet.hotkey",
        visible_alias = "wallet-hotkey",
        alias = "hotkey",
        value_name = "NAME",
        env = env::WALLET_HOTKEY,
        default_value = "default"
    )]
    pub hotkey: String,
    /// Folder of wallets [default: ~/.bittensor/wallets]
    #[arg(
        long = "wallet.path",
        visible_alias = "wallet-path",
        value_name = "DIR",
        env = env::WALLET_PATH,
        value_hint = clap::ValueHint::DirPath
    )]
    pub path: Option<PathBuf>,
}

/// What `iota wallet` takes.
#[derive(Clone, Debug, Args)]
pub struct WalletArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: WalletCommand,
}

/// The verbs of `iota wallet`.
#[derive(Clone, Debug, Subcommand)]
pub enum WalletCommand {
    /// Make a coldkey and a hotkey, or a further hotkey for a coldkey that is there
    New(WalletNewArgs),
    /// Make a key's files again from its phrase or seed, which is read from stdin
    Regen(WalletRegenArgs),
    /// Show the addresses of one wallet
    Show {
        /// Which wallet.
        #[command(flatten)]
        wallet: WalletFlags,
        /// Write one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show the addresses of all wallets
    List {
        /// Folder of wallets [default: ~/.bittensor/wallets]
        #[arg(long = "wallet.path", value_name = "DIR", env = env::WALLET_PATH)]
        path: Option<PathBuf>,
        /// Write one JSON object per wallet
        #[arg(long)]
        json: bool,
    },
    /// Sign a message, so that others can tell whose it is
    Sign(WalletSignArgs),
    /// Check the signature of a message
    Verify(WalletVerifyArgs),
    /// Send TAO
    Transfer(TransferArgs),
    /// Show what a coldkey holds
    Balance {
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

/// Which of a wallet's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WhichKey {
    /// The key that holds funds and owns the hotkeys
    Coldkey,
    /// The key that acts on a subnet
    Hotkey,
}

/// What `iota wallet new` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
The coldkey is encrypted with a password: the one in the file's BT_PW_... variable, or one that you
type. Hotkeys are not: a miner must be able to start by itself.

Example:
  iota wallet new --wallet.name cold --wallet.hotkey hot")]
pub struct WalletNewArgs {
    /// Where to make it.
    #[command(flatten)]
    pub wallet: WalletFlags,
    /// Do not encrypt the coldkey
    #[arg(long)]
    pub no_use_password: bool,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `iota wallet regen` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example:
  iota wallet regen coldkey --wallet.name cold < phrase.txt")]
pub struct WalletRegenArgs {
    /// Which key
    pub key: WhichKey,
    /// Where to make it.
    #[command(flatten)]
    pub wallet: WalletFlags,
    /// Do not encrypt a coldkey
    #[arg(long)]
    pub no_use_password: bool,
    /// Replace a key that is there
    #[arg(long)]
    pub overwrite: bool,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `iota wallet sign` takes.
#[derive(Clone, Debug, Args)]
pub struct WalletSignArgs {
    /// Whose signature.
    #[command(flatten)]
    pub wallet: WalletFlags,
    /// What is signed
    #[arg(long, value_name = "TEXT")]
    pub message: String,
    /// Sign with the hotkey rather than with the coldkey
    #[arg(long)]
    pub use_hotkey: bool,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `iota wallet verify` takes.
#[derive(Clone, Debug, Args)]
pub struct WalletVerifyArgs {
    /// What was signed
    #[arg(long, value_name = "TEXT")]
    pub message: String,
    /// The signature, as hex
    #[arg(long, value_name = "HEX")]
    pub signature: String,
    /// The address of who signed
    #[arg(long, value_name = "SS58")]
    pub address: String,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}
