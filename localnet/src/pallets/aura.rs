//! The constant from which SDKs learn the time between blocks. There is no Aura consensus here.
#![expect(missing_docs, reason = "the pallet macro expands to items that it leaves undocumented")]

pub use pallet::*;

#[frame_support::pallet]
pub mod pallet {
    use core::marker::PhantomData;
    use frame_support::pallet_prelude::*;

    /// Time between blocks where none was configured, in milliseconds.
    const DEFAULT_SLOT_MS: u64 = 12_000;

    #[pallet::config]
    pub trait Config: frame_system::Config {}

    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// Time between blocks, in milliseconds.
    #[pallet::storage]
    pub type SlotMillis<T> = StorageValue<_, u64, OptionQuery>;

    #[pallet::genesis_config]
    pub struct GenesisConfig<T> {
        /// Time between blocks, in milliseconds.
        pub slot_duration_ms: u64,
        #[serde(skip)]
        pub _marker: PhantomData<T>,
    }

    impl<T> Default for GenesisConfig<T> {
        fn default() -> Self {
            Self { slot_duration_ms: DEFAULT_SLOT_MS, _marker: PhantomData }
        }
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            SlotMillis::<T>::put(self.slot_duration_ms);
        }
    }

    #[pallet::extra_constants]
    impl<T: Config> Pallet<T> {
        /// Time between blocks, in milliseconds. Clients take 250 for a fast test chain.
        #[pallet::constant_name(SlotDuration)]
        pub fn slot_duration() -> u64 {
            // Metadata is also made where there is no state to read.
            let read = || SlotMillis::<T>::get().unwrap_or(DEFAULT_SLOT_MS);
            match sp_externalities::with_externalities(|_| ()) {
                Some(()) => read(),
                None => DEFAULT_SLOT_MS,
            }
        }
    }
}
