//! `Commitments`: a few hundred bytes that a registered hotkey keeps on chain, fee-less.
//!
//! Left out: what the real chain reveals by itself when a timelock opens, and the bonds reset.

mod data;

pub use data::{CommitmentInfo, Data};
pub use pallet::*;

use codec::{Decode, Encode};
use scale_info::TypeInfo;

/// What one commitment is charged at least, in bytes.
const MIN_CHARGE_BYTES: u64 = 100;

/// A stored commitment.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, TypeInfo)]
pub struct Registration {
    /// Rao held for it: none.
    pub deposit: u64,
    /// Block of the commitment.
    pub block: u32,
    /// The commitment.
    pub info: CommitmentInfo,
}

/// Bytes that a hotkey has committed in an epoch.
#[derive(Clone, Debug, Default, Eq, PartialEq, Encode, Decode, TypeInfo)]
pub struct UsageTracker {
    /// The epoch.
    pub last_epoch: u64,
    /// The bytes.
    pub used_space: u64,
}

#[frame_support::pallet]
pub mod pallet {
    use super::{CommitmentInfo, MIN_CHARGE_BYTES, Registration, UsageTracker};
    use crate::pallets::subtensor::{self, SubnetEpochIndex, Uids};
    use frame_support::{pallet_prelude::*, traits::ConstU32};
    use frame_system::pallet_prelude::*;
    use sp_runtime::SaturatedConversion;

    #[pallet::config]
    pub trait Config:
        frame_system::Config<RuntimeEvent: From<Event<Self>>> + subtensor::Config
    {
    }

    #[pallet::pallet]
    #[pallet::without_storage_info]
    pub struct Pallet<T>(_);

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A commitment was set.
        #[codec(index = 0)]
        Commitment {
            /// The subnet.
            netuid: u16,
            /// The hotkey.
            who: T::AccountId,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// More fields than a commitment may have.
        #[codec(index = 0)]
        TooManyFieldsInCommitmentInfo,
        /// Only registered hotkeys may commit.
        #[codec(index = 1)]
        AccountNotAllowedCommit,
        /// The hotkey has committed too many bytes in this epoch.
        #[codec(index = 2)]
        SpaceLimitExceeded,
    }

    /// Commitments by subnet and hotkey.
    #[pallet::storage]
    pub type CommitmentOf<T: Config> =
        StorageDoubleMap<_, Identity, u16, Twox64Concat, T::AccountId, Registration, OptionQuery>;

    /// Block of a hotkey's last commitment.
    #[pallet::storage]
    pub type LastCommitment<T: Config> =
        StorageDoubleMap<_, Identity, u16, Twox64Concat, T::AccountId, u32, OptionQuery>;

    /// Bytes a hotkey has committed in its last epoch.
    #[pallet::storage]
    pub type UsedSpaceOf<T: Config> =
        StorageDoubleMap<_, Identity, u16, Twox64Concat, T::AccountId, UsageTracker, OptionQuery>;

    /// Bytes that a hotkey may commit in an epoch.
    #[pallet::storage]
    pub type MaxSpace<T: Config> = StorageValue<_, u32, ValueQuery, ConstU32<3100>>;

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Replaces the caller's commitment on a subnet where it is registered.
        #[pallet::call_index(0)]
        #[pallet::weight((Weight::from_parts(30_000_000, 0), DispatchClass::Normal, Pays::No))]
        pub fn set_commitment(
            origin: OriginFor<T>,
            netuid: u16,
            info: Box<CommitmentInfo>,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            let registered = Uids::<T>::contains_key(netuid, &who);
            ensure!(registered, Error::<T>::AccountNotAllowedCommit);
            let bytes: u64 = info.fields.iter().map(|field| field.charged_bytes()).sum();
            let epoch = SubnetEpochIndex::<T>::get(netuid);
            let mut usage = UsedSpaceOf::<T>::get(netuid, &who).unwrap_or_default();
            if usage.last_epoch != epoch {
                usage = UsageTracker { last_epoch: epoch, used_space: 0 };
            }
            usage.used_space = usage.used_space.saturating_add(bytes.max(MIN_CHARGE_BYTES));
            let within = usage.used_space <= u64::from(MaxSpace::<T>::get());
            ensure!(within, Error::<T>::SpaceLimitExceeded);
            let block: u32 = frame_system::Pallet::<T>::block_number().saturated_into();
            UsedSpaceOf::<T>::insert(netuid, &who, usage);
            CommitmentOf::<T>::insert(
                netuid,
                &who,
                Registration { deposit: 0, block, info: *info },
            );
            LastCommitment::<T>::insert(netuid, &who, block);
            Self::deposit_event(Event::Commitment { netuid, who });
            Ok(())
        }

        /// Sets how many bytes a hotkey may commit in an epoch.
        #[pallet::call_index(2)]
        #[pallet::weight(Weight::from_parts(5_000_000, 0))]
        pub fn set_max_space(origin: OriginFor<T>, new_limit: u32) -> DispatchResult {
            ensure_root(origin)?;
            MaxSpace::<T>::put(new_limit);
            Ok(())
        }
    }
}

impl<T: Config> crate::pallets::subtensor::Committed<T::AccountId> for Pallet<T> {
    fn committed(netuid: u16, hotkey: &T::AccountId) -> Option<Vec<u8>> {
        CommitmentOf::<T>::get(netuid, hotkey).map(|stored| stored.info.encode())
    }
}
