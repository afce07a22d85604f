//! `AdminUtils`: hyperparameters, set by root or by a subnet's owner.
//!
//! Calls, indices and who may call are the real chain's. Owners are held off shortly before an
//! epoch; the real chain's limit on how often an owner may call is left out. FRAME wants all calls
//! of a pallet in one block, so this file is long.

pub use pallet::*;

#[frame_support::pallet]
pub mod pallet {
    use crate::pallets::subtensor::{
        self, AdminFreezeWindow, AlphaSigmoidSteepness, AlphaValues, BondsMovingAverage,
        BondsPenalty, BurnHalfLife, CommitRevealWeightsEnabled, ImmunityPeriod, Kappa,
        LiquidAlphaOn, MaxAllowedUids, MaxAllowedValidators, MaxBurn, MinAllowedWeights, MinBurn,
        NetworkLockReductionInterval, NetworkMinLockCost, NetworkRateLimit,
        NetworkRegistrationAllowed, NetworksAdded, Rho, ServingRateLimit, StakeThreshold,
        StartCallDelay, SubnetEmissionEnabled, SubnetworkN, SubtokenEnabled, Tempo, TxRateLimit,
        WeightsSetRateLimit, WeightsVersionKey, Yuma3On,
    };
    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;

    /// Most neurons of a subnet.
    const MAX_UIDS: u16 = 256;
    /// Least value of liquid alpha's bounds.
    const MIN_ALPHA: u16 = 1638;

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
        /// The value is out of range.
        #[codec(index = 11)]
        InvalidValue,
    }

    impl<T: Config> Pallet<T> {
        fn ensure_exists(netuid: u16) -> DispatchResult {
            ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetDoesNotExist);
            Ok(())
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Sets the blocks between two changes of a key.
        #[pallet::call_index(2)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_tx_rate_limit(origin: OriginFor<T>, tx_rate_limit: u64) -> DispatchResult {
            ensure_root(origin)?;
            TxRateLimit::<T>::put(tx_rate_limit);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::TxRateLimitSet(tx_rate_limit));
            Ok(())
        }

        /// Sets the blocks between two axons of a neuron.
        #[pallet::call_index(3)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_serving_rate_limit(
            origin: OriginFor<T>,
            netuid: u16,
            serving_rate_limit: u64,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)?;
            ServingRateLimit::<T>::insert(netuid, serving_rate_limit);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::ServingRateLimitSet(
                netuid,
                serving_rate_limit,
            ));
            Ok(())
        }

        /// Sets the least version key of weights.
        #[pallet::call_index(6)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_weights_version_key(
            origin: OriginFor<T>,
            netuid: u16,
            weights_version_key: u64,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)?;
            WeightsVersionKey::<T>::insert(netuid, weights_version_key);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::WeightsVersionKeySet(
                netuid,
                weights_version_key,
            ));
            Ok(())
        }

        /// Sets the blocks between two weight settings of a neuron.
        #[pallet::call_index(7)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_weights_set_rate_limit(
            origin: OriginFor<T>,
            netuid: u16,
            weights_set_rate_limit: u64,
        ) -> DispatchResult {
            ensure_root(origin)?;
            Self::ensure_exists(netuid)?;
            WeightsSetRateLimit::<T>::insert(netuid, weights_set_rate_limit);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::WeightsSetRateLimitSet(
                netuid,
                weights_set_rate_limit,
            ));
            Ok(())
        }

        /// Sets the blocks for which a new neuron is not pruned.
        #[pallet::call_index(13)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_immunity_period(
            origin: OriginFor<T>,
            netuid: u16,
            immunity_period: u16,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)?;
            ImmunityPeriod::<T>::insert(netuid, immunity_period);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::ImmunityPeriodSet(
                netuid,
                immunity_period,
            ));
            Ok(())
        }

        /// Sets the least count of weights.
        #[pallet::call_index(14)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_min_allowed_weights(
            origin: OriginFor<T>,
            netuid: u16,
            min_allowed_weights: u16,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)?;
            MinAllowedWeights::<T>::insert(netuid, min_allowed_weights);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::MinAllowedWeightSet(
                netuid,
                min_allowed_weights,
            ));
            Ok(())
        }

        /// Sets the most neurons, between those there are and 256.
        #[pallet::call_index(15)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_max_allowed_uids(
            origin: OriginFor<T>,
            netuid: u16,
            max_allowed_uids: u16,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)?;
            let fits = max_allowed_uids >= SubnetworkN::<T>::get(netuid);
            ensure!(fits, Error::<T>::MaxAllowedUIdsLessThanCurrentUIds);
            ensure!(max_allowed_uids <= MAX_UIDS, Error::<T>::InvalidValue);
            MaxAllowedUids::<T>::insert(netuid, max_allowed_uids);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::MaxAllowedUidsSet(
                netuid,
                max_allowed_uids,
            ));
            Ok(())
        }

        /// Sets the share of stake that defines the consensus, of 65535.
        #[pallet::call_index(16)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_kappa(origin: OriginFor<T>, netuid: u16, kappa: u16) -> DispatchResult {
            ensure_root(origin)?;
            Self::ensure_exists(netuid)?;
            Kappa::<T>::insert(netuid, kappa);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::KappaSet(netuid, kappa));
            Ok(())
        }

        /// Sets rho.
        #[pallet::call_index(17)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_rho(origin: OriginFor<T>, netuid: u16, rho: u16) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)?;
            Rho::<T>::insert(netuid, rho);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::RhoSet(netuid, rho));
            Ok(())
        }

        /// Sets whether neurons may register.
        #[pallet::call_index(19)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_network_registration_allowed(
            origin: OriginFor<T>,
            netuid: u16,
            registration_allowed: bool,
        ) -> DispatchResult {
            ensure_root(origin)?;
            Self::ensure_exists(netuid)?;
            NetworkRegistrationAllowed::<T>::insert(netuid, registration_allowed);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::RegistrationAllowed(
                netuid,
                registration_allowed,
            ));
            Ok(())
        }

        /// Sets the least price of a registration, in rao.
        #[pallet::call_index(22)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_min_burn(
            origin: OriginFor<T>,
            netuid: u16,
            min_burn: u64,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)?;
            ensure!(min_burn <= MaxBurn::<T>::get(netuid), Error::<T>::InvalidValue);
            MinBurn::<T>::insert(netuid, min_burn);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::MinBurnSet(netuid, min_burn));
            Ok(())
        }

        /// Sets the greatest price of a registration, in rao.
        #[pallet::call_index(23)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_max_burn(
            origin: OriginFor<T>,
            netuid: u16,
            max_burn: u64,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)?;
            ensure!(max_burn >= MinBurn::<T>::get(netuid), Error::<T>::InvalidValue);
            MaxBurn::<T>::insert(netuid, max_burn);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::MaxBurnSet(netuid, max_burn));
            Ok(())
        }

        /// Sets the most validator permits.
        #[pallet::call_index(25)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_max_allowed_validators(
            origin: OriginFor<T>,
            netuid: u16,
            max_allowed_validators: u16,
        ) -> DispatchResult {
            ensure_root(origin)?;
            Self::ensure_exists(netuid)?;
            let fits = max_allowed_validators <= MaxAllowedUids::<T>::get(netuid);
            ensure!(fits, Error::<T>::MaxValidatorsLargerThanMaxUIds);
            MaxAllowedValidators::<T>::insert(netuid, max_allowed_validators);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::MaxAllowedValidatorsSet(
                netuid,
                max_allowed_validators,
            ));
            Ok(())
        }

        /// Sets the share of old bonds kept per epoch, in millionths.
        #[pallet::call_index(26)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_bonds_moving_average(
            origin: OriginFor<T>,
            netuid: u16,
            bonds_moving_average: u64,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)?;
            let fits = bonds_moving_average <= 1_000_000;
            ensure!(fits, Error::<T>::BondsMovingAverageMaxReached);
            BondsMovingAverage::<T>::insert(netuid, bonds_moving_average);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::BondsMovingAverageSet(
                netuid,
                bonds_moving_average,
            ));
            Ok(())
        }

        /// Sets the blocks between two new subnets.
        #[pallet::call_index(29)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_network_rate_limit(
            origin: OriginFor<T>,
            rate_limit: u64,
        ) -> DispatchResult {
            ensure_root(origin)?;
            NetworkRateLimit::<T>::put(rate_limit);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::NetworkRateLimitSet(
                rate_limit,
            ));
            Ok(())
        }

        /// Sets the blocks in an epoch.
        #[pallet::call_index(30)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_tempo(origin: OriginFor<T>, netuid: u16, tempo: u16) -> DispatchResult {
            ensure_root(origin)?;
            Self::ensure_exists(netuid)?;
            Tempo::<T>::insert(netuid, tempo);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::TempoSet(netuid, tempo));
            Ok(())
        }

        /// Sets the least cost of a new subnet, in rao.
        #[pallet::call_index(36)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_network_min_lock_cost(
            origin: OriginFor<T>,
            lock_cost: u64,
        ) -> DispatchResult {
            ensure_root(origin)?;
            NetworkMinLockCost::<T>::put(lock_cost);
            Ok(())
        }

        /// Sets the blocks in which a subnet's cost falls by the last one's.
        #[pallet::call_index(38)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_lock_reduction_interval(
            origin: OriginFor<T>,
            interval: u64,
        ) -> DispatchResult {
            ensure_root(origin)?;
            NetworkLockReductionInterval::<T>::put(interval);
            Ok(())
        }

        /// Sets the least stake with which to set weights, in rao.
        #[pallet::call_index(42)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_stake_threshold(origin: OriginFor<T>, min_stake: u64) -> DispatchResult {
            ensure_root(origin)?;
            StakeThreshold::<T>::put(min_stake);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::StakeThresholdSet(min_stake));
            Ok(())
        }

        /// Sets whether weights must be committed before they are shown.
        #[pallet::call_index(49)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_commit_reveal_weights_enabled(
            origin: OriginFor<T>,
            netuid: u16,
            enabled: bool,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)?;
            CommitRevealWeightsEnabled::<T>::insert(netuid, enabled);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::CommitRevealEnabled(
                netuid, enabled,
            ));
            Ok(())
        }

        /// Sets whether the bonds' rate varies.
        #[pallet::call_index(50)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_liquid_alpha_enabled(
            origin: OriginFor<T>,
            netuid: u16,
            enabled: bool,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)?;
            LiquidAlphaOn::<T>::insert(netuid, enabled);
            Ok(())
        }

        /// Sets how far bonds follow clipped weights, of 65535.
        #[pallet::call_index(60)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_bonds_penalty(
            origin: OriginFor<T>,
            netuid: u16,
            bonds_penalty: u16,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)?;
            BondsPenalty::<T>::insert(netuid, bonds_penalty);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::BondsPenaltySet(
                netuid,
                bonds_penalty,
            ));
            Ok(())
        }

        /// Sets whether alpha may be bought and sold.
        #[pallet::call_index(66)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_subtoken_enabled(
            origin: OriginFor<T>,
            netuid: u16,
            subtoken_enabled: bool,
        ) -> DispatchResult {
            ensure_root(origin)?;
            Self::ensure_exists(netuid)?;
            SubtokenEnabled::<T>::insert(netuid, subtoken_enabled);
            Ok(())
        }

        /// Sets the steepness of liquid alpha's sigmoid, in hundredths.
        #[pallet::call_index(68)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_alpha_sigmoid_steepness(
            origin: OriginFor<T>,
            netuid: u16,
            steepness: i16,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)?;
            AlphaSigmoidSteepness::<T>::insert(netuid, steepness);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::AlphaSigmoidSteepnessSet(
                netuid, steepness,
            ));
            Ok(())
        }

        /// Sets whether the Yuma 3 rules apply.
        #[pallet::call_index(69)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_yuma3_enabled(
            origin: OriginFor<T>,
            netuid: u16,
            enabled: bool,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)?;
            Yuma3On::<T>::insert(netuid, enabled);
            Ok(())
        }

        /// Sets the blocks before an epoch in which owners may change nothing.
        #[pallet::call_index(74)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_admin_freeze_window(origin: OriginFor<T>, window: u16) -> DispatchResult {
            ensure_root(origin)?;
            AdminFreezeWindow::<T>::put(window);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::AdminFreezeWindowSet(window));
            Ok(())
        }

        /// Sets the blocks from a subnet's registration until it may start.
        #[pallet::call_index(85)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_start_call_delay(origin: OriginFor<T>, delay: u64) -> DispatchResult {
            ensure_root(origin)?;
            StartCallDelay::<T>::put(delay);
            subtensor::Pallet::<T>::deposit_event(subtensor::Event::StartCallDelaySet(delay));
            Ok(())
        }

        /// Sets the blocks in which the price of a registration halves.
        #[pallet::call_index(89)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_burn_half_life(
            origin: OriginFor<T>,
            netuid: u16,
            burn_half_life: u16,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            Self::ensure_exists(netuid)?;
            BurnHalfLife::<T>::insert(netuid, burn_half_life);
            Ok(())
        }

        /// Sets whether the subnet takes part in the TAO emission.
        #[pallet::call_index(94)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_subnet_emission_enabled(
            origin: OriginFor<T>,
            netuid: u16,
            enabled: bool,
        ) -> DispatchResult {
            ensure_root(origin)?;
            Self::ensure_exists(netuid)?;
            SubnetEmissionEnabled::<T>::insert(netuid, enabled);
            Ok(())
        }

        /// Sets the least and greatest rate of bonds under liquid alpha, of 65535.
        #[pallet::call_index(51)]
        #[pallet::weight((Weight::from_parts(5_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn sudo_set_alpha_values(
            origin: OriginFor<T>,
            netuid: u16,
            alpha_low: u16,
            alpha_high: u16,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            let liquid = LiquidAlphaOn::<T>::get(netuid);
            ensure!(liquid, subtensor::Error::<T>::LiquidAlphaDisabled);
            ensure!(alpha_high >= MIN_ALPHA, subtensor::Error::<T>::AlphaHighTooLow);
            let in_range = alpha_low >= MIN_ALPHA && alpha_low <= alpha_high;
            ensure!(in_range, subtensor::Error::<T>::AlphaLowOutOfRange);
            AlphaValues::<T>::insert(netuid, (alpha_low, alpha_high));
            Ok(())
        }
    }
}
