//! What the pallet reports. Indices are those of the real chain; gaps are events of other parts.

use frame_support::pallet_macros::pallet_section;

#[pallet_section]
mod events {
    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A subnet was added: netuid, mechanism (1: with a pool).
        #[codec(index = 0)]
        NetworkAdded(u16, u16),
        /// Stake was bought: coldkey, hotkey, TAO, alpha, netuid, fee.
        #[codec(index = 2)]
        StakeAdded(T::AccountId, T::AccountId, u64, u64, u16, u64),
        /// Stake was sold: coldkey, hotkey, TAO, alpha, netuid, fee.
        #[codec(index = 3)]
        StakeRemoved(T::AccountId, T::AccountId, u64, u64, u16, u64),
        /// Stake moved: coldkey, from hotkey and netuid, to hotkey and netuid, worth in TAO.
        #[codec(index = 4)]
        StakeMoved(T::AccountId, T::AccountId, u16, T::AccountId, u16, u64),
        /// Weights were set: netuid and mechanism, uid.
        #[codec(index = 5)]
        WeightsSet(u16, u16),
        /// A neuron registered: netuid, uid, hotkey.
        #[codec(index = 7)]
        NeuronRegistered(u16, u16, T::AccountId),
        /// The hyperparameter was set: max allowed uids.
        #[codec(index = 10)]
        MaxAllowedUidsSet(u16, u16),
        /// The hyperparameter was set: rho.
        #[codec(index = 17)]
        RhoSet(u16, u16),
        /// The hyperparameter was set: alpha sigmoid steepness.
        #[codec(index = 18)]
        AlphaSigmoidSteepnessSet(u16, i16),
        /// The hyperparameter was set: kappa.
        #[codec(index = 19)]
        KappaSet(u16, u16),
        /// The hyperparameter was set: min allowed weight.
        #[codec(index = 20)]
        MinAllowedWeightSet(u16, u16),
        /// The hyperparameter was set: weights set rate limit.
        #[codec(index = 23)]
        WeightsSetRateLimitSet(u16, u64),
        /// The hyperparameter was set: immunity period.
        #[codec(index = 24)]
        ImmunityPeriodSet(u16, u16),
        /// The hyperparameter was set: bonds moving average.
        #[codec(index = 25)]
        BondsMovingAverageSet(u16, u64),
        /// The hyperparameter was set: bonds penalty.
        #[codec(index = 26)]
        BondsPenaltySet(u16, u16),
        /// The hyperparameter was set: max allowed validators.
        #[codec(index = 28)]
        MaxAllowedValidatorsSet(u16, u16),
        /// An axon was announced: netuid, hotkey.
        #[codec(index = 29)]
        AxonServed(u16, T::AccountId),
        /// A server of metrics was announced: netuid, hotkey.
        #[codec(index = 30)]
        PrometheusServed(u16, T::AccountId),
        /// The hyperparameter was set: weights version key.
        #[codec(index = 33)]
        WeightsVersionKeySet(u16, u64),
        /// The hyperparameter was set: serving rate limit.
        #[codec(index = 36)]
        ServingRateLimitSet(u16, u64),
        /// The hyperparameter was set: max burn.
        #[codec(index = 38)]
        MaxBurnSet(u16, u64),
        /// The hyperparameter was set: min burn.
        #[codec(index = 39)]
        MinBurnSet(u16, u64),
        /// The hyperparameter was set: tx rate limit.
        #[codec(index = 41)]
        TxRateLimitSet(u64),
        /// The hyperparameter was set: admin freeze window.
        #[codec(index = 44)]
        AdminFreezeWindowSet(u16),
        /// The hyperparameter was set: registration allowed.
        #[codec(index = 51)]
        RegistrationAllowed(u16, bool),
        /// The hyperparameter was set: tempo.
        #[codec(index = 53)]
        TempoSet(u16, u16),
        /// The hyperparameter was set: stake threshold.
        #[codec(index = 55)]
        StakeThresholdSet(u64),
        /// The hyperparameter was set: network rate limit.
        #[codec(index = 59)]
        NetworkRateLimitSet(u64),
        /// The hyperparameter was set: start call delay.
        #[codec(index = 61)]
        StartCallDelaySet(u64),
        /// A delegate's take fell: coldkey, hotkey, take of 65535.
        #[codec(index = 65)]
        TakeDecreased(T::AccountId, T::AccountId, u16),
        /// A delegate's take rose: coldkey, hotkey, take of 65535.
        #[codec(index = 66)]
        TakeIncreased(T::AccountId, T::AccountId, u16),
        /// A coldkey said who it is.
        #[codec(index = 78)]
        ChainIdentitySet(T::AccountId),
        /// A subnet said what it is.
        #[codec(index = 79)]
        SubnetIdentitySet(u16),
        /// Weights were committed: hotkey, netuid and mechanism, hash.
        #[codec(index = 86)]
        WeightsCommitted(T::AccountId, u16, sp_core::H256),
        /// Committed weights were shown: hotkey, netuid and mechanism, hash.
        #[codec(index = 87)]
        WeightsRevealed(T::AccountId, u16, sp_core::H256),
        /// Stake changed hands: from coldkey, to coldkey, hotkey, from and to netuid, worth in TAO.
        #[codec(index = 92)]
        StakeTransferred(T::AccountId, T::AccountId, T::AccountId, u16, u16, u64),
        /// Stake became another subnet's: coldkey, hotkey, from and to netuid, worth in TAO.
        #[codec(index = 93)]
        StakeSwapped(T::AccountId, T::AccountId, u16, u16, u64),
        /// The hyperparameter was set: difficulty.
        #[codec(index = 12)]
        DifficultySet(u16, u64),
        /// The hyperparameter was set: adjustment interval.
        #[codec(index = 13)]
        AdjustmentIntervalSet(u16, u16),
        /// The hyperparameter was set: registrations per interval.
        #[codec(index = 14)]
        RegistrationPerIntervalSet(u16, u16),
        /// The hyperparameter was set: max registrations per block.
        #[codec(index = 15)]
        MaxRegistrationsPerBlockSet(u16, u16),
        /// The hyperparameter was set: activity cutoff.
        #[codec(index = 16)]
        ActivityCutoffSet(u16, u16),
        /// The hyperparameter was set: bonds reset.
        #[codec(index = 27)]
        BondsResetOnSet(u16, bool),
        /// The hyperparameter was set: min difficulty.
        #[codec(index = 34)]
        MinDifficultySet(u16, u64),
        /// The hyperparameter was set: max difficulty.
        #[codec(index = 35)]
        MaxDifficultySet(u16, u64),
        /// The hyperparameter was set: max epochs per block.
        #[codec(index = 40)]
        MaxEpochsPerBlockSet(u8),
        /// The hyperparameter was set: delegate take rate limit.
        #[codec(index = 42)]
        TxDelegateTakeRateLimitSet(u64),
        /// The hyperparameter was set: childkey take rate limit.
        #[codec(index = 43)]
        TxChildKeyTakeRateLimitSet(u64),
        /// The hyperparameter was set: owner hyperparameter rate limit.
        #[codec(index = 45)]
        OwnerHyperparamRateLimitSet(u16),
        /// The hyperparameter was set: min childkey take.
        #[codec(index = 46)]
        MinChildKeyTakeSet(u16),
        /// The hyperparameter was set: min childkey take of a subnet.
        #[codec(index = 47)]
        MinChildKeyTakePerSubnetSet(u16, u16),
        /// The hyperparameter was set: max childkey take.
        #[codec(index = 48)]
        MaxChildKeyTakeSet(u16),
        /// The hyperparameter was set: registration by work allowed.
        #[codec(index = 52)]
        PowRegistrationAllowed(u16, bool),
        /// The hyperparameter was set: adjustment alpha.
        #[codec(index = 56)]
        AdjustmentAlphaSet(u16, u64),
        /// The hyperparameter was set: owner's cut.
        #[codec(index = 58)]
        SubnetOwnerCutSet(u16),
        /// The hyperparameter was set: network immunity period.
        #[codec(index = 60)]
        NetworkImmunityPeriodSet(u64),
        /// The hyperparameter was set: network min lock cost.
        #[codec(index = 62)]
        NetworkMinLockCostSet(u64),
        /// The hyperparameter was set: subnet limit.
        #[codec(index = 63)]
        SubnetLimitSet(u16),
        /// The hyperparameter was set: lock cost reduction interval.
        #[codec(index = 64)]
        NetworkLockCostReductionIntervalSet(u64),
        /// The hyperparameter was set: min delegate take.
        #[codec(index = 69)]
        MinDelegateTakeSet(u16),
        /// The hyperparameter was set: transfers of stake allowed.
        #[codec(index = 94)]
        TransferToggle(u16, bool),
        /// The hyperparameter was set: commit reveal period.
        #[codec(index = 101)]
        CommitRevealPeriodsSet(u16, u64),
        /// The hyperparameter was set: commit reveal version.
        #[codec(index = 107)]
        CommitRevealVersionSet(u16),
        /// The hyperparameter was set: min allowed uids.
        #[codec(index = 112)]
        MinAllowedUidsSet(u16, u16),
        /// The hyperparameter was set: min non-immune uids.
        #[codec(index = 114)]
        MinNonImmuneUidsSet(u16, u16),
        /// A child's take was set: hotkey, take of 65535.
        #[codec(index = 49)]
        ChildKeyTakeSet(T::AccountId, u16),
        /// Children wait for their block: hotkey, netuid, block, shares of 2^64 and children.
        #[codec(index = 76)]
        SetChildrenScheduled(T::AccountId, u16, u64, Vec<(u64, T::AccountId)>),
        /// Children were set: hotkey, netuid, shares of 2^64 and children.
        #[codec(index = 77)]
        SetChildren(T::AccountId, u16, Vec<(u64, T::AccountId)>),
        /// All of a batch's weights were set or committed: netuids, hotkey.
        #[codec(index = 89)]
        BatchWeightsCompleted(Vec<codec::Compact<u16>>, T::AccountId),
        /// Some of a batch's weights were refused.
        #[codec(index = 90)]
        BatchCompletedWithErrors(),
        /// One of a batch's weights was refused: netuid, why.
        #[codec(index = 91)]
        BatchWeightItemFailed(u16, DispatchError),
        /// A subnet's owner has another hotkey: netuid, hotkey.
        #[codec(index = 95)]
        SubnetOwnerHotkeySet(u16, T::AccountId),
        /// The hyperparameter was set: burn half life.
        #[codec(index = 129)]
        BurnHalfLifeSet {
            /// The subnet.
            netuid: u16,
            /// Blocks.
            burn_half_life: u16,
        },
        /// The hyperparameter was set: burn increase.
        #[codec(index = 130)]
        BurnIncreaseMultSet {
            /// The subnet.
            netuid: u16,
            /// The factor.
            burn_increase_mult: U64F64,
        },
        /// A subnet started: netuid, first block that earns.
        #[codec(index = 96)]
        FirstEmissionBlockNumberSet(u16, u64),
        /// The hyperparameter was set: commit reveal enabled.
        #[codec(index = 102)]
        CommitRevealEnabled(u16, bool),
        /// Weights were hidden until a round: hotkey, netuid and mechanism, hash, round.
        #[codec(index = 108)]
        TimelockedWeightsCommitted(T::AccountId, u16, sp_core::H256, u64),
        /// Hidden weights were shown: netuid and mechanism, hotkey.
        #[codec(index = 109)]
        TimelockedWeightsRevealed(u16, T::AccountId),
        /// An epoch paid its servers.
        #[codec(index = 111)]
        IncentiveAlphaEmittedToMiners {
            /// The subnet.
            netuid: u16,
            /// Alpha by uid, in rao.
            emissions: Vec<u64>,
        },
        /// A subnet's alpha got another sign.
        #[codec(index = 106)]
        SymbolUpdated {
            /// The subnet.
            netuid: u16,
            /// The sign, in UTF-8.
            symbol: Vec<u8>,
        },
        /// A coldkey chose where its incentive is staked.
        #[codec(index = 113)]
        AutoStakeDestinationSet {
            /// The coldkey.
            coldkey: T::AccountId,
            /// The subnet.
            netuid: u16,
            /// The destination.
            hotkey: T::AccountId,
        },
        /// The hyperparameter was set: activity cutoff's factor, of 1000.
        #[codec(index = 135)]
        ActivityCutoffFactorMilliSet {
            /// The subnet.
            netuid: u16,
            /// Thousandths of a tempo.
            factor_milli: u32,
        },
        /// An epoch was triggered.
        #[codec(index = 136)]
        EpochTriggered {
            /// The subnet.
            netuid: u16,
            /// Its owner.
            by: T::AccountId,
            /// When it runs.
            fires_at: u64,
        },
    }
}
