//! The verifiable draw: which packed sequences microbatch k of a head holds.
//!
//! An epoch permutes the shards of the dataset, and within each its train sequences, by keyed Feistel networks
//! (cycle-walking, so any count works), and gives each head an equal, disjoint run of them all; microbatch k is
//! entries `k b .. k b + b` of its run, wrapping around at its end. So a head can neither pick nor skip text
//! unseen, the tail and every validator know tokens and targets without being told, and all of them need no
//! more of a large dataset at a time than one shard for each head.

use codec::{Decode, Encode};

use super::Hash;

/// A microbatch: the draw that gives its sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct MicrobatchId {
    /// Epoch of the draw.
    pub epoch: u32,
    /// Position of the head in the plan's first stage.
    pub head: u16,
    /// Contiguous number of the draw.
    pub k: u32,
}

impl std::fmt::Display for MicrobatchId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.epoch, self.head, self.k)
    }
}

/// Domain of the permutation's round keys.
const DOMAIN: &str = "iota 2025 draw permutation";
/// Feistel rounds; four make it indistinguishable from random for who does not know the key.
const ROUNDS: usize = 4;

/// A permutation of `0..len`, keyed by a seed.
#[derive(Clone, Debug)]
pub struct Permutation {
    keys: [[u8; 32]; ROUNDS],
    len: u64,
    half_bits: u32,
}

impl Permutation {
    /// The permutation of `0..len` that belongs to a seed.
    #[must_use]
    pub fn new(seed: &Hash, len: u64) -> Self {
        let mut output = blake3::Hasher::new_derive_key(DOMAIN).update(seed).finalize_xof();
        let mut keys = [[0; 32]; ROUNDS];
        keys.iter_mut().for_each(|key| output.fill(key));
        // The network works on 2 * half_bits bits, at least as many as `len - 1` needs.
        let bits = 64 - len.saturating_sub(1).leading_zeros();
        Self { keys, len, half_bits: bits.div_ceil(2).max(1) }
    }

    /// Where `index` (below `len`) goes.
    ///
    /// The network permutes less than four times `len` values, so walking the cycle until a value
    /// below `len` comes takes less than four applications on average.
    ///
    /// # Panics
    /// For an index outside, whose cycle might never come back below `len`.
    #[must_use]
    pub fn apply(&self, index: u64) -> u64 {
        assert!(index < self.len, "the index of a draw lies within its permutation");
        let mut value = self.network(index);
        while value >= self.len {
            value = self.network(value);
        }
        value
    }

    fn network(&self, value: u64) -> u64 {
        let mask = (1u64 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for key in &self.keys {
            let digest = blake3::keyed_hash(key, &right.to_le_bytes());
            let mut word = [0; 8];
            word.copy_from_slice(&digest.as_bytes()[..8]);
            (left, right) = (right, left ^ (u64::from_le_bytes(word) & mask));
        }
        (left << self.half_bits) | right
    }
}

/// The draw of one epoch.
#[derive(Debug)]
pub struct Draw {
    /// In the epoch's order.
    shards: Vec<Shard>,
    /// Sequences of all shards.
    all: u64,
    /// Sequences of each head.
    run: u64,
    heads: u16,
    /// Where the first head's run begins in the epoch's order.
    turned: u64,
    /// Sequences of a microbatch.
    batch: u32,
}

#[derive(Debug)]
struct Shard {
    /// Its first place in the epoch's order, and its first sequence in the dataset.
    begins: u64,
    starts: u64,
    /// The order of its sequences.
    within: Permutation,
}

impl Draw {
    /// Of train sequences that lie in shards of these sizes, and are shared by `heads` heads.
    #[must_use]
    pub fn new(seed: &Hash, heads: u16, sizes: &[u64], batch: u32) -> Self {
        let all = sizes.iter().sum::<u64>();
        let starts: Vec<u64> = running(sizes.iter().copied()).collect();
        let count = sizes.len() as u64;
        let order = Permutation::new(seed, count);
        let order: Vec<usize> = (0..count).map(|index| order.apply(index) as usize).collect();
        let begins = running(order.iter().map(|shard| sizes[*shard]));
        let placed = |(shard, begins): (&usize, u64)| Shard {
            begins,
            starts: starts[*shard],
            within: Permutation::new(&shard_seed(seed, *shard), sizes[*shard]),
        };
        let shards = order.iter().zip(begins).map(placed).collect();
        // Runs begin anywhere: at the beginning of a shard, small ones would be drawn more often.
        let mut word = [0; 8];
        word.copy_from_slice(&shard_seed(seed, sizes.len())[..8]);
        let turned = u64::from_le_bytes(word).checked_rem(all).unwrap_or(0);
        Self { shards, all, run: all / u64::from(heads.max(1)), heads, turned, batch }
    }

    /// The sequences of a microbatch. None when there are fewer sequences than heads.
    #[must_use]
    pub fn ids(&self, mb: &MicrobatchId) -> Vec<u64> {
        if self.run == 0 || mb.head >= self.heads {
            return Vec::new();
        }
        let first = self.turned + self.run * u64::from(mb.head);
        let start = u64::from(mb.k) * u64::from(self.batch);
        let id = |index: u64| {
            let place = (first + (start + index) % self.run) % self.all;
            let at = self.shards.partition_point(|shard| shard.begins <= place) - 1;
            let Shard { begins, starts, within } = &self.shards[at];
            starts + within.apply(place - begins)
        };
        (0..u64::from(self.batch)).map(id).collect()
    }
}

/// The sum of all sizes before each.
fn running(sizes: impl Iterator<Item = u64>) -> impl Iterator<Item = u64> {
    sizes.scan(0, |sum, size| {
        *sum += size;
        Some(*sum - size)
    })
}

/// What orders the sequences within a shard.
fn shard_seed(seed: &Hash, shard: usize) -> Hash {
    *blake3::keyed_hash(seed, &(shard as u64).to_le_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn ids(seed: [u8; 32], mb: &MicrobatchId, heads: u16, sizes: &[u64], batch: u32) -> Vec<u64> {
        Draw::new(&seed, heads, sizes, batch).ids(mb)
    }

    proptest! {
        #[test]
        fn every_length_is_permuted_without_loss(seed: [u8; 32], len in 1u64..2000) {
            let permutation = Permutation::new(&seed, len);
            let image: BTreeSet<u64> = (0..len).map(|index| permutation.apply(index)).collect();
            prop_assert_eq!(image.len() as u64, len);
            prop_assert!(image.iter().all(|value| *value < len));
        }

        #[test]
        fn heads_share_no_sequence_within_a_pass(
            seed: [u8; 32],
            shards in proptest::collection::vec(0u64..90, 1..6),
            heads in 1u16..5,
        ) {
            let sequences: u64 = shards.iter().sum();
            let run = sequences / u64::from(heads);
            let draw = Draw::new(&seed, heads, &shards, 1);
            let mut seen = BTreeSet::new();
            for head in 0..heads {
                for k in 0..run as u32 {
                    let mb = MicrobatchId { epoch: 0, head, k };
                    for id in draw.ids(&mb) {
                        prop_assert!(id < sequences && seen.insert(id));
                    }
                }
            }
        }
    }

    #[test]
    fn a_head_stays_in_a_shard_until_that_is_through() {
        let shards = [100; 8];
        let mb = |k| MicrobatchId { epoch: 0, head: 1, k };
        let drawn = (0..20).flat_map(|k| ids([5; 32], &mb(k), 4, &shards, 10));
        let mut seen: Vec<u64> = drawn.map(|id| id / 100).collect();
        seen.dedup();
        // A run as long as two shards begins within one.
        assert!((2..=3).contains(&seen.len()), "{seen:?}");
    }

    #[test]
    fn microbatches_wrap_around_the_heads_run() {
        let mb = |k| MicrobatchId { epoch: 0, head: 1, k };
        let all = ids([5; 32], &mb(0), 2, &[20], 10);
        let third = ids([5; 32], &mb(3), 2, &[20], 4);
        assert_eq!(third, [all[2], all[3], all[4], all[5]]);
    }

    #[test]
    fn another_seed_draws_other_sequences_and_too_little_text_draws_none() {
        let mb = MicrobatchId { epoch: 0, head: 0, k: 0 };
        assert_ne!(ids([1; 32], &mb, 2, &[1000], 8), ids([2; 32], &mb, 2, &[1000], 8));
        assert!(ids([1; 32], &mb, 2, &[1], 8).is_empty());
        assert!(ids([1; 32], &MicrobatchId { head: 2, ..mb }, 2, &[1000], 8).is_empty());
    }

    #[test]
    fn the_draw_is_pinned() {
        let mb = MicrobatchId { epoch: 0, head: 0, k: 0 };
        assert_eq!(ids([7; 32], &mb, 2, &[1_000_000, 500_000], 4), GOLDEN_DRAW);
    }

    /// A change here would make nodes of different versions train on different text.
    const GOLDEN_DRAW: [u64; 4] = [47_796, 714_814, 496_081, 372_389];
}
