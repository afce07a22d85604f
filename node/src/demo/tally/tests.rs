//! Facts that several nodes report count once, and every number has one source.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn tally() -> Tally {
    Tally::new([
        ("5Head".into(), "miner-1".into(), false),
        ("5Tail".into(), "miner-2".into(), true),
    ])
}

fn microbatch(k: u64, loss: f64) -> Report {
    let path = vec!["5Head".to_owned(), "5Tail".to_owned()];
    Report::Microbatch { epoch: 0, head: "5Head".into(), k, loss, tokens: 100, path }
}

fn block(number: u32, phase: &str) -> Report {
    Report::Block { number, epoch: 0, phase: phase.into() }
}

fn merge(root: &str) -> Report {
    Report::Merge {
        epoch: 0,
        stage: 1,
        root: root.into(),
        contributors: 2,
        shards: 1,
        lost: 0,
        agreed: true,
    }
}

#[test]
fn a_microbatch_that_two_nodes_report_counts_once_for_everyone_on_its_path() {
    let mut tally = tally();
    tally.apply("miner-1", SECOND, &microbatch(0, 5.0));
    tally.apply("miner-2", SECOND, &microbatch(0, 5.0));
    tally.apply("miner-1", SECOND, &microbatch(1, 4.0));
    assert_eq!(tally.tokens, 200);
    assert_eq!(tally.miners["5Head"].tokens, 200);
    assert_eq!(tally.miners["5Tail"].tokens, 200);
    assert_eq!(tally.loss(), Some(5.0 - SMOOTHING));
}

#[test]
fn throughput_counts_train_phases_alone() {
    let mut tally = tally();
    tally.apply("v", SECOND * 10, &block(1, "train"));
    tally.apply("m", SECOND * 11, &microbatch(0, 5.0));
    tally.apply("v", SECOND * 12, &block(2, "train"));
    tally.apply("v", SECOND * 14, &block(3, "commit"));
    assert_eq!(tally.mean_rate(SECOND * 100), 25.0);
    assert_eq!(tally.rate(SECOND * 12), 12.5);
    assert_eq!(tally.rate(SECOND * 100), 0.0);
}

#[test]
fn a_node_that_lags_does_not_turn_the_clock_back() {
    let mut tally = tally();
    tally.apply("fast", SECOND, &block(5, "commit"));
    tally.apply("slow", SECOND, &block(4, "train"));
    assert_eq!((tally.block, tally.phase.as_str()), (5, "commit"));
}

#[test]
fn one_failed_audit_outweighs_passed_ones() {
    let mut tally = tally();
    for (validator, passed) in [("v1", true), ("v2", false), ("v3", true)] {
        let report = Report::Audit {
            epoch: 3,
            validator: validator.into(),
            miner: "5Tail".into(),
            passed,
            windows: 1,
            reason: String::new(),
        };
        tally.apply(validator, SECOND, &report);
    }
    assert!(tally.miners["5Tail"].passed.is_empty());
    assert_eq!(tally.miners["5Tail"].failed.len(), 1);
}

#[test]
fn merges_with_different_roots_are_disputed() {
    let mut tally = tally();
    tally.apply("miner-1", SECOND, &merge("aa"));
    tally.apply("miner-2", SECOND, &merge("aa"));
    assert_eq!(tally.merges(), (1, 0));
    tally.apply("validator-1", SECOND, &merge("bb"));
    assert_eq!(tally.merges(), (1, 1));
}

#[test]
fn the_weights_of_an_epoch_stand_when_every_validator_has_set_them() {
    let mut tally = tally();
    let validators = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let set = |block| Report::Weights {
        epoch: 2,
        uids: vec![1],
        values: vec![65535],
        block,
        reveal_block: None,
    };
    tally.apply("v1", SECOND, &set(90));
    assert_eq!(tally.weights_block(&validators(&["v1", "v2"]), 2), None);
    tally.apply("v2", SECOND, &set(93));
    assert_eq!(tally.weights_block(&validators(&["v1", "v2"]), 2), Some(93));
    assert_eq!(tally.weights_block(&validators(&["v1"]), 2), Some(90));
    assert_eq!(tally.weights_set(), 2);
}

#[test]
fn credit_is_the_lowest_of_the_validators_last_words() {
    let mut tally = tally();
    let clasp = |multiplier| Report::Clasp {
        epoch: 1,
        miner: "5Tail".into(),
        effect: 0.3,
        multiplier,
        flagged: false,
    };
    tally.apply("v1", SECOND, &clasp(0.2));
    tally.apply("v2", SECOND, &clasp(0.9));
    assert_eq!(tally.miners["5Tail"].credit, Some(0.2));
    tally.apply("v1", SECOND, &clasp(1.0));
    assert_eq!(tally.miners["5Tail"].credit, Some(0.9));
}
