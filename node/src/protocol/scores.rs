//! Scores and weights: what a validator tells the chain about the miners.
//!
//! ```text
//! score = sum over the epochs of the window of gamma^age * verified tokens * credit * audit
//! ```
//!
//! `credit` is CLASP's multiplier; `audit` is 0 or 1, and one failed audit zeroes the whole decay
//! window: a cheat does not pay, however long it went unseen within it. Arithmetic is integer: two
//! validators with the same records have the same weights.
//!
//! Not here: the extrinsic that submits weights, rate limits and commit-reveal.

use super::{Hotkey, bounded};
use codec::{Decode, Encode};
use std::collections::BTreeMap;

#[cfg(test)]
mod tests;
mod weights;

pub use weights::weights;

/// One, in parts per million.
const PPM: u32 = 1_000_000;
/// Greatest decay window, in epochs.
pub const MAX_WINDOW: u32 = 256;
/// Most miners with records.
pub const MAX_MINERS: usize = 4096;
/// Most bytes of encoded [`Scores`].
const MAX_SCORES_BYTES: usize = 64 + MAX_MINERS * (40 + MAX_WINDOW as usize * 17);

/// What one epoch contributes to a miner's score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct EpochScore {
    /// Tokens that the neighbours' logs confirm.
    pub tokens: u64,
    /// CLASP's multiplier, parts per million, at most one.
    pub credit_ppm: u32,
    /// False when an audit of the epoch failed; true when it passed or was not made.
    pub passed: bool,
}

/// A validator's records of the decay window. Saved to disk, so that a restart forgets nothing.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Scores {
    /// Decay per epoch, parts per million; the manifest's gamma.
    gamma_ppm: u32,
    /// Epochs that count; the manifest's.
    window: u32,
    /// Records by miner and epoch.
    records: BTreeMap<Hotkey, BTreeMap<u32, EpochScore>>,
}

impl Scores {
    /// No records yet. `gamma_ppm` is capped at one, `window` at 1..=[`MAX_WINDOW`].
    #[must_use]
    pub fn new(gamma_ppm: u32, window: u32) -> Self {
        let (gamma_ppm, window) = (gamma_ppm.min(PPM), window.clamp(1, MAX_WINDOW));
        Self { gamma_ppm, window, records: BTreeMap::new() }
    }

    /// Records (or corrects) a miner's epoch, and forgets what no epoch from here on can need.
    ///
    /// A failure stays: a later record of the same epoch does not wash it off. Records of new
    /// miners beyond [`MAX_MINERS`] are dropped.
    pub fn record(&mut self, epoch: u32, hotkey: Hotkey, score: EpochScore) {
        if !self.records.contains_key(&hotkey) && self.records.len() >= MAX_MINERS {
            return;
        }
        let epochs = self.records.entry(hotkey).or_default();
        let mut score = EpochScore { credit_ppm: score.credit_ppm.min(PPM), ..score };
        score.passed &= epochs.get(&epoch).is_none_or(|earlier| earlier.passed);
        epochs.insert(epoch, score);
        self.forget(epoch);
    }

    /// Drops records older than the window that ends with `epoch`, and miners without any.
    pub fn forget(&mut self, epoch: u32) {
        let oldest = epoch.saturating_sub(self.window - 1);
        for epochs in self.records.values_mut() {
            *epochs = epochs.split_off(&oldest);
        }
        self.records.retain(|_, epochs| !epochs.is_empty());
    }

    /// The score at the end of `epoch`, in units of 2^-32 tokens.
    ///
    /// At most 256 epochs of 2^64 tokens: below 2^104.
    #[must_use]
    pub fn score(&self, epoch: u32, hotkey: &Hotkey) -> u128 {
        let Some(epochs) = self.records.get(hotkey) else { return 0 };
        let oldest = epoch.saturating_sub(self.window - 1);
        let counted = epochs.range(oldest..=epoch);
        if counted.clone().any(|(_, score)| !score.passed) {
            return 0;
        }
        counted
            .map(|(then, score)| {
                let factor = u128::from(power(self.gamma_ppm, epoch - then));
                let credited = u128::from(score.tokens) * u128::from(score.credit_ppm);
                credited / u128::from(PPM) * factor
            })
            .sum()
    }

    /// Miners with records.
    pub fn miners(&self) -> impl Iterator<Item = &Hotkey> {
        self.records.keys()
    }

    /// The records of one miner in the window, oldest first.
    pub fn epochs(&self, hotkey: &Hotkey) -> impl Iterator<Item = (u32, EpochScore)> {
        self.records.get(hotkey).into_iter().flatten().map(|(epoch, score)| (*epoch, *score))
    }

    /// Decodes saved records.
    ///
    /// # Errors
    /// As [`bounded::decode`]; `Malformed` too for constants out of range.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, bounded::DecodeError> {
        let scores: Self = bounded::decode(bytes, MAX_SCORES_BYTES)?;
        bounded::at_most("miners", scores.records.len(), MAX_MINERS)?;
        let longest = scores.records.values().map(BTreeMap::len).max().unwrap_or(0);
        bounded::at_most("epochs", longest, MAX_WINDOW as usize)?;
        let credits = scores.records.values().flat_map(BTreeMap::values);
        let in_range = scores.gamma_ppm <= PPM
            && (1..=MAX_WINDOW).contains(&scores.window)
            && credits.clone().all(|score| score.credit_ppm <= PPM);
        if in_range { Ok(scores) } else { Err(bounded::DecodeError::Malformed) }
    }
}

/// gamma^age in units of 2^-32, rounded down at each step.
fn power(gamma_ppm: u32, age: u32) -> u64 {
    (0..age).fold(1 << 32, |factor, _| factor * u64::from(gamma_ppm) / u64::from(PPM))
}
