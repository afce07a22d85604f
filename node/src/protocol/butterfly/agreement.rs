//! The agreement matrix: who of two reducers reported what, and who lied.
//!
//! Agreement proves nothing by itself: two colluding reducers agree. The truth of a shard is what
//! recomputes from the committed inputs, and whoever recomputes names the liars, never a vote.

use super::Schedule;
use crate::protocol::{Hash, Hotkey, delta::Chunk};
use std::collections::{BTreeMap, BTreeSet};

/// A reducer's signed statement of a shard's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Position of the shard in the schedule.
    pub shard: usize,
    /// Who reduced it.
    pub reducer: Hotkey,
    /// [`result_hash`] of what it computed.
    pub result: Hash,
}

/// What is known of one pair's shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Both reported the same result.
    Agree,
    /// They reported different results: recompute it.
    Disagree,
    /// Only one of the two reported.
    OneMissing,
    /// Nobody reported: the shard keeps its parameters, its delta returns to the residual.
    BothMissing,
}

/// What a stage's claims say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agreement {
    /// One cell per shard, in schedule order.
    pub cells: Vec<Cell>,
    /// Reducers whose claim differs from the recomputed result, or who claimed two results.
    pub liars: BTreeSet<Hotkey>,
    /// Shards where the pair disagrees and nobody has recomputed yet.
    pub disputed: Vec<usize>,
}

/// The hash of a shard's result: BLAKE3 over its chunks' raw-form hashes, in order.
#[must_use]
pub fn result_hash(chunks: &[Option<Chunk>]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    for chunk in chunks {
        // A chunk without weighted input is kept, which differs from a merge to zero.
        hasher.update(&chunk.as_ref().map_or([0; 32], Chunk::hash));
    }
    *hasher.finalize().as_bytes()
}

/// Compares the claims of all pairs, and with recomputed results where somebody has them.
///
/// Claims by anyone who is not the shard's reducer are ignored. Whoever claims two results for one
/// shard lies whatever the truth is; claims are signed, so the two statements are the proof.
#[must_use]
pub fn agreement(
    schedule: &Schedule,
    claims: &[Claim],
    recomputed: &BTreeMap<usize, Hash>,
) -> Agreement {
    let mut heard: BTreeMap<(usize, Hotkey), BTreeSet<Hash>> = BTreeMap::new();
    for claim in claims {
        heard.entry((claim.shard, claim.reducer)).or_default().insert(claim.result);
    }
    let mut agreement = Agreement::default();
    for (index, shard) in schedule.shards.iter().enumerate() {
        let pair = BTreeSet::from([shard.reducers.0, shard.reducers.1]);
        let mut results: BTreeSet<Hash> = BTreeSet::new();
        let mut missing = 0;
        for position in &pair {
            let reducer = schedule.contributors[*position];
            let Some(claimed) = heard.get(&(index, reducer)) else {
                missing += 1;
                continue;
            };
            let truth = recomputed.get(&index);
            if claimed.len() > 1 || truth.is_some_and(|truth| !claimed.contains(truth)) {
                agreement.liars.insert(reducer);
            }
            results.extend(claimed);
        }
        let cell = match (missing, results.len()) {
            (0, 1) => Cell::Agree,
            (0, _) => Cell::Disagree,
            (gone, _) if gone == pair.len() => Cell::BothMissing,
            _ => Cell::OneMissing,
        };
        if results.len() > 1 && !recomputed.contains_key(&index) {
            agreement.disputed.push(index);
        }
        agreement.cells.push(cell);
    }
    agreement
}
