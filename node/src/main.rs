//! Entry point of the `iota` binary: parse, run, exit code.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use iota::cli::Cli;
use iota::error::{Context, Error};
use iota::{commands, printer, telemetry};

/// How long tasks that outlive their command are waited for.
const SHUTDOWN: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            printer::usage(&error);
            // 0 after help, 2 after a wrong flag.
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    telemetry::start(cli.global.verbose);
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            printer::error(&error);
            error.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .or_user("cannot start threads")?;
    // On the heap: the future of the largest command is too big for some main threads' stacks.
    let result = runtime.block_on(Box::pin(commands::run(cli)));
    runtime.shutdown_timeout(SHUTDOWN);
    result
}
