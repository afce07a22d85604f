//! Work logs: what a miner says it did, in a form its neighbours' logs confirm or refute.
//!
//! For each microbatch that went forward and backward through its stage a miner appends a
//! [`Receipt`]. Hashes are BLAKE3 of the *wire bytes*, so one hop's output is the next hop's input
//! and two honest neighbours always agree. The log is committed by its root before anyone knows
//! what will be audited; what is not in it is not paid.
//!
//! A *step* is an optimizer step: `bwd_step` s means that s steps were taken before, and the
//! gradient went into step s. A [`Snapshot`] at step s hashes parameters, moments and residual after
//! s steps. The pipeline is flushed at a snapshot, so the *window* between two snapshots can be
//! re-executed from the first alone.
//!
//! Rules of a log ([`WorkLog::check`]):
//! - receipts are ordered by (`bwd_step`, `acc`); steps and accumulation indices start at 0 and
//!   leave no gap; each microbatch stands once;
//! - snapshots stand at increasing steps, the first at 0, the last after the last step;
//! - a receipt's forward and backward lie in one window, forward not after backward;
//! - only a head has no previous hop, only a tail has no next one, and only a tail reports a loss.
//!
//! Not here: whether the hashes recompute (see `audit`).

use super::{Hash, Hotkey, bounded, choose::content_hash, draw::MicrobatchId};
use codec::{Decode, Encode};
use std::collections::BTreeSet;
use std::ops::Range;

#[cfg(test)]
mod tests;
mod verify;

pub use verify::{CountRule, verified_tokens};

/// Most receipts of one log.
pub const MAX_RECEIPTS: usize = 1 << 16;
/// Most snapshots of one log.
pub const MAX_SNAPSHOTS: usize = 1 << 10;
/// Most bytes of an encoded log: a receipt takes at most 225, a snapshot 36.
pub const MAX_LOG_BYTES: usize = 64 + MAX_RECEIPTS * 225 + MAX_SNAPSHOTS * 36;

/// One microbatch, forward and backward, at one stage.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Receipt {
    /// The microbatch, as drawn by its head.
    pub mb: MicrobatchId,
    /// Stage, 0 = head.
    pub stage: u16,
    /// Optimizer steps taken before the forward pass.
    pub fwd_step: u32,
    /// Optimizer steps taken before the backward pass; its gradient goes into this step.
    pub bwd_step: u32,
    /// Position within the step's accumulation.
    pub acc: u16,
    /// Whom the input came from; none at the head.
    pub prev: Option<Hotkey>,
    /// Whom the output went to; none at the tail.
    pub next: Option<Hotkey>,
    /// BLAKE3 of the input code's bytes; at the head, of the tokens' bytes.
    pub in_hash: Hash,
    /// BLAKE3 of the output code's bytes; zero at the tail.
    pub out_hash: Hash,
    /// BLAKE3 of the gradient bytes received; zero at the tail.
    pub grad_in_hash: Hash,
    /// BLAKE3 of the gradient bytes sent back; zero at the head.
    pub grad_out_hash: Hash,
    /// Mean loss in nats per token, as f32 bits; the tail's alone.
    pub loss: Option<u32>,
    /// Target tokens of the microbatch.
    pub tokens: u32,
}

/// The state that a window of re-execution starts from or must end in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Snapshot {
    /// Optimizer steps taken in this epoch.
    pub step: u32,
    /// BLAKE3 of the snapshot's bytes: parameters, moments, residual.
    pub hash: Hash,
}

/// A run of receipts between two consecutive snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Where re-execution starts.
    pub start: Snapshot,
    /// What it must arrive at.
    pub end: Snapshot,
    /// Positions of its receipts in the log.
    pub receipts: Range<usize>,
}

/// Everything a miner did at one stage in one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct WorkLog {
    /// Epoch of the draws.
    pub epoch: u32,
    /// Stage, 0 = head.
    pub stage: u16,
    /// Whose log it is.
    pub hotkey: Hotkey,
    /// Ordered by (`bwd_step`, `acc`).
    pub receipts: Vec<Receipt>,
    /// Ordered by step.
    pub snapshots: Vec<Snapshot>,
}

/// The rule that a log breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// More receipts or snapshots than allowed.
    #[error("the log is too long")]
    TooLong,
    /// A receipt of another epoch or stage.
    #[error("receipt {0} is of another epoch or stage")]
    Foreign(usize),
    /// Steps or accumulation indices are out of order or leave a gap.
    #[error("receipt {0} is out of order")]
    Order(usize),
    /// The microbatch has a receipt already.
    #[error("receipt {0} counts its microbatch again")]
    Twice(usize),
    /// A hop or a loss that the stage must or must not have.
    #[error("receipt {0} has the wrong hops or loss for its stage")]
    Hops(usize),
    /// Forward and backward lie in different windows, or in the wrong order.
    #[error("receipt {0} crosses a snapshot")]
    Crosses(usize),
    /// Snapshots do not start at 0, do not increase, or do not end after the last step.
    #[error("snapshots do not cover the steps")]
    Snapshots,
}

impl WorkLog {
    /// An empty log.
    #[must_use]
    pub fn new(epoch: u32, stage: u16, hotkey: Hotkey) -> Self {
        Self { epoch, stage, hotkey, receipts: Vec::new(), snapshots: Vec::new() }
    }

    /// BLAKE3 of the SCALE bytes: what the chain names, and the log's own blob address. BLAKE3 is a
    /// Merkle tree over the bytes, so a part can be proven without the rest.
    #[must_use]
    pub fn root(&self) -> Hash {
        content_hash(&self.encode())
    }

    /// Decodes a log from a peer; its rules are not checked yet.
    ///
    /// # Errors
    /// As [`bounded::decode`], and `TooMany` for too long lists.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, bounded::DecodeError> {
        let log: Self = bounded::decode(bytes, MAX_LOG_BYTES)?;
        bounded::at_most("receipts", log.receipts.len(), MAX_RECEIPTS)?;
        bounded::at_most("snapshots", log.snapshots.len(), MAX_SNAPSHOTS)?;
        Ok(log)
    }

    /// Checks the structural rules for a pipeline of `stages` stages.
    ///
    /// # Errors
    /// The first rule that is broken, with the receipt's position.
    pub fn check(&self, stages: u16) -> Result<(), LogError> {
        if self.receipts.len() > MAX_RECEIPTS || self.snapshots.len() > MAX_SNAPSHOTS {
            return Err(LogError::TooLong);
        }
        let mut seen = BTreeSet::new();
        // The place (step, accumulation index) of the receipt before.
        let mut last: Option<(u32, u16)> = None;
        for (index, receipt) in self.receipts.iter().enumerate() {
            if receipt.mb.epoch != self.epoch || receipt.stage != self.stage {
                return Err(LogError::Foreign(index));
            }
            let place = (receipt.bwd_step, receipt.acc);
            let follows = match last {
                None => place == (0, 0),
                Some((step, acc)) => {
                    let same_step = receipt.bwd_step == step && acc.checked_add(1) == Some(place.1);
                    same_step || (step.checked_add(1) == Some(place.0) && place.1 == 0)
                }
            };
            if !follows {
                return Err(LogError::Order(index));
            }
            last = Some(place);
            if !seen.insert(receipt.mb) {
                return Err(LogError::Twice(index));
            }
            let (head, tail) = (self.stage == 0, self.stage.checked_add(1) == Some(stages));
            let hops = receipt.prev.is_none() == head
                && receipt.next.is_none() == tail
                && receipt.loss.is_some() == tail;
            if !hops {
                return Err(LogError::Hops(index));
            }
        }
        self.check_snapshots()
    }

    /// Checks that snapshots cover all steps and that no receipt crosses one.
    fn check_snapshots(&self) -> Result<(), LogError> {
        let steps = self.receipts.last().map_or(0, |receipt| receipt.bwd_step.saturating_add(1));
        let increasing = self.snapshots.windows(2).all(|pair| pair[0].step < pair[1].step);
        let first = self.snapshots.first().map(|snapshot| snapshot.step);
        let last = self.snapshots.last().map(|snapshot| snapshot.step);
        if !increasing || first != Some(0) || last != Some(steps) {
            return Err(LogError::Snapshots);
        }
        let window = |step: u32| self.snapshots.partition_point(|snapshot| snapshot.step <= step);
        let crosses = |receipt: &Receipt| {
            receipt.fwd_step > receipt.bwd_step
                || window(receipt.fwd_step) != window(receipt.bwd_step)
        };
        match self.receipts.iter().position(crosses) {
            Some(index) => Err(LogError::Crosses(index)),
            None => Ok(()),
        }
    }

    /// The windows of a log that passed [`WorkLog::check`]; none for an empty log.
    #[must_use]
    pub fn windows(&self) -> Vec<Window> {
        let before = |step: u32| self.receipts.partition_point(|receipt| receipt.bwd_step < step);
        self.snapshots
            .windows(2)
            .map(|pair| Window {
                start: pair[0],
                end: pair[1],
                receipts: before(pair[0].step)..before(pair[1].step),
            })
            .collect()
    }

    /// Tokens of all receipts, verified or not.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.receipts.iter().map(|receipt| u64::from(receipt.tokens)).sum()
    }
}
