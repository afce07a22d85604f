//! Pseudo-gradient to int8 blocks with error feedback, and what is committed of the result.

use super::chunk::power;
use super::{Chunk, ChunkRef, DeltaError, DeltaIndex, Layout, MAX_EXPONENT, MIN_EXPONENT, Packing};
use crate::protocol::{Hash, choose::content_hash};

/// A compressed pseudo-gradient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// How the stage is cut.
    pub layout: Layout,
    /// One per chunk of the layout, in order.
    pub chunks: Vec<Chunk>,
}

/// Compresses `theta_e - theta_local + residual`; the residual becomes what the code left out.
///
/// All slices have `layout.elements` elements. On error the residual is unchanged.
///
/// # Errors
/// `Length` for unequal slices, `NotFinite` for a NaN or an infinity, `OutOfRange` for a change
/// beyond +-127.
pub fn compress(
    theta_e: &[f32],
    theta_local: &[f32],
    residual: &mut [f32],
    layout: &Layout,
) -> Result<Delta, DeltaError> {
    for got in [theta_e.len(), theta_local.len(), residual.len()] {
        if got as u64 != layout.elements {
            return Err(DeltaError::Length { expected: layout.elements, got: got as u64 });
        }
    }
    let mut wanted = Vec::with_capacity(theta_e.len());
    for (index, ((start, end), left)) in theta_e.iter().zip(theta_local).zip(&*residual).enumerate()
    {
        let value = (start - end) + left;
        if !value.is_finite() {
            return Err(DeltaError::NotFinite(index));
        }
        // Half a step beyond 127 rounds half to even, away from 127.
        if value.abs() >= 127.5 {
            return Err(DeltaError::OutOfRange(index));
        }
        wanted.push(value);
    }
    let chunks = (0..layout.chunks())
        .map(|index| {
            let range = layout.range(index);
            let chunk = quantize(&wanted[range.clone()], layout.block);
            chunk.decode_into(layout.block, &mut residual[range.clone()]);
            for (left, value) in residual[range.clone()].iter_mut().zip(&wanted[range]) {
                *left = value - *left;
            }
            chunk
        })
        .collect();
    Ok(Delta { layout: *layout, chunks })
}

/// Quantises finite values below 127.5 in magnitude.
fn quantize(values: &[f32], block: u32) -> Chunk {
    let mut chunk = Chunk { exponents: Vec::new(), mantissas: Vec::with_capacity(values.len()) };
    for values in values.chunks(block as usize) {
        let greatest = values.iter().fold(0f32, |greatest, value| greatest.max(value.abs()));
        let exponent = least_exponent(greatest);
        let scale = power(-exponent);
        chunk.exponents.push(exponent);
        // Scaling by a power of two is exact; the cast is, too, since |rounded| <= 127.
        chunk.mantissas.extend(values.iter().map(|value| (value * scale).round_ties_even() as i8));
    }
    chunk
}

/// The least exponent at which a block's greatest magnitude rounds to 127 or less.
fn least_exponent(greatest: f32) -> i8 {
    // With greatest in [2^k, 2^(k+1)), 2^(k-6) scales it to [64, 128): too large only if it
    // rounds to 128.
    let binade = (greatest.to_bits() >> 23) as i32 - 127;
    let exponent = (binade - 6).clamp(i32::from(MIN_EXPONENT), i32::from(MAX_EXPONENT)) as i8;
    let fits = (greatest * power(-exponent)).round_ties_even() <= 127.0;
    if fits { exponent } else { (exponent + 1).min(MAX_EXPONENT) }
}

/// BLAKE3 of values as f32 little-endian bytes.
#[must_use]
pub(super) fn hash_f32(values: &[f32]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    for value in values {
        hasher.update(&value.to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

impl Delta {
    /// The index to commit and the chunks' bytes to serve, in chunk order.
    #[must_use]
    pub fn commit(&self, epoch: u32, stage: u16, residual: &[f32]) -> (DeltaIndex, Vec<Vec<u8>>) {
        let blobs: Vec<Vec<u8>> =
            self.chunks.iter().map(|chunk| chunk.to_bytes(Packing::Smallest)).collect();
        let chunks = self
            .chunks
            .iter()
            .zip(&blobs)
            .map(|(chunk, bytes)| ChunkRef {
                hash: content_hash(bytes),
                bytes: bytes.len() as u32,
                sum_sq: chunk.sum_sq(self.layout.block),
            })
            .collect();
        let mut exponents = blake3::Hasher::new();
        for chunk in &self.chunks {
            let bytes: Vec<u8> = chunk.exponents.iter().map(|&exponent| exponent as u8).collect();
            exponents.update(&bytes);
        }
        let index = DeltaIndex {
            epoch,
            stage,
            layout: self.layout,
            chunks,
            exponents_hash: *exponents.finalize().as_bytes(),
            residual_hash: hash_f32(residual),
        };
        (index, blobs)
    }

    /// Adds the given chunks back to the residual: they were committed but not merged.
    pub fn give_back(&self, chunks: std::ops::Range<usize>, residual: &mut [f32]) {
        for index in chunks {
            let (Some(chunk), Some(residual)) =
                (self.chunks.get(index), residual.get_mut(self.layout.range(index)))
            else {
                return;
            };
            for (left, value) in residual.iter_mut().zip(chunk.decode(self.layout.block)) {
                *left += value;
            }
        }
    }

    /// The decoded values of the whole stage.
    #[must_use]
    pub fn decode(&self) -> Vec<f32> {
        self.chunks.iter().flat_map(|chunk| chunk.decode(self.layout.block)).collect()
    }
}
