//! Setting weights. The order of the checks is the real chain's, so that the same mistake gets the
//! same error.

use super::{
    CommitRevealWeightsEnabled, Config, Error, Event, LastUpdate, MaxWeightsLimit,
    MechanismCountCurrent, MinAllowedWeights, NetworksAdded, Pallet, ROOT, StakeThreshold,
    SubnetOwnerHotkey, SubnetworkN, Uids, ValidatorPermit, Weights, WeightsSetRateLimit,
    WeightsVersionKey, mechanisms::storage_index,
};
use frame_support::{dispatch::DispatchResult, ensure};
use std::collections::BTreeSet;

impl<T: Config> Pallet<T> {
    pub(super) fn do_set_weights(
        hotkey: &T::AccountId,
        netuid: u16,
        mechanism: u8,
        uids: Vec<u16>,
        values: Vec<u16>,
        version_key: u64,
    ) -> DispatchResult {
        let commit_reveal = CommitRevealWeightsEnabled::<T>::get(netuid);
        ensure!(!commit_reveal, Error::<T>::CommitRevealEnabled);
        Self::put_weights(hotkey, netuid, mechanism, uids, values, version_key)
    }

    /// Checks and stores weights that were set plainly, or committed before and now shown.
    pub(super) fn put_weights(
        hotkey: &T::AccountId,
        netuid: u16,
        mechanism: u8,
        uids: Vec<u16>,
        values: Vec<u16>,
        version_key: u64,
    ) -> DispatchResult {
        ensure!(netuid != ROOT, Error::<T>::CanNotSetRootNetworkWeights);
        ensure!(uids.len() == values.len(), Error::<T>::WeightVecNotEqualSize);
        Self::ensure_mechanism(netuid, mechanism)?;
        let n = SubnetworkN::<T>::get(netuid);
        ensure!(uids.len() <= usize::from(n), Error::<T>::UidsLengthExceedUidsInSubNet);
        let uid = Uids::<T>::get(netuid, hotkey).ok_or(Error::<T>::HotKeyNotRegisteredInSubNet)?;
        ensure!(
            Self::has_stake_for_weights(hotkey, netuid),
            Error::<T>::NotEnoughStakeToSetWeights
        );
        let least = WeightsVersionKey::<T>::get(netuid);
        ensure!(least == 0 || version_key >= least, Error::<T>::IncorrectWeightVersionKey);
        // Where weights are committed, the commits are limited and count as updates.
        let is_plain = !CommitRevealWeightsEnabled::<T>::get(netuid);
        let index = storage_index(netuid, mechanism);
        let late = !is_plain || Self::may_set_weights(netuid, index, uid);
        ensure!(late, Error::<T>::SettingWeightsTooFast);

        let is_owner = SubnetOwnerHotkey::<T>::get(netuid) == *hotkey;
        let only_itself = uids == [uid];
        let permits = ValidatorPermit::<T>::get(netuid);
        let permit = permits.get(usize::from(uid)).copied().unwrap_or(false);
        ensure!(permit || only_itself || is_owner, Error::<T>::NeuronNoValidatorPermit);
        let distinct: BTreeSet<&u16> = uids.iter().collect();
        ensure!(distinct.len() == uids.len(), Error::<T>::DuplicateUids);
        ensure!(uids.iter().all(|uid| *uid < n), Error::<T>::UidVecContainInvalidOne);
        let least = usize::from(MinAllowedWeights::<T>::get(netuid).min(n));
        ensure!(only_itself || uids.len() >= least, Error::<T>::WeightVecLengthIsLow);
        let values = upscale(&values);
        let limit = MaxWeightsLimit::<T>::get(netuid);
        let within = only_itself || is_within(&values, limit);
        ensure!(within, Error::<T>::MaxWeightExceeded);

        let row: Vec<(u16, u16)> = uids.into_iter().zip(values).collect();
        Weights::<T>::insert(index, uid, row);
        if is_plain {
            Self::set_last_update(index, uid);
        }
        Self::deposit_event(Event::WeightsSet(index, uid));
        Ok(())
    }

    pub(super) fn ensure_mechanism(netuid: u16, mechanism: u8) -> DispatchResult {
        let exists =
            NetworksAdded::<T>::get(netuid) && mechanism < MechanismCountCurrent::<T>::get(netuid);
        ensure!(exists, Error::<T>::MechanismDoesNotExist);
        Ok(())
    }

    pub(super) fn set_last_update(index: u16, uid: u16) {
        LastUpdate::<T>::mutate(index, |all| {
            if let Some(block) = all.get_mut(usize::from(uid)) {
                *block = Self::now();
            }
        });
    }

    /// Whether the hotkey's stake reaches the threshold. The subnet's owner needs none.
    pub(super) fn has_stake_for_weights(hotkey: &T::AccountId, netuid: u16) -> bool {
        SubnetOwnerHotkey::<T>::get(netuid) == *hotkey
            || Self::validating_stake(hotkey, netuid) >= StakeThreshold::<T>::get()
    }

    /// Whether the neuron's last weights in a mechanism (or its registration) are old enough.
    pub(super) fn may_set_weights(netuid: u16, index: u16, uid: u16) -> bool {
        let last = LastUpdate::<T>::get(index).get(usize::from(uid)).copied().unwrap_or(0);
        last == 0 || Self::now().saturating_sub(last) >= WeightsSetRateLimit::<T>::get(netuid)
    }
}

/// Scales the greatest weight to 65535, rounding to the nearest.
fn upscale(values: &[u16]) -> Vec<u16> {
    let greatest = u32::from(values.iter().copied().max().unwrap_or(0));
    if greatest == 0 {
        return values.to_vec();
    }
    let scale = |value: &u16| (u32::from(*value) * u32::from(u16::MAX) + greatest / 2) / greatest;
    values.iter().map(|value| u16::try_from(scale(value)).unwrap_or(u16::MAX)).collect()
}

/// Whether no weight's share of the sum is above `limit` of 65535.
fn is_within(values: &[u16], limit: u16) -> bool {
    let sum: u64 = values.iter().map(|value| u64::from(*value)).sum();
    let greatest = u64::from(values.iter().copied().max().unwrap_or(0));
    limit == u16::MAX || greatest * u64::from(u16::MAX) <= sum * u64::from(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upscales_to_the_greatest() {
        assert_eq!(upscale(&[1, 2, 4]), [16_384, 32_768, 65_535]);
        assert_eq!(upscale(&[0, 0]), [0, 0]);
        assert_eq!(upscale(&[]), Vec::<u16>::new());
        assert_eq!(upscale(&[65_535, 32_767, 1]), [65_535, 32_767, 1]);
    }

    #[test]
    fn limits_the_greatest_share() {
        assert!(is_within(&[1, 1, 2], 32_768));
        assert!(!is_within(&[1, 1, 3], 32_768));
        assert!(is_within(&[9, 1], u16::MAX));
        assert!(is_within(&[], 0));
    }
}
