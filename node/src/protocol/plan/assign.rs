//! Which miner serves which stage.

use std::collections::BTreeMap;

use super::Plan;
use crate::protocol::choose::Stream;
use crate::protocol::manifest::Manifest;
use crate::protocol::members::Heartbeat;
use crate::protocol::{Hash, Hotkey};

/// Domain of the order in which newcomers are placed.
const NEWCOMERS: &str = "iota 2025 plan newcomers";
/// Replicas that every stage should have before any gets more.
const REPLICAS: usize = 2;
/// Greatest capacity class that counts: 2^20 times the smallest.
const MAX_CAPACITY: u8 = 20;

/// One stage while it is filled.
#[derive(Clone, Default)]
struct Seats {
    miners: Vec<Hotkey>,
    /// Sum of capacities.
    power: u64,
}

/// Puts every miner on one stage.
///
/// Pins and incumbents first; then newcomers, the strongest first, each where it is needed most;
/// then, while a stage lacks replicas and another can spare one, single moves.
pub(super) fn assign(
    manifest: &Manifest,
    miners: &[&Heartbeat],
    previous: Option<&Plan>,
    seed: &Hash,
) -> Vec<Vec<Hotkey>> {
    let power: BTreeMap<Hotkey, u64> =
        miners.iter().map(|m| (m.hotkey, 1 << m.capacity.min(MAX_CAPACITY))).collect();
    let mut stages = vec![Seats::default(); usize::from(manifest.stages)];
    let mut newcomers = Vec::new();
    for miner in miners {
        let held = previous.and_then(|plan| plan.stage_of(&miner.hotkey)).or(miner.stage);
        match manifest.pinned(&miner.hotkey).or(held).filter(|stage| *stage < manifest.stages) {
            Some(stage) => stages[usize::from(stage)].take(miner.hotkey, power[&miner.hotkey]),
            None => newcomers.push(miner.hotkey),
        }
    }
    // Members come sorted by hotkey; the seed, not the key, decides among equals.
    Stream::new(NEWCOMERS, &[seed]).shuffle(&mut newcomers);
    newcomers.sort_by_key(|hotkey| std::cmp::Reverse(power[hotkey]));
    for hotkey in newcomers {
        let neediest = stages.iter_mut().min_by_key(|seats| seats.need());
        if let Some(seats) = neediest {
            seats.take(hotkey, power[&hotkey]);
        }
    }
    rebalance(manifest, &mut stages, &power, seed);
    stages.into_iter().map(|seats| seats.miners).collect()
}

impl Seats {
    fn take(&mut self, hotkey: Hotkey, power: u64) {
        self.miners.push(hotkey);
        self.power += power;
    }

    /// Orders stages by how much they need a miner: missing replicas first, then weakness.
    fn need(&self) -> (usize, u64) {
        (self.miners.len().min(REPLICAS), self.power)
    }
}

/// Moves miners from stages that can spare one to stages that lack a replica, one at a time.
fn rebalance(
    manifest: &Manifest,
    stages: &mut [Seats],
    power: &BTreeMap<Hotkey, u64>,
    seed: &Hash,
) {
    let mut stream = Stream::new("iota 2025 plan moves", &[seed]);
    loop {
        let Some(poorest) = (0..stages.len()).min_by_key(|index| stages[*index].miners.len()) else {
            return;
        };
        let Some(richest) = (0..stages.len())
            .filter(|index| movable(manifest, &stages[*index]).next().is_some())
            .max_by_key(|index| stages[*index].miners.len())
        else {
            return;
        };
        let (from, to) = (stages[richest].miners.len(), stages[poorest].miners.len());
        // An empty stage takes even from a pair; otherwise only a surplus moves.
        let helps = to < REPLICAS && from > to + 1;
        if !helps {
            return;
        }
        let candidates: Vec<Hotkey> = movable(manifest, &stages[richest]).copied().collect();
        let hotkey = candidates[stream.below(candidates.len() as u64) as usize];
        let moved = power[&hotkey];
        stages[richest].miners.retain(|miner| *miner != hotkey);
        stages[richest].power -= moved;
        stages[poorest].take(hotkey, moved);
    }
}

/// Miners that no pin holds.
fn movable<'a>(manifest: &'a Manifest, seats: &'a Seats) -> impl Iterator<Item = &'a Hotkey> {
    seats.miners.iter().filter(|hotkey| manifest.pinned(hotkey).is_none())
}
