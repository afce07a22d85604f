//! `SubtensorModule`: subnets, neurons, stake, weights, Yuma Consensus and emission.
//!
//! Names, indices, hashers and types are the real chain's. Of its rules these are here: burned
//! registration and one by work, pruning, weights plain, committed by hash or timelocked, in several
//! mechanisms, the stateful epoch schedule, Yuma 2 and 3, child hotkeys, a constant-product pool per
//! subnet with orders that have a limit, takes, identities, the block emission and its distribution.
//!
//! Left out: stake on the root (so no root dividends), locks, leases and collateral. Their storage and runtime
//! APIs are there where clients look, and say zero or nothing.

#![expect(missing_docs, reason = "the pallet macro expands to items that it leaves undocumented")]
#![expect(clippy::too_many_arguments, reason = "calls have the real chain's arguments")]

mod batch;
mod calls;
mod children;
mod coinbase;
mod commit_reveal;
mod epoch;
mod errors;
mod events;
mod guards;
mod identity;
mod info;
mod market;
mod mechanisms;
mod neurons;
mod owner;
mod pool;
mod registration;
mod schedule;
mod serving;
mod stake;
mod storage;
mod storage_locks;
mod storage_neurons;
mod storage_parameters;
mod storage_shown;
mod subnets;
mod timelock;
mod types;
mod weights;
mod work;
pub mod yuma;

pub use identity::{ChainIdentityV2, SubnetIdentityV3};
pub use info::*;
pub use pallet::*;
pub use pool::Fees;
pub use serving::Axon;
pub use timelock::{Beacon, Ciphertext, TimelockedCommit};
pub use types::{
    AxonInfo, EpochConsensus, LockState, NeuronCertificate, NeuronInfo, NeuronInfoLite,
    PrometheusInfo, RootClaimTypeEnum, SafeFloat,
};

use frame_support::pallet_macros::import_section;

/// The root network, which has no neurons here.
pub const ROOT: u16 = 0;

#[import_section(calls::calls)]
#[import_section(errors::errors)]
#[import_section(events::events)]
#[import_section(storage::storage)]
#[import_section(storage_locks::storage_locks)]
#[import_section(storage_neurons::storage_neurons)]
#[import_section(storage_parameters::storage_parameters)]
#[import_section(storage_shown::storage_shown)]
#[frame_support::pallet]
pub mod pallet {
    use super::{
        AxonInfo, ChainIdentityV2, EpochConsensus, LockState, NeuronCertificate, PrometheusInfo,
        ROOT, RootClaimTypeEnum, SafeFloat, SubnetIdentityV3,
        commit_reveal::Shown,
        info::Committed,
        pool::Fees,
        serving::Axon,
        timelock::{Beacon, Ciphertext, TimelockedCommit},
    };
    use core::marker::PhantomData;
    use frame_support::{
        pallet_prelude::*,
        storage::Key as NMapKey,
        traits::{
            ConstBool, ConstU8, ConstU16, ConstU32, ConstU64,
            fungible::{Inspect, Mutate},
        },
    };
    use frame_system::pallet_prelude::*;
    use sp_runtime::{DispatchError, SaturatedConversion};
    use std::collections::{BTreeMap, VecDeque};
    use substrate_fixed::types::{I64F64, I96F32, U64F64, U96F32};

    /// What the pallet needs from the runtime.
    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// Free TAO balances.
        type Currency: Inspect<Self::AccountId, Balance = u64> + Mutate<Self::AccountId>;
        /// What hotkeys have committed.
        type Committed: Committed<Self::AccountId>;
        /// What trades in the pools cost.
        type Fees: Fees;
        /// The beacon whose rounds weights are hidden until.
        type Beacon: Beacon;
    }

    #[pallet::pallet]
    #[pallet::without_storage_info]
    pub struct Pallet<T>(_);

    /// The first state: the root network, and the issuance of the free balances. To be built
    /// after the balances.
    #[pallet::genesis_config]
    pub struct GenesisConfig<T> {
        #[serde(skip)]
        pub _marker: PhantomData<T>,
    }

    impl<T> Default for GenesisConfig<T> {
        fn default() -> Self {
            Self { _marker: PhantomData }
        }
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            NetworksAdded::<T>::insert(ROOT, true);
            TotalNetworks::<T>::put(1);
            Tempo::<T>::insert(ROOT, 100);
            MaxAllowedUids::<T>::insert(ROOT, 64);
            TotalIssuance::<T>::put(T::Currency::total_issuance());
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(number: BlockNumberFor<T>) -> Weight {
            Self::step_block(number.saturated_into());
            Weight::zero()
        }
    }
}
