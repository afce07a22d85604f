//! Structure of logs, and which tampering is counted: none.

use super::*;
use std::collections::BTreeMap;

const EPOCH: u32 = 5;
const TOKENS: u32 = 128;
const RULE: CountRule = CountRule { epoch: EPOCH, tokens: TOKENS, max_k: 100 };

/// Three stages of two miners: `[stage * 2 + replica + 1; 32]`.
fn stages() -> Vec<Vec<Hotkey>> {
    (0..3u8).map(|stage| vec![[stage * 2 + 1; 32], [stage * 2 + 2; 32]]).collect()
}

/// The bytes that crossed a cut, as a hash.
fn wire(mb: MicrobatchId, cut: u16, backward: bool) -> Hash {
    content_hash(&(mb, cut, backward).encode())
}

/// Appends a receipt in order: two microbatches a step, a snapshot every two steps.
fn push(log: &mut WorkLog, mb: MicrobatchId, prev: Option<Hotkey>, next: Option<Hotkey>) {
    let count = log.receipts.len() as u32;
    let stage = log.stage;
    log.receipts.push(Receipt {
        mb,
        stage,
        fwd_step: count / 2,
        bwd_step: count / 2,
        acc: (count % 2) as u16,
        prev,
        next,
        in_hash: wire(mb, stage, false),
        out_hash: wire(mb, stage + 1, false),
        grad_in_hash: wire(mb, stage + 1, true),
        grad_out_hash: wire(mb, stage, true),
        loss: next.is_none().then_some(2f32.to_bits()),
        tokens: TOKENS,
    });
}

fn snapshots(log: &mut WorkLog) {
    let steps = log.receipts.last().map_or(0, |receipt| receipt.bwd_step + 1);
    let at = |step: u32| Snapshot { step, hash: content_hash(&step.to_le_bytes()) };
    log.snapshots = (0..steps).step_by(2).chain([steps]).map(at).collect();
}

/// An honest epoch of `count` microbatches per head over seeded pathways.
fn honest(count: u32) -> BTreeMap<Hotkey, WorkLog> {
    let stages = stages();
    let mut logs = BTreeMap::new();
    for (stage, miners) in stages.iter().enumerate() {
        for miner in miners {
            logs.insert(*miner, WorkLog::new(EPOCH, stage as u16, *miner));
        }
    }
    for k in 0..count {
        for head in 0..2u16 {
            let mb = MicrobatchId { epoch: EPOCH, head, k };
            let turn = (k as usize) + usize::from(head);
            let way = [stages[0][usize::from(head)], stages[1][turn % 2], stages[2][turn / 2 % 2]];
            for stage in 0..3 {
                let prev = (stage > 0).then(|| way[stage - 1]);
                let next = way.get(stage + 1).copied();
                push(logs.get_mut(&way[stage]).unwrap(), mb, prev, next);
            }
        }
    }
    logs.values_mut().for_each(snapshots);
    logs
}

fn total(logs: &BTreeMap<Hotkey, WorkLog>) -> u64 {
    verified_tokens(&stages(), logs, RULE).values().sum()
}

#[test]
fn honest_pipeline_counts_every_token() {
    let logs = honest(12);
    let counted = verified_tokens(&stages(), &logs, RULE);
    for (hotkey, log) in &logs {
        assert_eq!(log.check(3), Ok(()));
        assert!(log.tokens() > 0);
        assert_eq!(counted[hotkey], log.tokens());
    }
    assert_eq!(total(&logs), 3 * 2 * 12 * u64::from(TOKENS));
}

#[test]
fn one_stage_has_no_neighbours_to_ask() {
    let stages = vec![vec![[1; 32]]];
    let mut log = WorkLog::new(EPOCH, 0, [1; 32]);
    push(&mut log, MicrobatchId { epoch: EPOCH, head: 0, k: 0 }, None, None);
    snapshots(&mut log);
    let counted = verified_tokens(&stages, &BTreeMap::from([([1; 32], log)]), RULE);
    assert_eq!(counted[&[1; 32]], u64::from(TOKENS));
}

/// Tampering with one receipt.
type Tamper = fn(&mut Receipt);
/// Tampering with a log.
type LogTamper = fn(&mut WorkLog);

#[test]
fn every_tampering_with_a_middle_receipt_is_uncounted() {
    let honest = honest(8);
    let whole = total(&honest);
    let tampers: [(&str, Tamper, u64); 9] = [
        // The liar and the neighbour that it contradicts lose the microbatch.
        ("in_hash", |r| r.in_hash[0] ^= 1, 2),
        ("out_hash", |r| r.out_hash[0] ^= 1, 2),
        ("grad_in_hash", |r| r.grad_in_hash[0] ^= 1, 2),
        ("grad_out_hash", |r| r.grad_out_hash[0] ^= 1, 2),
        ("prev", |r| r.prev = Some([77; 32]), 2),
        ("next", |r| r.next = Some([77; 32]), 2),
        // The receipt is void, so neither neighbour is confirmed.
        ("tokens", |r| r.tokens *= 2, 3),
        ("k beyond the draws", |r| r.mb.k = 100, 3),
        ("no such head", |r| r.mb.head = 2, 3),
    ];
    for (what, tamper, lost) in tampers {
        let mut logs = honest.clone();
        tamper(&mut logs.get_mut(&[3; 32]).unwrap().receipts[2]);
        assert_eq!(total(&logs), whole - lost * u64::from(TOKENS), "{what}");
    }
}

#[test]
fn tampering_at_the_ends_of_the_pipeline_is_uncounted() {
    let honest = honest(8);
    let whole = total(&honest);
    let tokens = u64::from(TOKENS);
    // A head that logs the draw of another head.
    let mut logs = honest.clone();
    logs.get_mut(&[1; 32]).unwrap().receipts[0].mb.head = 1;
    assert_eq!(total(&logs), whole - 2 * tokens);
    // A tail whose gradient is not what its predecessor received.
    let mut logs = honest;
    logs.get_mut(&[5; 32]).unwrap().receipts[0].grad_out_hash = [9; 32];
    assert_eq!(total(&logs), whole - 2 * tokens);
}

#[test]
fn whole_pathways_that_agree_on_an_impossible_draw_count_nothing() {
    let honest = honest(8);
    let mut lost = 0;
    for (drawn, claimed) in [((0, 7), (0, 100)), ((0, 7), (1, 50)), ((0, 7), (2, 7))] {
        let id = |(head, k)| MicrobatchId { epoch: EPOCH, head, k };
        let mut logs = honest.clone();
        for receipt in logs.values_mut().flat_map(|log| &mut log.receipts) {
            if receipt.mb == id(drawn) {
                receipt.mb = id(claimed);
            }
        }
        // Beyond the bound or without a head nobody is paid; with another's draw the middle and the
        // tail, which only confirm each other, need the true head as well.
        let counted = verified_tokens(&stages(), &logs, RULE);
        assert_eq!(counted[&[1; 32]], 7 * u64::from(TOKENS), "{claimed:?}");
        lost += total(&honest) - total(&logs);
    }
    // All three in two cases; head and middle in the third.
    assert_eq!(lost, (3 + 3 + 2) * u64::from(TOKENS));
}

#[test]
fn neighbour_without_a_log_confirms_nothing() {
    let mut logs = honest(8);
    let tails: Vec<Hotkey> = stages()[2].clone();
    tails.iter().for_each(|tail| drop(logs.remove(tail)));
    let counted = verified_tokens(&stages(), &logs, RULE);
    // Heads are confirmed by the middle; the middle by nobody.
    assert!(stages()[0].iter().all(|head| counted[head] == 8 * u64::from(TOKENS)));
    assert!(stages()[1].iter().all(|middle| counted[middle] == 0));
}

#[test]
fn logs_that_break_rules_or_lie_about_their_place_count_nothing() {
    let honest = honest(8);
    let tampers: [(&str, LogTamper); 5] = [
        ("another epoch", |log| log.epoch += 1),
        ("another stage", |log| log.stage = 2),
        ("another's log", |log| log.hotkey = [4; 32]),
        ("double counting", |log| log.receipts[3].mb = log.receipts[2].mb),
        ("no snapshots", |log| log.snapshots.clear()),
    ];
    for (what, tamper) in tampers {
        let mut logs = honest.clone();
        tamper(logs.get_mut(&[3; 32]).unwrap());
        let counted = verified_tokens(&stages(), &logs, RULE);
        assert!(!counted.contains_key(&[3; 32]), "{what}");
        let others: u64 = counted.values().sum();
        assert!(others < total(&honest), "{what}");
    }
    // A miner that the plan does not know.
    let mut logs = honest.clone();
    let mut stranger = logs[&[3; 32]].clone();
    stranger.hotkey = [50; 32];
    logs.insert([50; 32], stranger);
    assert_eq!(verified_tokens(&stages(), &logs, RULE), verified_tokens(&stages(), &honest, RULE));
}

#[test]
fn invented_branch_does_not_displace_the_one_that_leads_to_the_head() {
    // Microbatch (0, 0) went through one middle and one tail; the other middle and tail claim it,
    // confirming each other.
    let mut logs = honest(1);
    let mb = MicrobatchId { epoch: EPOCH, head: 0, k: 0 };
    let honest_tail = *logs
        .iter()
        .find(|(_, log)| log.stage == 2 && log.receipts.iter().any(|r| r.mb == mb))
        .unwrap()
        .0;
    let (middle, tail) = ([4; 32], if honest_tail == [5; 32] { [6; 32] } else { [5; 32] });
    assert!(logs[&middle].receipts.iter().all(|receipt| receipt.mb != mb));
    let before = verified_tokens(&stages(), &logs, RULE);
    push(logs.get_mut(&middle).unwrap(), mb, Some([1; 32]), Some(tail));
    push(logs.get_mut(&tail).unwrap(), mb, Some(middle), None);
    logs.values_mut().for_each(snapshots);
    assert_eq!(verified_tokens(&stages(), &logs, RULE), before);
}

/// An honest head's log of eight microbatches: steps 0..4, snapshots at 0, 2, 4.
fn head_log() -> WorkLog {
    honest(8).remove(&[1; 32]).unwrap()
}

#[test]
fn each_structural_rule_is_enforced() {
    let cases: [(LogTamper, LogError); 14] = [
        (|log| log.receipts[2].mb.epoch += 1, LogError::Foreign(2)),
        (|log| log.receipts[2].stage = 1, LogError::Foreign(2)),
        (|log| log.receipts.swap(2, 3), LogError::Order(2)),
        (|log| drop(log.receipts.drain(0..1)), LogError::Order(0)),
        (|log| drop(log.receipts.drain(2..3)), LogError::Order(2)),
        (|log| drop(log.receipts.drain(2..4)), LogError::Order(2)),
        (|log| log.receipts[5].mb = log.receipts[1].mb, LogError::Twice(5)),
        (|log| log.receipts[1].prev = Some([9; 32]), LogError::Hops(1)),
        (|log| log.receipts[1].next = None, LogError::Hops(1)),
        (|log| log.receipts[1].loss = Some(0), LogError::Hops(1)),
        (|log| log.receipts[5].fwd_step = 1, LogError::Crosses(5)),
        (|log| log.receipts[5].fwd_step = 3, LogError::Crosses(5)),
        (|log| log.snapshots[0].step = 1, LogError::Snapshots),
        (|log| log.snapshots[2].step = 3, LogError::Snapshots),
    ];
    assert_eq!(head_log().check(3), Ok(()));
    for (index, (tamper, error)) in cases.into_iter().enumerate() {
        let mut log = head_log();
        tamper(&mut log);
        assert_eq!(log.check(3), Err(error), "case {index}");
    }
    // A log without work still names the state that it started from.
    let mut empty = WorkLog::new(EPOCH, 0, [1; 32]);
    assert_eq!(empty.check(3), Err(LogError::Snapshots));
    snapshots(&mut empty);
    assert_eq!(empty.check(3), Ok(()));
    assert!(empty.windows().is_empty());
}

#[test]
fn staleness_within_a_window_is_allowed() {
    let mut log = head_log();
    log.receipts[7].fwd_step = 2;
    assert_eq!(log.check(3), Ok(()));
}

#[test]
fn windows_partition_the_receipts() {
    let log = head_log();
    let windows = log.windows();
    let ranges: Vec<_> = windows.iter().map(|window| window.receipts.clone()).collect();
    assert_eq!(ranges, [0..4, 4..8]);
    assert_eq!((windows[1].start.step, windows[1].end.step), (2, 4));
}

#[test]
fn log_survives_its_bytes_and_oversized_ones_are_refused() {
    let log = head_log();
    let bytes = log.encode();
    assert_eq!(WorkLog::from_bytes(&bytes).unwrap(), log);
    assert!(WorkLog::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    assert!(WorkLog::from_bytes(&[bytes, vec![0]].concat()).is_err());
    assert!(WorkLog::from_bytes(&vec![0; MAX_LOG_BYTES + 1]).is_err());
    let mut long = head_log();
    long.snapshots = vec![long.snapshots[0]; MAX_SNAPSHOTS + 1];
    assert!(WorkLog::from_bytes(&long.encode()).is_err());
    assert_eq!(long.check(3), Err(LogError::TooLong));
}

#[test]
fn largest_log_fits_its_byte_limit() {
    let mut log = honest(1).remove(&[3; 32]).unwrap();
    log.receipts[0].loss = Some(1);
    let one = log.receipts[0].encode().len();
    assert!(MAX_RECEIPTS * one + MAX_SNAPSHOTS * 36 <= MAX_LOG_BYTES - 64, "{one}");
}

#[test]
fn root_is_pinned_and_covers_every_field() {
    let log = head_log();
    assert_eq!(
        hex::encode(log.root()),
        "6942e2d29054c70d1a4b174cccbfdadfeaf2ea3014975b086b47c1b4377fd1c9"
    );
    let tampers: [Tamper; 5] = [
        |r| r.grad_out_hash[31] ^= 1,
        |r| r.fwd_step += 1,
        |r| r.tokens += 1,
        |r| r.loss = Some(0),
        |r| r.prev = Some([0; 32]),
    ];
    for tamper in tampers {
        let mut other = log.clone();
        tamper(&mut other.receipts[0]);
        assert_ne!(other.root(), log.root());
    }
}
