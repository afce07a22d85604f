//! `iota run`, for the owner of a subnet.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::{ChainArgs, WalletFlags};
use crate::preset::Preset;

/// The verbs of `iota run`.
#[derive(Clone, Debug, Subcommand)]
pub enum RunCommand {
    /// Write a manifest with the settings of a preset
    Init(RunInitArgs),
    /// Commit a manifest's hash on chain, so that nodes accept it
    Start(RunStartArgs),
}

/// What `iota run init` takes.
#[derive(Clone, Debug, Args)]
pub struct RunInitArgs {
    /// File to write; must not be there yet
    #[arg(value_name = "FILE", default_value = "run.toml")]
    pub file: PathBuf,
    /// The chain and subnet; the manifest holds the chain's genesis hash.
    #[command(flatten)]
    pub chain: ChainArgs,
    /// First block of epoch 0
    #[arg(long, value_name = "BLOCK")]
    pub start_block: u32,
    /// The model, by its size
    #[arg(long, value_name = "NAME", default_value = "tiny")]
    pub preset: Preset,
    /// Into how many stages the model is cut [default: the preset's]
    #[arg(long, value_name = "N")]
    pub stages: Option<u16>,
    /// Text to train on, a file or a folder; the manifest holds its hash
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub data: Option<PathBuf>,
}

/// What `iota run start` takes.
#[derive(Clone, Debug, Args)]
pub struct RunStartArgs {
    /// The manifest
    #[arg(value_name = "FILE", default_value = "run.toml")]
    pub file: PathBuf,
    /// The chain and subnet.
    #[command(flatten)]
    pub chain: ChainArgs,
    /// The owner's wallet; its hotkey must be the subnet's owner hotkey.
    #[command(flatten)]
    pub wallet: WalletFlags,
}
