//! Several incentive mechanisms in one subnet: each has weights, bonds and incentives of its own, and
//! a part of the emission. What a neuron has once, such as its dividends, is the parts' average.

use super::{
    Bonds, Config, Error, Incentive, LastUpdate, MaxAllowedUids, MaxMechanismCount,
    MechanismCountCurrent, MechanismEmissionSplit, Pallet, SubnetworkN, TimelockedWeightCommits,
    WeightCommits, Weights, types::mul_div, yuma,
};
use frame_support::{dispatch::DispatchResult, ensure};

/// Storage indices of a subnet's mechanisms lie this far apart.
const STRIDE: u16 = 4096;
/// Most neurons of a subnet, over all mechanisms.
const MAX_UIDS: u16 = 256;
/// The whole of an emission split.
const WHOLE: u32 = 65_535;

/// The index under which a mechanism's weights are stored.
pub(super) fn storage_index(netuid: u16, mechanism: u8) -> u16 {
    netuid.saturating_add(STRIDE.saturating_mul(mechanism.into()))
}

impl<T: Config> Pallet<T> {
    /// A subnet's mechanisms.
    pub(super) fn mechanisms(netuid: u16) -> core::ops::Range<u8> {
        0..MechanismCountCurrent::<T>::get(netuid).max(1)
    }

    /// The storage indices of a subnet's mechanisms.
    pub(super) fn mechanism_indices(netuid: u16) -> impl Iterator<Item = u16> {
        Self::mechanisms(netuid).map(move |mechanism| storage_index(netuid, mechanism))
    }

    /// Sets how many mechanisms a subnet has; what those that go had is forgotten.
    ///
    /// # Errors
    /// None, more than may be, or more than the neurons leave room for.
    pub fn set_mechanism_count(netuid: u16, count: u8) -> DispatchResult {
        let within = (1..=MaxMechanismCount::<T>::get()).contains(&count);
        ensure!(within, Error::<T>::InvalidValue);
        Self::ensure_room(MaxAllowedUids::<T>::get(netuid), count)?;
        let before = Self::mechanisms(netuid).end;
        let n = usize::from(SubnetworkN::<T>::get(netuid));
        for index in (before..count).map(|mechanism| storage_index(netuid, mechanism)) {
            Incentive::<T>::insert(index, vec![0; n]);
            LastUpdate::<T>::insert(index, vec![0; n]);
        }
        for index in (count..before).map(|mechanism| storage_index(netuid, mechanism)) {
            Incentive::<T>::remove(index);
            LastUpdate::<T>::remove(index);
            let _ = Weights::<T>::clear_prefix(index, u32::MAX, None);
            let _ = Bonds::<T>::clear_prefix(index, u32::MAX, None);
            let _ = WeightCommits::<T>::clear_prefix(index, u32::MAX, None);
            let _ = TimelockedWeightCommits::<T>::clear_prefix(index, u32::MAX, None);
        }
        if count != before {
            MechanismEmissionSplit::<T>::remove(netuid);
        }
        MechanismCountCurrent::<T>::insert(netuid, count);
        Ok(())
    }

    /// Passes neurons that leave room for so many mechanisms.
    fn ensure_room(uids: u16, mechanisms: u8) -> DispatchResult {
        let all = uids.saturating_mul(mechanisms.into());
        ensure!(all <= MAX_UIDS, Error::<T>::TooManyUIDsPerMechanism);
        Ok(())
    }

    /// Passes a number of neurons that all mechanisms of the subnet have room for.
    ///
    /// # Errors
    /// If they have none.
    pub fn ensure_uids_fit(netuid: u16, uids: u16) -> DispatchResult {
        Self::ensure_room(uids, Self::mechanisms(netuid).end)
    }

    /// Sets the mechanisms' parts of the emission; those that are not named get none.
    ///
    /// # Errors
    /// If there are more than mechanisms, or they are not the whole.
    pub fn set_emission_split(netuid: u16, split: Option<Vec<u16>>) -> DispatchResult {
        let Some(split) = split else {
            MechanismEmissionSplit::<T>::remove(netuid);
            return Ok(());
        };
        let count = usize::from(Self::mechanisms(netuid).end);
        ensure!((1..=count).contains(&split.len()), Error::<T>::InvalidValue);
        let whole = split.iter().map(|part| u32::from(*part)).sum::<u32>() == WHOLE;
        ensure!(whole, Error::<T>::InvalidValue);
        MechanismEmissionSplit::<T>::insert(netuid, split);
        Ok(())
    }

    /// Each mechanism's part of an emission. What does not divide is the first one's.
    pub(super) fn split_emission(netuid: u16, emission: u64) -> Vec<u64> {
        let count = u64::from(Self::mechanisms(netuid).end);
        let mut parts: Vec<u64> = match MechanismEmissionSplit::<T>::get(netuid) {
            Some(split) => split
                .into_iter()
                .map(|part| mul_div(emission.into(), part.into(), WHOLE.into()) as u64)
                .collect(),
            None => (0..count).map(|_| emission / count).collect(),
        };
        parts.resize(count as usize, 0);
        let divided: u64 = parts.iter().sum();
        parts[0] = parts[0].saturating_add(emission.saturating_sub(divided));
        parts
    }
}

/// What the mechanisms' epochs give a neuron together; each with its part of the emission.
pub(super) fn merge(mut outputs: Vec<(u64, yuma::Output)>) -> yuma::Output {
    if outputs.len() == 1 {
        return outputs.remove(0).1;
    }
    let emitted: u64 = outputs.iter().map(|(part, _)| part).sum();
    let average = |of: fn(&yuma::Output) -> &Vec<u16>, uid: usize| {
        let weighted = outputs.iter().map(|(part, output)| {
            // Without emission all count alike.
            let weight = if emitted == 0 { 1 } else { *part };
            u128::from(of(output)[uid]) * u128::from(weight)
        });
        let weights = if emitted == 0 { outputs.len() as u128 } else { emitted.into() };
        (weighted.sum::<u128>() / weights) as u16
    };
    let n = outputs[0].1.active.len();
    let averages = |of| (0..n).map(|uid| average(of, uid)).collect();
    let any = |of: fn(&yuma::Output) -> &Vec<bool>| {
        (0..n).map(|uid| outputs.iter().any(|(_, output)| of(output)[uid])).collect()
    };
    let sums = |of: fn(&yuma::Output) -> &Vec<u64>| {
        let sum = |uid: usize| {
            outputs.iter().fold(0, |sum: u64, (_, output)| sum.saturating_add(of(output)[uid]))
        };
        (0..n).map(sum).collect()
    };
    yuma::Output {
        active: any(|output| &output.active),
        stake_weight: averages(|output| &output.stake_weight),
        consensus: averages(|output| &output.consensus),
        incentive: averages(|output| &output.incentive),
        dividends: averages(|output| &output.dividends),
        validator_trust: averages(|output| &output.validator_trust),
        permits: any(|output| &output.permits),
        bonds: Vec::new(),
        server_emission: sums(|output| &output.server_emission),
        validator_emission: sums(|output| &output.validator_emission),
        emission: sums(|output| &output.emission),
    }
}
