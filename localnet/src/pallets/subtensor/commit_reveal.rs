//! Weights that are committed as a hash in one epoch and shown in a later one.
//!
//! A commit made in epoch `e` can be shown in epoch `e + RevealPeriodEpochs` and in no other. What
//! is shown goes through the checks of plain weights, without their rate limit: a hotkey's commits
//! are limited instead.

use super::{
    CommitRevealWeightsEnabled, Config, Error, Event, Pallet, RevealPeriodEpochs, SubnetEpochIndex,
    Uids, WeightCommits, mechanisms::storage_index,
};
use codec::Encode;
use frame_support::{dispatch::DispatchResult, ensure};
use sp_core::H256;
use std::{cmp::Ordering, collections::BTreeMap};

/// A hotkey's commits that are neither shown nor expired, at most.
const MAX_OPEN: usize = 10;

/// A commit: hash, epoch, block, 0.
pub(super) type Commit = (H256, u64, u64, u64);

/// What a commit's hash hides.
pub(super) struct Shown {
    pub(super) uids: Vec<u16>,
    pub(super) values: Vec<u16>,
    pub(super) salt: Vec<u16>,
    pub(super) version_key: u64,
}

impl Shown {
    pub(super) fn new(uids: &[u16], values: &[u16], salt: &[u16], version_key: u64) -> Self {
        let (uids, values, salt) = (uids.to_vec(), values.to_vec(), salt.to_vec());
        Self { uids, values, salt, version_key }
    }
}

impl<T: Config> Pallet<T> {
    pub(super) fn do_commit_weights(
        hotkey: &T::AccountId,
        netuid: u16,
        mechanism: u8,
        hash: H256,
    ) -> DispatchResult {
        Self::ensure_mechanism(netuid, mechanism)?;
        ensure!(CommitRevealWeightsEnabled::<T>::get(netuid), Error::<T>::CommitRevealDisabled);
        let uid = Uids::<T>::get(netuid, hotkey).ok_or(Error::<T>::HotKeyNotRegisteredInSubNet)?;
        let index = storage_index(netuid, mechanism);
        let late = Self::may_set_weights(netuid, index, uid);
        ensure!(late, Error::<T>::CommittingWeightsTooFast);
        let (_, mut commits) = Self::open_commits(netuid, index, hotkey);
        ensure!(commits.len() < MAX_OPEN, Error::<T>::TooManyUnrevealedCommits);
        let epoch = SubnetEpochIndex::<T>::get(netuid);
        commits.push((hash, epoch, Self::now(), 0));
        WeightCommits::<T>::insert(index, hotkey, commits);
        Self::deposit_event(Event::WeightsCommitted(hotkey.clone(), index, hash));
        Self::set_last_update(index, uid);
        Ok(())
    }

    /// Sets the weights that a commit hid. It and the commits before it are done with.
    pub(super) fn do_reveal_weights(
        hotkey: &T::AccountId,
        netuid: u16,
        mechanism: u8,
        shown: Shown,
    ) -> DispatchResult {
        Self::ensure_mechanism(netuid, mechanism)?;
        let index = storage_index(netuid, mechanism);
        let (hash, commits) = Self::due_commit(hotkey, netuid, mechanism, &shown)?;
        if commits.is_empty() {
            WeightCommits::<T>::remove(index, hotkey);
        } else {
            WeightCommits::<T>::insert(index, hotkey, commits);
        }
        let Shown { uids, values, version_key, .. } = shown;
        Self::put_weights(hotkey, netuid, mechanism, uids, values, version_key)?;
        Self::deposit_event(Event::WeightsRevealed(hotkey.clone(), index, hash));
        Ok(())
    }

    /// The hash of what is shown, if it was committed to and is due, and the later commits.
    pub(super) fn due_commit(
        hotkey: &T::AccountId,
        netuid: u16,
        mechanism: u8,
        shown: &Shown,
    ) -> Result<(H256, Vec<Commit>), Error<T>> {
        let enabled = CommitRevealWeightsEnabled::<T>::get(netuid);
        ensure!(enabled, Error::<T>::CommitRevealDisabled);
        let index = storage_index(netuid, mechanism);
        let (expired, mut commits) = Self::open_commits(netuid, index, hotkey);
        let hash = Self::commit_hash(hotkey, index, shown);
        let Some(at) = commits.iter().position(|commit| commit.0 == hash) else {
            ensure!(!expired.contains(&hash), Error::<T>::ExpiredWeightCommit);
            ensure!(!commits.is_empty(), Error::<T>::NoWeightsCommitFound);
            return Err(Error::<T>::InvalidRevealCommitHashNotMatch);
        };
        ensure!(Self::reveal_order(netuid, commits[at].1).is_eq(), Error::<T>::RevealTooEarly);
        commits.drain(..=at);
        Ok((hash, commits))
    }

    /// Block of the hotkey's earliest commit that has neither expired nor been shown. `timelocked`
    /// has those of the timelocked commits.
    pub(super) fn first_commit_block(
        netuid: u16,
        index: u16,
        hotkey: &T::AccountId,
        timelocked: &BTreeMap<T::AccountId, u64>,
    ) -> Option<u64> {
        if !CommitRevealWeightsEnabled::<T>::get(netuid) {
            return None;
        }
        let hashed = Self::open_commits(netuid, index, hotkey).1.first().map(|commit| commit.2);
        hashed.into_iter().chain(timelocked.get(hotkey).copied()).min()
    }

    /// The hashes of expired commits, and the commits that are not.
    fn open_commits(netuid: u16, index: u16, hotkey: &T::AccountId) -> (Vec<H256>, Vec<Commit>) {
        let all = WeightCommits::<T>::get(index, hotkey).unwrap_or_default();
        let is_expired = |epoch| Self::reveal_order(netuid, epoch).is_gt();
        let (expired, open): (Vec<_>, Vec<_>) = all.into_iter().partition(|c| is_expired(c.1));
        (expired.into_iter().map(|commit| commit.0).collect(), open)
    }

    /// This epoch compared with the one in which a commit of `epoch` is shown.
    fn reveal_order(netuid: u16, epoch: u64) -> Ordering {
        let due = epoch.saturating_add(RevealPeriodEpochs::<T>::get(netuid));
        SubnetEpochIndex::<T>::get(netuid).cmp(&due)
    }

    fn commit_hash(hotkey: &T::AccountId, index: u16, shown: &Shown) -> H256 {
        (hotkey, index, &shown.uids, &shown.values, &shown.salt, shown.version_key)
            .using_encoded(sp_io::hashing::blake2_256)
            .into()
    }
}
