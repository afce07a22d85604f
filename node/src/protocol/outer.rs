//! The outer optimiser: Nesterov SGD on the merged pseudo-gradient, alike on every device.
//!
//! For each element, in f32 and in this order, never contracted to a fused multiply-add:
//!
//! ```text
//! momentum = mu * momentum + g
//! theta    = theta - lr * (g + mu * momentum)
//! ```
//!
//! Parameters and momentum together are a stage's state; its root is the BLAKE3 of the bytes that
//! a joiner downloads. A chunk that could not be merged keeps both unchanged.

use super::{Hash, choose::content_hash, delta::Chunk, delta::Layout};
use codec::{Decode, Encode};

/// Why a step or a decoded state is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OuterError {
    /// Lengths that do not belong together.
    #[error("expected {expected} elements, got {got}")]
    Length {
        /// Elements demanded.
        expected: u64,
        /// Elements given.
        got: u64,
    },
    /// A value that is, or would become, NaN or infinite.
    #[error("element {0} is not finite")]
    NotFinite(usize),
}

/// The outer step's constants; the manifest's.
#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub struct OuterRule {
    /// Learning rate.
    pub lr: f32,
    /// Momentum.
    pub momentum: f32,
}

impl Default for OuterRule {
    fn default() -> Self {
        Self { lr: 0.7, momentum: 0.9 }
    }
}

/// A stage's agreed state at the start of an epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct OuterState {
    /// The parameters `theta_e`.
    pub theta: Vec<f32>,
    /// The momentum of the outer step, as long as `theta`.
    pub momentum: Vec<f32>,
}

impl OuterState {
    /// The state of the first epoch: no momentum yet.
    #[must_use]
    pub fn new(theta: Vec<f32>) -> Self {
        let momentum = vec![0.0; theta.len()];
        Self { theta, momentum }
    }

    /// Applies one merged pseudo-gradient; `None` chunks keep parameters and momentum.
    ///
    /// # Errors
    /// `Length` when chunks do not fit the layout, `NotFinite` when a value would overflow; the
    /// state is then unchanged.
    pub fn step(
        &mut self,
        layout: &Layout,
        merged: &[Option<Chunk>],
        rule: OuterRule,
    ) -> Result<(), OuterError> {
        let lengths = [
            (layout.elements, self.theta.len() as u64),
            (layout.elements, self.momentum.len() as u64),
            (layout.chunks() as u64, merged.len() as u64),
        ];
        for (expected, got) in lengths {
            if expected != got {
                return Err(OuterError::Length { expected, got });
            }
        }
        for (index, chunk) in merged.iter().enumerate() {
            let Some(chunk) = chunk else { continue };
            let range = layout.range(index);
            if chunk.len() != range.len() {
                let (expected, got) = (range.len() as u64, chunk.len() as u64);
                return Err(OuterError::Length { expected, got });
            }
            for (offset, gradient) in chunk.decode(layout.block).into_iter().enumerate() {
                let place = range.start + offset;
                let (theta, momentum) =
                    next(self.theta[place], self.momentum[place], gradient, rule);
                if !(theta.is_finite() && momentum.is_finite()) {
                    return Err(OuterError::NotFinite(place));
                }
            }
        }
        for (index, chunk) in merged.iter().enumerate() {
            let Some(chunk) = chunk else { continue };
            let range = layout.range(index);
            for (place, gradient) in range.zip(chunk.decode(layout.block)) {
                let (theta, momentum) =
                    next(self.theta[place], self.momentum[place], gradient, rule);
                self.theta[place] = theta;
                self.momentum[place] = momentum;
            }
        }
        Ok(())
    }

    /// BLAKE3 of [`OuterState::encode`]: the state root, and the blob's address.
    #[must_use]
    pub fn root(&self) -> Hash {
        content_hash(&self.encode())
    }

    /// Canonical bytes: all parameters, then all momentum, f32 little-endian.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let values = self.theta.iter().chain(&self.momentum);
        let mut bytes = Vec::with_capacity(self.theta.len() * 8);
        values.for_each(|value| bytes.extend(value.to_le_bytes()));
        bytes
    }

    /// Decodes the state of a stage with `elements` parameters.
    ///
    /// # Errors
    /// `Length` for any other byte count, `NotFinite` for a NaN or an infinity.
    pub fn decode(bytes: &[u8], elements: u64) -> Result<Self, OuterError> {
        if bytes.len() as u64 != elements.saturating_mul(8) {
            return Err(OuterError::Length { expected: elements, got: bytes.len() as u64 / 8 });
        }
        let values: Vec<f32> =
            bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(OuterError::NotFinite(index));
        }
        let (theta, momentum) = values.split_at(elements as usize);
        Ok(Self { theta: theta.to_vec(), momentum: momentum.to_vec() })
    }
}

/// One element's new parameter and momentum. Each line rounds once per operation.
fn next(theta: f32, momentum: f32, gradient: f32, rule: OuterRule) -> (f32, f32) {
    let decayed = rule.momentum * momentum;
    let momentum = decayed + gradient;
    let ahead = rule.momentum * momentum;
    let update = rule.lr * (gradient + ahead);
    (theta - update, momentum)
}
