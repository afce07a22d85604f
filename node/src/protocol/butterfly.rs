//! Butterfly All-Reduce: who reduces which part of a stage's pseudo-gradients, and who sends what.
//!
//! With n contributors a stage's chunks are dealt in n(n-1)/2 *shards*, runs of chunks as equal as
//! whole chunks allow. Each unordered pair of contributors reduces exactly one shard, both members
//! from the same committed inputs, so every result exists twice and a liar is named by comparison
//! (see [`fn@agreement`]). n = 1 merges with itself.
//!
//! Pairs come from a round-robin tournament over a seeded order of the contributors: any run of
//! consecutive shards touches everybody about equally often, so nobody collects the shards that are
//! a chunk longer than others.
//!
//! **Traffic**, W being the stage's bytes: a contributor sends each shard to its reducers,
//! 2W(1-1/n); the two reducers of a shard split its n-2 other recipients, W(1-2/n) each; it
//! receives as much. That is below 3W each way for every n (a few chunks of slack apart);
//! [`Schedule::traffic`] counts it.
//!
//! Not here: transport, and the decision who contributes (committed minus vetoed).

use super::{Hotkey, choose::Stream, delta::Layout};
use std::ops::Range;

mod agreement;
mod clip;
mod reduce;
#[cfg(test)]
mod tests;

pub use agreement::{Agreement, Cell, Claim, agreement, result_hash};
pub use clip::{CLIP_ONE, ClipRule, clip_factors, root_mean_square};
pub use reduce::{Input, MAX_WEIGHT, ReduceError, reduce};

/// Most contributors of one stage.
pub const MAX_CONTRIBUTORS: usize = 1024;

/// Domain of the pairing's randomness.
const DOMAIN: &str = "iota 2025 butterfly pairing";

/// Why there is no schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// Nobody contributes, so there is nothing to merge.
    #[error("no contributors")]
    Empty,
    /// More contributors than the protocol allows.
    #[error("{0} contributors exceed the limit of {MAX_CONTRIBUTORS}")]
    TooMany(usize),
    /// The contributors are not in strictly ascending order.
    #[error("contributors are not sorted or not distinct")]
    NotSorted,
}

/// A run of chunks and the pair that reduces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Chunks of the layout; empty when there are more pairs than chunks.
    pub chunks: Range<usize>,
    /// Positions among the contributors; equal only for a single contributor.
    pub reducers: (usize, usize),
}

/// Elements one contributor sends and receives in a merge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Sent to reducers.
    pub contributed: u64,
    /// Received as a reducer.
    pub gathered: u64,
    /// Sent as a reducer to the others.
    pub distributed: u64,
    /// Merged elements received from reducers.
    pub collected: u64,
}

/// Who reduces what: a function of contributors, layout and seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Contributors in ascending order; positions refer to this list.
    pub contributors: Vec<Hotkey>,
    /// How the stage is cut.
    pub layout: Layout,
    /// One shard per pair, in order of their chunks.
    pub shards: Vec<Shard>,
}

impl Schedule {
    /// Deals the chunks of `layout` to the pairs of `contributors` (strictly ascending).
    ///
    /// # Errors
    /// `Empty`, `TooMany` or `NotSorted`.
    pub fn new(
        contributors: &[Hotkey],
        layout: &Layout,
        seed: &[u8; 32],
    ) -> Result<Self, ScheduleError> {
        if contributors.is_empty() {
            return Err(ScheduleError::Empty);
        }
        if contributors.len() > MAX_CONTRIBUTORS {
            return Err(ScheduleError::TooMany(contributors.len()));
        }
        if contributors.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(ScheduleError::NotSorted);
        }
        let pairs = pairs(contributors.len(), seed);
        let (count, chunks) = (pairs.len(), layout.chunks());
        // The first shards take the chunks that do not divide evenly, one each: whole rounds of
        // the tournament, so everybody has as many of the longer ones, give or take one.
        let start = |shard: usize| shard * (chunks / count) + shard.min(chunks % count);
        let shards = pairs
            .into_iter()
            .enumerate()
            .map(|(index, reducers)| Shard { chunks: start(index)..start(index + 1), reducers })
            .collect();
        Ok(Self { contributors: contributors.to_vec(), layout: *layout, shards })
    }

    /// The position of a contributor.
    #[must_use]
    pub fn position(&self, hotkey: &Hotkey) -> Option<usize> {
        self.contributors.binary_search(hotkey).ok()
    }

    /// Shards that the contributor at `position` reduces.
    pub fn duties(&self, position: usize) -> impl Iterator<Item = usize> {
        self.shards.iter().enumerate().filter_map(move |(index, shard)| {
            (shard.reducers.0 == position || shard.reducers.1 == position).then_some(index)
        })
    }

    /// The reducer whose duty it is to send `shard` to `recipient`; a reducer needs nobody's.
    ///
    /// The other reducer is whom to ask when this one is gone or disagrees.
    #[must_use]
    pub fn distributor(&self, shard: usize, recipient: usize) -> usize {
        let (first, second) = self.shards[shard].reducers;
        if recipient == first || recipient == second {
            return recipient;
        }
        // The recipient's rank among those who are not reducers of this shard.
        let rank = recipient - usize::from(first < recipient) - usize::from(second < recipient);
        if rank.is_multiple_of(2) { first } else { second }
    }

    /// Elements of a shard.
    #[must_use]
    pub fn elements(&self, shard: usize) -> u64 {
        let chunks = &self.shards[shard].chunks;
        chunks.clone().map(|chunk| self.layout.len(chunk) as u64).sum()
    }

    /// What the contributor at `position` sends and receives when everybody does their part.
    #[must_use]
    pub fn traffic(&self, position: usize) -> Traffic {
        let n = self.contributors.len();
        let mut traffic = Traffic::default();
        for (index, shard) in self.shards.iter().enumerate() {
            let elements = self.elements(index);
            let (first, second) = shard.reducers;
            if first == second {
                continue;
            }
            if position == first || position == second {
                // To the other reducer goes my input; from everybody else I get theirs.
                traffic.contributed += elements;
                traffic.gathered += elements * (n as u64 - 1);
                let recipients = (0..n)
                    .filter(|&recipient| recipient != first && recipient != second)
                    .filter(|&recipient| self.distributor(index, recipient) == position);
                traffic.distributed += elements * recipients.count() as u64;
            } else {
                traffic.contributed += 2 * elements;
                traffic.collected += elements;
            }
        }
        traffic
    }
}

/// All pairs of `0..n` in tournament order over a seeded permutation; `(0, 0)` for n = 1.
///
/// The circle method: with an odd number m of players, round r pairs r+k with r-k (mod m), and r
/// rests; an even n seats its last player opposite the one who rests. The first of each pair gets
/// the odd recipient when n is odd; over all rounds every player is behind as often as ahead, so
/// all are first equally often.
fn pairs(n: usize, seed: &[u8; 32]) -> Vec<(usize, usize)> {
    if n == 1 {
        return vec![(0, 0)];
    }
    let mut stream = Stream::new(DOMAIN, &[seed]);
    let mut players: Vec<usize> = (0..n).collect();
    stream.shuffle(&mut players);
    let circle = n - usize::from(n.is_multiple_of(2));
    let mut rounds: Vec<usize> = (0..circle).collect();
    stream.shuffle(&mut rounds);
    let mut pairs = Vec::with_capacity(n * (n - 1) / 2);
    for round in rounds {
        if circle < n {
            pairs.push((players[round], players[circle]));
        }
        for step in 1..=(circle - 1) / 2 {
            let ahead = (round + step) % circle;
            let behind = (round + circle - step) % circle;
            pairs.push((players[behind], players[ahead]));
        }
    }
    pairs
}
