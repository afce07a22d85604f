//! Storage of parts of the real chain that are left out here: locks, root claims, collateral. Always
//! empty, there for clients that look.

use frame_support::pallet_macros::pallet_section;

#[pallet_section]
mod storage_locks {
    /// Stake that a coldkey has locked, by coldkey, subnet and hotkey.
    #[pallet::storage]
    pub type Lock<T: Config> = StorageNMap<
        _,
        (
            NMapKey<Blake2_128Concat, T::AccountId>,
            NMapKey<Identity, u16>,
            NMapKey<Blake2_128Concat, T::AccountId>,
        ),
        LockState,
        OptionQuery,
    >;

    /// Stake locked on a hotkey.
    #[pallet::storage]
    pub type HotkeyLock<T: Config> =
        StorageDoubleMap<_, Identity, u16, Blake2_128Concat, T::AccountId, LockState, OptionQuery>;

    /// Stake on a hotkey whose lock runs out.
    #[pallet::storage]
    pub type DecayingHotkeyLock<T: Config> =
        StorageDoubleMap<_, Identity, u16, Blake2_128Concat, T::AccountId, LockState, OptionQuery>;

    /// Stake locked by a subnet's owner.
    #[pallet::storage]
    pub type OwnerLock<T: Config> = StorageMap<_, Identity, u16, LockState, OptionQuery>;

    /// Stake of a subnet's owner whose lock runs out.
    #[pallet::storage]
    pub type DecayingOwnerLock<T: Config> = StorageMap<_, Identity, u16, LockState, OptionQuery>;

    /// Whether a coldkey's lock runs out.
    #[pallet::storage]
    pub type DecayingLock<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Identity, u16, bool, OptionQuery>;

    /// Whether the owner's cut is locked.
    #[pallet::storage]
    pub type OwnerCutAutoLockEnabled<T: Config> = StorageMap<_, Identity, u16, bool, ValueQuery>;

    /// Blocks in which a lock matures.
    #[pallet::storage]
    pub type MaturityRate<T: Config> = StorageValue<_, u64, ValueQuery, ConstU64<934_866>>;

    /// Blocks in which a lock runs out.
    #[pallet::storage]
    pub type UnlockRate<T: Config> = StorageValue<_, u64, ValueQuery, ConstU64<934_866>>;

    /// Blocks for which stake on the root is bound.
    #[pallet::storage]
    pub type RootStakeUnlockInterval<T: Config> = StorageValue<_, u64, ValueQuery>;

    /// Least claim of root dividends, in rao.
    #[pallet::storage]
    pub type RootClaimableThreshold<T: Config> =
        StorageMap<_, Blake2_128Concat, u16, I96F32, ValueQuery, DefaultClaimThreshold>;

    /// Dividends that a hotkey's stakers on the root may claim, by subnet.
    #[pallet::storage]
    pub type RootClaimable<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, BTreeMap<u16, I96F32>, ValueQuery>;

    /// Dividends claimed, by subnet, hotkey and coldkey.
    #[pallet::storage]
    pub type RootClaimed<T: Config> = StorageNMap<
        _,
        (
            NMapKey<Identity, u16>,
            NMapKey<Blake2_128Concat, T::AccountId>,
            NMapKey<Blake2_128Concat, T::AccountId>,
        ),
        u128,
        ValueQuery,
    >;

    /// What a coldkey wants done with its root dividends.
    #[pallet::storage]
    pub type RootClaimType<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, RootClaimTypeEnum, ValueQuery>;

    /// Root dividends of a hotkey in the last epoch, in rao.
    #[pallet::storage]
    pub type RootAlphaDividendsPerSubnet<T: Config> =
        StorageDoubleMap<_, Identity, u16, Blake2_128Concat, T::AccountId, u64, ValueQuery>;

    /// Choices of an account, as bits.
    #[pallet::storage]
    pub type AccountFlags<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, u128, ValueQuery>;

    /// Share of a registration's price that is locked as collateral, of 65535. Of spec 461.
    #[pallet::storage]
    pub type CollateralLockShare<T: Config> = StorageMap<_, Identity, u16, u16, ValueQuery>;

    /// How fast collateral is earned back. Of spec 461.
    #[pallet::storage]
    pub type CollateralDrainRatio<T: Config> =
        StorageMap<_, Identity, u16, U64F64, ValueQuery, DefaultDrainRatio>;

    /// Subnets that are being cleared away. Of spec 461.
    #[pallet::storage]
    pub type DissolveCleanupQueue<T: Config> = StorageValue<_, Vec<u16>, ValueQuery>;

    /// One.
    #[pallet::type_value]
    pub fn DefaultDrainRatio() -> U64F64 {
        U64F64::from_num(1)
    }

    /// 0.0005 TAO.
    #[pallet::type_value]
    pub fn DefaultClaimThreshold() -> I96F32 {
        I96F32::from_num(500_000)
    }
}
