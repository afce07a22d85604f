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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::delta::compress;

    /// A one-chunk gradient that the codec carries exactly.
    fn merged(values: &[f32]) -> (Layout, Vec<Option<Chunk>>) {
        let layout = Layout::new(values.len() as u64, 4, 2).unwrap();
        let zeros = vec![0.0; values.len()];
        let delta = compress(values, &zeros, &mut zeros.clone(), &layout).unwrap();
        (layout, delta.chunks.into_iter().map(Some).collect())
    }

    #[test]
    fn two_steps_follow_the_recurrence_bit_for_bit() {
        let gradient = [0.5f32, -0.25, 0.0, 1.0, 0.125];
        let (layout, merged) = merged(&gradient);
        let mut state = OuterState::new(vec![1.0, 2.0, 3.0, 4.0, 5.0]);
        let (mut theta, mut momentum) = (state.theta.clone(), vec![0f32; 5]);
        for _ in 0..2 {
            state.step(&layout, &merged, OuterRule::default()).unwrap();
            for index in 0..5 {
                momentum[index] = 0.9f32 * momentum[index] + gradient[index];
                theta[index] -= 0.7f32 * (gradient[index] + 0.9f32 * momentum[index]);
            }
        }
        assert_eq!((&state.theta, &state.momentum), (&theta, &momentum));
        assert_eq!(
            hex::encode(state.root()),
            "7a5fb720ddc25375f5b1913366bd942fc354d0e2387e7608bc68afcf4efac219"
        );
    }

    #[test]
    fn unmerged_chunks_keep_parameters_and_momentum() {
        let (layout, mut merged) = merged(&[1.0; 8]);
        let mut state = OuterState::new(vec![0.0; 8]);
        state.step(&layout, &merged, OuterRule::default()).unwrap();
        let before = state.clone();
        merged[1] = None;
        state.step(&layout, &merged, OuterRule::default()).unwrap();
        assert_eq!(state.theta[4..], before.theta[4..]);
        assert_eq!(state.momentum[4..], before.momentum[4..]);
        assert_ne!(state.theta[..4], before.theta[..4]);
    }

    #[test]
    fn refused_step_changes_nothing() {
        let (layout, merged) = merged(&[1.0; 8]);
        let mut state = OuterState::new(vec![0.0; 8]);
        state.momentum[6] = f32::MAX;
        let rule = OuterRule { lr: 0.7, momentum: 2.0 };
        let before = state.clone();
        assert_eq!(state.step(&layout, &merged, rule), Err(OuterError::NotFinite(6)));
        assert_eq!(state, before);
        assert!(state.step(&layout, &merged[..1], rule).is_err());
    }

    #[test]
    fn state_survives_its_bytes_and_nothing_else_decodes() {
        let state = OuterState { theta: vec![1.5, -2.0], momentum: vec![0.0, -0.0] };
        let bytes = state.encode();
        assert_eq!(OuterState::decode(&bytes, 2).unwrap(), state);
        assert_eq!(content_hash(&bytes), state.root());
        assert!(OuterState::decode(&bytes, 3).is_err());
        assert!(OuterState::decode(&bytes[1..], 2).is_err());
        assert!(OuterState::decode(&[], u64::MAX).is_err());
        let mut broken = bytes;
        broken[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
        assert_eq!(OuterState::decode(&broken, 2), Err(OuterError::NotFinite(1)));
    }
}
