//! A chain as it goes to disk and comes back.

use super::{Chain, StoredBlock, history::History, state::States};
use crate::runtime::Hash;
use sp_core::storage::Storage;
use sp_io::hashing::blake2_256;
use sp_state_machine::StorageCollection;
use std::sync::Arc;

/// A block, and what it wrote (none: removed) under which keys.
#[derive(Clone)]
pub(crate) struct Unsaved {
    pub(crate) block: Arc<StoredBlock>,
    pub(crate) changes: StorageCollection,
}

/// A chain as it was saved.
pub(crate) struct Saved {
    /// All entries of the newest state.
    pub(crate) state: Vec<(Vec<u8>, Vec<u8>)>,
    /// Block 0, and the newest ones in order.
    pub(crate) blocks: Vec<StoredBlock>,
}

impl Chain {
    /// The same chain, which from now on remembers what is to be saved.
    pub(crate) fn recorded(mut self) -> Self {
        self.unsaved = Some(Vec::new());
        self
    }

    /// What is to be saved, each once.
    pub(crate) fn take_unsaved(&mut self) -> Vec<Unsaved> {
        self.unsaved.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The chain that was saved, where this one is block 0 of the same settings; or what is wrong
    /// with it.
    pub(crate) fn restored(self, saved: Saved) -> Result<Self, String> {
        let Saved { state, blocks } = saved;
        let history = History::restored(blocks)?;
        if history.genesis().hash != self.genesis_hash() {
            return Err("its block 0 is another".to_owned());
        }
        let top = state.into_iter().collect();
        let (states, root) = States::new(Storage { top, ..Storage::default() });
        if root != history.head().header.state_root {
            return Err("its state is not the newest block's".to_owned());
        }
        Ok(Self { states, history, ..self })
    }

    /// What a state of this runtime means: another runtime would read it wrongly.
    pub(crate) fn metadata_hash(&self) -> Hash {
        blake2_256(&self.metadata().unwrap_or_default()).into()
    }
}
