//! The steps of `cargo xtask test`: which command each one runs, and what counts as a pass.
//!
//! A failed step does not stop the ones after it: one run shows everything that is wrong.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::clients;
use crate::say;
use crate::tally::Tally;
use crate::tidy;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// `cargo fmt --check`.
    Fmt,
    /// Clippy.
    Lint,
    /// The repository's own rules.
    Tidy,
    /// All tests.
    Unit,
    /// The trainer with its GPU kernels.
    Cuda,
    /// Rustdoc.
    Doc,
    /// Dependencies.
    Deny,
    /// Benchmarks.
    Bench,
}

/// How a step ended.
enum Outcome {
    /// It ran; the tally says how many checks passed and failed.
    Ran(Tally),
    /// It did not run, for this reason; that is no failure.
    Skipped(String),
}

impl Step {
    /// What `cargo xtask test` runs: cheap steps first.
    pub(crate) const ALL: [Self; 7] =
        [Self::Fmt, Self::Tidy, Self::Unit, Self::Lint, Self::Cuda, Self::Doc, Self::Deny];

    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Lint => "lint",
            Self::Tidy => "tidy",
            Self::Unit => "unit",
            Self::Cuda => "cuda",
            Self::Doc => "doc",
            Self::Deny => "deny",
            Self::Bench => "bench",
        }
    }

    fn run(self, rest: &[String]) -> Result<Outcome> {
        let tally = match self {
            Self::Fmt => one(cargo(&["fmt", "--all", "--check"]))?,
            Self::Lint => one(cargo(&[
                "clippy",
                "--release",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ]))?,
            Self::Cuda => return cuda(),
            Self::Tidy => {
                let problems = tidy::problems(&root())?;
                for problem in &problems {
                    say(&format!("tidy: {problem}"));
                }
                Tally::of_one(problems.is_empty())
            }
            Self::Unit => return tests(rest).map(Outcome::Ran),
            Self::Doc => {
                let mut doc = cargo(&[
                    "doc",
                    "--release",
                    "--workspace",
                    "--no-deps",
                    "--document-private-items",
                    "--locked",
                ]);
                doc.env("RUSTDOCFLAGS", "-D warnings");
                one(doc)?
            }
            Self::Deny => return deny(),
            Self::Bench => {
                let mut bench = cargo(&["bench", "--workspace", "--locked"]);
                bench.args(rest);
                one(bench)?
            }
        };
        Ok(Outcome::Ran(tally))
    }
}

/// Compiles the kernels for GPUs and lints what launches them; needs no GPU.
fn cuda() -> Result<Outcome> {
    let home = match clients::cuda(&root()) {
        Ok(home) => home,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    let mut lint = cargo(&[
        "clippy",
        "--release",
        "--locked",
        "-p",
        "iota-trainer",
        "--lib",
        "--features",
        "cuda",
    ]);
    lint.args(["--", "-D", "warnings"]).envs(home.map(|home| ("CUDA_HOME", home)));
    one(lint).map(Outcome::Ran)
}

/// Runs the tests of the kernels on a GPU.
///
/// # Errors
/// A command that could not be started, or failed.
pub(crate) fn gpu() -> Result<()> {
    let home = clients::cuda(&root()).map_err(anyhow::Error::msg)?;
    let mut test = cargo(&["test", "--release", "--locked", "-p", "iota-trainer", "--lib"]);
    test.args(["--features", "cuda", "gpu"]).env("IOTA_TEST_GPU", "1");
    if let Some(home) = home {
        // A toolkit that was installed has cuBLAS, too.
        let cublas = clients::cublas(&root()).map_err(anyhow::Error::msg)?;
        test.env("CUDA_HOME", home).env("LD_LIBRARY_PATH", cublas);
    }
    anyhow::ensure!(one(test)?.failed == 0, "tests on the GPU failed");
    Ok(())
}

/// Compares a training step with PyTorch's.
///
/// # Errors
/// What could not be installed, built or run.
pub(crate) fn pytorch(rest: &[String]) -> Result<()> {
    let mut build = cargo(&[]);
    if !rest.is_empty() {
        let home = clients::cuda(&root()).map_err(anyhow::Error::msg)?;
        build.envs(home.map(|home| ("CUDA_HOME", home)));
    }
    crate::pytorch::compare(&root(), &mut build, rest)
}

/// Runs the steps in order and closes with one line that counts the checks; true if none failed.
///
/// # Errors
/// A command that could not be started.
pub(crate) fn run_all(steps: &[Step], rest: &[String]) -> Result<bool> {
    let mut total = Tally::default();
    for step in steps {
        let start = Instant::now();
        say(&format!("== {}", step.name()));
        match step.run(rest)? {
            Outcome::Ran(tally) => {
                let verdict = if tally.failed == 0 { "ok" } else { "FAILED" };
                say(&format!("== {}: {verdict} in {} s", step.name(), start.elapsed().as_secs()));
                total.add(tally);
            }
            Outcome::Skipped(reason) => say(&format!("== {}: skipped: {reason}", step.name())),
        }
    }
    say(&total.to_string());
    Ok(total.failed == 0)
}

/// The workspace's root, as cargo tells it to what it runs: two checkouts may share a target folder,
/// so what the compiler saw need not be this one.
fn root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| ".".into(), |own| Path::new(&own).join(".."))
}

fn cargo(args: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// Runs a command whose exit status is the whole result.
fn one(mut command: Command) -> Result<Tally> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    Ok(Tally::of_one(status.success()))
}

/// All tests: through nextest where it is installed (it runs tests of all crates at once), else
/// through cargo's own runner. Documentation tests always need the latter.
fn tests(rest: &[String]) -> Result<Tally> {
    let mut total = Tally::default();
    let clients = clients::folder(&root()).map(|folder| (clients::VARIABLE, folder));
    if is_installed("nextest") {
        let mut run = cargo(&["nextest", "run", "--release", "--workspace", "--locked"]);
        run.arg("--no-fail-fast").args(rest).envs(clients.clone());
        total.add(counted(run)?);
        if rest.is_empty() {
            total.add(portable()?);
        }
        let mut doc = cargo(&["test", "--release", "--workspace", "--locked", "--doc"]);
        doc.args(rest);
        total.add(counted(doc)?);
    } else {
        let mut run = cargo(&["test", "--release", "--workspace", "--locked"]);
        run.arg("--no-fail-fast").args(rest).envs(clients.clone());
        total.add(counted(run)?);
    }
    Ok(total)
}

/// The trainer's unit tests once more as on a CPU without the vectors that its products are written for; what
/// compares kernels with each other need not run again.
fn portable() -> Result<Tally> {
    let mut run = cargo(&["nextest", "run", "--release", "--workspace", "--locked", "-E"]);
    run.arg(
        "package(iota-trainer) & kind(lib) & (test(/gpu::audited/) | not test(/gpu::|kernels/))",
    );
    run.arg("--no-fail-fast").env("IOTA_TEST_PORTABLE", "1");
    counted(run)
}

/// Runs a test command, passes its output on, and counts the tests in it.
fn counted(mut command: Command) -> Result<Tally> {
    // Both runners write what we count to different channels; the shell-free way to read both in
    // order is to give them one pipe.
    let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    let second = writer.try_clone().context("cannot share a pipe")?;
    command.stdin(Stdio::null()).stdout(writer).stderr(second);
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    // The command holds our ends of the pipe; without them reading ends with the child's exit.
    drop(command);
    let mut tally = Tally::default();
    let mut out = std::io::stdout();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.context("cannot read the test output")?;
        let text = String::from_utf8_lossy(&line);
        tally.read_line(&text);
        // A reader that went away must not stop the tests.
        drop(writeln!(out, "{text}"));
    }
    let status = child.wait().context("cannot wait for the tests")?;
    if !status.success() && tally.failed == 0 {
        // It failed without saying which test: a compile error or a crash.
        tally.failed = 1;
    }
    Ok(tally)
}

/// Licences, bans and sources. Advisories need a database from the network, so they have their
/// own flag: `cargo deny check advisories`.
fn deny() -> Result<Outcome> {
    if !is_installed("deny") {
        return Ok(Outcome::Skipped(
            "`cargo-deny` is not installed (`cargo install --locked cargo-deny`, some five minutes \
             on two cores)"
                .into(),
        ));
    }
    let check = cargo(&["deny", "--locked", "check", "bans", "licenses", "sources"]);
    one(check).map(Outcome::Ran)
}

/// Whether cargo knows the subcommand.
fn is_installed(subcommand: &str) -> bool {
    cargo(&[subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
