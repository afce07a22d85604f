//! Weights that are hidden until a round of the beacon, and that the chain itself shows then.
//!
//! A commit made in epoch `e` is shown in epoch `e + RevealPeriodEpochs`, in the first block in which
//! the pulse of its round is there; the block that runs the epoch counts to it already. What is not
//! shown by the end of that epoch is dropped.

use super::{
    CommitRevealWeightsEnabled, CommitRevealWeightsVersion, Config, Error, Event, Pallet,
    RevealPeriodEpochs, SubnetEpochIndex, TimelockedWeightCommits, Uids, mechanisms::storage_index,
};
use codec::{Decode, Encode};
use frame_support::{
    BoundedVec, dispatch::DispatchResult, ensure, storage::with_storage_layer, traits::ConstU32,
};
use iota_timelock::MAX_CIPHERTEXT_BYTES;
use std::collections::{BTreeMap, VecDeque};

/// A hidden vector of weights.
pub type Ciphertext = BoundedVec<u8, ConstU32<{ MAX_CIPHERTEXT_BYTES as u32 }>>;
/// A commit: hotkey, block, ciphertext, round.
pub type TimelockedCommit<AccountId> = (AccountId, u64, Ciphertext, u64);

/// A hotkey's commits that are not shown, at most.
const MAX_OPEN: usize = 10;

/// The beacon, as the weights need it.
pub trait Beacon {
    /// The newest round there is a pulse of.
    fn newest_round() -> u64;
    /// Opens what was hidden until a round. `None` while there is no pulse of it; the inner `None`
    /// where it does not open.
    fn open(round: u64, ciphertext: &[u8]) -> Option<Option<Vec<u8>>>;
}

/// What a ciphertext hides.
#[derive(Decode)]
struct Payload {
    hotkey: Vec<u8>,
    uids: Vec<u16>,
    values: Vec<u16>,
    version_key: u64,
}

/// The same of older clients.
#[derive(Decode)]
struct OldPayload {
    uids: Vec<u16>,
    values: Vec<u16>,
    version_key: u64,
}

impl<T: Config> Pallet<T> {
    pub(super) fn do_commit_timelocked(
        hotkey: &T::AccountId,
        netuid: u16,
        mechanism: u8,
        ciphertext: Ciphertext,
        round: u64,
        version: u16,
    ) -> DispatchResult {
        Self::ensure_mechanism(netuid, mechanism)?;
        ensure!(CommitRevealWeightsEnabled::<T>::get(netuid), Error::<T>::CommitRevealDisabled);
        let current = CommitRevealWeightsVersion::<T>::get();
        ensure!(version == current, Error::<T>::IncorrectCommitRevealVersion);
        let uid = Uids::<T>::get(netuid, hotkey).ok_or(Error::<T>::HotKeyNotRegisteredInSubNet)?;
        let index = storage_index(netuid, mechanism);
        let late = Self::may_set_weights(netuid, index, uid);
        ensure!(late, Error::<T>::CommittingWeightsTooFast);
        ensure!(round >= T::Beacon::newest_round(), Error::<T>::InvalidRevealRound);
        let open = TimelockedWeightCommits::<T>::iter_prefix_values(index)
            .flatten()
            .filter(|(who, ..)| who == hotkey)
            .count();
        ensure!(open < MAX_OPEN, Error::<T>::TooManyUnrevealedCommits);
        let hash = ciphertext.using_encoded(sp_io::hashing::blake2_256).into();
        let epoch = SubnetEpochIndex::<T>::get(netuid);
        TimelockedWeightCommits::<T>::mutate(index, epoch, |commits| {
            commits.push_back((hotkey.clone(), Self::now(), ciphertext, round));
        });
        Self::deposit_event(Event::TimelockedWeightsCommitted(hotkey.clone(), index, hash, round));
        Self::set_last_update(index, uid);
        Ok(())
    }

    /// Shows what is due in all subnets.
    pub(super) fn reveal_timelocked(netuids: &[u16], now: u64) {
        for netuid in netuids {
            // The block that runs an epoch belongs to the new one.
            let starting = u64::from(Self::is_epoch_due(*netuid, now));
            let epoch = SubnetEpochIndex::<T>::get(netuid).saturating_add(starting);
            if let Some(due) = epoch.checked_sub(RevealPeriodEpochs::<T>::get(netuid)) {
                for mechanism in Self::mechanisms(*netuid) {
                    Self::drop_timelocked_before(storage_index(*netuid, mechanism), due);
                    Self::reveal_epoch(*netuid, mechanism, due);
                }
            }
        }
    }

    fn drop_timelocked_before(index: u16, epoch: u64) {
        let old: Vec<u64> = TimelockedWeightCommits::<T>::iter_key_prefix(index)
            .filter(|committed| *committed < epoch)
            .collect();
        for committed in old {
            TimelockedWeightCommits::<T>::remove(index, committed);
        }
    }

    fn reveal_epoch(netuid: u16, mechanism: u8, epoch: u64) {
        let index = storage_index(netuid, mechanism);
        let commits = TimelockedWeightCommits::<T>::get(index, epoch);
        if commits.is_empty() {
            return;
        }
        let mut waiting = VecDeque::new();
        for commit in commits {
            let (hotkey, _, ciphertext, round) = &commit;
            let Some(opened) = T::Beacon::open(*round, ciphertext) else {
                waiting.push_back(commit);
                continue;
            };
            let shown = opened.and_then(|bytes| payload(&hotkey.encode(), &bytes));
            // What does not open, or is refused, is dropped: nobody is there to be told.
            if let Some(Payload { uids, values, version_key, .. }) = shown {
                let set =
                    || Self::put_weights(hotkey, netuid, mechanism, uids, values, version_key);
                if with_storage_layer(set).is_ok() {
                    Self::deposit_event(Event::TimelockedWeightsRevealed(index, hotkey.clone()));
                }
            }
        }
        if waiting.is_empty() {
            TimelockedWeightCommits::<T>::remove(index, epoch);
        } else {
            TimelockedWeightCommits::<T>::insert(index, epoch, waiting);
        }
    }

    /// Block of each hotkey's earliest timelocked commit that has not been shown.
    pub(super) fn timelocked_blocks(index: u16) -> BTreeMap<T::AccountId, u64> {
        let mut blocks = BTreeMap::new();
        for (hotkey, block, ..) in TimelockedWeightCommits::<T>::iter_prefix_values(index).flatten()
        {
            let first = blocks.entry(hotkey).or_insert(block);
            *first = block.min(*first);
        }
        blocks
    }
}

/// Reads what a hotkey hid. Who copies another's ciphertext is found out by the hotkey in it.
fn payload(hotkey: &[u8], bytes: &[u8]) -> Option<Payload> {
    if let Ok(payload) = Payload::decode(&mut &bytes[..])
        && payload.hotkey == hotkey
    {
        return Some(payload);
    }
    let OldPayload { uids, values, version_key } = OldPayload::decode(&mut &bytes[..]).ok()?;
    Some(Payload { hotkey: hotkey.to_vec(), uids, values, version_key })
}
