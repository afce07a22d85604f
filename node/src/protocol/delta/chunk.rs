//! A chunk of int8 blocks, its arithmetic and its one canonical byte form.
//!
//! Bytes: a flag, then the body. Flag 0: exponents (one signed byte per block), then mantissas.
//! Flag 1: the same body as one zstd frame, used only where it is shorter. Lengths come from the
//! layout, never from the bytes.

use super::{DeltaError, MAX_EXPONENT, MIN_EXPONENT};
use crate::protocol::{Hash, choose::content_hash};

/// The body follows as it is.
const RAW: u8 = 0;
/// The body follows as a zstd frame.
const ZSTD: u8 = 1;
/// Fast and good enough: mantissas hardly compress, runs of zeros always do.
const ZSTD_LEVEL: i32 = 3;

/// Whether a chunk's bytes may be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Always flag 0: the form that is hashed for comparison, the same on every machine.
    Raw,
    /// Flag 1 where the frame is shorter. The bytes may differ between zstd versions.
    Smallest,
}

/// Int8 blocks of one chunk. Invariant: as [`Chunk::from_bytes`] demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// One exponent per block.
    pub(in crate::protocol) exponents: Vec<i8>,
    /// One mantissa per element.
    pub(in crate::protocol) mantissas: Vec<i8>,
}

/// 2^exponent as f32; exact for the exponents of this codec.
pub(in crate::protocol) fn power(exponent: i8) -> f32 {
    f32::from_bits(((127 + i32::from(exponent)) as u32) << 23)
}

impl Chunk {
    /// A chunk of zeros.
    #[must_use]
    pub fn zeros(elements: usize, block: u32) -> Self {
        let blocks = elements.div_ceil(block as usize);
        Self { exponents: vec![MIN_EXPONENT; blocks], mantissas: vec![0; elements] }
    }

    /// Elements held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mantissas.len()
    }

    /// True for a chunk of no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mantissas.is_empty()
    }

    /// The exponents, one per block.
    #[must_use]
    pub fn exponents(&self) -> &[i8] {
        &self.exponents
    }

    /// Blocks in order: exponent and mantissas.
    pub(in crate::protocol) fn blocks(&self, block: u32) -> impl Iterator<Item = (i8, &[i8])> {
        self.exponents.iter().copied().zip(self.mantissas.chunks(block as usize))
    }

    /// Writes the decoded values, exact in f32, to `out` (as long as the chunk).
    pub fn decode_into(&self, block: u32, out: &mut [f32]) {
        for ((exponent, mantissas), out) in self.blocks(block).zip(out.chunks_mut(block as usize)) {
            let scale = power(exponent);
            for (value, mantissa) in out.iter_mut().zip(mantissas) {
                *value = f32::from(*mantissa) * scale;
            }
        }
    }

    /// The decoded values.
    #[must_use]
    pub fn decode(&self, block: u32) -> Vec<f32> {
        let mut out = vec![0.0; self.len()];
        self.decode_into(block, &mut out);
        out
    }

    /// Exact sum of squares of the decoded values, in units of 2^-80.
    ///
    /// A square is below 2^14, shifted by at most 80, and a stage has at most 2^32 elements: the
    /// sum over a whole stage stays below 2^126.
    #[must_use]
    pub fn sum_sq(&self, block: u32) -> u128 {
        self.blocks(block)
            .map(|(exponent, mantissas)| {
                let squares: u64 = mantissas
                    .iter()
                    .map(|&mantissa| u64::from(mantissa.unsigned_abs()).pow(2))
                    .sum();
                let shift = 2 * (i32::from(exponent) - i32::from(MIN_EXPONENT));
                u128::from(squares) << shift
            })
            .sum()
    }

    /// BLAKE3 of the raw bytes: what two reducers compare.
    #[must_use]
    pub fn hash(&self) -> Hash {
        content_hash(&self.to_bytes(Packing::Raw))
    }

    /// The bytes that travel.
    #[must_use]
    pub fn to_bytes(&self, packing: Packing) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.exponents.len() + self.mantissas.len());
        bytes.push(RAW);
        bytes.extend(self.exponents.iter().chain(&self.mantissas).map(|&value| value as u8));
        if packing == Packing::Smallest
            && let Ok(frame) = zstd::bulk::compress(&bytes[1..], ZSTD_LEVEL)
            && frame.len() + 1 < bytes.len()
        {
            bytes.clear();
            bytes.push(ZSTD);
            bytes.extend(frame);
        }
        bytes
    }

    /// Decodes strictly: the length the layout demands, exponents in range, no mantissa -128, and
    /// every block at its least exponent (so equal values have equal bytes).
    ///
    /// # Errors
    /// `NotCanonical`, naming the rule that is broken.
    pub fn from_bytes(bytes: &[u8], elements: usize, block: u32) -> Result<Self, DeltaError> {
        let blocks = elements.div_ceil(block as usize);
        let length = blocks + elements;
        let (flag, rest) = bytes.split_first().ok_or(DeltaError::NotCanonical("no bytes"))?;
        let unpacked;
        let body = match *flag {
            RAW => rest,
            // A frame as long as the body is never written, so it need not be read.
            ZSTD if rest.len() < length => {
                unpacked = zstd::bulk::decompress(rest, length)
                    .map_err(|_| DeltaError::NotCanonical("broken frame"))?;
                &unpacked
            }
            _ => return Err(DeltaError::NotCanonical("flag")),
        };
        if body.len() != length {
            return Err(DeltaError::NotCanonical("length"));
        }
        let signed = |bytes: &[u8]| bytes.iter().map(|&byte| byte as i8).collect::<Vec<i8>>();
        let chunk = Self { exponents: signed(&body[..blocks]), mantissas: signed(&body[blocks..]) };
        chunk.check(block)?;
        Ok(chunk)
    }

    /// The rules of the canonical form that the length does not show.
    fn check(&self, block: u32) -> Result<(), DeltaError> {
        for (exponent, mantissas) in self.blocks(block) {
            if !(MIN_EXPONENT..=MAX_EXPONENT).contains(&exponent) {
                return Err(DeltaError::NotCanonical("exponent"));
            }
            let greatest = mantissas.iter().map(|value| value.unsigned_abs()).max().unwrap_or(0);
            if greatest > 127 {
                return Err(DeltaError::NotCanonical("mantissa"));
            }
            // One exponent lower the greatest mantissa would exceed 127, so here it is 64 or more.
            if greatest < 64 && exponent != MIN_EXPONENT {
                return Err(DeltaError::NotCanonical("exponent is not the least"));
            }
        }
        Ok(())
    }
}
