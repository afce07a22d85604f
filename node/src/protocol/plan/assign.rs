//! Which miner serves which stage.
//!
//! Pins come first, then incumbents (a miner announces the stage whose state it holds), then
//! newcomers, the strongest first, each on the weakest stage. Moves follow while they pay: a
//! newcomer's cost nothing, an incumbent's a download and its residual.
//!
//! Incumbency is read from the heartbeats and not from the plan before: a node that joined or
//! restarted does not have that plan, and must compute the same one as everybody else. A miner that
//! claims a stage which it does not hold gains no more than a wish, since surplus is moved away.

use std::cmp::Reverse;

use crate::protocol::choose::Stream;
use crate::protocol::manifest::Manifest;
use crate::protocol::members::Heartbeat;
use crate::protocol::{Hash, Hotkey};

/// Domain of the order in which equals are considered.
const ORDER: &str = "iota 2025 plan order";
/// Replicas that every stage should have before any gets more.
const REPLICAS: usize = 2;
/// Greatest capacity class that counts: 2^20 times the smallest.
const MAX_CAPACITY: u8 = 20;
/// An incumbent's move must raise the slower of the two stages by one part in this many.
const LEAST_GAIN: u64 = 4;

/// A miner while seats are given out.
#[derive(Clone, Copy)]
struct Miner {
    hotkey: Hotkey,
    /// Throughput in units of the smallest class.
    power: u64,
    seat: Seat,
}

/// How firmly a miner sits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seat {
    /// By the manifest: never moves.
    Pinned,
    /// It says that it holds the stage's state: a move must be worth its cost.
    Held,
    /// It holds nothing.
    Free,
}

/// One stage while it is filled.
#[derive(Clone, Default)]
struct Seats {
    miners: Vec<Miner>,
    /// Sum of the miners' throughput.
    power: u64,
}

/// Puts every miner on one stage. The result does not depend on the order of `miners`, provided
/// that they come sorted by hotkey, as those of a member set do.
pub(super) fn assign(manifest: &Manifest, miners: &[&Heartbeat], seed: &Hash) -> Vec<Vec<Hotkey>> {
    let mut stages = vec![Seats::default(); usize::from(manifest.stages)];
    let mut newcomers = Vec::new();
    let mut order = miners.to_vec();
    // The seed, not the key, decides among equals.
    Stream::new(ORDER, &[seed]).shuffle(&mut order);
    for body in order {
        let pin = manifest.pinned(&body.hotkey);
        let seat = if pin.is_some() { Seat::Pinned } else { Seat::Held };
        let power = 1 << body.capacity.min(MAX_CAPACITY);
        let miner = Miner { hotkey: body.hotkey, power, seat };
        match pin.or(body.stage).and_then(|stage| stages.get_mut(usize::from(stage))) {
            Some(seats) => seats.take(miner),
            None => newcomers.push(Miner { seat: Seat::Free, ..miner }),
        }
    }
    newcomers.sort_by_key(|miner| Reverse(miner.power));
    for miner in newcomers {
        if let Some(seats) = stages.iter_mut().min_by_key(|seats| seats.power) {
            seats.take(miner);
        }
    }
    while let Some(step) = best_move(&stages) {
        let miner = stages[step.from].leave(step.seat);
        stages[step.to].take(miner);
    }
    let hotkeys = |seats: Seats| seats.miners.iter().map(|miner| miner.hotkey).collect();
    stages.into_iter().map(hotkeys).collect()
}

impl Seats {
    fn take(&mut self, miner: Miner) {
        self.power += miner.power;
        self.miners.push(miner);
    }

    fn leave(&mut self, seat: usize) -> Miner {
        let miner = self.miners.remove(seat);
        self.power -= miner.power;
        miner
    }

    /// Orders stages by how much they need a miner: missing replicas first, then weakness.
    fn need(&self) -> (usize, u64) {
        (self.miners.len().min(REPLICAS), self.power)
    }
}

/// One miner changes its stage.
struct Move {
    from: usize,
    seat: usize,
    to: usize,
}

/// The move that helps the neediest stage most, if one is worth its cost; a newcomer's is preferred.
///
/// A stage short of replicas takes from any that stays ahead of it; else a stage that has more
/// than its replicas gives up a miner when the slower of the two gains enough. Either way the
/// sorted list of what stages have grows, so moves come to an end.
fn best_move(stages: &[Seats]) -> Option<Move> {
    let (to, poor) = stages.iter().enumerate().min_by_key(|(_, seats)| seats.need())?;
    let lacks = poor.miners.len() < REPLICAS;
    let spares = if lacks { poor.miners.len() + 1 } else { REPLICAS };
    let rich = |(from, seats): &(usize, &Seats)| *from != to && seats.miners.len() > spares;
    let mut best: Option<((Seat, u64), Move)> = None;
    for (from, rich) in stages.iter().enumerate().filter(rich) {
        for (seat, miner) in rich.miners.iter().enumerate() {
            let slower = (rich.power - miner.power).min(poor.power + miner.power);
            let gain = slower.saturating_sub(poor.power);
            let pays = match miner.seat {
                Seat::Pinned => false,
                Seat::Held => lacks || gain >= poor.power.div_ceil(LEAST_GAIN).max(1),
                Seat::Free => lacks || gain > 0,
            };
            let value = (miner.seat, slower);
            if pays && best.as_ref().is_none_or(|(least, _)| value > *least) {
                best = Some((value, Move { from, seat, to }));
            }
        }
    }
    best.map(|(_, step)| step)
}
