//! Build, check and test the workspace.
//!
//! `cargo xtask test` is the one entry point: it is what the README names and what CI calls. Every
//! other command is one of its steps, so that a step can be run alone. All steps use the release
//! profile and one target directory: each crate is compiled once for tests and once for lints.

mod clients;
mod pytorch;
mod steps;
mod tally;
mod tidy;

use std::process::ExitCode;

use steps::Step;

const USAGE: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  test     everything below up to deny, in this order; what CI calls
  fmt      check the formatting (`cargo fmt` repairs it)
  lint     clippy over all targets, warnings are errors
  tidy     rules of the repository: file sizes, headers, crate edges
  unit     unit, property, in-process, process-level and doc tests
  cuda     compile the kernels for GPUs and lint what launches them; needs no GPU
  doc      build the documentation, warnings are errors
  deny     licences, bans and sources of dependencies, if `cargo-deny` is installed
  bench    run the benchmarks
  gpu      test the kernels on a GPU
  pytorch  a training step here and in PyTorch by turns, with ratios; `--cuda` on a GPU
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let steps: &[Step] = match command.as_str() {
        "test" => &Step::ALL,
        "fmt" => &[Step::Fmt],
        "lint" => &[Step::Lint],
        "tidy" => &[Step::Tidy],
        "unit" => &[Step::Unit],
        "cuda" => &[Step::Cuda],
        "doc" => &[Step::Doc],
        "deny" => &[Step::Deny],
        "bench" => &[Step::Bench],
        "pytorch" => return ended(steps::pytorch(&rest)),
        "gpu" => return ended(steps::gpu()),
        "" | "help" | "-h" | "--help" => {
            say(USAGE);
            return ExitCode::SUCCESS;
        }
        other => {
            say(&format!("error: no command `{other}`\n\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    match steps::run_all(steps, &rest) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

fn ended(result: anyhow::Result<()>) -> ExitCode {
    if let Err(error) = result {
        say(&format!("error: {error:#}"));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Prints one line of this program's own; a closed pipe is no error of ours.
fn say(text: &str) {
    use std::io::Write;
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}
