//! One subnet's epoch: for each mechanism, reads [`yuma`]'s input from storage and stores its output.

use super::{
    Active, ActivityCutoffFactorMilli, AlphaSigmoidSteepness, AlphaValues, BlockAtRegistration,
    Bonds, BondsMovingAverage, BondsPenalty, Config, Consensus, Dividends, Emission, Event,
    Incentive, Kappa, Keys, LastMechansimStepBlock, LastUpdate, LiquidAlphaOn,
    MaxAllowedValidators, Pallet, StakeThreshold, StakeWeight, SubnetworkN, Tempo, ValidatorPermit,
    ValidatorTrust, Weights, Yuma3On,
    mechanisms::{merge, storage_index},
    yuma,
};
use substrate_fixed::types::I64F64;

/// What an epoch gives one neuron, in rao of alpha.
pub(super) struct Earned<AccountId> {
    pub(super) hotkey: AccountId,
    pub(super) incentive: u64,
    pub(super) dividend: u64,
}

impl<T: Config> Pallet<T> {
    /// Runs Yuma Consensus over `emission` and stores its shares.
    pub(super) fn run_epoch(netuid: u16, emission: u64) -> Vec<Earned<T::AccountId>> {
        let mut outputs = Vec::new();
        for (mechanism, part) in (0..).zip(Self::split_emission(netuid, emission)) {
            let index = storage_index(netuid, mechanism);
            let input = Self::epoch_input(netuid, index, part);
            let output = yuma::run(&input);
            Incentive::<T>::insert(index, &output.incentive);
            // Most neurons have none, before and after.
            let bonds = output.bonds.iter().zip(&input.neurons);
            for (uid, (bonds, neuron)) in (0..).zip(bonds) {
                if *bonds != neuron.bonds {
                    Bonds::<T>::insert(index, uid, bonds);
                }
            }
            let emissions = output.server_emission.clone();
            Self::deposit_event(Event::IncentiveAlphaEmittedToMiners { netuid: index, emissions });
            outputs.push((part, output));
        }
        let output = merge(outputs);
        Active::<T>::insert(netuid, &output.active);
        StakeWeight::<T>::insert(netuid, &output.stake_weight);
        Consensus::<T>::insert(netuid, &output.consensus);
        Dividends::<T>::insert(netuid, &output.dividends);
        ValidatorTrust::<T>::insert(netuid, &output.validator_trust);
        ValidatorPermit::<T>::insert(netuid, &output.permits);
        Emission::<T>::insert(netuid, &output.emission);
        (0..)
            .zip(output.server_emission.iter().zip(&output.validator_emission))
            .map(|(uid, (incentive, dividend))| Earned {
                hotkey: Keys::<T>::get(netuid, uid),
                incentive: *incentive,
                dividend: *dividend,
            })
            .collect()
    }

    fn epoch_input(netuid: u16, index: u16, emission: u64) -> yuma::Input {
        let tempo = u64::from(Tempo::<T>::get(netuid));
        let params = yuma::Params {
            kappa: Kappa::<T>::get(netuid),
            bonds_penalty: BondsPenalty::<T>::get(netuid),
            bonds_moving_average: BondsMovingAverage::<T>::get(netuid),
            yuma3: Yuma3On::<T>::get(netuid),
            liquid_alpha: LiquidAlphaOn::<T>::get(netuid),
            alpha_values: AlphaValues::<T>::get(netuid),
            alpha_steepness: AlphaSigmoidSteepness::<T>::get(netuid),
            max_validators: MaxAllowedValidators::<T>::get(netuid),
            stake_threshold: StakeThreshold::<T>::get(),
            activity_cutoff: Self::activity_cutoff(netuid),
            tempo,
        };
        let last_update = LastUpdate::<T>::get(index);
        let timelocked = Self::timelocked_blocks(index);
        let permits = ValidatorPermit::<T>::get(netuid);
        let lending = Self::is_lending();
        let neurons = (0..SubnetworkN::<T>::get(netuid))
            .map(|uid| {
                let hotkey = Keys::<T>::get(netuid, uid);
                let stake = if lending {
                    Self::validating_stake(&hotkey, netuid)
                } else {
                    Self::stake_of(&hotkey, netuid)
                };
                yuma::Neuron {
                    last_update: last_update.get(usize::from(uid)).copied().unwrap_or(0),
                    registered_at: BlockAtRegistration::<T>::get(netuid, uid),
                    stake: I64F64::saturating_from_num(stake),
                    permit: permits.get(usize::from(uid)).copied().unwrap_or(false),
                    weights: Weights::<T>::get(index, uid),
                    bonds: Bonds::<T>::get(index, uid),
                    commit_block: Self::first_commit_block(netuid, index, &hotkey, &timelocked),
                }
            })
            .collect();
        yuma::Input {
            params,
            block: Self::now(),
            last_step: LastMechansimStepBlock::<T>::get(netuid),
            owner: Self::owner_uid(netuid),
            neurons,
            emission,
        }
    }

    /// Blocks after its last update for which a neuron counts as active.
    pub(super) fn activity_cutoff(netuid: u16) -> u64 {
        let factor = u64::from(ActivityCutoffFactorMilli::<T>::get(netuid));
        (factor.saturating_mul(Tempo::<T>::get(netuid).into()) / 1000).max(1)
    }
}
