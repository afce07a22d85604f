//! What a miner contributes to a merge: its pseudo-gradient, compressed and committed.
//!
//! The pseudo-gradient of an epoch is `delta = theta_e - theta_local + residual`, elementwise f32.
//! It is cut in *blocks* of `block` elements; a block is an exponent `e` in
//! [`MIN_EXPONENT`]..=[`MAX_EXPONENT`] and int8 mantissas `q` in -127..=127 with
//! `value = q * 2^e`, where `e` is the least exponent at which every rounded mantissa fits and
//! rounding is half to even. What the code does not carry becomes the next residual (error
//! feedback), so nothing is lost, only late.
//!
//! Blocks are grouped in *chunks*, the units that are hashed, sent and merged. Chunks depend on the
//! stage's size and the manifest alone, not on how many miners turn out to contribute: the work is
//! committed before that is known. A [`DeltaIndex`] names every chunk's bytes by BLAKE3, and the
//! chain names the index, so an uploader cannot serve two versions.
//!
//! Not here: what a merge makes of the chunks (see `butterfly`), and the transport.

use super::{Hash, bounded, choose::content_hash};
use codec::{Decode, Encode};
use std::ops::Range;

mod chunk;
mod compress;
#[cfg(test)]
mod tests;

pub use chunk::{Chunk, Packing};
pub use compress::{Delta, compress};

/// Least exponent of a block: values below 2^-41 round to zero and stay in the residual.
pub const MIN_EXPONENT: i8 = -40;
/// Greatest exponent of a block: a pseudo-gradient element lies within +-127.
pub const MAX_EXPONENT: i8 = 0;
/// Most chunks of one stage.
pub const MAX_CHUNKS: u32 = 4096;
/// Most elements of one stage; keeps every sum of squares below 2^126.
pub const MAX_ELEMENTS: u64 = 1 << 32;
/// Most elements of one block.
pub const MAX_BLOCK: u32 = 4096;
/// Most bytes of an encoded [`DeltaIndex`].
pub const MAX_INDEX_BYTES: usize = 128 + MAX_CHUNKS as usize * 56;

/// Why a pseudo-gradient, an index or a chunk is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeltaError {
    /// Slices differ in length, or from the layout.
    #[error("expected {expected} elements, got {got}")]
    Length {
        /// Elements of the layout.
        expected: u64,
        /// Elements given.
        got: u64,
    },
    /// A NaN or an infinity.
    #[error("element {0} is not finite")]
    NotFinite(usize),
    /// An element too large to be a change of one weight.
    #[error("element {0} of the pseudo-gradient is out of range")]
    OutOfRange(usize),
    /// Zero or oversized elements, block or chunk count.
    #[error(
        "no layout of {elements} elements in blocks of {block} and at most {max_chunks} chunks"
    )]
    Layout {
        /// Elements asked for.
        elements: u64,
        /// Elements per block.
        block: u32,
        /// Most chunks.
        max_chunks: u32,
    },
    /// Chunk bytes that are not the one canonical form.
    #[error("chunk bytes are not canonical: {0}")]
    NotCanonical(&'static str),
    /// Chunk bytes differ from what the index names.
    #[error("chunk {0} is not what the index names")]
    NotNamed(usize),
    /// An index of another epoch, stage or layout.
    #[error("the index is of another {0}")]
    Mismatch(&'static str),
    /// Bytes that are not an index.
    #[error(transparent)]
    Decode(#[from] bounded::DecodeError),
}

/// How a stage's parameters are cut: a function of the manifest and the stage's size alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Layout {
    /// Parameters of the stage.
    pub elements: u64,
    /// Elements per block; the last block of the stage may be shorter.
    pub block: u32,
    /// Elements per chunk, a multiple of `block`; the last chunk may be shorter.
    pub chunk: u64,
}

impl Layout {
    /// The layout with as many chunks as `max_chunks` allows, each a whole number of blocks.
    ///
    /// # Errors
    /// `Layout` when a size is zero or beyond the protocol's limits.
    pub fn new(elements: u64, block: u32, max_chunks: u32) -> Result<Self, DeltaError> {
        let possible = (1..=MAX_ELEMENTS).contains(&elements)
            && (1..=MAX_BLOCK).contains(&block)
            && (1..=MAX_CHUNKS).contains(&max_chunks);
        if !possible {
            return Err(DeltaError::Layout { elements, block, max_chunks });
        }
        let blocks = elements.div_ceil(u64::from(block));
        let chunk = blocks.div_ceil(u64::from(max_chunks)) * u64::from(block);
        Ok(Self { elements, block, chunk })
    }

    /// How many chunks there are; at least one.
    #[must_use]
    pub fn chunks(&self) -> usize {
        self.elements.div_ceil(self.chunk) as usize
    }

    /// The elements of chunk `index`; empty beyond the last.
    #[must_use]
    pub fn range(&self, index: usize) -> Range<usize> {
        let start = (index as u64).saturating_mul(self.chunk).min(self.elements);
        let end = start.saturating_add(self.chunk).min(self.elements);
        start as usize..end as usize
    }

    /// Elements of chunk `index`.
    #[must_use]
    pub fn len(&self, index: usize) -> usize {
        self.range(index).len()
    }

    /// Never true: a layout has at least one element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.elements == 0
    }
}

/// One chunk as a [`DeltaIndex`] names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct ChunkRef {
    /// BLAKE3 of the chunk's bytes as they travel.
    pub hash: Hash,
    /// Length of those bytes.
    pub bytes: u32,
    /// Sum of the squares of the decoded values, in units of 2^-80 (2 x [`MIN_EXPONENT`]).
    pub sum_sq: u128,
}

/// What a miner commits of its pseudo-gradient; its root goes on chain.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct DeltaIndex {
    /// Epoch whose `theta_e` the delta is relative to.
    pub epoch: u32,
    /// Stage, 0 = head.
    pub stage: u16,
    /// How the stage is cut.
    pub layout: Layout,
    /// One entry per chunk of the layout, in order.
    pub chunks: Vec<ChunkRef>,
    /// BLAKE3 of all block exponents in order, one byte each.
    pub exponents_hash: Hash,
    /// BLAKE3 of the residual after compression, f32 little-endian.
    pub residual_hash: Hash,
}

impl DeltaIndex {
    /// BLAKE3 of the SCALE bytes: what the chain names, and the index's own blob address.
    #[must_use]
    pub fn root(&self) -> Hash {
        content_hash(&self.encode())
    }

    /// Decodes and checks an index that should belong to this epoch, stage and layout.
    ///
    /// # Errors
    /// `Decode` for bytes that are no index, `Mismatch` for an index of something else.
    pub fn decode_for(
        bytes: &[u8],
        epoch: u32,
        stage: u16,
        layout: &Layout,
    ) -> Result<Self, DeltaError> {
        let index: Self = bounded::decode(bytes, MAX_INDEX_BYTES)?;
        let same = [
            ("epoch", index.epoch == epoch),
            ("stage", index.stage == stage),
            ("layout", index.layout == *layout),
            ("chunk count", index.chunks.len() == layout.chunks()),
        ];
        match same.into_iter().find(|(_, equal)| !equal) {
            Some((what, _)) => Err(DeltaError::Mismatch(what)),
            None => Ok(index),
        }
    }

    /// Decodes chunk `position` from `bytes`, which must be the bytes and the norm the index names.
    ///
    /// The answer is a function of the committed bytes alone, so all reducers take or leave a chunk
    /// alike: one that does not decode, or whose sum of squares is false, is left out of the merge.
    ///
    /// # Errors
    /// `NotNamed` when hash, length or sum of squares differ, `NotCanonical` for a bad encoding.
    pub fn open(&self, position: usize, bytes: &[u8]) -> Result<Chunk, DeltaError> {
        let named = self.chunks.get(position).ok_or(DeltaError::NotNamed(position))?;
        if bytes.len() != named.bytes as usize || content_hash(bytes) != named.hash {
            return Err(DeltaError::NotNamed(position));
        }
        let chunk = Chunk::from_bytes(bytes, self.layout.len(position), self.layout.block)?;
        if chunk.sum_sq(self.layout.block) != named.sum_sq {
            return Err(DeltaError::NotNamed(position));
        }
        Ok(chunk)
    }

    /// The committed sum of squares over all chunks (units of 2^-80), saturating.
    #[must_use]
    pub fn sum_sq(&self) -> u128 {
        self.chunks.iter().fold(0, |sum, chunk| sum.saturating_add(chunk.sum_sq))
    }
}
