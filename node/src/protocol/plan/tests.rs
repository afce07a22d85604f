use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::protocol::manifest::{Pin, tests::sample};
use crate::protocol::members::SignedHeartbeat;

/// An unsigned member: signatures are checked before a set is made.
fn member(key: u16, capacity: u8) -> SignedHeartbeat {
    let mut hotkey = [0; 32];
    hotkey[..2].copy_from_slice(&key.to_be_bytes());
    let body = Heartbeat {
        hotkey,
        peer_id: Vec::new(),
        addresses: Vec::new(),
        role: Role::Miner,
        capacity,
        stage: None,
        state_root: None,
        epoch: 0,
        version: 1,
    };
    SignedHeartbeat { body, signature: [0; 64] }
}

fn manifest(pins: Vec<Pin>) -> Manifest {
    Manifest { pins, ..sample() }
}

fn of(members: &[SignedHeartbeat], previous: Option<&Plan>) -> Plan {
    let set = MemberSet::new(members.to_vec());
    plan(&manifest(Vec::new()), 3, &set, &[], previous, [5; 32])
}

fn sizes(plan: &Plan) -> Vec<usize> {
    plan.stages.iter().map(Vec::len).collect()
}

proptest! {
    #[test]
    fn everybody_gets_one_stage_whatever_the_order(keys in prop::collection::btree_set(0u16..500, 0..40), seed: [u8; 32]) {
        let members: Vec<_> = keys.iter().map(|key| member(*key, (key % 3) as u8)).collect();
        let mut reversed = members.clone();
        reversed.reverse();
        let set = MemberSet::new(members.clone());
        let planned = plan(&manifest(Vec::new()), 0, &set, &[], None, seed);
        prop_assert_eq!(&planned, &plan(&manifest(Vec::new()), 0, &MemberSet::new(reversed), &[], None, seed));
        let placed: Vec<Hotkey> = planned.stages.iter().flatten().copied().collect();
        let distinct: BTreeSet<Hotkey> = placed.iter().copied().collect();
        prop_assert_eq!(placed.len(), keys.len());
        prop_assert_eq!(distinct.len(), keys.len());
        if keys.len() >= 6 {
            prop_assert!(planned.stages.iter().all(|stage| stage.len() >= 2));
        }
    }

    #[test]
    fn one_departure_moves_at_most_one_miner(count in 7u16..30, gone in 0u16..7) {
        let members: Vec<_> = (0..count).map(|key| member(key, 0)).collect();
        let before = of(&members, None);
        let left: Vec<_> = members.iter().filter(|m| m.body.hotkey != member(gone, 0).body.hotkey).cloned().collect();
        let after = of(&left, Some(&before));
        let moved = left.iter().filter(|m| before.stage_of(&m.body.hotkey) != after.stage_of(&m.body.hotkey));
        prop_assert!(moved.count() <= 1);
    }
}

#[test]
fn equal_miners_are_spread_evenly_and_strong_ones_count_more() {
    let equal: Vec<_> = (0..9).map(|key| member(key, 0)).collect();
    assert_eq!(sizes(&of(&equal, None)), [3, 3, 3]);
    let uneven: Vec<_> = (0..10).map(|key| member(key, if key == 0 { 3 } else { 0 })).collect();
    let planned = of(&uneven, None);
    let strong = planned.stage_of(&member(0, 3).body.hotkey).unwrap();
    assert_eq!(planned.stages[usize::from(strong)].len(), 2, "the strong one needs least company");
}

#[test]
fn pins_are_kept_even_when_another_stage_is_empty() {
    let pins = (0..4).map(|key| Pin { hotkey: member(key, 0).body.hotkey, stage: 1 }).collect();
    let members = MemberSet::new((0..4).map(|key| member(key, 0)));
    let planned = plan(&manifest(pins), 0, &members, &[], None, [1; 32]);
    assert_eq!(sizes(&planned), [0, 4, 0]);
}

#[test]
fn an_empty_stage_takes_from_the_richest() {
    let members: Vec<_> = (0..6).map(|key| member(key, 0)).collect();
    let before = of(&members, None);
    let lost = before.stages[1].clone();
    let left: Vec<_> =
        members.into_iter().filter(|m| !lost.contains(&m.body.hotkey)).collect();
    let mut counts = sizes(&of(&left, Some(&before)));
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 2]);
}

#[test]
fn the_hash_ignores_roots_and_peer_ids_and_sees_the_rest() {
    let members: Vec<_> = (0..6).map(|key| member(key, 0)).collect();
    let base = of(&members, None);
    let mut other = members.clone();
    for member in &mut other {
        member.body.peer_id = vec![1];
        member.body.state_root = Some([3; 32]);
    }
    assert_eq!(of(&other, None).hash(), base.hash());
    assert_ne!(of(&members[..5], None).hash(), base.hash());
}

#[test]
fn the_agreed_root_is_the_one_most_holders_announce() {
    let mut members: Vec<_> = (0..6).map(|key| member(key, 0)).collect();
    for (index, member) in members.iter_mut().enumerate() {
        member.body.stage = Some((index % 3) as u16);
        member.body.state_root = Some([if index == 0 { 1 } else { 2 }; 32]);
    }
    members.push(member(9, 0));
    members[6].body.stage = Some(0);
    members[6].body.state_root = Some([2; 32]);
    assert_eq!(of(&members, None).roots, vec![Some([2; 32]); 3]);
    assert_eq!(of(&[member(1, 0)], None).roots, vec![None; 3]);
}

#[test]
fn few_miners_are_audited_by_everybody_and_many_by_sample() {
    let validators = [EligibleValidator { hotkey: [200; 32], stake: 1 }];
    let members: Vec<_> = (0..80).map(|key| member(key, 0)).collect();
    let audits = |count: usize| {
        let set = MemberSet::new(members[..count].to_vec());
        plan(&manifest(Vec::new()), 0, &set, &validators, None, [5; 32]).audits_of(&[200; 32])
    };
    assert_eq!(audits(6).len(), 6);
    assert_eq!(audits(80).len(), 64);
}
