//! A subnet's hyperparameters.

use frame_support::pallet_macros::pallet_section;

#[pallet_section]
mod storage_parameters {
    /// Blocks in an epoch.
    #[pallet::storage]
    pub type Tempo<T: Config> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<360>>;

    /// Most neurons.
    #[pallet::storage]
    pub type MaxAllowedUids<T: Config> =
        StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<256>>;

    /// Blocks for which a new neuron is not pruned.
    #[pallet::storage]
    pub type ImmunityPeriod<T: Config> =
        StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<4096>>;

    /// Least count of weights to set.
    #[pallet::storage]
    pub type MinAllowedWeights<T: Config> =
        StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<1024>>;

    /// Greatest single weight, of 65535.
    #[pallet::storage]
    pub type MaxWeightsLimit<T: Config> =
        StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<{ u16::MAX }>>;

    /// Most validator permits.
    #[pallet::storage]
    pub type MaxAllowedValidators<T: Config> =
        StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<128>>;

    /// Share of stake that defines the consensus, of 65535.
    #[pallet::storage]
    pub type Kappa<T: Config> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<32_767>>;

    /// Unused by Yuma Consensus; kept for clients that show it.
    #[pallet::storage]
    pub type Rho<T: Config> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<10>>;

    /// Share of old bonds kept per epoch, in millionths.
    #[pallet::storage]
    pub type BondsMovingAverage<T: Config> =
        StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<900_000>>;

    /// How far bonds follow clipped weights, of 65535.
    #[pallet::storage]
    pub type BondsPenalty<T: Config> =
        StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<{ u16::MAX }>>;

    /// Whether the Yuma 3 rules apply.
    #[pallet::storage]
    pub type Yuma3On<T: Config> = StorageMap<_, Blake2_128Concat, u16, bool, ValueQuery>;

    /// Whether the bonds' rate varies, with Yuma 3.
    #[pallet::storage]
    pub type LiquidAlphaOn<T: Config> = StorageMap<_, Blake2_128Concat, u16, bool, ValueQuery>;

    /// Least and greatest rate of bonds under liquid alpha, of 65535.
    #[pallet::storage]
    pub type AlphaValues<T: Config> =
        StorageMap<_, Identity, u16, (u16, u16), ValueQuery, DefaultAlphaValues>;

    /// Steepness of liquid alpha's sigmoid, in hundredths.
    #[pallet::storage]
    pub type AlphaSigmoidSteepness<T: Config> =
        StorageMap<_, Identity, u16, i16, ValueQuery, DefaultAlphaSteepness>;

    /// Least version key of accepted weights, 0 for any.
    #[pallet::storage]
    pub type WeightsVersionKey<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// Blocks between two weight settings of a neuron.
    #[pallet::storage]
    pub type WeightsSetRateLimit<T: Config> =
        StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<100>>;

    /// Whether weights must be committed before they are shown.
    #[pallet::storage]
    pub type CommitRevealWeightsEnabled<T: Config> =
        StorageMap<_, Identity, u16, bool, ValueQuery, ConstBool<true>>;

    /// Epochs from a commit to its reveal.
    #[pallet::storage]
    pub type RevealPeriodEpochs<T: Config> =
        StorageMap<_, Twox64Concat, u16, u64, ValueQuery, ConstU64<1>>;

    /// Activity cutoff in thousandths of the tempo.
    #[pallet::storage]
    pub type ActivityCutoffFactorMilli<T: Config> =
        StorageMap<_, Identity, u16, u32, ValueQuery, ConstU32<13_889>>;

    /// Blocks between two axon announcements of a neuron.
    #[pallet::storage]
    pub type ServingRateLimit<T: Config> =
        StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<50>>;

    /// Difficulty of the former proof of work; unused.
    #[pallet::storage]
    pub type Difficulty<T: Config> =
        StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<10_000_000>>;

    /// Neurons outside immunity that pruning leaves.
    #[pallet::storage]
    pub type MinNonImmuneUids<T: Config> =
        StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<10>>;

    /// Owner's neurons that are never pruned.
    #[pallet::storage]
    pub type ImmuneOwnerUidsLimit<T: Config> =
        StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<1>>;

    /// Price of a registration, in rao.
    #[pallet::storage]
    pub type Burn<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<100_000_000>>;

    /// Least price, in rao.
    #[pallet::storage]
    pub type MinBurn<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<500_000>>;

    /// Greatest price, in rao.
    #[pallet::storage]
    pub type MaxBurn<T: Config> =
        StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<100_000_000_000>>;

    /// Blocks in which the price halves.
    #[pallet::storage]
    pub type BurnHalfLife<T: Config> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<360>>;

    /// Factor by which a registration raises the price.
    #[pallet::storage]
    pub type BurnIncreaseMult<T: Config> =
        StorageMap<_, Identity, u16, U64F64, ValueQuery, DefaultBurnIncrease>;

    /// TAO spent on registrations so far, in rao.
    #[pallet::storage]
    pub type RAORecycledForRegistration<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// 0.7 and 0.9.
    #[pallet::type_value]
    pub fn DefaultAlphaValues() -> (u16, u16) {
        (45_875, 58_982)
    }

    /// Ten.
    #[pallet::type_value]
    pub fn DefaultAlphaSteepness() -> i16 {
        1000
    }

    /// 1.26.
    #[pallet::type_value]
    pub fn DefaultBurnIncrease() -> U64F64 {
        U64F64::from_num(63) / U64F64::from_num(50)
    }
}
