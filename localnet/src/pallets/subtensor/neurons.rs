//! Adding and replacing neurons.

use super::{
    Active, Axons, BlockAtRegistration, Bonds, Config, Consensus, Dividends, Emission, Incentive,
    IsNetworkMember, Keys, LastUpdate, NeuronCertificates, Pallet, Prometheus, StakeWeight,
    SubnetworkN, Uids, ValidatorPermit, ValidatorTrust, Weights,
};
use sp_runtime::SaturatedConversion;

impl<T: Config> Pallet<T> {
    /// Height of the block being built or last built.
    pub(super) fn now() -> u64 {
        frame_system::Pallet::<T>::block_number().saturated_into()
    }

    /// Adds a neuron at the end. The subnet must have room.
    pub(super) fn append_neuron(netuid: u16, hotkey: &T::AccountId) -> u16 {
        let uid = SubnetworkN::<T>::get(netuid);
        SubnetworkN::<T>::insert(netuid, uid.saturating_add(1));
        Active::<T>::append(netuid, true);
        ValidatorPermit::<T>::append(netuid, false);
        Consensus::<T>::append(netuid, 0);
        Dividends::<T>::append(netuid, 0);
        ValidatorTrust::<T>::append(netuid, 0);
        StakeWeight::<T>::append(netuid, 0);
        Emission::<T>::append(netuid, 0);
        for index in Self::mechanism_indices(netuid) {
            Incentive::<T>::append(index, 0);
            LastUpdate::<T>::append(index, 0);
        }
        Self::seat(netuid, uid, hotkey);
        uid
    }

    /// Gives a neuron's place to another hotkey and clears what was said by it and of it.
    pub(super) fn replace_neuron(netuid: u16, uid: u16, hotkey: &T::AccountId) -> u16 {
        let old = Keys::<T>::get(netuid, uid);
        Uids::<T>::remove(netuid, &old);
        IsNetworkMember::<T>::remove(&old, netuid);
        Axons::<T>::remove(netuid, &old);
        Prometheus::<T>::remove(netuid, &old);
        NeuronCertificates::<T>::remove(netuid, &old);
        let place = usize::from(uid);
        for index in Self::mechanism_indices(netuid) {
            Weights::<T>::remove(index, uid);
            Bonds::<T>::remove(index, uid);
            for from in 0..SubnetworkN::<T>::get(netuid) {
                if Weights::<T>::contains_key(index, from) {
                    Weights::<T>::mutate(index, from, |row| row.retain(|(to, _)| *to != uid));
                }
            }
            Incentive::<T>::mutate(index, |all| put(all, place, 0));
        }
        ValidatorPermit::<T>::mutate(netuid, |all| put(all, place, false));
        Active::<T>::mutate(netuid, |all| put(all, place, true));
        Consensus::<T>::mutate(netuid, |all| put(all, place, 0));
        Dividends::<T>::mutate(netuid, |all| put(all, place, 0));
        ValidatorTrust::<T>::mutate(netuid, |all| put(all, place, 0));
        StakeWeight::<T>::mutate(netuid, |all| put(all, place, 0));
        Emission::<T>::mutate(netuid, |all| put(all, place, 0));
        Self::seat(netuid, uid, hotkey);
        uid
    }

    fn seat(netuid: u16, uid: u16, hotkey: &T::AccountId) {
        let now = Self::now();
        Uids::<T>::insert(netuid, hotkey, uid);
        Keys::<T>::insert(netuid, uid, hotkey);
        BlockAtRegistration::<T>::insert(netuid, uid, now);
        IsNetworkMember::<T>::insert(hotkey, netuid, true);
        for index in Self::mechanism_indices(netuid) {
            LastUpdate::<T>::mutate(index, |all| put(all, usize::from(uid), now));
        }
    }
}

/// Sets `all[place]`; the vectors are as long as there are neurons.
fn put<V>(all: &mut [V], place: usize, value: V) {
    if let Some(slot) = all.get_mut(place) {
        *slot = value;
    }
}
