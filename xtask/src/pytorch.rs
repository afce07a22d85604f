//! `cargo xtask pytorch`: one training step here and in PyTorch, by turns, on the same machine.
//!
//! Programs take turns, so that what else the machine does meets all of them; figures are medians over
//! the rounds. PyTorch comes from PyPI, once, into the user's cache.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::{clients, say};

/// What the programs print last.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Figures {
    tokens_per_second: f64,
    peak_bytes: f64,
}

/// A program that trains.
struct Runner {
    name: &'static str,
    precision: &'static str,
    command: Vec<String>,
    runs: Vec<Figures>,
}

/// How often each program runs.
const ROUNDS: usize = 3;

/// Measures and prints.
///
/// # Errors
/// When PyTorch cannot be installed or a program fails.
pub(crate) fn compare(root: &Path, cargo: &mut Command, rest: &[String]) -> Result<()> {
    ensure!(rest.is_empty(), "`cargo xtask pytorch` takes no options");
    let folder = clients::torch(root).map_err(anyhow::Error::msg)?;
    cargo.args(["build", "--release", "--locked", "-p", "iota-trainer", "--example", "step"]);
    cargo.args(["--message-format", "json"]).stderr(Stdio::inherit());
    let built = cargo.output().context("cannot start cargo")?;
    ensure!(built.status.success(), "the example `step` does not build");
    let text = String::from_utf8_lossy(&built.stdout);
    let program = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(str::to_owned))
        .next_back()
        .context("cargo names no program")?;
    let python = folder.join("bin/python").display().to_string();
    let script = root.join("bench/pytorch.py").display().to_string();
    let ours = |precision: &'static str| Runner {
        name: "iota",
        precision,
        command: vec![program.clone(), precision.into()],
        runs: Vec::new(),
    };
    let theirs = |name, precision: &'static str, more: &[&str]| Runner {
        name,
        precision,
        command: [&python, "-W", "ignore", &script, "--precision", precision]
            .into_iter()
            .chain(more.iter().copied())
            .map(str::to_owned)
            .collect(),
        runs: Vec::new(),
    };
    let mut runners = [
        ours("f32"),
        theirs("PyTorch", "f32", &[]),
        theirs("PyTorch, compiled", "f32", &["--compile"]),
        ours("bf16"),
        theirs("PyTorch", "bf16", &[]),
        theirs("PyTorch, compiled", "bf16", &["--compile"]),
    ];
    for round in 1..=ROUNDS {
        for runner in &mut runners {
            say(&format!("round {round} of {ROUNDS}: {} {}", runner.name, runner.precision));
            runner.runs.push(measure(&runner.command)?);
        }
    }
    say("");
    say("| program | products | tokens/s | iota is | peak memory |\n|---|---|---|---|---|");
    for runner in &runners {
        let of_ours = runners.iter().find(|other| other.precision == runner.precision);
        let speed = median(&runner.runs, |run| run.tokens_per_second);
        let ours = of_ours.map_or(0.0, |ours| median(&ours.runs, |run| run.tokens_per_second));
        say(&format!(
            "| {} | {} | {speed:.0} | {:.2} x | {:.0} MB |",
            runner.name,
            runner.precision,
            ours / speed,
            median(&runner.runs, |run| run.peak_bytes) / 1e6,
        ));
    }
    Ok(())
}

fn measure(command: &[String]) -> Result<Figures> {
    let [program, args @ ..] = command else { unreachable!("a command has a program") };
    let ran = Command::new(program).args(args).stdin(Stdio::null()).output();
    let ran = ran.with_context(|| format!("cannot start {program}"))?;
    let text = String::from_utf8_lossy(&ran.stdout);
    let why = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "`{}` failed:\n{why}", command.join(" "));
    let line = text.lines().next_back().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("`{}` says {line:?}", command.join(" ")))
}

fn median(runs: &[Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
