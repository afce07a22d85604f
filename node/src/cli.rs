//! What can be typed: clap types, help texts and nothing else.
//!
//! The types hold what was typed; [`crate::settings`] resolves them. Flag names follow btcli where
//! it has the same thing.

use clap::{Args, Parser, Subcommand};

mod bench;
mod chain;
mod data;
mod demo;
mod localnet;
mod model;
mod order;
mod publish;
mod role;
mod run;
mod stage;
mod stake;
mod subnet;
mod wallet;
mod weights;

pub use bench::{BenchCommand, BottleneckArgs};
pub use chain::{ChainArgs, ChainCommand, HistoryArgs, MetagraphArgs, RegisterArgs};
pub use data::{DataArgs, DataBuildArgs, DataCommand, TokenizerCommand, TokenizerTrainArgs};
pub use demo::DemoArgs;
pub use localnet::{
    DevArgs, FaultsArgs, LocalnetArgs, LocalnetCommand, ScaffoldArgs, SetStorageArgs, StartArgs,
    StateCommand, WarpArgs,
};
pub use model::{EvalArgs, ExportArgs, GenerateArgs};
pub use order::{SignArgs, TransferArgs};
pub use publish::{AxonCommand, CommitmentCommand};
pub use role::{MinerArgs, RoleArgs, ValidatorArgs};
pub use run::{RunCommand, RunInitArgs, RunStartArgs};
pub use stage::{DeviceKind, StageCommand, StagePlanArgs};
pub use stake::{AlphaArgs, ChildCommand, DestinationArgs, PriceArgs, StakeCommand, TradeArgs};
pub use subnet::SubnetCommand;
pub use wallet::{
    WalletArgs, WalletCommand, WalletFlags, WalletNewArgs, WalletRegenArgs, WalletSignArgs,
    WalletVerifyArgs, WhichKey,
};
pub use weights::{WeightArgs, WeightsCommand};

/// Train one model together, over the internet, on a Bittensor subnet.
///
/// Miners each train a stage of a pipeline, validators check their work by doing samples of it
/// again, and the chain pays by the validators' weights.
#[derive(Clone, Debug, Parser)]
#[command(name = "iota", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  iota demo                                 the whole subnet on this machine, in ninety seconds
  iota localnet                             a chain to develop against, at ws://127.0.0.1:9944
  iota miner --netuid 1 --manifest run.toml --chain local")]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Copy, Debug, Args)]
pub struct GlobalArgs {
    /// Log to stderr; twice and three times for more (`RUST_LOG` selects finer)
    #[arg(short, long, action = clap::ArgAction::Count, global = true, display_order = 900)]
    pub verbose: u8,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run a whole subnet on this machine: chain, miners, validators, and one that cheats
    Demo(DemoArgs),
    /// Run a development chain
    Localnet(LocalnetArgs),
    /// Train a stage and get paid for it
    Miner(MinerArgs),
    /// Check miners and set weights
    Validator(ValidatorArgs),
    /// Look at the stages of a model
    #[command(subcommand)]
    Stage(StageCommand),
    /// Repeat the studies behind the defaults
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Make datasets that runs train on
    #[command(subcommand)]
    Data(DataCommand),
    /// Make tokenizers
    #[command(subcommand)]
    Tokenizer(TokenizerCommand),
    /// Measure a trained model on a text
    Eval(EvalArgs),
    /// Sample text from a trained model
    Generate(GenerateArgs),
    /// Write a trained model for Hugging Face `transformers`
    Export(ExportArgs),
    /// Look at a chain itself
    #[command(subcommand)]
    Chain(ChainCommand),
    /// Show who is on a subnet
    Metagraph(MetagraphArgs),
    /// Show what a wallet had and earned, block by block
    History(HistoryArgs),
    /// Make and show wallets, in btcli's files
    Wallet(WalletArgs),
    /// Register a hotkey on a subnet by burning its price, or by work
    Register(RegisterArgs),
    /// Stake on a hotkey, move it, and take it back
    #[command(subcommand)]
    Stake(StakeCommand),
    /// Lend a hotkey's stake to other hotkeys
    #[command(subcommand)]
    Child(ChildCommand),
    /// Create, start and set subnets
    #[command(subcommand)]
    Subnet(SubnetCommand),
    /// Set weights by hand
    #[command(subcommand)]
    Weights(WeightsCommand),
    /// Publish where a hotkey is reached
    #[command(subcommand)]
    Axon(AxonCommand),
    /// Publish what a hotkey commits to, and show what others have
    #[command(subcommand)]
    Commitment(CommitmentCommand),
    /// Publish and start a training run (subnet owner)
    #[command(subcommand)]
    Run(RunCommand),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
