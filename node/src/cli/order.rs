//! What commands that sign share, and `iota wallet transfer`.

use clap::Args;
use iota_chain::Rao;

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
