//! What clients read of neurons.

use super::{compact_pairs, entry};
use crate::pallets::subtensor::{
    Active, Axons, Bonds, Config, Consensus, Dividends, Emission, Incentive, Keys, LastUpdate,
    NeuronInfo, NeuronInfoLite, Owner, Pallet, Prometheus, SubnetworkN, ValidatorPermit,
    ValidatorTrust, Weights,
};
use codec::Compact;

impl<T: Config> Pallet<T> {
    /// All neurons of a subnet by uid, without weights and bonds.
    pub fn neurons(netuid: u16) -> Vec<NeuronInfoLite<T::AccountId>> {
        (0..SubnetworkN::<T>::get(netuid)).filter_map(|uid| Self::neuron(netuid, uid)).collect()
    }

    /// One neuron, without weights and bonds.
    pub fn neuron(netuid: u16, uid: u16) -> Option<NeuronInfoLite<T::AccountId>> {
        let hotkey = Keys::<T>::try_get(netuid, uid).ok()?;
        let coldkey = Owner::<T>::get(&hotkey);
        let stake = Self::stake_of(&hotkey, netuid);
        Some(NeuronInfoLite {
            stake: vec![(coldkey.clone(), Compact(stake))],
            coldkey,
            uid: Compact(uid),
            netuid: Compact(netuid),
            active: entry(&Active::<T>::get(netuid), uid),
            axon_info: Axons::<T>::get(netuid, &hotkey).unwrap_or_default(),
            prometheus_info: Prometheus::<T>::get(netuid, &hotkey).unwrap_or_default(),
            rank: Compact(0),
            emission: Compact(entry(&Emission::<T>::get(netuid), uid)),
            incentive: Compact(entry(&Incentive::<T>::get(netuid), uid)),
            consensus: Compact(entry(&Consensus::<T>::get(netuid), uid)),
            trust: Compact(0),
            validator_trust: Compact(entry(&ValidatorTrust::<T>::get(netuid), uid)),
            dividends: Compact(entry(&Dividends::<T>::get(netuid), uid)),
            last_update: Compact(entry(&LastUpdate::<T>::get(netuid), uid)),
            validator_permit: entry(&ValidatorPermit::<T>::get(netuid), uid),
            pruning_score: Compact(u16::MAX),
            hotkey,
        })
    }

    /// All neurons of a subnet by uid.
    pub fn full_neurons(netuid: u16) -> Vec<NeuronInfo<T::AccountId>> {
        (0..SubnetworkN::<T>::get(netuid))
            .filter_map(|uid| Self::full_neuron(netuid, uid))
            .collect()
    }

    /// One neuron.
    pub fn full_neuron(netuid: u16, uid: u16) -> Option<NeuronInfo<T::AccountId>> {
        let lite = Self::neuron(netuid, uid)?;
        Some(NeuronInfo {
            hotkey: lite.hotkey,
            coldkey: lite.coldkey,
            uid: lite.uid,
            netuid: lite.netuid,
            active: lite.active,
            axon_info: lite.axon_info,
            prometheus_info: lite.prometheus_info,
            stake: lite.stake,
            rank: lite.rank,
            emission: lite.emission,
            incentive: lite.incentive,
            consensus: lite.consensus,
            trust: lite.trust,
            validator_trust: lite.validator_trust,
            dividends: lite.dividends,
            last_update: lite.last_update,
            validator_permit: lite.validator_permit,
            weights: compact_pairs(Weights::<T>::get(netuid, uid)),
            bonds: compact_pairs(Bonds::<T>::get(netuid, uid)),
            pruning_score: lite.pruning_score,
        })
    }
}
