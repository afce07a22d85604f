//! The whole subnet as processes: what `iota demo` promises, and that nothing is left behind.
//!
//! Each run takes both cores of a small machine, so they run one at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Home;

/// One demo at a time.
static ONE: Mutex<()> = Mutex::new(());
/// How long a stopped demo's processes may take to go away.
const GONE: Duration = Duration::from_secs(20);

/// A demo that runs, and what it has said.
struct Demo {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    events: Vec<Value>,
    home: Home,
    _alone: MutexGuard<'static, ()>,
}

impl Demo {
    fn start(flags: &str) -> Self {
        let alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let home = Home::new();
        let line = format!("demo --json {flags}");
        let mut command = home.command(line.split_whitespace());
        let log = std::fs::File::create(home.path().join("stderr")).unwrap();
        let mut child = command.stderr(log).spawn().unwrap();
        let stdout = child.stdout.take().expect("the command was built with pipes");
        let lines = BufReader::new(stdout).lines();
        Self { child, lines, events: Vec::new(), home, _alone: alone }
    }

    /// Reads on until an event holds, and returns it.
    fn until(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        for line in self.lines.by_ref() {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            self.events.push(event.clone());
            if holds(&event) {
                return event;
            }
        }
        panic!("the demo ended before {what}:\n{}", self.stderr());
    }

    /// Reads to the end.
    fn finish(&mut self) -> ExitStatus {
        for line in self.lines.by_ref() {
            self.events.push(serde_json::from_str(&line.unwrap()).unwrap());
        }
        self.child.wait().unwrap()
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(self.home.path().join("stderr")).unwrap()
    }

    fn named<'a>(&'a self, event: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |value| value["event"] == event)
    }

    /// The process id of a child.
    fn pid(&self, name: &str) -> u64 {
        let started = self.named("started").find(|event| event["name"] == name);
        started.and_then(|event| event["pid"].as_u64()).unwrap()
    }

    /// Asserts that all processes that the demo started are gone, or go away soon.
    #[track_caller]
    fn assert_nothing_left(&self) {
        let start = Instant::now();
        let pids: Vec<u64> = self.named("started").filter_map(|e| e["pid"].as_u64()).collect();
        assert_eq!(pids.len(), 9, "{}", self.stderr());
        while let Some(pid) = pids.iter().find(|pid| is_alive(**pid)) {
            assert!(start.elapsed() < GONE, "process {pid} is left over");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Only a failed test comes here with a demo that runs.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the process runs; one that has ended and was not waited for does not.
fn is_alive(pid: u64) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
}

fn signal(name: &str, pid: u64) {
    // Every shell has it; as a program of its own it need not be there.
    let status = Command::new("sh").args(["-c", &format!("kill {name} {pid}")]).status().unwrap();
    assert!(status.success());
}

fn is_event(value: &Value, event: &str) -> bool {
    value["event"] == event
}

/// What two runs of one seed must agree on: beacon and plan by epoch, ids by (epoch, head, k).
type Agreed = (BTreeMap<u64, (Value, Value)>, BTreeMap<(u64, String, u64), Value>);

fn agreed(demo: &Demo) -> Agreed {
    let number = |value: &Value| value.as_u64().unwrap();
    let plans = demo.named("plan");
    let plans = plans.map(|e| (number(&e["epoch"]), (e["beacon"].clone(), e["plan"].clone())));
    let draws = demo.named("draw").map(|e| {
        let head = e["head"].as_str().unwrap().to_owned();
        ((number(&e["epoch"]), head, number(&e["k"])), e["ids"].clone())
    });
    (plans.collect(), draws.collect())
}

#[test]
fn a_subnet_learns_pays_the_honest_and_not_the_cheat_and_repeats_by_seed() {
    let mut demo = Demo::start("--seed 7 --keep kept");
    let url = demo.until("the chain listens", |e| is_event(e, "listening"))["url"].clone();
    demo.until("weights", |e| is_event(e, "weights"));
    metagraph_from_outside(url.as_str().unwrap());
    a_port_in_use(&demo, url.as_str().unwrap());
    let status = demo.finish();
    assert_eq!(status.code(), Some(0), "{}", demo.stderr());
    demo.assert_nothing_left();
    let summary = demo.events.last().unwrap().clone();
    assert_learned(&summary);
    assert_paid(&summary);
    assert_weights(&demo);
    let merges: BTreeSet<(u64, u64)> = demo
        .named("merge")
        .map(|e| {
            assert_eq!(e["agreed"], true, "{e}");
            (e["stage"].as_u64().unwrap(), e["epoch"].as_u64().unwrap())
        })
        .collect();
    for stage in 0..3 {
        assert!(merges.iter().filter(|merge| merge.0 == stage).count() >= 3, "{merges:?}");
    }
    let first = agreed(&demo);
    drop(demo);

    // The same seed again, stopped by Ctrl-C once there is something to compare.
    let mut again = Demo::start("--seed 7");
    again.until("a draw of epoch 1", |e| is_event(e, "draw") && e["epoch"] == 1);
    signal("-INT", again.child.id().into());
    let status = again.finish();
    assert_eq!(status.code(), Some(130), "{}", again.stderr());
    assert_eq!(again.stderr().lines().last(), Some("error: interrupted"));
    again.assert_nothing_left();
    let second = agreed(&again);
    assert!(second.0.len() >= 2 && second.1.len() >= 10, "{second:?}");
    for (epoch, plan) in &second.0 {
        assert_eq!(first.0.get(epoch), Some(plan), "plan of epoch {epoch}");
    }
    let both = second.1.iter().filter_map(|(key, ids)| first.1.get(key).map(|old| (old, ids)));
    assert!(both.clone().count() >= 10);
    assert!(both.clone().all(|(old, new)| old == new), "draws differ");
}

/// The held-out loss falls far, and below what counting bytes can reach.
fn assert_learned(summary: &Value) {
    let number = |name: &str| summary[name].as_f64().unwrap();
    assert!(number("loss_last") <= 0.6 * number("loss_first"), "{summary}");
    assert!(number("loss_last") <= 0.9 * number("unigram"), "{summary}");
    assert!(number("tokens_per_s") > 0.0 && number("compression") > 1.0, "{summary}");
    assert_eq!(summary["epochs"], 5, "{summary}");
}

/// Incentives sum to one; the cheat has less than a tenth of the honest median.
fn assert_paid(summary: &Value) {
    let miners = summary["miners"].as_array().unwrap();
    let incentive = |miner: &Value| miner["incentive"].as_f64().unwrap();
    let sum: f64 = miners.iter().map(incentive).sum();
    assert!((sum - 1.0).abs() < 1e-3, "{summary}");
    let (cheats, honest): (Vec<_>, Vec<_>) = miners.iter().partition(|m| m["hostile"] == true);
    let mut honest: Vec<f64> = honest.into_iter().map(incentive).collect();
    honest.sort_by(f64::total_cmp);
    assert_eq!((cheats.len(), honest.len()), (1, 5), "{summary}");
    assert!(honest[0] > 0.0, "{summary}");
    assert!(incentive(cheats[0]) < 0.1 * honest[2], "{summary}");
    assert!(miners.iter().all(|m| m["hostile"] == true || m["emission"].as_u64() > Some(0)));
}

/// Each validator's weights stand in at least two finalized blocks.
fn assert_weights(demo: &Demo) {
    for validator in ["validator-1", "validator-2"] {
        let blocks: BTreeSet<u64> = demo
            .named("weights")
            .filter(|event| event["from"] == validator)
            .map(|event| event["block"].as_u64().unwrap())
            .collect();
        assert!(blocks.len() >= 2, "{validator}: {blocks:?}");
    }
}

/// `iota metagraph` works against the demo's chain while it runs.
fn metagraph_from_outside(url: &str) {
    let home = Home::new();
    let table = home.run(&format!("metagraph --chain {url}"));
    assert_eq!((table.code, table.stderr.as_str()), (Some(0), ""), "{table:?}");
    // A title, a blank line, the header, the owner, two validators and six miners.
    assert_eq!(table.stdout.lines().count(), 3 + 9, "{}", table.stdout);
    let json = home.run(&format!("metagraph --chain {url} --json"));
    let metagraph: Value = serde_json::from_str(&json.stdout).unwrap();
    let neurons = metagraph["neurons"].as_array().unwrap();
    assert_eq!(neurons.len(), 9, "{metagraph}");
    // The owner, uid 0, always has a permit; beside it the validators, and no miner.
    let permits = neurons.iter().filter(|neuron| neuron["validator_permit"] == true);
    let uids: Vec<u64> = permits.map(|neuron| neuron["uid"].as_u64().unwrap()).collect();
    assert_eq!(uids, [0, 1, 2], "{metagraph}");
}

/// A role says that its port is taken, here by the chain.
fn a_port_in_use(demo: &Demo, url: &str) {
    let (_, port) = url.rsplit_once(':').unwrap();
    let ran = demo.home.run(&format!(
        "miner --chain {url} --netuid 1 --wallet.path kept/wallets --wallet.name miners \
         --wallet.hotkey miner-1 --manifest kept/manifest.toml --port {port}"
    ));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{ran:?}");
    assert!(lines[0].starts_with("error: cannot listen for peers"), "{ran:?}");
    assert_eq!(lines[1], "hint: pass another `--port`, or none for a free one", "{ran:?}");
}

#[test]
fn the_run_goes_on_when_a_miner_is_killed_in_mid_train() {
    let mut demo = Demo::start("--hostile 0 --epochs 3");
    demo.until("training", |e| is_event(e, "microbatch"));
    signal("-KILL", demo.pid("miner-4"));
    let status = demo.finish();
    assert_eq!(status.code(), Some(0), "{}", demo.stderr());
    demo.assert_nothing_left();
    let warned = demo.named("warning").any(|event| {
        let text = event["text"].as_str().unwrap();
        text.starts_with("miner-4 ended") && text.contains("miner-4.log")
    });
    assert!(warned, "no warning names the log");
    let summary = demo.events.last().unwrap();
    let loss = |name: &str| summary[name].as_f64().unwrap();
    assert!(loss("loss_last") < 0.8 * loss("loss_first"), "{summary}");
    let later = demo.named("microbatch").filter(|event| event["epoch"] == 2).count();
    assert!(later > 0, "nothing was trained after the death");
}

#[test]
fn no_process_outlives_a_demo_that_dies_without_a_word() {
    let mut demo = Demo::start("");
    for _ in 0..8 {
        demo.until("all roles are ready", |e| is_event(e, "ready"));
    }
    signal("-KILL", demo.child.id().into());
    assert_eq!(demo.finish().code(), None);
    demo.assert_nothing_left();
}
