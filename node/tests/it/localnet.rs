//! `iota localnet` as a subnet's builder uses it: a chain in its own process, and commands on it.

use std::io::{Read, Write};
use std::net::TcpStream;

use clap::Parser;
use iota::cli::{Cli, Command as Verb, LocalnetCommand};

use crate::chain::Chain;
use crate::support::Home;

/// The commands of the guide's shell examples.
fn guide() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/LOCALNET.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = Vec::new();
    for block in text.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap();
        lines.extend(block.lines().map(|line| line.split('#').next().unwrap().trim().to_owned()));
    }
    lines.retain(|line| line.starts_with("iota "));
    lines
}

#[test]
fn each_command_of_the_guide_works() {
    let chain = Chain::start("");
    let mut ran = 0;
    for line in guide() {
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap_or_else(|e| panic!("{e}"));
        // The chain is there already; that the flags are known is all there is to see.
        let starts = match cli.command {
            Verb::Localnet(args) => matches!(args.command, None | Some(LocalnetCommand::Start(_))),
            _ => false,
        };
        if !starts {
            let said = chain.run(line.strip_prefix("iota ").unwrap());
            assert_eq!(said.code, Some(0), "{line}: {said:?}");
            assert!(!said.stdout.is_empty(), "{line}");
            ran += 1;
        }
    }
    assert!(ran >= 16, "the guide has {ran} commands");
}

#[test]
fn a_scaffold_pays_miners_for_the_validators_weights() {
    let chain = Chain::start("");
    let made = chain.json("localnet scaffold --validators 1 --miners 2 --wallet.path w");
    assert_eq!(made["miners"].as_array().unwrap().len(), 2, "{made}");
    let metagraph = chain.json("metagraph");
    let neurons = metagraph["neurons"].as_array().unwrap();
    let of = |role: &str, index: usize| {
        let hotkey = &made[role][index]["hotkey"];
        neurons.iter().find(|neuron| neuron["hotkey"] == *hotkey).unwrap()
    };
    assert_eq!(neurons.len(), 4);
    assert_eq!(of("validators", 0)["validator_permit"], true);
    assert_eq!(of("miners", 1)["validator_permit"], false);
    assert!(of("validators", 0)["stake"].as_f64() > Some(50.0), "{metagraph}");
    // The wallets are btcli's, and are what the chain knows.
    let listed = chain.ok("wallet list --wallet.path w");
    assert!(listed.contains("localnet-miner-2"), "{listed}");
    assert!(listed.contains(made["owner"]["hotkey"].as_str().unwrap()), "{listed}");
    let again = chain.run("localnet scaffold --wallet.path w");
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.stderr.starts_with("error: subnet 1 exists already\nhint: "), "{again:?}");
}

#[test]
fn a_chain_goes_forth_and_back() {
    let chain = Chain::start("");
    let fund = |tao: &str| {
        let account = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
        chain.json(&format!("localnet fund {account} {tao}"))["rao"].clone()
    };
    assert_eq!(fund("1.5"), 1_500_000_000);
    let snapshot = chain.json("localnet snapshot")["snapshot"].clone();
    assert_eq!(chain.json("localnet warp 600")["number"], 601);
    assert_eq!(chain.json("localnet warp --to 700")["number"], 700);
    let late = chain.run("localnet warp --to 3");
    assert_eq!(late.code, Some(1));
    assert!(late.stderr.starts_with("error: the chain is at block 700 already\n"), "{late:?}");
    assert_eq!(chain.json(&format!("localnet revert {snapshot}"))["number"], 1);
    let set = chain.ok("localnet set-storage Drand.LastStoredRound 0x0900000000000000");
    assert!(set.starts_with("set 0x"), "{set}");
    let diff = chain.ok("localnet state diff 1 2");
    let line = diff.lines().find(|line| line.starts_with("Drand.LastStoredRound: ")).unwrap();
    assert!(line.ends_with(" -> 0x0900000000000000"), "{line}");
    let no = chain.run("localnet revert 99");
    assert_eq!(no.code, Some(1));
    assert_eq!(no.stderr, "error: the chain refused: there is no snapshot 99\n");
}

#[test]
fn a_chain_and_a_file_of_its_metadata_are_checked_alike() {
    let chain = Chain::start("");
    let report = chain.json("chain check");
    assert_eq!(
        (report["gaps"].as_array().unwrap().len(), report["checked"].as_u64() > Some(10)),
        (0, true)
    );
    let said = chain.ok("chain check");
    assert!(said.starts_with("the chain at ws://") && said.contains(" has all "), "{said}");

    // What a node answers, a file of it, and one of a chain whose call has another name.
    let ask = |version: u8| {
        let params = format!(r#"["Metadata_metadata_at_version","0x{version:02x}000000"]"#);
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"state_call","params":{params}}}"#);
        post(&chain.url, &body)
    };
    let answer = ask(15);
    let hex = answer.split('"').find(|part| part.contains("6d657461")).unwrap();
    let encoded = hex::decode(&hex[2..]).unwrap();
    let renamed = hex.replace(&hex::encode("set_commitment"), &hex::encode("get_commitment"));
    let write =
        |name: &str, bytes: &[u8]| std::fs::write(chain.home.path().join(name), bytes).unwrap();
    write("answer.json", answer.as_bytes());
    write("scale", &encoded);
    write("renamed", renamed.as_bytes());
    write("other", b"something else");
    write("old", ask(14).as_bytes());
    for file in ["answer.json", "scale"] {
        let said = chain.ok(&format!("chain check --chain {file}"));
        assert!(said.starts_with(&format!("the file {file} has all ")), "{said}");
    }
    let ran = chain.run("chain check --chain renamed");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(
        ran.stdout,
        "- Commitments.set_commitment: missing (disables committing work, votes and vetoes)\n"
    );
    assert_eq!(ran.stderr, "error: the file renamed lacks 1 of what this program relies on\n");
    for (file, error) in [
        ("other", "there is no metadata in it"),
        ("old", "metadata of this version does not name runtime APIs; "),
    ] {
        let ran = chain.run(&format!("chain check --chain {file}"));
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.starts_with(&format!("error: cannot use the file {file}: {error}")));
    }
}

/// The answer to one JSON-RPC request over HTTP.
fn post(url: &str, body: &str) -> String {
    let address = url.strip_prefix("ws://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!("POST / HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n");
    write!(stream, "{head}content-length: {length}\r\nconnection: close\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn pulses_of_the_public_beacon_are_brought_and_checked() {
    let chain = Chain::start("--quicknet");
    // Of round 1000, as drand publishes it.
    let signature = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125\
                     e342b73a8dd2bacbe47e4b6b63ed5e39";
    let pulse = |round: u64| format!("{{ \"round\": {round}, \"signature\": \"{signature}\" }}\n");
    let file = |text: &str| std::fs::write(chain.home.path().join("pulses"), text).unwrap();
    file(&pulse(1000));
    assert_eq!(chain.ok("localnet pulse pulses"), "round 1000\n");
    for (text, error) in [
        (pulse(1000), "error: the chain refused: "),
        (pulse(1001), "error: the chain refused: "),
        ("{}".to_owned(), "error: cannot read the pulses: missing field `round`"),
    ] {
        file(&text);
        let ran = chain.run("localnet pulse pulses");
        assert!(ran.code != Some(0) && ran.stderr.starts_with(error), "{ran:?}");
    }
}

#[test]
fn where_no_development_chain_is_the_commands_say_so() {
    let home = Home::new();
    let ran = home.run("localnet snapshot --chain ws://127.0.0.1:1");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("cannot reach ws://127.0.0.1:1"), "{ran:?}");
    assert!(ran.stderr.contains("hint: start one with `iota localnet`"), "{ran:?}");
}

/// What the chain at a URL calls its newest finalized block.
fn finalized(url: &str) -> (u64, String) {
    let ask = |method: &str, params: &str| -> serde_json::Value {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":[{params}]}}"#);
        serde_json::from_str(post(url, &body).lines().find(|l| l.starts_with('{')).unwrap())
            .unwrap()
    };
    let hash = ask("chain_getFinalizedHead", "")["result"].as_str().unwrap().to_owned();
    let header = ask("chain_getHeader", &format!("\"{hash}\""));
    let number = header["result"]["number"].as_str().unwrap().trim_start_matches("0x").to_owned();
    (u64::from_str_radix(&number, 16).unwrap(), hash)
}

/// The hash of a block, by its height.
fn hash_at(url: &str, number: u64) -> String {
    let body =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"chain_getBlockHash","params":[{number}]}}"#);
    let answer = post(url, &body);
    let start = answer.find("0x").unwrap();
    answer[start..start + 66].to_owned()
}

#[test]
fn a_chain_on_disk_loses_no_finalized_block_when_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let flags = format!("--block-time 3 --data {}", folder.path().join("d").display());
    let mut seen = (0, String::new());
    for round in 0..4 {
        let mut chain = Chain::started(&flags);
        let (number, _) = finalized(&chain.url);
        assert!(number >= seen.0, "round {round}: back at {number}");
        if seen.0 > 0 {
            assert_eq!(hash_at(&chain.url, seen.0), seen.1, "round {round}");
        }
        let account = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
        chain.json(&format!("localnet fund {account} 1"));
        // Blocks come all the time, so this is in the midst of one, or near it.
        for _ in 0..20 + 7 * round {
            seen = finalized(&chain.url);
        }
        chain.kill();
    }
    let chain = Chain::started(&flags);
    assert_eq!(hash_at(&chain.url, seen.0), seen.1);
    let other = chain.home.run(&format!("localnet start --port 0 {flags}"));
    assert_eq!(other.code, Some(2), "{other:?}");
    assert!(other.stderr.contains("chain.redb is in use by another process\nhint: "), "{other:?}");
    drop(chain);
    let other =
        crate::support::Home::new().run(&format!("localnet start --port 0 --seed 9 {flags}"));
    assert!(other.stderr.contains("holds a chain of other settings, or "), "{other:?}");
}
