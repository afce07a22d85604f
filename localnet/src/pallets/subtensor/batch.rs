//! Weights for several subnets in one call: each is set or refused by itself, and events say which.

use super::{Config, Error, Event, Pallet, TotalNetworks};
use codec::Compact;
use frame_support::{dispatch::DispatchResult, ensure, storage::with_storage_layer};
use sp_core::H256;

impl<T: Config> Pallet<T> {
    pub(super) fn do_batch_set_weights(
        hotkey: &T::AccountId,
        netuids: Vec<Compact<u16>>,
        weights: Vec<Vec<(Compact<u16>, Compact<u16>)>>,
        version_keys: Vec<Compact<u64>>,
    ) -> DispatchResult {
        let equal = netuids.len() == weights.len() && netuids.len() == version_keys.len();
        ensure!(equal, Error::<T>::InputLengthsUnequal);
        let mut items = weights.into_iter().zip(version_keys);
        Self::each(hotkey, netuids, |netuid| {
            let Some((weights, Compact(version_key))) = items.next() else { return Ok(()) };
            let (uids, values) = weights.into_iter().map(|(uid, value)| (uid.0, value.0)).unzip();
            Self::do_set_weights(hotkey, netuid, 0, uids, values, version_key)
        })
    }

    pub(super) fn do_batch_commit_weights(
        hotkey: &T::AccountId,
        netuids: Vec<Compact<u16>>,
        hashes: Vec<H256>,
    ) -> DispatchResult {
        ensure!(netuids.len() == hashes.len(), Error::<T>::InputLengthsUnequal);
        let mut hashes = hashes.into_iter();
        Self::each(hotkey, netuids, |netuid| match hashes.next() {
            Some(hash) => Self::do_commit_weights(hotkey, netuid, 0, hash),
            None => Ok(()),
        })
    }

    /// Does something for each subnet, of which there are no more than on the chain; nothing of what
    /// is refused stays.
    fn each(
        hotkey: &T::AccountId,
        netuids: Vec<Compact<u16>>,
        mut act: impl FnMut(u16) -> DispatchResult,
    ) -> DispatchResult {
        let most = usize::from(TotalNetworks::<T>::get());
        ensure!(netuids.len() <= most, Error::<T>::InvalidValue);
        let mut refused = false;
        for Compact(netuid) in &netuids {
            if let Err(error) = with_storage_layer(|| act(*netuid)) {
                refused = true;
                Self::deposit_event(Event::BatchWeightItemFailed(*netuid, error));
            }
        }
        if refused {
            Self::deposit_event(Event::BatchCompletedWithErrors());
        } else {
            Self::deposit_event(Event::BatchWeightsCompleted(netuids, hotkey.clone()));
        }
        Ok(())
    }
}
