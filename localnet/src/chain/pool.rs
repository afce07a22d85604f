//! Extrinsics that wait for a block.
//!
//! Each names the tags that it requires and provides (a signed extrinsic requires its sender's
//! previous nonce and provides its own). It is *ready* when the chain or a ready extrinsic provides
//! all that it requires, else it is *future* and waits. Blocks take ready extrinsics by priority,
//! then by arrival. The pool knows no runtime; time is the number of the newest block.
//!
//! Limits: [`MAX_EXTRINSICS`] in number and [`MAX_BYTES`] in size. A full pool refuses newcomers.

use crate::runtime::{BlockNumber, Hash};
use sp_runtime::transaction_validity::{
    InvalidTransaction, TransactionPriority, TransactionTag, UnknownTransaction, ValidTransaction,
};
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::{cmp::Reverse, sync::Arc};

/// Extrinsics that wait, at most.
pub const MAX_EXTRINSICS: usize = 4_096;
/// Bytes of all waiting extrinsics, at most.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;
/// Extrinsics remembered as having made the runtime panic.
const MAX_BANNED: usize = 256;

/// Why an extrinsic does not enter the pool. The texts and codes of the JSON-RPC answers are made
/// of these in `rpc::error`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The bytes are no extrinsic of this runtime.
    #[error("the extrinsic does not decode: {0}")]
    Malformed(String),
    /// The runtime refuses it.
    #[error("invalid transaction: {}", invalid_text(.0))]
    Invalid(InvalidTransaction),
    /// The runtime cannot judge it.
    #[error("unknown transaction validity: {0:?}")]
    Unknown(UnknownTransaction),
    /// The runtime panicked over it.
    #[error(transparent)]
    Panicked(#[from] super::RuntimePanic),
    /// It made a block panic before.
    #[error("transaction is temporarily banned")]
    Banned,
    /// It waits already.
    #[error("transaction {0:?} is already in the pool")]
    AlreadyImported(Hash),
    /// Another one with the same nonce waits, and offers as much.
    #[error("priority {new} is too low to replace one of {old}")]
    TooLowPriority {
        /// Priority of the one that waits.
        old: TransactionPriority,
        /// Priority of the one refused.
        new: TransactionPriority,
    },
    /// The pool is full.
    #[error("the pool is full")]
    Full,
    /// It provides nothing, so nothing would ever take it out.
    #[error("the transaction provides no tag")]
    Unactionable,
}

/// The words that nodes use for a refusal.
pub fn invalid_text(invalid: &InvalidTransaction) -> String {
    match invalid {
        InvalidTransaction::Custom(code) => format!("Custom error: {code}"),
        other => <&'static str>::from(*other).to_owned(),
    }
}

/// What adding an extrinsic did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Admission {
    /// Whether it may go into the next block.
    pub ready: bool,
    /// Extrinsics that were future and are ready now.
    pub promoted: Vec<Hash>,
    /// Extrinsics that it took the place of.
    pub replaced: Vec<Hash>,
}

/// One waiting extrinsic.
#[derive(Clone, Debug)]
struct Entry {
    hash: Hash,
    bytes: Arc<[u8]>,
    priority: TransactionPriority,
    /// Tags that nothing on the chain provides yet.
    requires: Vec<TransactionTag>,
    provides: Vec<TransactionTag>,
    /// Last block number at which it is valid.
    valid_until: u64,
    /// Whether it was ready when last looked at.
    ready: bool,
}

/// The waiting extrinsics.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    /// By order of arrival.
    entries: BTreeMap<u64, Entry>,
    by_hash: HashMap<Hash, u64>,
    /// Who provides a tag; never two.
    providers: HashMap<TransactionTag, u64>,
    arrivals: u64,
    bytes: usize,
    banned: VecDeque<Hash>,
}

impl Pool {
    /// Refuses what is known; called before the costly validation.
    pub(super) fn check_new(&self, hash: &Hash) -> Result<(), PoolError> {
        if self.banned.contains(hash) {
            return Err(PoolError::Banned);
        }
        if self.by_hash.contains_key(hash) {
            return Err(PoolError::AlreadyImported(*hash));
        }
        Ok(())
    }

    /// Adds an extrinsic that the runtime found valid at block `now`.
    pub(super) fn insert(
        &mut self,
        hash: Hash,
        bytes: Vec<u8>,
        validity: ValidTransaction,
        now: BlockNumber,
    ) -> Result<Admission, PoolError> {
        self.check_new(&hash)?;
        if validity.provides.is_empty() {
            return Err(PoolError::Unactionable);
        }
        let new = validity.priority;
        let mut rivals: Vec<u64> =
            validity.provides.iter().filter_map(|tag| self.providers.get(tag).copied()).collect();
        rivals.sort_unstable();
        rivals.dedup();
        if let Some(old) = rivals.iter().map(|id| self.entries[id].priority).max()
            && old >= new
        {
            return Err(PoolError::TooLowPriority { old, new });
        }
        if self.entries.len() >= MAX_EXTRINSICS + rivals.len()
            || self.bytes + bytes.len() > MAX_BYTES
        {
            return Err(PoolError::Full);
        }
        let replaced = rivals.into_iter().filter_map(|id| self.remove(id)).collect();
        self.arrivals += 1;
        let id = self.arrivals;
        self.bytes += bytes.len();
        self.by_hash.insert(hash, id);
        for tag in &validity.provides {
            self.providers.insert(tag.clone(), id);
        }
        let entry = Entry {
            hash,
            bytes: bytes.into(),
            priority: new,
            requires: validity.requires,
            provides: validity.provides,
            valid_until: u64::from(now).saturating_add(validity.longevity),
            ready: false,
        };
        self.entries.insert(id, entry);
        let mut promoted = self.refresh();
        let ready = promoted.contains(&hash);
        promoted.retain(|other| *other != hash);
        Ok(Admission { ready, promoted, replaced })
    }

    /// The ready extrinsics in the order in which a block takes them.
    pub(super) fn ready(&self) -> Vec<(Hash, Arc<[u8]>)> {
        let order = self.order();
        order.iter().map(|id| (self.entries[id].hash, self.entries[id].bytes.clone())).collect()
    }

    /// Whether any extrinsic is ready.
    pub(super) fn has_ready(&self) -> bool {
        self.entries.values().any(|entry| entry.ready)
    }

    /// Every waiting extrinsic, ready ones first.
    pub(super) fn pending(&self) -> Vec<Arc<[u8]>> {
        let mut all: Vec<_> = self.ready().into_iter().map(|(_, bytes)| bytes).collect();
        all.extend(self.entries.values().filter(|e| !e.ready).map(|e| e.bytes.clone()));
        all
    }

    /// Whether a ready extrinsic provides `tag`.
    pub(super) fn provides(&self, tag: &[u8]) -> bool {
        self.providers.get(tag).is_some_and(|id| self.entries[id].ready)
    }

    /// Takes out an extrinsic that a block holds: what it provides is on the chain now.
    pub(super) fn include(&mut self, hash: &Hash) {
        let Some(id) = self.by_hash.get(hash).copied() else { return };
        let provided = self.entries.get(&id).map(|e| e.provides.clone()).unwrap_or_default();
        self.remove(id);
        for entry in self.entries.values_mut() {
            entry.requires.retain(|tag| !provided.contains(tag));
        }
    }

    /// Takes out an extrinsic that turned out invalid.
    pub(super) fn discard(&mut self, hash: &Hash) {
        if let Some(id) = self.by_hash.get(hash).copied() {
            self.remove(id);
        }
    }

    /// Takes out an extrinsic that made the runtime panic, and refuses it from now on.
    pub(super) fn ban(&mut self, hash: Hash) {
        self.discard(&hash);
        if self.banned.len() == MAX_BANNED {
            self.banned.pop_front();
        }
        self.banned.push_back(hash);
    }

    /// Brings the pool up to block `now`. Returns those that expired and those that became ready.
    pub(super) fn advance(&mut self, now: BlockNumber) -> (Vec<Hash>, Vec<Hash>) {
        let late = |entry: &Entry| entry.valid_until < u64::from(now);
        let expired: Vec<u64> =
            self.entries.iter().filter(|(_, e)| late(e)).map(|(id, _)| *id).collect();
        let expired = expired.into_iter().filter_map(|id| self.remove(id)).collect();
        (expired, self.refresh())
    }

    /// Takes out one extrinsic.
    fn remove(&mut self, id: u64) -> Option<Hash> {
        let entry = self.entries.remove(&id)?;
        self.bytes -= entry.bytes.len();
        self.by_hash.remove(&entry.hash);
        for tag in &entry.provides {
            self.providers.remove(tag);
        }
        Some(entry.hash)
    }

    /// Marks which extrinsics are ready. Returns those that were not before.
    fn refresh(&mut self) -> Vec<Hash> {
        let order = self.order();
        let were: Vec<u64> =
            self.entries.iter().filter(|(_, e)| e.ready).map(|(id, _)| *id).collect();
        for entry in self.entries.values_mut() {
            entry.ready = false;
        }
        let mut promoted = Vec::new();
        for id in order {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.ready = true;
                if were.binary_search(&id).is_err() {
                    promoted.push(entry.hash);
                }
            }
        }
        promoted
    }

    /// Ready extrinsics, each after those that it requires; else by priority, then by arrival.
    fn order(&self) -> Vec<u64> {
        let mut missing: HashMap<u64, usize> = HashMap::new();
        let mut waiting: HashMap<&[u8], Vec<u64>> = HashMap::new();
        let mut next = BinaryHeap::new();
        for (id, entry) in &self.entries {
            if entry.requires.is_empty() {
                next.push((entry.priority, Reverse(*id)));
            } else {
                missing.insert(*id, entry.requires.len());
                for tag in &entry.requires {
                    waiting.entry(tag).or_default().push(*id);
                }
            }
        }
        let mut order = Vec::new();
        while let Some((_, Reverse(id))) = next.pop() {
            order.push(id);
            for tag in &self.entries[&id].provides {
                for dependent in waiting.remove(tag.as_slice()).unwrap_or_default() {
                    if let Some(count) = missing.get_mut(&dependent) {
                        *count -= 1;
                        if *count == 0 {
                            next.push((self.entries[&dependent].priority, Reverse(dependent)));
                        }
                    }
                }
            }
        }
        order
    }
}

#[cfg(test)]
mod tests;
