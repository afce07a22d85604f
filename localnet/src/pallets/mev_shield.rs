//! `MevShield`: extrinsics that stay hidden until they are in a block.
//!
//! The chain opens a hidden extrinsic as it seals the block, and the extrinsic follows its carrier.
//! Left out: the rotation of the keys (one key lasts) and calls stored for later blocks.

pub use pallet::*;

#[frame_support::pallet]
pub mod pallet {
    use frame_support::{pallet_prelude::*, traits::ConstU32};
    use frame_system::pallet_prelude::*;
    use sp_io::hashing::twox_128;
    use sp_runtime::traits::Hash;

    /// Most bytes of a hidden extrinsic.
    pub type MaxCiphertext = ConstU32<8192>;
    /// Most bytes of a public key.
    pub type MaxKey = ConstU32<2048>;

    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {}

    #[pallet::pallet]
    pub struct Pallet<T>(_);

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A hidden extrinsic is in the block.
        #[codec(index = 0)]
        EncryptedSubmitted {
            /// Hash of its sender and its bytes.
            id: T::Hash,
            /// Who sent it.
            who: T::AccountId,
        },
    }

    /// The key of this block's author.
    #[pallet::storage]
    pub type CurrentKey<T: Config> = StorageValue<_, BoundedVec<u8, MaxKey>, OptionQuery>;

    /// The key of the next block's author.
    #[pallet::storage]
    pub type PendingKey<T: Config> = StorageValue<_, BoundedVec<u8, MaxKey>, OptionQuery>;

    /// The key to hide extrinsics with.
    #[pallet::storage]
    pub type NextKey<T: Config> = StorageValue<_, BoundedVec<u8, MaxKey>, OptionQuery>;

    /// The first keys.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// The chain's key.
        pub key: Vec<u8>,
        #[serde(skip)]
        #[doc(hidden)]
        pub _marker: PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            let key = BoundedVec::<u8, MaxKey>::try_from(self.key.clone());
            let key = key.expect("a key of ML-KEM-768 has 1184 bytes");
            CurrentKey::<T>::put(&key);
            PendingKey::<T>::put(&key);
            NextKey::<T>::put(key);
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Carries a hidden extrinsic, which follows in the same block.
        #[pallet::call_index(1)]
        #[pallet::weight(Weight::from_parts(50_000_000, 0))]
        pub fn submit_encrypted(
            origin: OriginFor<T>,
            ciphertext: BoundedVec<u8, MaxCiphertext>,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            let id = T::Hashing::hash_of(&(&who, &ciphertext));
            Self::deposit_event(Event::EncryptedSubmitted { id, who });
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        /// Whether this is the hash of a key that opens.
        pub fn is_known_key(hash: &[u8; 16]) -> bool {
            [CurrentKey::<T>::get(), PendingKey::<T>::get(), NextKey::<T>::get()]
                .into_iter()
                .flatten()
                .any(|key| twox_128(&key) == *hash)
        }
    }
}
