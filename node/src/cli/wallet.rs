//! `iota wallet`, and the flags that select a wallet.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::ChainArgs;
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

/// What `iota wallet new` takes.
#[derive(Clone, Debug, Args)]
pub struct WalletNewArgs {
    /// Where to make it.
    #[command(flatten)]
    pub wallet: WalletFlags,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}
