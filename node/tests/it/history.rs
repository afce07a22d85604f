//! The commands that look back, and those that look on.

use serde_json::{Value, json};

use crate::chain::Chain;

/// Wallets that `localnet scaffold` makes.
const VALIDATOR: &str = "--wallet.path w --wallet.name localnet-validator-1";
const MINER: &str = "--wallet.path w --wallet.name localnet-miner-1";

/// A subnet with one validator, uid 1, that weighs one of two miners, uid 2.
fn scaffold() -> Chain {
    let chain = Chain::start("");
    chain.json("localnet scaffold --validators 1 --miners 2 --wallet.path w");
    chain.json(&format!("weights set --uids 2 --weights 1 {VALIDATOR} --yes"));
    chain
}

fn block(chain: &Chain) -> u64 {
    chain.json("metagraph")["block"].as_u64().unwrap()
}

#[test]
fn history_is_what_the_wallet_had_at_each_block() {
    let chain = scaffold();
    let before = block(&chain);
    chain.json("localnet warp 100");
    let text = chain.ok(&format!("history --blocks 100 --every 50 --json {MINER}"));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let blocks: Vec<u64> = lines.iter().map(|line| line["block"].as_u64().unwrap()).collect();
    assert_eq!(blocks, [before + 100, before + 50, before]);
    let stake: Vec<u64> = lines.iter().map(|line| line["alpha_rao"].as_u64().unwrap()).collect();
    assert!(stake[0] > stake[1] && stake[1] > stake[2] && stake[2] == 0, "{stake:?}");
    assert_eq!((&lines[0]["incentive"], &lines[0]["uid"]), (&json!(1.0), &json!(2)));
    let balance = chain.json(&format!("wallet balance {MINER}"));
    assert_eq!(lines[0]["balance_rao"], balance["rao"]);

    let table = chain.ok(&format!("history --blocks 100 --every 50 {MINER}"));
    assert_eq!(table.lines().count(), 2 + 3, "{table}");
    // Where the node has no older states, what it has is shown.
    chain.json("localnet warp 300");
    let ran = chain.run(&format!("history --blocks 10000 --every 100 --json {MINER}"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stdout.lines().count(), 3, "{ran:?}");
    assert!(ran.stderr.starts_with("note: the node has no states before block "), "{ran:?}");
    let many = chain.run(&format!("history --blocks 4000000000 --every 1 {MINER}"));
    assert_eq!(many.code, Some(2), "{many:?}");
}

#[test]
fn the_metagraph_tells_what_has_changed() {
    let chain = scaffold();
    let since = block(&chain);
    chain.json("localnet warp --epoch");
    let told = chain.json(&format!("metagraph --since {since}"));
    let values = |told: &Value, uid: u64| -> Vec<String> {
        let all = told["changes"].as_array().unwrap();
        let its = all.iter().filter(|change| change["uid"] == uid && change["change"] == "value");
        its.map(|change| change["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((&told["since"], &told["netuid"]), (&json!(since), &json!(1)));
    assert_eq!(values(&told, 2), ["consensus", "emission", "incentive", "stake"]);
    assert_eq!(values(&told, 3), [""; 0]);
    let text = chain.ok(&format!("metagraph --since {since}"));
    assert!(text.contains("    2  incentive: 0.000000 to 1.000000\n"), "{text}");
    let then = chain.json(&format!("metagraph --block {since}"));
    assert_eq!((&then["block"], &then["neurons"][2]["incentive"]), (&json!(since), &json!(0.0)));

    let mut watch = chain.follow("metagraph --watch --json");
    let first = watch.next();
    assert_eq!(first["neurons"].as_array().unwrap().len(), 4);
    chain.json(&format!("axon set --ip 203.0.113.7 --port 8091 {MINER} --yes"));
    let told = watch.next();
    assert_eq!(told["block"].as_u64(), first["block"].as_u64().map(|block| block + 1));
    let change = json!({
        "change": "value", "uid": 2, "name": "axon", "before": null, "after": "203.0.113.7:8091"
    });
    assert_eq!(told["changes"], json!([change]));
    chain.json(&format!("axon reset {MINER} --yes"));
    assert_eq!(watch.next()["changes"][0]["after"], "0.0.0.0:1");
    let refused = chain.run(&format!("axon set --ip 127.0.0.1 --port 1 {MINER} --yes"));
    assert!(refused.stderr.contains("refused with InvalidIpAddress"), "{refused:?}");

    chain.json("localnet warp 300");
    let pruned = chain.run(&format!("metagraph --since {since}"));
    assert_eq!(pruned.code, Some(1));
    assert!(pruned.stderr.contains("--chain archive"), "{pruned:?}");
}

#[test]
fn commitments_are_set_and_shown() {
    let chain = scaffold();
    let set = |fields: &str| format!("commitment set {fields} {MINER} --yes");
    let done = chain.json(&set("one two"));
    let shown = chain.json("commitment list")["commitments"][0].clone();
    assert_eq!((&shown["block"], &shown["hotkey"]), (&done["block"], &done["hotkey"]));
    assert_eq!(shown["fields"][1], json!({ "hex": "74776f", "text": "two" }));
    chain.json(&set("--hex 00ff"));
    let text = chain.ok("commitment list");
    assert!(text.ends_with("\n  00ff\n"), "{text}");
    let nobody = chain.json(&format!("wallet show {VALIDATOR}"))["hotkeys"][0]["address"].clone();
    let one = format!("commitment list --hotkey-ss58 {}", nobody.as_str().unwrap());
    assert_eq!(chain.json(&one)["commitments"], json!([]));
    for (fields, error) in [
        ("--hex 0x0".to_owned(), "error: `0x0` is no hex"),
        ("x".repeat(513), "error: a field has 513 bytes"),
    ] {
        let ran = chain.run(&set(&fields));
        assert!(ran.code == Some(2) && ran.stderr.starts_with(error), "{ran:?}");
    }
}
