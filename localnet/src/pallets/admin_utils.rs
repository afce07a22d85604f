//! `AdminUtils`: hyperparameters, set by root or by a subnet's owner.
//!
//! Calls, indices, arguments and who may call are the real chain's. Owners are held off shortly before
//! an epoch; the real chain's limit on how often an owner may call is left out. Nearly all calls are
//! alike, so they are a table.

pub use pallet::*;

/// Makes the pallet of a table: call index, who may call, the call and its argument, what it is stored
/// in, the event it is told by, and what else must hold.
macro_rules! parameters {
    (
        of_subnets { $(
            $(#[$doc:meta])*
            $index:literal $who:ident $call:ident($argument:ident: $value:ty) => $storage:ident
            $([$event:ident])? $({$named:ident})? $(if $check:ident)?;
        )* }
        of_the_chain { $(
            $(#[$chain_doc:meta])*
            $chain_index:literal $chain_call:ident($chain_argument:ident: $chain_value:ty)
            => $chain_storage:ident $([$chain_event:ident])?;
        )* }
        others { $($others:tt)* }
    ) => {
        #[frame_support::pallet]
        pub mod pallet {
            use crate::pallets::subtensor::{self, Event, Pallet as Subtensor, *};
            use frame_support::pallet_prelude::*;
            use frame_system::pallet_prelude::*;
            use substrate_fixed::types::U64F64;

            #[pallet::config]
            pub trait Config: frame_system::Config + subtensor::Config {}

            #[pallet::pallet]
            pub struct Pallet<T>(_);

            #[pallet::error]
            pub enum Error<T> {
                /// No such subnet.
                #[codec(index = 0)]
                SubnetDoesNotExist,
                /// Fewer validators than one, or more than neurons.
                #[codec(index = 1)]
                MaxValidatorsLargerThanMaxUIds,
                /// Fewer uids than there are neurons.
                #[codec(index = 2)]
                MaxAllowedUIdsLessThanCurrentUIds,
                /// The bonds' moving average is above a million.
                #[codec(index = 3)]
                BondsMovingAverageMaxReached,
                /// More neurons than a subnet may ever have.
                #[codec(index = 9)]
                MaxAllowedUidsGreaterThanDefaultMaxAllowedUids,
                /// The value is out of range.
                #[codec(index = 10)]
                InvalidValue,
            }

            #[pallet::call]
            impl<T: Config> Pallet<T> {
                $(
                    $(#[$doc])*
                    #[pallet::call_index($index)]
                    #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
                    pub fn $call(
                        origin: OriginFor<T>,
                        netuid: u16,
                        $argument: $value,
                    ) -> DispatchResult {
                        Self::$who(origin, netuid)?;
                        $(Self::$check(netuid, $argument)?;)?
                        $storage::<T>::insert(netuid, $argument);
                        $(Subtensor::<T>::deposit_event(Event::$event(netuid, $argument));)?
                        $(Subtensor::<T>::deposit_event(Event::$named { netuid, $argument });)?
                        Ok(())
                    }
                )*
                $(
                    $(#[$chain_doc])*
                    #[pallet::call_index($chain_index)]
                    #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
                    pub fn $chain_call(
                        origin: OriginFor<T>,
                        $chain_argument: $chain_value,
                    ) -> DispatchResult {
                        ensure_root(origin)?;
                        $chain_storage::<T>::put($chain_argument);
                        $(Subtensor::<T>::deposit_event(Event::$chain_event($chain_argument));)?
                        Ok(())
                    }
                )*
                $($others)*
            }
        }
    };
}

parameters! {
    of_subnets {
        /// Sets the blocks between two axons of a neuron.
        3 owner sudo_set_serving_rate_limit(serving_rate_limit: u64)
            => ServingRateLimit [ServingRateLimitSet];
        /// Sets the least difficulty. Without effect.
        4 root sudo_set_min_difficulty(min_difficulty: u64) => MinDifficulty [MinDifficultySet];
        /// Sets the greatest difficulty. Without effect.
        5 owner sudo_set_max_difficulty(max_difficulty: u64) => MaxDifficulty [MaxDifficultySet];
        /// Sets the least version key of weights.
        6 owner sudo_set_weights_version_key(weights_version_key: u64)
            => WeightsVersionKey [WeightsVersionKeySet];
        /// Sets the blocks between two weight settings of a neuron.
        7 root sudo_set_weights_set_rate_limit(weights_set_rate_limit: u64)
            => WeightsSetRateLimit [WeightsSetRateLimitSet];
        /// Sets the blocks between two adjustments of the difficulty. Without effect.
        8 root sudo_set_adjustment_interval(adjustment_interval: u16)
            => AdjustmentInterval [AdjustmentIntervalSet];
        /// Sets how fast the difficulty is adjusted. Without effect.
        9 owner sudo_set_adjustment_alpha(adjustment_alpha: u64)
            => AdjustmentAlpha [AdjustmentAlphaSet];
        /// Sets the blocks for which a new neuron is not pruned.
        13 owner sudo_set_immunity_period(immunity_period: u16)
            => ImmunityPeriod [ImmunityPeriodSet];
        /// Sets the least count of weights.
        14 owner sudo_set_min_allowed_weights(min_allowed_weights: u16)
            => MinAllowedWeights [MinAllowedWeightSet];
        /// Sets the most neurons, between those there are and 256 of all mechanisms.
        15 owner sudo_set_max_allowed_uids(max_allowed_uids: u16)
            => MaxAllowedUids [MaxAllowedUidsSet] if ensure_uids_fit;
        /// Sets the share of stake that defines the consensus, of 65535.
        16 root sudo_set_kappa(kappa: u16) => Kappa [KappaSet];
        /// Sets rho.
        17 owner sudo_set_rho(rho: u16) => Rho [RhoSet];
        /// Sets the blocks after which a neuron counts as inactive. The factor has taken its place.
        18 owner sudo_set_activity_cutoff(activity_cutoff: u16)
            => ActivityCutoff [ActivityCutoffSet];
        /// Sets whether neurons may register.
        19 root sudo_set_network_registration_allowed(registration_allowed: bool)
            => NetworkRegistrationAllowed [RegistrationAllowed];
        /// Sets whether neurons may register by work.
        20 owner sudo_set_network_pow_registration_allowed(registration_allowed: bool)
            => NetworkPowRegistrationAllowed [PowRegistrationAllowed];
        /// Sets how many registrations an interval is to have. Without effect.
        21 root sudo_set_target_registrations_per_interval(target_registrations_per_interval: u16)
            => TargetRegistrationsPerInterval [RegistrationPerIntervalSet];
        /// Sets the least price of a registration, in rao.
        22 owner sudo_set_min_burn(min_burn: u64) => MinBurn [MinBurnSet] if ensure_least_burn;
        /// Sets the greatest price of a registration, in rao.
        23 owner sudo_set_max_burn(max_burn: u64) => MaxBurn [MaxBurnSet] if ensure_most_burn;
        /// Sets how many seals are tried on average until one registers.
        24 root sudo_set_difficulty(difficulty: u64) => Difficulty [DifficultySet];
        /// Sets the most validator permits.
        25 root sudo_set_max_allowed_validators(max_allowed_validators: u16)
            => MaxAllowedValidators [MaxAllowedValidatorsSet] if ensure_validators_fit;
        /// Sets the share of old bonds kept per epoch, in millionths.
        26 owner sudo_set_bonds_moving_average(bonds_moving_average: u64)
            => BondsMovingAverage [BondsMovingAverageSet] if ensure_millionths;
        /// Sets the most registrations of a block, on the root.
        27 root sudo_set_max_registrations_per_block(max_registrations_per_block: u16)
            => MaxRegistrationsPerBlock [MaxRegistrationsPerBlockSet];
        /// Sets the blocks in an epoch.
        30 root sudo_set_tempo(tempo: u16) => Tempo [TempoSet];
        /// Sets whether weights must be committed before they are shown.
        49 owner sudo_set_commit_reveal_weights_enabled(enabled: bool)
            => CommitRevealWeightsEnabled [CommitRevealEnabled];
        /// Sets whether the bonds' rate varies.
        50 owner sudo_set_liquid_alpha_enabled(enabled: bool) => LiquidAlphaOn;
        /// Sets the epochs from a commit to its reveal.
        57 owner sudo_set_commit_reveal_weights_interval(interval: u64)
            => RevealPeriodEpochs [CommitRevealPeriodsSet] if ensure_reveal_period;
        /// Sets how far bonds follow clipped weights, of 65535.
        60 owner sudo_set_bonds_penalty(bonds_penalty: u16) => BondsPenalty [BondsPenaltySet];
        /// Sets whether stake may be given to another coldkey.
        61 owner sudo_set_toggle_transfer(toggle: bool) => TransferToggle [TransferToggle];
        /// Sets whether alpha may be bought and sold.
        66 root sudo_set_subtoken_enabled(subtoken_enabled: bool) => SubtokenEnabled;
        /// Sets the steepness of liquid alpha's sigmoid, in hundredths.
        68 owner sudo_set_alpha_sigmoid_steepness(steepness: i16)
            => AlphaSigmoidSteepness [AlphaSigmoidSteepnessSet];
        /// Sets whether the Yuma 3 rules apply.
        69 owner sudo_set_yuma3_enabled(enabled: bool) => Yuma3On;
        /// Sets whether a commitment may reset bonds. Without effect.
        70 owner sudo_set_bonds_reset_enabled(enabled: bool) => BondsResetOn [BondsResetOnSet];
        /// Sets how many of the owner's neurons are never pruned.
        72 owner sudo_set_owner_immune_neuron_limit(immune_neurons: u16) => ImmuneOwnerUidsLimit;
        /// Sets the least that a subnet's `max_allowed_uids` may be. Without effect.
        79 root sudo_set_min_allowed_uids(min_allowed_uids: u16)
            => MinAllowedUids [MinAllowedUidsSet];
        /// Sets how many neurons outside immunity pruning leaves.
        84 root sudo_set_min_non_immune_uids(min: u16) => MinNonImmuneUids [MinNonImmuneUidsSet];
        /// Sets the blocks in which the price of a registration halves.
        89 owner sudo_set_burn_half_life(burn_half_life: u16) => BurnHalfLife {BurnHalfLifeSet};
        /// Sets the factor by which a registration raises the price.
        90 owner sudo_set_burn_increase_mult(burn_increase_mult: U64F64)
            => BurnIncreaseMult {BurnIncreaseMultSet};
        /// Sets whether the owner gets a cut of the emission.
        92 owner sudo_set_owner_cut_enabled(enabled: bool) => OwnerCutEnabled;
        /// Sets the least share that a child keeps, of 65535.
        93 owner sudo_set_min_childkey_take_per_subnet(take: u16)
            => MinChildkeyTakePerSubnet [MinChildKeyTakePerSubnetSet] if ensure_take;
        /// Sets whether the subnet takes part in the TAO emission.
        94 root sudo_set_subnet_emission_enabled(enabled: bool) => SubnetEmissionEnabled;
    }
    of_the_chain {
        /// Sets the blocks between two changes of a key.
        2 sudo_set_tx_rate_limit(tx_rate_limit: u64) => TxRateLimit [TxRateLimitSet];
        /// Sets the owner's cut of a subnet's alpha, of 65535.
        28 sudo_set_subnet_owner_cut(subnet_owner_cut: u16) => SubnetOwnerCut [SubnetOwnerCutSet];
        /// Sets the blocks between two new subnets.
        29 sudo_set_network_rate_limit(rate_limit: u64) => NetworkRateLimit [NetworkRateLimitSet];
        /// Sets the blocks in which a new subnet is not pruned. Without effect.
        35 sudo_set_network_immunity_period(immunity_period: u64)
            => NetworkImmunityPeriod [NetworkImmunityPeriodSet];
        /// Sets the least cost of a new subnet, in rao.
        36 sudo_set_network_min_lock_cost(lock_cost: u64)
            => NetworkMinLockCost [NetworkMinLockCostSet];
        /// Sets the most subnets.
        37 sudo_set_subnet_limit(max_subnets: u16) => SubnetLimit [SubnetLimitSet];
        /// Sets the blocks in which a subnet's cost falls by the last one's.
        38 sudo_set_lock_reduction_interval(interval: u64)
            => NetworkLockReductionInterval [NetworkLockCostReductionIntervalSet];
        /// Sets the least stake with which to set weights, in rao.
        42 sudo_set_stake_threshold(min_stake: u64) => StakeThreshold [StakeThresholdSet];
        /// Sets the blocks between two increases of a delegate's take.
        45 sudo_set_tx_delegate_take_rate_limit(tx_rate_limit: u64)
            => TxDelegateTakeRateLimit [TxDelegateTakeRateLimitSet];
        /// Sets the least take of a delegate, of 65535.
        46 sudo_set_min_delegate_take(take: u16) => MinDelegateTake [MinDelegateTakeSet];
        /// Sets the version of commit-reveal.
        71 sudo_set_commit_reveal_version(version: u16)
            => CommitRevealWeightsVersion [CommitRevealVersionSet];
        /// Sets the blocks before an epoch in which owners may change nothing.
        74 sudo_set_admin_freeze_window(window: u16) => AdminFreezeWindow [AdminFreezeWindowSet];
        /// Sets the epochs between two changes by an owner. Without effect.
        75 sudo_set_owner_hparam_rate_limit(epochs: u16)
            => OwnerHyperparamRateLimit [OwnerHyperparamRateLimitSet];
        /// Sets the blocks from a subnet's registration until it may start.
        85 sudo_set_start_call_delay(delay: u64) => StartCallDelay [StartCallDelaySet];
        /// Sets the most mechanisms of a subnet.
        88 sudo_set_max_mechanism_count(max_mechanism_count: u8) => MaxMechanismCount;
        /// Sets the most epochs of a block.
        96 sudo_set_max_epochs_per_block(max_epochs_per_block: u8)
            => MaxEpochsPerBlock [MaxEpochsPerBlockSet];
    }
    others {
        /// Sets the least and greatest rate of bonds under liquid alpha, of 65535.
        #[pallet::call_index(51)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_alpha_values(
            origin: OriginFor<T>,
            netuid: u16,
            alpha_low: u16,
            alpha_high: u16,
        ) -> DispatchResult {
            Self::owner(origin, netuid)?;
            Subtensor::<T>::set_alpha_values(netuid, alpha_low, alpha_high)
        }

        /// Sets the owner's hotkey, which has rights of its own.
        #[pallet::call_index(67)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_sn_owner_hotkey(
            origin: OriginFor<T>,
            netuid: u16,
            hotkey: T::AccountId,
        ) -> DispatchResult {
            Self::owner(origin, netuid)?;
            SubnetOwnerHotkey::<T>::insert(netuid, &hotkey);
            Subtensor::<T>::deposit_event(Event::SubnetOwnerHotkeySet(netuid, hotkey));
            Ok(())
        }

        /// Sets how many mechanisms a subnet has.
        #[pallet::call_index(76)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_mechanism_count(
            origin: OriginFor<T>,
            netuid: u16,
            mechanism_count: u8,
        ) -> DispatchResult {
            Self::owner(origin, netuid)?;
            Subtensor::<T>::set_mechanism_count(netuid, mechanism_count)
        }

        /// Sets the mechanisms' parts of the emission, of 65535 in all; none for equal parts.
        #[pallet::call_index(77)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_mechanism_emission_split(
            origin: OriginFor<T>,
            netuid: u16,
            maybe_split: Option<Vec<u16>>,
        ) -> DispatchResult {
            Self::owner(origin, netuid)?;
            Subtensor::<T>::set_emission_split(netuid, maybe_split)
        }

        /// Sets the activity cutoff's factor, in thousandths of a tempo.
        #[pallet::call_index(97)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_activity_cutoff_factor(
            origin: OriginFor<T>,
            netuid: u16,
            factor_milli: u32,
        ) -> DispatchResult {
            Self::owner(origin, netuid)?;
            Subtensor::<T>::set_cutoff_factor(netuid, factor_milli)
        }
    }
}

/// Who may call, and bounds.
mod checks {
    use super::{Config, Error, Pallet};
    use crate::pallets::subtensor::{
        self, MaxAllowedUids, MaxBurn, MaxChildkeyTake, MinBurn, NetworksAdded,
        Pallet as Subtensor, SubnetworkN,
    };
    use frame_support::{dispatch::DispatchResult, ensure};
    use frame_system::{ensure_root, pallet_prelude::OriginFor};

    /// Most neurons of a subnet.
    const MAX_UIDS: u16 = 256;
    /// Most epochs from a commit to its reveal.
    const MAX_REVEAL_PERIOD: u64 = 100;

    impl<T: Config> Pallet<T> {
        pub(super) fn root(origin: OriginFor<T>, netuid: u16) -> DispatchResult {
            ensure_root(origin)?;
            Self::ensure_exists(netuid)
        }

        pub(super) fn owner(origin: OriginFor<T>, netuid: u16) -> DispatchResult {
            Subtensor::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)
        }

        fn ensure_exists(netuid: u16) -> DispatchResult {
            ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetDoesNotExist);
            Ok(())
        }

        pub(super) fn ensure_uids_fit(netuid: u16, uids: u16) -> DispatchResult {
            let fits = uids >= SubnetworkN::<T>::get(netuid);
            ensure!(fits, Error::<T>::MaxAllowedUIdsLessThanCurrentUIds);
            let greatest = Error::<T>::MaxAllowedUidsGreaterThanDefaultMaxAllowedUids;
            ensure!(uids <= MAX_UIDS, greatest);
            Subtensor::<T>::ensure_uids_fit(netuid, uids)
        }

        pub(super) fn ensure_least_burn(netuid: u16, rao: u64) -> DispatchResult {
            ensure!(rao <= MaxBurn::<T>::get(netuid), Error::<T>::InvalidValue);
            Ok(())
        }

        pub(super) fn ensure_most_burn(netuid: u16, rao: u64) -> DispatchResult {
            ensure!(rao >= MinBurn::<T>::get(netuid), Error::<T>::InvalidValue);
            Ok(())
        }

        pub(super) fn ensure_validators_fit(netuid: u16, validators: u16) -> DispatchResult {
            let fits = validators <= MaxAllowedUids::<T>::get(netuid);
            ensure!(fits, Error::<T>::MaxValidatorsLargerThanMaxUIds);
            Ok(())
        }

        pub(super) fn ensure_millionths(_: u16, millionths: u64) -> DispatchResult {
            ensure!(millionths <= 1_000_000, Error::<T>::BondsMovingAverageMaxReached);
            Ok(())
        }

        pub(super) fn ensure_reveal_period(_: u16, epochs: u64) -> DispatchResult {
            ensure!(epochs > 0, subtensor::Error::<T>::RevealPeriodTooSmall);
            ensure!(epochs <= MAX_REVEAL_PERIOD, subtensor::Error::<T>::RevealPeriodTooLarge);
            Ok(())
        }

        pub(super) fn ensure_take(_: u16, take: u16) -> DispatchResult {
            ensure!(take <= MaxChildkeyTake::<T>::get(), Error::<T>::InvalidValue);
            Ok(())
        }
    }
}
