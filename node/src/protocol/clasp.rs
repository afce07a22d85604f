//! CLASP: Contribution Loss Assessment via Sampling of Pathways.
//!
//! A miner that harms the model raises the loss of the microbatches that pass through it. Input are
//! [`Record`]s: the pathway of a microbatch, its loss *recomputed by the validator* (a tail's own
//! report is worth nothing), when it ran, and how surprising its text is to a reference model.
//!
//! Two estimators of a miner's *effect*, the loss through it less the mean of its stage's other
//! miners, both with a standard error:
//! - [`pathway_means`]: its mean loss against the mean of its siblings. Simple, as in the paper,
//!   and misled when routing is uneven or the loss falls while routing changes.
//! - [`fn@fit`]: robust least squares of `loss = level + trend of time + slope * surprisal + effect of
//!   the miner at each stage + noise`, effects summing to zero within a stage. Untangles the above.
//!
//! [`credits`] turns a history of fits into multipliers. A flag needs a minimum effect *and*
//! significance in two consecutive windows, and costs in proportion to what is significant, so
//! honest miners, slow ones included, keep exactly 1.
//!
//! Numbers are f64 in a fixed order, of operations that IEEE 754 rounds alike everywhere: a
//! validator's published records reproduce its credits bit for bit.
//!
//! Limits: effects are relative to the stage. If every replica of a stage is equally bad, nobody
//! stands out (audits find that); with two replicas one stands out, by the difference of both. Two
//! miners that only ever appear together share their effect, and the standard error says so.

use super::Hotkey;
use codec::{Decode, Encode};
use std::collections::{BTreeMap, BTreeSet};

mod credit;
mod design;
mod fit;
mod linalg;
mod means;
#[cfg(test)]
mod tests;

pub use credit::{Credit, CreditRule, credits};
pub use fit::{Fit, FitRule, fit};
pub use means::pathway_means;

/// Most records of one window that are looked at.
pub const MAX_RECORDS: usize = 1 << 16;
/// Most miners of one window.
pub const MAX_MINERS: usize = 512;

/// One microbatch's way through the swarm and its loss.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Record {
    /// The miner at each stage, head first.
    pub pathway: Vec<Hotkey>,
    /// Recomputed mean loss, nats per token.
    pub loss: f64,
    /// When it ran, in any unit that is the same for all records (optimizer steps, blocks).
    pub time: f64,
    /// Mean surprisal of its text under a reference model, nats per token; 0 when there is none.
    pub surprisal: f64,
}

/// What an estimator says of one miner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Loss through the miner less the mean of its stage's other miners, nats per token.
    pub effect: f64,
    /// Standard error of the effect.
    pub standard_error: f64,
    /// Records that passed through the miner.
    pub records: u32,
}

impl Estimate {
    /// The interval of `z` standard errors around the effect.
    #[must_use]
    pub fn interval(&self, z: f64) -> (f64, f64) {
        (self.effect - z * self.standard_error, self.effect + z * self.standard_error)
    }
}

/// Records that an estimator may use: without those of failed tails, and well formed.
///
/// A failed tail's losses may be recomputed from falsified inputs, so none of its records counts.
/// Dropped as well: values that are not finite, pathways of another depth than `stages`, and
/// whatever exceeds [`MAX_RECORDS`].
#[must_use]
pub fn usable(records: &[Record], stages: usize, failed: &BTreeSet<Hotkey>) -> Vec<Record> {
    let good = |record: &&Record| {
        let finite = record.loss.is_finite() && record.time.is_finite();
        let tail = record.pathway.last();
        finite
            && record.surprisal.is_finite()
            && record.pathway.len() == stages
            && tail.is_some_and(|tail| !failed.contains(tail))
    };
    records.iter().filter(good).take(MAX_RECORDS).cloned().collect()
}

/// A miner at a stage: the same hotkey elsewhere would be another column.
type Seat = (usize, Hotkey);

/// How many records passed through each seat.
fn seats(records: &[Record]) -> BTreeMap<Seat, u32> {
    let mut seats = BTreeMap::new();
    for record in records {
        for (stage, hotkey) in record.pathway.iter().enumerate() {
            *seats.entry((stage, *hotkey)).or_insert(0) += 1;
        }
    }
    seats
}
