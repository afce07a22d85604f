//! `cargo xtask pytorch`: one training step here and in PyTorch, by turns, on the same machine.
//!
//! Programs take turns, so that what else the machine does meets all of them; figures are medians over
//! the rounds. PyTorch comes from PyPI, once, into the user's cache.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::{clients, say};

/// What the programs print last.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Figures {
    tokens_per_second: f64,
    #[serde(default)]
    peak_bytes: f64,
    /// Of the device's peak.
    #[serde(default)]
    mfu: f64,
}

/// A program that trains.
struct Runner {
    name: &'static str,
    /// What it does; programs with the same task are compared.
    task: String,
    command: Vec<String>,
    runs: Vec<Figures>,
}

/// How often each program runs.
const ROUNDS: usize = 3;

/// Measures and prints: on the CPU the step of a whole small model, on a GPU (`--cuda`) that of a body stage.
///
/// # Errors
/// When PyTorch cannot be installed or a program fails.
pub(crate) fn compare(root: &Path, cargo: &mut Command, rest: &[String]) -> Result<()> {
    let on_gpu = match rest {
        [] => false,
        [option] if option == "--cuda" => true,
        _ => bail!("`cargo xtask pytorch` takes no options but `--cuda`"),
    };
    let folder = clients::torch(root).map_err(anyhow::Error::msg)?;
    let python = folder.join("bin/python").display().to_string();
    let script = root.join("bench/pytorch.py").display().to_string();
    let theirs = |task: &str, precision, more: &[&str]| {
        let name = if more.contains(&"--compile") { "PyTorch, compiled" } else { "PyTorch" };
        let options = [&python, "-W", "ignore", &script, "--precision", precision];
        let command = options.into_iter().chain(more.iter().copied()).map(str::to_owned).collect();
        Runner { name, task: task.into(), command, runs: Vec::new() }
    };
    let program = build(cargo, if on_gpu { "body" } else { "step" }, on_gpu)?;
    let ours = |task: &str, args: &[&str]| {
        let args = args.iter().map(|arg| (*arg).to_owned());
        let command = std::iter::once(program.clone()).chain(args).collect();
        Runner { name: "iota", task: task.into(), command, runs: Vec::new() }
    };
    let mut runners = Vec::new();
    // The same cuBLAS for both.
    let cublas = on_gpu.then(|| clients::cublas(root)).transpose().map_err(anyhow::Error::msg)?;
    if on_gpu {
        for (batch, context) in [("8", "800"), ("4", "2048")] {
            let task = format!("{batch} x {context}");
            let options = ["--body", "--device", "cuda", "--batch", batch, "--tokens", context];
            runners.push(ours(&task, &["cuda", batch, context]));
            runners.push(theirs(&task, "bf16", &options));
            runners.push(theirs(&task, "bf16", &[&options[..], &["--compile"]].concat()));
        }
    } else {
        for precision in ["f32", "bf16"] {
            runners.push(ours(precision, &[precision]));
            runners.push(theirs(precision, precision, &[]));
            runners.push(theirs(precision, precision, &["--compile"]));
        }
    }
    for round in 1..=ROUNDS {
        for runner in &mut runners {
            say(&format!("round {round} of {ROUNDS}: {} {}", runner.name, runner.task));
            runner.runs.push(measure(&runner.command, cublas.as_deref())?);
        }
    }
    show(&runners);
    Ok(())
}

/// Builds an example of the trainer; the program's path.
fn build(cargo: &mut Command, example: &str, cuda: bool) -> Result<String> {
    cargo.args(["build", "--release", "--locked", "-p", "iota-trainer", "--example", example]);
    if cuda {
        cargo.args(["--features", "cuda"]);
    }
    cargo.args(["--message-format", "json"]).stderr(Stdio::inherit());
    let built = cargo.output().context("cannot start cargo")?;
    ensure!(built.status.success(), "the example `{example}` does not build");
    String::from_utf8_lossy(&built.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(str::to_owned))
        .next_back()
        .context("cargo names no program")
}

fn show(runners: &[Runner]) {
    say("");
    say("| program | task | tokens/s | iota is | peak memory | MFU |\n|---|---|---|---|---|---|");
    for runner in runners {
        let of_ours = runners.iter().find(|other| other.task == runner.task);
        let speed = median(&runner.runs, |run| run.tokens_per_second);
        let ours = of_ours.map_or(0.0, |ours| median(&ours.runs, |run| run.tokens_per_second));
        let known = |value: f64, shown: String| if value > 0.0 { shown } else { "-".into() };
        let peak = median(&runner.runs, |run| run.peak_bytes) / 1e6;
        let mfu = median(&runner.runs, |run| run.mfu) * 100.0;
        say(&format!(
            "| {} | {} | {speed:.0} | {:.2} x | {} | {} |",
            runner.name,
            runner.task,
            ours / speed,
            known(peak, format!("{peak:.0} MB")),
            known(mfu, format!("{mfu:.1} %")),
        ));
    }
}

fn measure(command: &[String], libraries: Option<&OsStr>) -> Result<Figures> {
    let [program, args @ ..] = command else { unreachable!("a command has a program") };
    let mut run = Command::new(program);
    run.args(args).stdin(Stdio::null()).envs(libraries.map(|folder| ("LD_LIBRARY_PATH", folder)));
    let ran = run.output().with_context(|| format!("cannot start {program}"))?;
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
