//! Real clients of the chain on our dev chain: each makes a subnet, registers, stakes, serves and, but
//! for one, sets weights and is paid. What it saw at the end is compared with what our own client
//! reads of the same block.
//!
//! Needs the programs that `cargo xtask test` installs; without them these tests say so and pass.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use iota_chain::{Client, from_ss58};
use iota_localnet::{Config, Sealing};
use serde::Deserialize;

use crate::support::{Home, client};

/// What a client saw of the chain at the end, addresses in SS58 and amounts in rao.
#[derive(Debug, Deserialize)]
struct View {
    netuid: u16,
    coldkey: String,
    balance: u64,
    /// Neurons by uid: hotkey, coldkey, stake, port. Empty where the client shows stake alone.
    #[serde(default)]
    neurons: Vec<(String, String, u64, u16)>,
    /// The validator's hotkey and stake.
    stake: Option<(String, u64)>,
}

/// The scenarios' folder. Two checkouts may share a target folder, so it is asked of cargo.
fn scenarios() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    Path::new(&own).join("tests/clients")
}

/// Runs a scenario against a chain of its own and compares what it saw with what we see.
async fn compare(program: PathBuf, script: &str, package: Option<PathBuf>) {
    let block_time_ms = 100;
    let sealing = Sealing::Interval(Duration::from_millis(block_time_ms));
    let config = Config { block_time_ms, sealing, quicknet: true, ..Config::test() };
    let (api, handle) = iota_localnet::spawn(config).await.unwrap();
    let url = api.url();
    let mut command = Command::new(program);
    let home = Home::new();
    command
        .arg(scenarios().join(script))
        .arg(&url)
        .env("HOME", home.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(package.map(|path| ("IOTA_TEST_PACKAGE", path)))
        .current_dir(home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let line = script.to_owned();
    let ran = tokio::task::spawn_blocking(move || home.finish(command, &line)).await.unwrap();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let seen = ran.stdout.lines().find_map(|line| line.strip_prefix("view ")).unwrap();
    let seen: View = serde_json::from_str(seen).unwrap();

    let chain = Client::connect(&url, Duration::from_secs(10)).await.unwrap();
    let balance = chain.balance(&from_ss58(&seen.coldkey).unwrap()).await.unwrap();
    assert_eq!(balance, seen.balance);
    let (_, head) = chain.finalized().await.unwrap();
    let neurons = chain.neurons(seen.netuid, head).await.unwrap();
    let ours: Vec<_> = neurons
        .iter()
        .map(|neuron| {
            let port = neuron.axon.map_or(0, |(_, port)| port);
            (neuron.hotkey, neuron.coldkey, neuron.stake, port)
        })
        .collect();
    let theirs: Vec<_> = seen
        .neurons
        .iter()
        .map(|(hotkey, coldkey, stake, port)| {
            (from_ss58(hotkey).unwrap(), from_ss58(coldkey).unwrap(), *stake, *port)
        })
        .collect();
    assert!(theirs.is_empty() || theirs == ours, "{theirs:?}\n{ours:?}");
    if let Some((hotkey, stake)) = seen.stake {
        let hotkey = from_ss58(&hotkey).unwrap();
        let neuron = neurons.iter().find(|neuron| neuron.hotkey == hotkey).unwrap();
        assert_eq!(neuron.stake, stake);
    }
    handle.stop().await;
}

/// Runs a Python scenario with the packages of an environment.
async fn compare_python(name: &str) {
    if let Some(folder) = client(name) {
        compare(folder.join("bin/python"), &format!("{name}.py"), None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bittensor_sdk_10_runs_a_subnet() {
    compare_python("sdk10").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn btcli_of_the_bittensor_sdk_11_runs_a_subnet() {
    compare_python("sdk11").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bittensor_cli_9_runs_a_subnet() {
    compare_python("btcli9").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn polkadot_js_runs_a_subnet() {
    if let Some(folder) = client("polkadot") {
        compare("node".into(), "polkadot.mjs", Some(folder)).await;
    }
}

/// The least of some runs of a command, which succeeds.
fn fastest(home: &Home, line: &str, command: impl Fn() -> Command) -> Duration {
    let once = || {
        let start = Instant::now();
        let ran = home.finish(command(), line);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        // A table, or an object, has a hotkey of each neuron.
        assert!(ran.stdout.matches("5").count() >= 256, "{ran:?}");
        start.elapsed()
    };
    (0..3).map(|_| once()).min().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metagraph_is_shown_ten_times_faster_than_by_the_bittensor_sdk_11() {
    let Some(folder) = client("sdk11") else { return };
    let config = Config { sealing: Sealing::Instant, ..Config::test() };
    let (api, handle) = iota_localnet::spawn(config).await.unwrap();
    let url = api.url();
    let (ours, theirs) = tokio::task::spawn_blocking(move || {
        let home = Home::new();
        let full = "localnet scaffold --validators 2 --miners 253 --wallet.path w";
        let full = home.run(&format!("{full} --chain {url}"));
        assert_eq!(full.code, Some(0), "{full:?}");
        let ours = format!("metagraph --chain {url}");
        let ours = fastest(&home, "iota metagraph", || home.command(ours.split_whitespace()));
        let theirs = fastest(&home, "btcli query metagraph", || {
            let mut command = Command::new(folder.join("bin/btcli"));
            let line = format!("query metagraph --netuid 1 --network {url}");
            command.args(line.split_whitespace()).env("HOME", home.path());
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command
        });
        (ours, theirs)
    })
    .await
    .unwrap();
    assert!(theirs >= 10 * ours, "iota {ours:?}, btcli {theirs:?}");
    handle.stop().await;
}
