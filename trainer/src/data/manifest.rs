//! What nodes agree on about a text: its shards, how they become tokens, and how many sequences come of it.

use std::path::{Component, Path};

use codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::hex32;
use crate::Error;

/// Most shards of a dataset.
pub(crate) const MAX_SHARDS: usize = 4096;
/// Longest name of a shard, in bytes.
const MAX_NAME: usize = 512;
/// Greatest shard, in bytes.
pub(crate) const MAX_SHARD_BYTES: u64 = 64 << 30;
/// Most sequences of a dataset.
pub(crate) const MAX_SEQUENCES: u64 = 1 << 40;
/// One sequence of the first shard in this many is held out.
const HELD_OUT_EVERY: u64 = 50;
/// Sequences held out at most.
const HELD_OUT: u64 = 128;

/// One file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Its path below the dataset's origin, with `/` between folders.
    pub name: String,
    /// BLAKE3 of its bytes.
    #[serde(with = "hex32")]
    pub hash: [u8; 32],
    /// Its length in bytes.
    pub bytes: u64,
    /// Sequences that its tokens fill.
    pub sequences: u64,
    /// BLAKE3 of these, as they are kept on disk: a tokenizer that works otherwise is seen by it.
    #[serde(with = "hex32")]
    pub packed: [u8; 32],
}

/// A text and how it is cut into sequences of `context + 1` tokens, which do not overlap.
///
/// Every 50th sequence of the first shard, 128 at most, is held out: nobody trains on them.
/// The others are the train sequences, numbered shard by shard.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetManifest {
    /// `bytes`, or `blake3:` and the hash of a `tokenizer.json`.
    pub tokenizer: String,
    /// Of the tokenizer: ids are below it.
    pub vocab: u32,
    /// Inputs per sequence.
    pub context: u32,
    /// Field of a record, or column of a table, that is the text.
    pub field: String,
    /// Shards in order.
    pub shards: Vec<Shard>,
}

impl DatasetManifest {
    /// BLAKE3 of the SCALE encoding.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.encode()).as_bytes()
    }

    /// Sequences that heads draw from, shard by shard.
    #[must_use]
    pub fn train_sequences(&self) -> Vec<u64> {
        let held_out = |index| if index == 0 { held_out(self.shards[0].sequences) } else { 0 };
        let all = self.shards.iter().enumerate();
        all.map(|(index, shard)| shard.sequences - held_out(index)).collect()
    }

    /// Checks what is relied on; what comes from others is not trusted.
    ///
    /// # Errors
    /// [`Error::Config`] with the first rule that is broken.
    pub fn validate(&self) -> Result<(), Error> {
        let bad = |text: String| Err(Error::Config(text));
        if self.shards.is_empty() || self.shards.len() > MAX_SHARDS {
            return bad(format!("a dataset has 1 to {MAX_SHARDS} shards"));
        }
        if !(2..=1 << 20).contains(&self.context) || !(2..=1 << 20).contains(&self.vocab) {
            return bad("context and vocab of a dataset are 2 to 2^20".into());
        }
        for shard in &self.shards {
            if !is_plain(&shard.name) {
                return bad(format!("{:?} is no name of a shard", shard.name));
            }
            if shard.bytes > MAX_SHARD_BYTES || shard.sequences > MAX_SEQUENCES {
                return bad(format!("shard {} is too large", shard.name));
            }
        }
        let all = self.shards.iter().map(|shard| shard.sequences).sum::<u64>();
        if all > MAX_SEQUENCES {
            return bad("a dataset has at most 2^40 sequences".into());
        }
        Ok(())
    }
}

/// Whether a name stays below its folder on every system.
pub(crate) fn is_plain(name: &str) -> bool {
    // Control characters would reach terminals.
    let is_normal = |part: Component<'_>| matches!(part, Component::Normal(_));
    (1..=MAX_NAME).contains(&name.len())
        && !name.contains(char::is_control)
        && !name.contains(['\\', ':', '?', '#', '%'])
        && Path::new(name).components().all(is_normal)
}

/// Sequences held out of the first shard, which has so many.
pub(crate) fn held_out(sequences: u64) -> u64 {
    sequences.div_ceil(HELD_OUT_EVERY).min(HELD_OUT)
}

/// Where a held-out sequence lies in the first shard.
pub(crate) fn held_out_place(index: u64) -> u64 {
    index * HELD_OUT_EVERY
}

/// Where the `index`-th train sequence lies in a shard, given whether that is the first.
pub(crate) fn train_place(index: u64, is_first: bool, sequences: u64) -> u64 {
    let within = HELD_OUT_EVERY - 1;
    if !is_first {
        index
    } else if index < held_out(sequences) * within {
        index / within * HELD_OUT_EVERY + 1 + index % within
    } else {
        index + held_out(sequences)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn every_sequence_of_a_shard_is_trained_on_or_held_out(sequences in 1u64..9000) {
            let held: BTreeSet<u64> = (0..held_out(sequences)).map(held_out_place).collect();
            let trained: BTreeSet<u64> = (0..sequences - held.len() as u64)
                .map(|index| train_place(index, true, sequences))
                .collect();
            prop_assert!(held.is_disjoint(&trained));
            let all: BTreeSet<u64> = held.union(&trained).copied().collect();
            prop_assert_eq!(all, (0..sequences).collect::<BTreeSet<u64>>());
        }
    }

    fn manifest(name: &str, sequences: u64) -> DatasetManifest {
        let (hash, packed) = ([0; 32], [0; 32]);
        let shard = Shard { name: name.into(), hash, bytes: 1, sequences, packed };
        let (tokenizer, field) = ("bytes".into(), "text".into());
        DatasetManifest { tokenizer, vocab: 256, context: 8, field, shards: vec![shard] }
    }

    #[test]
    fn names_that_leave_their_folder_are_refused() {
        assert!(manifest("data/000.parquet", 9).validate().is_ok());
        for name in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a\\b",
            "c:x",
            "x?y",
            "x#y",
            "%2e",
            "./",
            "a\x1b[2J",
        ] {
            assert!(manifest(name, 9).validate().is_err(), "{name:?}");
        }
        assert!(manifest(&"x".repeat(513), 9).validate().is_err());
    }

    #[test]
    fn sizes_are_bounded() {
        let mut many = manifest("x", 1 << 40);
        assert!(many.validate().is_ok());
        many.shards.push(many.shards[0].clone());
        assert!(many.validate().is_err());
        assert!(DatasetManifest { shards: Vec::new(), ..manifest("x", 1) }.validate().is_err());
        assert!(DatasetManifest { context: 1, ..manifest("x", 1) }.validate().is_err());
    }
}
