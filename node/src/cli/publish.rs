//! `iota axon` and `iota commitment`: what a hotkey publishes by hand. The roles do it themselves.

use std::net::IpAddr;

use clap::Subcommand;

use super::{ChainArgs, SignArgs};

/// The verbs of `iota axon`.
#[derive(Clone, Debug, Subcommand)]
pub enum AxonCommand {
    /// Publish an address
    #[command(after_help = "\
Example:
  iota axon set --netuid 9 --ip 203.0.113.7 --port 8091")]
    Set {
        /// The address; the chain refuses those that are not public
        #[arg(long)]
        ip: IpAddr,
        /// The port
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
        port: u16,
        /// The chain and subnet.
        #[command(flatten)]
        chain: ChainArgs,
        /// Whose hotkey signs.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Publish that there is none
    Reset {
        /// The chain and subnet.
        #[command(flatten)]
        chain: ChainArgs,
        /// Whose hotkey signs.
        #[command(flatten)]
        sign: SignArgs,
    },
}

/// The verbs of `iota commitment`.
#[derive(Clone, Debug, Subcommand)]
pub enum CommitmentCommand {
    /// Replace the hotkey's commitment, also what a role has put there
    #[command(after_help = "\
Examples:
  iota commitment set --netuid 9 https://example.org/about
  iota commitment set --netuid 9 --hex 00ff11")]
    Set {
        /// Up to three fields of up to 512 bytes
        #[arg(required = true, num_args = 1..=3, value_name = "FIELD")]
        fields: Vec<String>,
        /// The fields are bytes in hex
        #[arg(long)]
        hex: bool,
        /// The chain and subnet.
        #[command(flatten)]
        chain: ChainArgs,
        /// Whose hotkey signs.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Show what hotkeys have committed
    List {
        /// Of this hotkey alone
        #[arg(long, value_name = "SS58")]
        hotkey_ss58: Option<String>,
        /// The chain and subnet.
        #[command(flatten)]
        chain: ChainArgs,
        /// Write one JSON object
        #[arg(long)]
        json: bool,
    },
}
