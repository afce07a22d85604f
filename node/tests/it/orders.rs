//! The commands that sign: what they say beforehand, what they do, and what they refuse.

use serde_json::{Value, json};

use crate::chain::Chain;

/// Wallets that `localnet scaffold` makes.
const OWNER: &str = "--wallet.path w --wallet.name localnet-owner";
const VALIDATOR: &str = "--wallet.path w --wallet.name localnet-validator-1";
const MINER: &str = "--wallet.path w --wallet.name localnet-miner-1";

/// A subnet with one validator and two miners.
fn scaffold() -> Chain {
    let chain = Chain::start("");
    chain.json("localnet scaffold --validators 1 --miners 2 --wallet.path w");
    chain
}

impl Chain {
    fn rao(&self, wallet: &str) -> u64 {
        self.json(&format!("wallet balance {wallet}"))["rao"].as_u64().unwrap()
    }

    /// Name of the error and hint with which a command ends.
    #[track_caller]
    fn refused(&self, line: &str) -> (Option<i32>, String) {
        let ran = self.run(line);
        assert_eq!(ran.stdout, "", "{ran:?}");
        (ran.code, ran.stderr)
    }

    fn incentive(&self, uid: usize) -> f64 {
        let neuron = &self.json("metagraph")["neurons"][uid];
        neuron["incentive"].as_f64().unwrap()
    }
}

/// Two amounts that a block may have moved apart.
#[track_caller]
fn assert_near(left: u64, right: u64) {
    assert!(left.abs_diff(right) <= right / 100, "{left}, {right}");
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("no `{name}` in {value}"))
}

#[test]
fn a_transfer_costs_what_was_said_before() {
    let chain = scaffold();
    let to = chain.json(&format!("wallet show {MINER}"))["coldkey"].as_str().unwrap().to_owned();
    let (from_before, to_before) = (chain.rao(OWNER), chain.rao(MINER));
    let line = format!("wallet transfer --destination {to} --amount 1.25 {OWNER}");
    let dry = chain.json(&format!("{line} --dry-run"));
    assert_eq!((&dry["sent"], number(&dry, "rao")), (&Value::Bool(false), 1_250_000_000));
    assert_eq!(chain.rao(OWNER), from_before, "nothing was sent");
    let sent = chain.json(&format!("{line} --yes"));
    assert_eq!(sent["sent"], true);
    let fee = number(&dry, "fee_rao");
    assert!(fee > 0, "{dry}");
    assert_eq!(from_before - chain.rao(OWNER), 1_250_000_000 + fee);
    assert_eq!(chain.rao(MINER) - to_before, 1_250_000_000);

    let ran = chain.run(&format!("{line} --yes"));
    assert!(ran.stderr.starts_with("sends 1.250000000 TAO to 5"), "{ran:?}");
    assert!(ran.stderr.contains(", for a fee of 0."), "{ran:?}");
    assert!(ran.stdout.starts_with("done in block "), "{ran:?}");
    let much = line.replace("1.25", "123456789");
    let (code, text) = chain.refused(&format!("{much} --yes --json"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("hint: "), "{text}");
}

#[test]
fn nothing_is_signed_unless_somebody_agrees() {
    let chain = scaffold();
    let (code, text) = chain.refused(&format!("register {MINER}"));
    assert_eq!(code, Some(2));
    assert_eq!(
        text,
        "error: nobody is there to agree to what is signed\n\
         hint: pass `--yes` to sign, or `--dry-run` to see what it would do\n"
    );
}

#[test]
fn stake_is_traded_at_the_price_that_was_quoted() {
    let chain = scaffold();
    let stakes = |wallet: &str| chain.json(&format!("stake list {wallet}"))["stakes"].clone();
    assert_eq!(stakes(MINER).as_array().unwrap().len(), 0);
    let add = chain.json(&format!("stake add --amount 0.5 {MINER} --yes"));
    let listed = stakes(MINER);
    let alpha = number(&listed[0], "alpha_rao");
    assert_near(alpha, number(&add, "got_rao"));
    assert!(add["slippage"].as_f64().unwrap() > 0.0);

    // What would move the price further than it may is not traded, nor what the pool cannot fill.
    let far = format!("stake add --amount 100 --tolerance 0.0001 {OWNER} --yes --json");
    let (code, text) = chain.refused(&far);
    assert_eq!(code, Some(1));
    assert!(
        text.starts_with("error: cannot stake: the chain refused with SlippageTooHigh\n"),
        "{text}"
    );
    let (_, text) = chain.refused(&format!("stake add --amount 1 --tolerance 7 {MINER} --yes"));
    assert!(text.starts_with("error: `--tolerance 7` is no share\n"), "{text}");

    let before = chain.rao(MINER);
    let removed = chain.json(&format!("stake remove --all {MINER} --yes"));
    assert_eq!(number(&removed, "paid_rao"), alpha);
    let got = number(&removed, "got_rao") - number(&removed, "fee_rao");
    assert_near(chain.rao(MINER) - before, got);
    assert_eq!(chain.ok(&format!("stake list {MINER}")), "nothing is staked\n");
    let (code, text) = chain.refused(&format!("stake remove --all {MINER} --yes"));
    assert_eq!(code, Some(1));
    assert!(text.starts_with("error: nothing is staked on "), "{text}");
}

#[test]
fn stake_moves_without_being_taken_back() {
    let chain = scaffold();
    let stakes = |wallet: &str| chain.json(&format!("stake list {wallet}"))["stakes"].clone();
    chain.json(&format!("stake add --amount 1 {MINER} --yes"));
    let alpha = number(&stakes(MINER)[0], "alpha_rao");
    let address = |wallet: &str, key: &str| {
        chain.json(&format!("wallet show {wallet}"))["hotkeys"][0][key].as_str().unwrap().to_owned()
    };
    let to = address(VALIDATOR, "address");
    let moved = chain.json(&format!("stake move --amount 0.25 --to-hotkey {to} {MINER} --yes"));
    assert_eq!((number(&moved, "paid_rao"), &moved["to_hotkey"]), (250_000_000, &json!(to)));
    let listed = stakes(MINER);
    let both: Vec<u64> = (0..2).map(|at| number(&listed[at], "alpha_rao")).collect();
    assert_near(both.iter().sum(), alpha);
    assert!(both.iter().any(|part| part.abs_diff(250_000_000) < 1_000_000), "{both:?}");

    let owner = chain.json(&format!("wallet show {OWNER}"))["coldkey"].as_str().unwrap().to_owned();
    let before = stakes(OWNER).as_array().unwrap().len();
    chain.json(&format!("stake move --all --to-coldkey {owner} {MINER} --yes"));
    assert_eq!(stakes(OWNER).as_array().unwrap().len(), before + 1);
    assert_eq!(stakes(MINER).as_array().unwrap().len(), 1);

    let (code, text) = chain.refused(&format!("stake move --all {MINER} --yes"));
    assert_eq!(code, Some(2));
    assert!(text.contains("--to-netuid"), "{text}");
    let (code, text) = chain.refused(&format!("stake move --amount 1 --to-netuid 1 {MINER} --yes"));
    assert_eq!(code, Some(2));
    assert!(text.starts_with("error: the stake lies in subnet 1 already\n"), "{text}");
    let both = format!("stake move --amount 0.1 --to-netuid 2 --to-hotkey {to} {VALIDATOR} --yes");
    let (code, text) = chain.refused(&both);
    assert!(code == Some(2) && text.contains("--any-price"), "{text}");
}

#[test]
fn a_hotkey_lends_its_stake_and_takes_it_back() {
    let chain = scaffold();
    let child = chain.json(&format!("wallet show {MINER}"))["hotkeys"][0]["address"].clone();
    let child = child.as_str().unwrap();
    let lent = chain.json(&format!("child set --children {child}:0.25 {VALIDATOR} --yes"));
    assert_eq!(lent["children"][0]["share"], 0.25);
    let listed = chain.json(&format!("child list {VALIDATOR}"));
    assert_eq!(listed["children"].as_array().unwrap().len(), 0);
    let from = number(&listed["pending"], "after_block");
    chain.json(&format!("localnet warp --to {from}"));
    chain.json("localnet warp --epoch");
    assert_eq!(chain.json(&format!("child list {VALIDATOR}"))["children"][0]["hotkey"], child);
    let text = chain.ok(&format!("child list {MINER}"));
    assert!(text.contains("borrows from 1, and keeps 0.0000 of it\n    0.2500  5"), "{text}");

    chain.json(&format!("child take 0.09 {MINER} --yes"));
    let (_, text) = chain.refused(&format!("child take 0.5 {MINER} --yes --json"));
    assert!(text.contains("refused with InvalidChildkeyTake"), "{text}");
    for (typed, error) in [
        (format!("{child}:2"), "is no child"),
        (format!("{child}:0.9,{child}:0.9"), "more than the whole stake is lent"),
    ] {
        let (code, text) =
            chain.refused(&format!("child set --children {typed} {VALIDATOR} --yes"));
        assert!(code == Some(2) && text.contains(error), "{text}");
    }
}

#[test]
fn work_registers_where_the_chain_takes_it() {
    let chain = scaffold();
    chain.json(&format!("wallet new {MINER} --wallet.hotkey second"));
    let register = format!("register --pow --threads 2 {MINER} --wallet.hotkey second --yes");
    let allow = "subnet set network_pow_registration_allowed true --yes";
    chain.json(&format!("{allow} {OWNER}"));
    let said = chain.json(&register.replace("--yes", "--dry-run"));
    assert_eq!(number(&said, "difficulty"), 10_000_000);
    // A thousand hashes, so that nobody waits.
    for item in ["Difficulty", "MinDifficulty"] {
        let set = format!("localnet set-storage SubtensorModule.{item}:0x0100 0xe803000000000000");
        chain.ok(&set);
    }
    let before = chain.rao(MINER);
    let done = chain.json(&register);
    assert!(number(&done, "work_block") > 0, "{done}");
    assert_eq!(chain.rao(MINER), before, "neither burn nor fee");
    let (_, text) = chain.refused(&format!("{register} --json"));
    assert!(text.contains("HotKeyAlreadyRegisteredInSubNet"), "{text}");
}

#[test]
fn a_subnet_is_created_set_and_started() {
    let chain = scaffold();
    let owner = chain.json(&format!("wallet show {OWNER}"))["coldkey"].as_str().unwrap().to_owned();
    chain.json(&format!("localnet fund {owner} 5000"));
    // A day after the first subnet, another may come.
    chain.json("localnet warp 7200");
    chain.json(&format!("wallet new {OWNER} --wallet.hotkey second"));
    let create = format!("subnet create {OWNER} --wallet.hotkey second");
    let said = chain.json(&format!("{create} --dry-run"));
    let before = chain.rao(OWNER);
    chain.json(&format!("{create} --yes"));
    assert_near(before - chain.rao(OWNER), number(&said, "cost_rao") + number(&said, "fee_rao"));
    let listed = chain.json("subnet list");
    let new = listed["subnets"].as_array().unwrap().iter().find(|row| row["netuid"] == 2);
    assert_eq!(new.unwrap()["owner"], *owner);
    assert!(chain.ok("subnet list").lines().count() >= 4, "a title and three subnets");

    let value = |name: &str| chain.json("subnet hyperparameters --netuid 2")[name].clone();
    let set = |what: &str| format!("subnet set --netuid 2 {what} {OWNER} --yes");
    assert_ne!(value("immunity_period"), 77);
    chain.json(&set("immunity_period 77"));
    assert_eq!(value("immunity_period"), 77);
    assert!(chain.ok("subnet hyperparameters --netuid 2").contains("immunity_period"));
    for (what, error) in [
        (
            "immunity 77",
            "error: the chain has no parameter `immunity`\nhint: did you mean immunity_period, network_immunity_period?",
        ),
        ("immunity_period soon", "error: `immunity_period` takes immunity_period: u16\n"),
        ("immunity_period 1 2", "error: `immunity_period` takes immunity_period: u16\n"),
        ("kappa 3", "error: cannot set it: the chain refused with BadOrigin\n"),
    ] {
        let (_, text) = chain.refused(&format!("{} --json", set(what)));
        assert!(text.starts_with(error), "{text}");
    }
    chain.json(&format!("subnet start --netuid 2 {OWNER} --yes"));
    let (_, text) = chain.refused(&format!("subnet start --netuid 2 {OWNER} --yes --json"));
    assert!(text.contains("FirstEmissionBlockNumberAlreadySet"), "{text}");
    let (code, text) = chain.refused("subnet hyperparameters --netuid 9");
    assert_eq!((code, text.lines().next()), (Some(1), Some("error: there is no subnet 9")));
}

#[test]
fn a_registration_costs_no_more_than_its_limit() {
    let chain = scaffold();
    chain.json(&format!("wallet new {MINER} --wallet.hotkey second"));
    let register = format!("register {MINER} --wallet.hotkey second");
    let (code, text) = chain.refused(&format!("{register} --limit 0.000000001 --yes --json"));
    assert_eq!(code, Some(1));
    assert!(text.contains("RegistrationPriceLimitExceeded"), "{text}");
    let neurons = |chain: &Chain| chain.json("metagraph")["neurons"].as_array().unwrap().len();
    let before = neurons(&chain);
    let done = chain.json(&format!("{register} --limit 100 --yes"));
    assert!(number(&done, "cost_rao") > 0, "{done}");
    assert_eq!(neurons(&chain), before + 1);
}

#[test]
fn weights_are_set_in_every_way_that_a_subnet_takes_them() {
    let chain = scaffold();
    let set = format!("weights set --uids 2,3 --weights 0.25,0.75 {VALIDATOR}");
    let plain = chain.json(&format!("{set} --yes"));
    assert_eq!((&plain["regime"], &plain["values"][0]), (&"plain".into(), &21_845.into()));
    chain.json("localnet warp --epoch");
    assert!(chain.incentive(3) > 2.0 * chain.incentive(2));

    let hide = "subnet set commit_reveal_weights_enabled true --yes";
    chain.json(&format!("{hide} {OWNER}"));
    let turned = set.replace("0.25,0.75", "0.75,0.25");
    let hidden = chain.json(&format!("{turned} --yes"));
    assert_eq!(hidden["regime"], "timelocked");
    let reveal = number(&hidden, "reveal_block");
    chain.json(&format!("localnet warp --to {}", reveal + 4));
    chain.json("localnet warp --epoch");
    assert!(chain.incentive(2) > 2.0 * chain.incentive(3));

    let commit = set.replace("weights set", "weights commit --keep kept");
    let committed = chain.json(&format!("{commit} --yes"));
    let (_, text) = chain.refused(&format!("{commit} --yes --json"));
    assert!(text.contains("kept exists already"), "{text}");
    let show = format!("weights reveal --keep kept {VALIDATOR} --yes");
    chain.json(&format!("localnet warp --to {}", number(&committed, "reveal_block")));
    chain.json(&show);
    chain.json("localnet warp --epoch");
    assert!(chain.incentive(3) > 2.0 * chain.incentive(2));
    let (code, text) = chain.refused(&format!("{show} --json"));
    assert_eq!(code, Some(1));
    assert!(text.starts_with("error: cannot show the weights: the chain refused with "), "{text}");

    // A miner has no permit, and is told so before it signs anything.
    let (code, text) = chain.refused(&format!("{set} --yes").replace("validator-1", "miner-1"));
    assert_eq!(code, Some(1));
    assert!(text.starts_with("error: cannot set weights: NeuronNoValidatorPermit: "), "{text}");
}
