//! Audit comparison: what a validator recomputed against what a miner committed.
//!
//! A validator re-executes windows of a miner's log on its own code. Where the device class is the
//! same the two must be equal bit for bit; elsewhere cosine and relative norm are compared with
//! tolerances that were measured for the pair of device classes (docs/BENCHMARKS.md). A failure
//! names what differed, and with the committed log it makes a file that any other validator checks.
//!
//! Not here: re-execution itself, and what a failure costs (see `scores`).

use super::{Hash, Hotkey, bounded, choose::Stream, choose::content_hash, draw::MicrobatchId};
use codec::{Decode, Encode};
use std::fmt;

mod similarity;
#[cfg(test)]
mod tests;

pub use similarity::{PPM, Similarity, Tolerance, compare};

/// Domain of the choice of windows.
const DOMAIN: &str = "iota 2025 audit windows";
/// Domain of the choice of miners.
const MINERS: &str = "iota 2025 audit miners";
/// Most bytes of an encoded [`Evidence`].
const MAX_EVIDENCE_BYTES: usize = 1024;

/// What an audit found wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum Failure {
    /// The committed log could not be had.
    WithheldLog,
    /// The bytes of a logged input or incoming gradient could not be had.
    WithheldInput {
        /// The microbatch.
        mb: MicrobatchId,
    },
    /// A committed snapshot could not be had.
    WithheldSnapshot {
        /// Optimizer steps before the snapshot.
        step: u32,
    },
    /// The committed delta index or a chunk that it names could not be had.
    WithheldDelta,
    /// The log breaks a structural rule.
    BadLog,
    /// A head's input is not what the verifiable draw gives.
    DrawMismatch {
        /// The microbatch.
        mb: MicrobatchId,
    },
    /// The forward output does not recompute.
    OutputMismatch {
        /// The microbatch.
        mb: MicrobatchId,
        /// Committed against recomputed.
        similarity: Similarity,
    },
    /// The gradient sent back does not recompute.
    GradientMismatch {
        /// The microbatch.
        mb: MicrobatchId,
        /// Committed against recomputed.
        similarity: Similarity,
    },
    /// The window's parameter update does not recompute.
    UpdateMismatch {
        /// Optimizer steps before the snapshot that ends the window.
        step: u32,
        /// Committed against recomputed change of the parameters.
        similarity: Similarity,
    },
    /// The committed delta is not the change that the snapshots show.
    DeltaMismatch {
        /// Committed against recomputed.
        similarity: Similarity,
    },
    /// A tail's loss does not recompute. Losses are f32 bits, nats per token.
    LossMismatch {
        /// The microbatch.
        mb: MicrobatchId,
        /// What the log says.
        claimed: u32,
        /// What the validator computed.
        recomputed: u32,
    },
    /// A microbatch is logged more often than once.
    DoubleCount {
        /// The microbatch.
        mb: MicrobatchId,
    },
    /// As a reducer, it claimed a result that does not recompute from the committed inputs.
    FalseMerge {
        /// Position of the shard in the stage's schedule.
        shard: u32,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WithheldLog => write!(f, "work log withheld"),
            Self::WithheldInput { mb } => write!(f, "input of microbatch {mb} withheld"),
            Self::WithheldSnapshot { step } => write!(f, "snapshot at step {step} withheld"),
            Self::WithheldDelta => write!(f, "pseudo-gradient withheld"),
            Self::BadLog => write!(f, "work log breaks the rules"),
            Self::DrawMismatch { mb } => write!(f, "input of microbatch {mb} is not the draw"),
            Self::OutputMismatch { mb, similarity } => {
                write!(f, "output of microbatch {mb} differs ({similarity})")
            }
            Self::GradientMismatch { mb, similarity } => {
                write!(f, "gradient of microbatch {mb} differs ({similarity})")
            }
            Self::UpdateMismatch { step, similarity } => {
                write!(f, "update up to step {step} differs ({similarity})")
            }
            Self::DeltaMismatch { similarity } => {
                write!(f, "pseudo-gradient differs ({similarity})")
            }
            Self::LossMismatch { mb, claimed, recomputed } => {
                let (claimed, recomputed) = (f32::from_bits(*claimed), f32::from_bits(*recomputed));
                write!(f, "loss of microbatch {mb} is {recomputed:.4}, not {claimed:.4}")
            }
            Self::DoubleCount { mb } => write!(f, "microbatch {mb} counted twice"),
            Self::FalseMerge { shard } => write!(f, "merge of shard {shard} is false"),
        }
    }
}

/// The outcome of one miner's audit by one validator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Verdict {
    /// Everything that was checked recomputes.
    Pass,
    /// Something does not.
    Fail(Failure),
}

impl Verdict {
    /// True for a pass.
    #[must_use]
    pub fn passed(&self) -> bool {
        matches!(self, Self::Pass)
    }
}

/// A failed audit in a form that another validator can repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Evidence {
    /// Epoch of the work.
    pub epoch: u32,
    /// Stage of the miner in that epoch.
    pub stage: u16,
    /// Who failed.
    pub miner: Hotkey,
    /// The miner's committed log root, zero if it committed none.
    pub log_root: Hash,
    /// Position of the audited window.
    pub window: u32,
    /// What was wrong.
    pub failure: Failure,
}

impl Evidence {
    /// BLAKE3 of the SCALE bytes: what a veto names on chain.
    #[must_use]
    pub fn hash(&self) -> Hash {
        content_hash(&self.encode())
    }

    /// Decodes peers' bytes.
    ///
    /// # Errors
    /// As [`bounded::decode`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, bounded::DecodeError> {
        bounded::decode(bytes, MAX_EVIDENCE_BYTES)
    }
}

/// The miners of a plan that a validator audits, ascending: everybody up to `count`, else a sample
/// of that size, drawn as [`choose_windows`] draws.
#[must_use]
pub fn choose_miners(
    audit_seed: &[u8; 32],
    validator: &Hotkey,
    stages: &[Vec<Hotkey>],
    count: usize,
) -> Vec<Hotkey> {
    let mut miners: Vec<Hotkey> = stages.iter().flatten().copied().collect();
    miners.sort_unstable();
    let sample = Stream::new(MINERS, &[audit_seed, validator]).sample(miners.len(), count);
    sample.into_iter().map(|index| miners[index]).collect()
}

/// The windows of a miner that a validator audits: `count` distinct ones of `windows`, ascending.
///
/// A function of the audit seed, which is drawn after the work is committed, so nobody can behave
/// for the windows that will be looked at.
#[must_use]
pub fn choose_windows(
    audit_seed: &[u8; 32],
    validator: &Hotkey,
    miner: &Hotkey,
    windows: usize,
    count: usize,
) -> Vec<usize> {
    Stream::new(DOMAIN, &[audit_seed, validator, miner]).sample(windows, count)
}
