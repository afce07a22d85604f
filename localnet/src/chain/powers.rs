//! What a developer may do to a chain that nobody may do to a real one.

use super::{Chain, SealError, SealedBlock, StateError};
use crate::runtime::{BlockNumber, Drand, Hash, SubtensorModule};
use codec::Decode;
use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
use frame_support::storage::unhashed;
use sp_io::hashing::twox_128;
use sp_state_machine::{Backend, IterArgs};
use std::collections::{BTreeMap, BTreeSet};

/// Snapshots kept at one time.
pub const MAX_SNAPSHOTS: usize = 16;
/// Differences shown at one time.
pub const MAX_CHANGES: usize = 10_000;
/// Bytes of a storage item's name in its keys.
const NAME_BYTES: usize = 32;

/// One storage entry that differs between two states.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The whole key.
    pub key: Vec<u8>,
    /// `Pallet.Item`, where the metadata has it.
    pub item: Option<String>,
    /// The value before; none where there was none.
    pub before: Option<Vec<u8>>,
    /// The value after; none where there is none.
    pub after: Option<Vec<u8>>,
}

/// States of a chain to go back to, by number.
#[derive(Default)]
pub(crate) struct Snapshots {
    taken: BTreeMap<u32, Chain>,
    count: u32,
}

impl Snapshots {
    /// Keeps the chain as it is. Beyond [`MAX_SNAPSHOTS`] the oldest goes.
    pub(crate) fn take(&mut self, chain: &Chain) -> u32 {
        self.count = self.count.saturating_add(1);
        self.taken.insert(self.count, chain.clone());
        if self.taken.len() > MAX_SNAPSHOTS {
            self.taken.pop_first();
        }
        self.count
    }

    /// The chain as it was. The snapshot stays; later ones, which are of a future that will not
    /// be, go.
    pub(crate) fn revert(&mut self, number: u32) -> Option<Chain> {
        let chain = self.taken.get(&number)?.clone();
        self.taken.retain(|taken, _| *taken <= number);
        Some(chain)
    }
}

impl Chain {
    /// Seals a block that writes a value (none: removes it) under any key.
    ///
    /// # Errors
    /// If no block can be sealed.
    pub fn set_storage(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<SealedBlock, SealError> {
        self.seal_with(|| {
            match value {
                Some(value) => unhashed::put_raw(key, value),
                None => unhashed::kill(key),
            }
            Ok(())
        })
    }

    /// Seals a block with a pulse of the public beacon: a round and its signature (48 bytes).
    ///
    /// # Errors
    /// If the signature is not the beacon's of that round, or the round is not a new one.
    pub fn pulse(&mut self, round: u64, signature: &[u8]) -> Result<SealedBlock, SealError> {
        self.seal_with(|| Drand::bring(round, signature))
    }

    /// The height at which a subnet's next epoch runs; none where there is no such subnet.
    pub fn next_epoch(&self, netuid: u16) -> Option<BlockNumber> {
        let next = self.read(|| {
            let is_there = SubtensorModule::netuids().contains(&netuid);
            is_there.then(|| SubtensorModule::next_epoch_start_block(netuid)).flatten()
        });
        next.ok().flatten().and_then(|number| number.try_into().ok())
    }

    /// What differs between the states of two blocks, in the order of keys.
    ///
    /// # Errors
    /// If a state is not kept.
    pub fn diff(&self, before: Hash, after: Hash) -> Result<Vec<Change>, StateError> {
        let names = self.names();
        let (before, after) = (self.pairs(Some(before))?, self.pairs(Some(after))?);
        let keys: BTreeSet<&Vec<u8>> = before.keys().chain(after.keys()).collect();
        let changes =
            keys.into_iter().filter(|key| before.get(*key) != after.get(*key)).map(|key| Change {
                key: key.clone(),
                item: key.get(..NAME_BYTES).and_then(|name| names.get(name)).cloned(),
                before: before.get(key).cloned(),
                after: after.get(key).cloned(),
            });
        Ok(changes.collect())
    }

    /// All entries of a state (none: the newest).
    pub(crate) fn pairs(&self, at: Option<Hash>) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StateError> {
        let view = self.view(at)?;
        let pairs = view.pairs(IterArgs::default()).expect("a kept state is whole");
        Ok(pairs.map(|pair| pair.expect("a kept state is whole")).collect())
    }

    /// Names of the storage items by the hash that their keys begin with.
    fn names(&self) -> BTreeMap<Vec<u8>, String> {
        let encoded = self.metadata().unwrap_or_default();
        let decoded = RuntimeMetadataPrefixed::decode(&mut &encoded[..]);
        let Ok(RuntimeMetadataPrefixed(_, RuntimeMetadata::V14(metadata))) = decoded else {
            return BTreeMap::new();
        };
        let storages = metadata.pallets.into_iter().filter_map(|pallet| pallet.storage);
        storages
            .flat_map(|storage| {
                let prefix = storage.prefix;
                storage.entries.into_iter().map(move |entry| {
                    let name = [twox_128(prefix.as_bytes()), twox_128(entry.name.as_bytes())];
                    (name.concat(), format!("{prefix}.{}", entry.name))
                })
            })
            .collect()
    }
}
