//! The pallet's storage, under the real chain's names, hashers and value types.
//!
//! `netuid` keys are plain `u16`; where a subnet could have several mechanisms the key is
//! `netuid + 4096 * mechanism`, and here always the netuid. Hyperparameters, neurons
//! and what is there only to be looked at have files of their own.

use frame_support::pallet_macros::pallet_section;

#[pallet_section]
mod storage {
    /// All TAO there is: free balances and the pools' TAO, in rao.
    #[pallet::storage]
    pub type TotalIssuance<T: Config> = StorageValue<_, u64, ValueQuery>;

    /// TAO in the subnets' pools, in rao.
    #[pallet::storage]
    pub type TotalStake<T: Config> = StorageValue<_, u64, ValueQuery>;

    /// TAO minted by the last block, in rao.
    #[pallet::storage]
    pub type BlockEmission<T: Config> = StorageValue<_, u64, ValueQuery, ConstU64<1_000_000_000>>;

    /// Count of subnets, with the root.
    #[pallet::storage]
    pub type TotalNetworks<T: Config> = StorageValue<_, u16, ValueQuery>;

    /// Most subnets besides the root.
    #[pallet::storage]
    pub type SubnetLimit<T: Config> = StorageValue<_, u16, ValueQuery, ConstU16<128>>;

    /// Weight of root stake against alpha, of 2^64. No stake on the root can exist here yet.
    #[pallet::storage]
    pub type TaoWeight<T: Config> =
        StorageValue<_, u64, ValueQuery, ConstU64<971_718_665_099_567_868>>;

    /// Least stake weight with which to set weights, in rao.
    #[pallet::storage]
    pub type StakeThreshold<T: Config> = StorageValue<_, u64, ValueQuery>;

    /// Most epochs in one block; the rest wait for the next one.
    #[pallet::storage]
    pub type MaxEpochsPerBlock<T: Config> = StorageValue<_, u8, ValueQuery, ConstU8<32>>;

    /// Blocks before an epoch in which owners may not change hyperparameters.
    #[pallet::storage]
    pub type AdminFreezeWindow<T: Config> = StorageValue<_, u16, ValueQuery, ConstU16<10>>;

    /// Blocks between two new subnets.
    #[pallet::storage]
    pub type NetworkRateLimit<T: Config> = StorageValue<_, u64, ValueQuery, ConstU64<7200>>;

    /// Least cost of a new subnet, in rao.
    #[pallet::storage]
    pub type NetworkMinLockCost<T: Config> =
        StorageValue<_, u64, ValueQuery, ConstU64<1_000_000_000_000>>;

    /// Cost of the newest subnet, in rao.
    #[pallet::storage]
    pub type NetworkLastLockCost<T: Config> =
        StorageValue<_, u64, ValueQuery, ConstU64<1_000_000_000_000>>;

    /// Blocks in which a subnet's cost falls by the last one's.
    #[pallet::storage]
    pub type NetworkLockReductionInterval<T: Config> =
        StorageValue<_, u64, ValueQuery, ConstU64<100_800>>;

    /// Block of the newest subnet, 0 for none.
    #[pallet::storage]
    pub type NetworkLastRegistered<T: Config> = StorageValue<_, u64, ValueQuery>;

    /// Blocks from a subnet's registration until it may start.
    #[pallet::storage]
    pub type StartCallDelay<T: Config> = StorageValue<_, u64, ValueQuery>;

    /// Blocks between two changes of a key.
    #[pallet::storage]
    pub type TxRateLimit<T: Config> = StorageValue<_, u64, ValueQuery, ConstU64<1000>>;

    /// Share of a subnet's alpha that goes to its owner, of 65535.
    #[pallet::storage]
    pub type SubnetOwnerCut<T: Config> = StorageValue<_, u16, ValueQuery, ConstU16<11_796>>;

    /// Version of the commit-reveal protocol.
    #[pallet::storage]
    pub type CommitRevealWeightsVersion<T: Config> = StorageValue<_, u16, ValueQuery, ConstU16<4>>;

    /// Whether a subnet exists.
    #[pallet::storage]
    pub type NetworksAdded<T: Config> = StorageMap<_, Identity, u16, bool, ValueQuery>;

    /// Count of neurons.
    #[pallet::storage]
    pub type SubnetworkN<T: Config> = StorageMap<_, Identity, u16, u16, ValueQuery>;

    /// 1: alpha is traded against TAO in a pool; 0: alpha is TAO.
    #[pallet::storage]
    pub type SubnetMechanism<T: Config> = StorageMap<_, Identity, u16, u16, ValueQuery>;

    /// Count of incentive mechanisms.
    #[pallet::storage]
    pub type MechanismCountCurrent<T: Config> =
        StorageMap<_, Twox64Concat, u16, u8, ValueQuery, ConstU8<1>>;

    /// Coldkey of the subnet's owner.
    #[pallet::storage]
    pub type SubnetOwner<T: Config> =
        StorageMap<_, Identity, u16, T::AccountId, ValueQuery, DefaultAccount<T>>;

    /// Hotkey of the subnet's owner.
    #[pallet::storage]
    pub type SubnetOwnerHotkey<T: Config> =
        StorageMap<_, Identity, u16, T::AccountId, ValueQuery, DefaultAccount<T>>;

    /// Block of the subnet's registration.
    #[pallet::storage]
    pub type NetworkRegisteredAt<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// Block from which the subnet earns.
    #[pallet::storage]
    pub type FirstEmissionBlockNumber<T: Config> = StorageMap<_, Identity, u16, u64, OptionQuery>;

    /// Whether alpha may be bought and sold.
    #[pallet::storage]
    pub type SubtokenEnabled<T: Config> = StorageMap<_, Identity, u16, bool, ValueQuery>;

    /// Whether the subnet takes part in the TAO emission.
    #[pallet::storage]
    pub type SubnetEmissionEnabled<T: Config> =
        StorageMap<_, Identity, u16, bool, ValueQuery, ConstBool<true>>;

    /// Whether neurons may register.
    #[pallet::storage]
    pub type NetworkRegistrationAllowed<T: Config> =
        StorageMap<_, Identity, u16, bool, ValueQuery, ConstBool<true>>;

    /// Whether stake may change its coldkey.
    #[pallet::storage]
    pub type TransferToggle<T: Config> =
        StorageMap<_, Identity, u16, bool, ValueQuery, ConstBool<true>>;

    /// Block of the last epoch slot.
    #[pallet::storage]
    pub type LastEpochBlock<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// Block at which a waiting epoch runs, 0 for none.
    #[pallet::storage]
    pub type PendingEpochAt<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// Count of epochs so far.
    #[pallet::storage]
    pub type SubnetEpochIndex<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// Blocks since the last epoch.
    #[pallet::storage]
    pub type BlocksSinceLastStep<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// Block of the last epoch that ran (the real chain's spelling).
    #[pallet::storage]
    pub type LastMechansimStepBlock<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// TAO in the pool, in rao.
    #[pallet::storage]
    pub type SubnetTAO<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// Alpha in the pool, in rao.
    #[pallet::storage]
    pub type SubnetAlphaIn<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// Alpha outside the pool: staked, pending or burned, in rao.
    #[pallet::storage]
    pub type SubnetAlphaOut<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// TAO that the last block emitted to the subnet, in rao.
    #[pallet::storage]
    pub type SubnetTaoInEmission<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// Alpha that the last block emitted to the pool, in rao.
    #[pallet::storage]
    pub type SubnetAlphaInEmission<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// Alpha that the last block emitted to neurons, in rao.
    #[pallet::storage]
    pub type SubnetAlphaOutEmission<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// Moving average of the alpha price, in TAO.
    #[pallet::storage]
    pub type SubnetMovingPrice<T: Config> = StorageMap<_, Identity, u16, I96F32, ValueQuery>;

    /// TAO traded so far, in rao.
    #[pallet::storage]
    pub type SubnetVolume<T: Config> = StorageMap<_, Identity, u16, u128, ValueQuery>;

    /// Share of validators' alpha that goes to root stake.
    #[pallet::storage]
    pub type RootProp<T: Config> = StorageMap<_, Identity, u16, U96F32, ValueQuery>;

    /// Share of the last epoch's incentive that fell on the owner.
    #[pallet::storage]
    pub type MinerBurned<T: Config> = StorageMap<_, Identity, u16, U96F32, ValueQuery>;

    /// Alpha waiting for servers, in rao.
    #[pallet::storage]
    pub type PendingServerEmission<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// Alpha waiting for validators, in rao.
    #[pallet::storage]
    pub type PendingValidatorEmission<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// Alpha waiting for root stake, in rao.
    #[pallet::storage]
    pub type PendingRootAlphaDivs<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// Alpha waiting for the owner, in rao.
    #[pallet::storage]
    pub type PendingOwnerCut<T: Config> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    /// The all-zero account, for keys that nobody holds.
    #[pallet::type_value]
    pub fn DefaultAccount<T: Config>() -> T::AccountId {
        T::AccountId::decode(&mut sp_runtime::traits::TrailingZeroInput::zeroes())
            .expect("an account is made of bytes, and zeros are bytes")
    }
}
