//! States of the chain: one store of trie nodes, in which the newest state and those of the last
//! [`STATES_KEPT`] blocks are readable.
//!
//! A block's changes come as nodes to add and nodes to drop. Adding happens at once; dropping waits
//! until the last state that uses the node leaves the window. Nodes are counted, because one may be
//! dropped and added again meanwhile. Nothing is written to disk.

use crate::runtime::Hash;
use sp_core::storage::{StateVersion, Storage};
use sp_runtime::traits::{BlakeTwo256, Hash as _};
use sp_state_machine::{
    Backend, DefaultError, InMemoryBackend, OverlayedChanges, StorageCollection, TrieBackend,
    TrieBackendBuilder, TrieBackendStorage,
};
use sp_trie::{DBValue, PrefixedMemoryDB, prefixed_key};
use std::collections::{HashMap, VecDeque};

/// States that stay readable, the newest included. One state costs what its block changed.
pub const STATES_KEPT: usize = 256;
/// How values are hashed into the trie (`system_version` 1).
const STATE_VERSION: StateVersion = StateVersion::V1;
/// What the store holds under the hash of the empty trie.
const EMPTY_NODE: &[u8] = &[0];

/// A view of one state, for reading and as the ground of an overlay.
pub(super) type View<'a> = TrieBackend<&'a Nodes, BlakeTwo256>;
/// Changes on top of a state.
pub(super) type Changes = OverlayedChanges<BlakeTwo256>;

/// The trie nodes of all kept states.
#[derive(Clone)]
pub(super) struct Nodes {
    /// Node by its place in the trie and its hash, with the count of its uses.
    nodes: HashMap<Vec<u8>, (DBValue, u32)>,
    /// Hash of the trie that holds nothing.
    empty_root: Hash,
}

impl TrieBackendStorage<BlakeTwo256> for Nodes {
    fn get(
        &self,
        key: &Hash,
        prefix: (&[u8], Option<u8>),
    ) -> Result<Option<DBValue>, DefaultError> {
        if *key == self.empty_root {
            return Ok(Some(EMPTY_NODE.into()));
        }
        let place = prefixed_key::<BlakeTwo256>(key, prefix);
        Ok(self.nodes.get(&place).map(|(node, _)| node.clone()))
    }
}

/// The states of the chain.
#[derive(Clone)]
pub(super) struct States {
    nodes: Nodes,
    /// Roots of the kept states, oldest first.
    roots: VecDeque<Hash>,
    /// For each kept state but the oldest: nodes that it no longer uses.
    dropped: VecDeque<Vec<Vec<u8>>>,
}

impl States {
    /// Starts with the state of block 0. Returns its root too.
    pub(super) fn new(genesis: Storage) -> (Self, Hash) {
        let nodes = Nodes { nodes: HashMap::new(), empty_root: BlakeTwo256::hash(EMPTY_NODE) };
        let mut states = Self { nodes, roots: VecDeque::new(), dropped: VecDeque::new() };
        let backend = InMemoryBackend::<BlakeTwo256>::from((genesis, STATE_VERSION));
        let root = *backend.root();
        states.insert(backend.into_storage());
        states.roots.push_back(root);
        (states, root)
    }

    /// Whether the state with this root is kept.
    pub(super) fn has(&self, root: &Hash) -> bool {
        self.roots.contains(root)
    }

    /// The state with this root, which must be kept.
    pub(super) fn view(&self, root: Hash) -> View<'_> {
        TrieBackendBuilder::new(&self.nodes, root).build()
    }

    /// Adds the state that `changes` make of the newest one, and forgets the oldest beyond the
    /// window. Returns the new state's root, and what was written.
    pub(super) fn commit(
        &mut self,
        mut changes: Changes,
    ) -> Result<(Hash, StorageCollection), DefaultError> {
        let newest = *self.roots.back().expect("a chain has at least one state");
        let drained = changes.drain_storage_changes(&self.view(newest), STATE_VERSION)?;
        let root = drained.transaction_storage_root;
        let dropped = self.insert(drained.transaction);
        // What a chain's own pallets write lies in the main trie.
        debug_assert!(drained.child_storage_changes.is_empty());
        self.dropped.push_back(dropped);
        self.roots.push_back(root);
        while self.roots.len() > STATES_KEPT {
            self.roots.pop_front();
            for place in self.dropped.pop_front().unwrap_or_default() {
                self.release(place);
            }
        }
        Ok((root, drained.main_storage_changes))
    }

    /// Adds new nodes; returns the places of those that are no longer used.
    fn insert(&mut self, mut transaction: PrefixedMemoryDB<BlakeTwo256>) -> Vec<Vec<u8>> {
        let mut dropped = Vec::new();
        for (place, (node, uses)) in transaction.drain() {
            for _ in uses..0 {
                dropped.push(place.clone());
            }
            if let Some(added) = u32::try_from(uses).ok().filter(|added| *added > 0) {
                self.nodes.nodes.entry(place).or_insert((node, 0)).1 += added;
            }
        }
        dropped
    }

    /// Counts one use less, and removes the node with the last one.
    fn release(&mut self, place: Vec<u8>) {
        if let Some((_, uses)) = self.nodes.nodes.get_mut(&place) {
            *uses -= 1;
            if *uses == 0 {
                self.nodes.nodes.remove(&place);
            }
        }
    }
}

/// The root that a list of extrinsics has in a header.
pub(super) fn extrinsics_root(bodies: Vec<Vec<u8>>) -> Hash {
    BlakeTwo256::ordered_trie_root(bodies, STATE_VERSION)
}

/// Reads one value of a state.
pub(super) fn read(view: &View<'_>, key: &[u8]) -> Option<Vec<u8>> {
    // The store is in memory and holds every node of a kept state.
    view.storage(key).expect("a kept state is whole")
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::Encode;

    /// Commits one write of `key` on top of the newest state.
    fn write(states: &mut States, key: &[u8], value: Option<Vec<u8>>) -> Hash {
        let mut changes = Changes::default();
        changes.set_storage(key.to_vec(), value);
        states.commit(changes).unwrap().0
    }

    #[test]
    fn keeps_recent_states_and_forgets_older_nodes() {
        let (mut states, genesis) = States::new(Storage::default());
        let mut roots = vec![genesis];
        for n in 0..2 * STATES_KEPT as u32 {
            // Each third write repeats an old value, so that nodes are dropped and come again.
            let value = if n.is_multiple_of(3) { vec![7; 40] } else { n.encode().repeat(10) };
            roots.push(write(&mut states, &(n % 5).encode(), Some(value)));
        }
        assert!(!states.has(&roots[STATES_KEPT]));
        for (n, root) in roots.iter().enumerate().skip(STATES_KEPT + 1) {
            assert!(states.has(root));
            let last = n as u32 - 1;
            let value = read(&states.view(*root), &(last % 5).encode()).unwrap();
            let expected =
                if last.is_multiple_of(3) { vec![7; 40] } else { last.encode().repeat(10) };
            assert_eq!(value, expected, "block {n}");
        }
        for key in 0_u32..5 {
            write(&mut states, &key.encode(), None);
        }
        let empty = *states.roots.back().unwrap();
        for _ in 0..STATES_KEPT {
            states.commit(Changes::default()).unwrap();
        }
        assert_eq!(empty, genesis);
        assert!(states.nodes.nodes.is_empty(), "{} nodes leak", states.nodes.nodes.len());
    }
}
