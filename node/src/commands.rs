//! One file per verb: what each command does, given what was typed.

use crate::cli::{Cli, Command};
use crate::error::Result;

mod axon;
mod bench;
mod chain;
mod child;
mod commitment;
mod data;
mod demo;
mod history;
mod localnet;
mod metagraph;
mod model;
mod order;
mod register;
mod role;
mod run;
mod stage;
mod stake;
mod subnet;
mod wallet;
mod weights;

/// Runs the command.
///
/// # Errors
/// What ends the command, with its exit code.
pub async fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Demo(args) => demo::run(&args).await,
        Command::Localnet(args) => localnet::run(args).await,
        Command::Miner(args) => role::miner(&args).await,
        Command::Validator(args) => role::validator(&args).await,
        Command::Stage(command) => stage::run(command),
        Command::Bench(command) => bench::run(command),
        Command::Data(command) => data::run(command),
        Command::Tokenizer(command) => data::tokenizer(command),
        Command::Eval(args) => model::eval(&args),
        Command::Generate(args) => model::generate(&args),
        Command::Export(args) => model::export(&args),
        Command::Chain(command) => chain::run(command).await,
        Command::Metagraph(args) => metagraph::run(&args).await,
        Command::History(args) => history::run(&args).await,
        Command::Wallet(args) => wallet::run(args.command).await,
        Command::Register(args) => register::run(&args).await,
        Command::Stake(command) => stake::run(command).await,
        Command::Child(command) => child::run(command).await,
        Command::Subnet(command) => subnet::run(command).await,
        Command::Weights(command) => weights::run(command).await,
        Command::Axon(command) => axon::run(command).await,
        Command::Commitment(command) => commitment::run(command).await,
        Command::Run(command) => run::run(command).await,
    }
}
