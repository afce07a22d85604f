//! Plans are equal on all nodes, move few miners and keep every stage served.

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
        states: Vec::new(),
        epoch: 3,
        version: 1,
    };
    SignedHeartbeat { body, signature: [0; 64] }
}

fn manifest(pins: Vec<Pin>) -> Manifest {
    Manifest { pins, ..sample() }
}

fn of(members: &[SignedHeartbeat]) -> Plan {
    let set = MemberSet::new(members.to_vec());
    plan(&manifest(Vec::new()), 3, &set, &[], [5; 32])
}

/// The members as they announce themselves after serving in a plan.
fn settled(members: &[SignedHeartbeat], plan: &Plan) -> Vec<SignedHeartbeat> {
    let mut members = members.to_vec();
    for member in &mut members {
        member.body.stage = plan.stage_of(&member.body.hotkey);
    }
    members
}

/// Miners whose stage in the plan is not the one that they hold.
fn moved(members: &[SignedHeartbeat], plan: &Plan) -> usize {
    let moves = |m: &&SignedHeartbeat| plan.stage_of(&m.body.hotkey) != m.body.stage;
    members.iter().filter(moves).count()
}

/// Throughput of the slowest stage.
fn slowest(members: &[SignedHeartbeat], plan: &Plan) -> u64 {
    let power = |key: &Hotkey| {
        members.iter().find(|m| m.body.hotkey == *key).map_or(0, |m| 1u64 << m.body.capacity)
    };
    plan.stages.iter().map(|stage| stage.iter().map(power).sum()).min().unwrap_or(0)
}

/// The fastest slowest stage of any assignment in which each stage has two replicas.
fn best_slowest(members: &[SignedHeartbeat], stages: u32) -> u64 {
    let count = members.len() as u32;
    (0..stages.pow(count))
        .filter_map(|mut code| {
            let (mut power, mut size) = (vec![0u64; stages as usize], vec![0; stages as usize]);
            for member in members {
                power[(code % stages) as usize] += 1 << member.body.capacity;
                size[(code % stages) as usize] += 1;
                code /= stages;
            }
            size.iter().all(|size| *size >= 2).then(|| power.into_iter().min()).flatten()
        })
        .max()
        .unwrap_or(0)
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
        let planned = plan(&manifest(Vec::new()), 0, &set, &[], seed);
        prop_assert_eq!(&planned, &plan(&manifest(Vec::new()), 0, &MemberSet::new(reversed), &[], seed));
        let placed: Vec<Hotkey> = planned.stages.iter().flatten().copied().collect();
        let distinct: BTreeSet<Hotkey> = placed.iter().copied().collect();
        prop_assert_eq!(placed.len(), keys.len());
        prop_assert_eq!(distinct.len(), keys.len());
        if keys.len() >= 6 {
            prop_assert!(planned.stages.iter().all(|stage| stage.len() >= 2));
        }
    }

    #[test]
    fn one_departure_moves_at_most_one_miner(count in 7u16..30, gone in 0usize..7) {
        let members: Vec<_> = (0..count).map(|key| member(key, 0)).collect();
        let mut left = settled(&members, &of(&members));
        left.remove(gone);
        prop_assert!(moved(&left, &of(&left)) <= 1);
    }

    #[test]
    fn a_plan_stands_while_nobody_comes_or_goes(capacities in prop::collection::vec(0u8..6, 0..30)) {
        let members: Vec<_> = (0..).zip(&capacities).map(|(key, c)| member(key, *c)).collect();
        let after = settled(&members, &of(&members));
        let again = plan(&manifest(Vec::new()), 4, &MemberSet::new(after.clone()), &[], [6; 32]);
        prop_assert_eq!(moved(&after, &again), 0);
    }

    #[test]
    fn the_slowest_stage_is_near_the_best_possible(capacities in prop::collection::vec(0u8..4, 6..9)) {
        let members: Vec<_> = (0..).zip(&capacities).map(|(key, c)| member(key, *c)).collect();
        let (got, best) = (slowest(&members, &of(&members)), best_slowest(&members, 3));
        prop_assert!(got * 5 >= best * 4, "{got} of {best}");
    }

    #[test]
    fn pins_hold_whatever_the_others_claim(
        members in prop::collection::vec((0u8..4, prop::option::of(0u16..5)), 1..30),
        stage in 0u16..3,
    ) {
        let members: Vec<_> = (0..)
            .zip(&members)
            .map(|(key, (capacity, claim))| {
                let mut member = member(key, *capacity);
                member.body.stage = *claim;
                member
            })
            .collect();
        let pinned = members[0].body.hotkey;
        let manifest = manifest(vec![Pin { hotkey: pinned, stage }]);
        let planned = plan(&manifest, 0, &MemberSet::new(members.clone()), &[], [2; 32]);
        prop_assert_eq!(planned.stage_of(&pinned), Some(stage));
        prop_assert_eq!(planned.stages.iter().map(Vec::len).sum::<usize>(), members.len());
        let fewest = sizes(&planned).into_iter().min().unwrap();
        // The pin may sit where two others would do, so one more is needed for pairs.
        prop_assert!(fewest >= 2 || members.len() < 7, "{fewest}");
    }
}

#[test]
fn equal_miners_are_spread_evenly_and_strong_ones_count_more() {
    let equal: Vec<_> = (0..9).map(|key| member(key, 0)).collect();
    assert_eq!(sizes(&of(&equal)), [3, 3, 3]);
    let uneven: Vec<_> = (0..10).map(|key| member(key, if key == 0 { 3 } else { 0 })).collect();
    let planned = of(&uneven);
    let strong = planned.stage_of(&member(0, 3).body.hotkey).unwrap();
    assert_eq!(planned.stages[usize::from(strong)].len(), 2, "the strong one needs least company");
}

#[test]
fn pins_are_kept_even_when_another_stage_is_empty() {
    let pins = (0..4).map(|key| Pin { hotkey: member(key, 0).body.hotkey, stage: 1 }).collect();
    let members = MemberSet::new((0..4).map(|key| member(key, 0)));
    let planned = plan(&manifest(pins), 0, &members, &[], [1; 32]);
    assert_eq!(sizes(&planned), [0, 4, 0]);
}

#[test]
fn an_empty_stage_takes_one_from_the_richest() {
    let members: Vec<_> = (0..7).map(|key| member(key, 0)).collect();
    let before = of(&members);
    let after = settled(&members, &before);
    let poor = before.stages.iter().position(|stage| stage.len() == 2).unwrap();
    let left: Vec<_> = after.into_iter().filter(|m| m.body.stage != Some(poor as u16)).collect();
    let planned = of(&left);
    let mut counts = sizes(&planned);
    counts.sort_unstable();
    assert_eq!((counts, moved(&left, &planned)), (vec![1, 2, 2], 1));
}

#[test]
fn newcomers_fill_gaps_before_anybody_moves() {
    let mut members: Vec<_> = (0..8).map(|key| member(key, 0)).collect();
    for (index, member) in members.iter_mut().take(5).enumerate() {
        member.body.stage = Some([0, 0, 0, 1, 1][index]);
    }
    let planned = of(&members);
    let mut counts = sizes(&planned);
    counts.sort_unstable();
    assert_eq!(counts, [2, 3, 3]);
    assert_eq!(moved(&members[..5], &planned), 0);
}

#[test]
fn a_newcomer_is_moved_rather_than_an_incumbent() {
    let mut members: Vec<_> = (0..8).map(|key| member(key, if key == 0 { 3 } else { 0 })).collect();
    for (index, member) in members.iter_mut().take(7).enumerate() {
        member.body.stage = Some(if index == 0 { 0 } else { 1 + index as u16 % 2 });
    }
    let planned = of(&members);
    assert_eq!(planned.stage_of(&members[7].body.hotkey), Some(0), "the strong one needs company");
    assert_eq!(moved(&members[..7], &planned), 0);
}

#[test]
fn nobody_moves_for_a_small_gain() {
    let mut members: Vec<_> = (0..27).map(|key| member(key, 0)).collect();
    for (index, member) in members.iter_mut().enumerate() {
        member.body.stage = Some([10, 19, 27].iter().filter(|end| index >= **end).count() as u16);
    }
    assert_eq!(sizes(&of(&members)), [10, 9, 8]);
}

#[test]
fn the_seed_decides_among_equals_and_validators_get_no_stage() {
    let mut members: Vec<_> = (0..9).map(|key| member(key, 0)).collect();
    members[0].body.role = Role::Validator;
    let with = |seed| {
        let set = MemberSet::new(members.clone());
        let mut stages = plan(&manifest(Vec::new()), 0, &set, &[], [seed; 32]).stages;
        stages.iter_mut().for_each(|stage| stage.sort_unstable());
        stages
    };
    assert_ne!(with(1), with(2));
    assert_eq!(with(1).iter().map(Vec::len).sum::<usize>(), 8);
}

#[test]
fn a_crowd_on_one_stage_is_spread_as_far_as_it_pays() {
    let mut members: Vec<_> = (0..14).map(|key| member(key, 0)).collect();
    for (index, member) in members.iter_mut().enumerate() {
        member.body.stage = Some(if index < 2 {
            0
        } else if index < 4 {
            1
        } else {
            2
        });
    }
    let mut counts = sizes(&of(&members));
    counts.sort_unstable();
    assert_eq!(counts, [4, 5, 5]);
}

#[test]
fn the_hash_ignores_origins_and_peer_ids_and_sees_the_rest() {
    let members: Vec<_> = (0..6).map(|key| member(key, 0)).collect();
    let base = of(&members);
    let mut other = members.clone();
    for member in &mut other {
        member.body.peer_id = vec![1];
        member.body.states = vec![(0, [3; 32])];
    }
    assert_eq!(of(&other).hash(), base.hash());
    assert_ne!(of(&members[..5]).hash(), base.hash());
}

/// A member that holds these states.
fn holder(key: u16, role: Role, states: &[(u16, u8)]) -> SignedHeartbeat {
    let mut member = member(key, 0);
    member.body.role = role;
    member.body.states = states.iter().map(|(stage, root)| (*stage, [*root; 32])).collect();
    member
}

#[test]
fn the_agreed_root_is_the_one_most_miners_hold_where_no_validator_knows() {
    let mut members = vec![holder(0, Role::Miner, &[(0, 1)])];
    members.extend((1..3).map(|key| holder(key, Role::Miner, &[(0, 2)])));
    members.push(holder(4, Role::Miner, &[(2, 3)]));
    // No stake, no word.
    members.push(holder(5, Role::Validator, &[(0, 1), (1, 1)]));
    members.push(holder(6, Role::Validator, &[(0, 1)]));
    assert_eq!(of(&members).origins, [2, 1, 3].map(|root| Origin::Agreed([root; 32])));
    assert_eq!(of(&[member(1, 0)]).origins, [Origin::Initial; 3]);
}

#[test]
fn the_agreed_root_is_the_one_that_most_stake_computed_whatever_miners_hold() {
    let mut members: Vec<_> = (0..3).map(|key| holder(key, Role::Miner, &[(0, 9)])).collect();
    members.extend([(7, 1), (8, 2)].map(|(key, root)| holder(key, Role::Validator, &[(0, root)])));
    let validators = |stakes: [u64; 2]| {
        [0, 1].map(|i| EligibleValidator { hotkey: members[3 + i].body.hotkey, stake: stakes[i] })
    };
    let set = MemberSet::new(members.clone());
    let root =
        |stakes| plan(&manifest(Vec::new()), 3, &set, &validators(stakes), [5; 32]).origins[0];
    assert_eq!(root([3, 2]), Origin::Agreed([1; 32]));
    assert_eq!(root([2, 3]), Origin::Agreed([2; 32]));
    assert_eq!(root([2, 2]), Origin::Agreed([1; 32]), "of equals the smaller");
}

#[test]
fn members_of_an_earlier_epoch_say_nothing_of_the_present_states() {
    let set = MemberSet::new([holder(0, Role::Miner, &[(0, 1)])]);
    let planned = plan(&manifest(Vec::new()), 4, &set, &[], [5; 32]);
    assert_eq!(planned.origins, [Origin::Unsaid; 3]);
}
