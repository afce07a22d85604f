//! `Swap`: the subnets' prices, as clients read them from storage.
//!
//! The trades themselves are `SubtensorModule`'s. Left out: liquidity positions, which the real chain
//! has disabled.

pub use pallet::*;

#[frame_support::pallet]
pub mod pallet {
    use crate::pallets::subtensor;
    use frame_support::{pallet_prelude::*, traits::ConstU16};
    use frame_system::pallet_prelude::*;
    use sp_core::U256;
    use substrate_fixed::types::U64F64;

    /// Highest fee, of 65535: about one and a half per cent.
    const MAX_FEE_RATE: u16 = 1000;

    #[pallet::config]
    pub trait Config:
        frame_system::Config<RuntimeEvent: From<Event<Self>>> + subtensor::Config
    {
    }

    #[pallet::pallet]
    #[pallet::without_storage_info]
    pub struct Pallet<T>(_);

    #[pallet::error]
    pub enum Error<T> {
        /// The fee is above the highest.
        #[codec(index = 0)]
        FeeRateTooHigh,
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// The fee of a pool was set.
        #[codec(index = 0)]
        FeeRateSet {
            /// The subnet.
            netuid: u16,
            /// Share of a trade, of 65535.
            rate: u16,
        },
    }

    /// Fee of a pool, of 65535.
    #[pallet::storage]
    pub type FeeRate<T: Config> = StorageMap<_, Twox64Concat, u16, u16, ValueQuery, ConstU16<33>>;

    /// Square root of a pool's price in TAO, at the end of the block. The real chain had it until
    /// spec 425; the Python SDK 10 reads prices from it.
    #[pallet::storage]
    pub type AlphaSqrtPrice<T: Config> = StorageMap<_, Twox64Concat, u16, U64F64, ValueQuery>;

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Sets the fee of a pool.
        #[pallet::call_index(0)]
        #[pallet::weight(Weight::from_parts(30_000_000, 0))]
        pub fn set_fee_rate(origin: OriginFor<T>, netuid: u16, rate: u16) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
            ensure!(rate <= MAX_FEE_RATE, Error::<T>::FeeRateTooHigh);
            FeeRate::<T>::insert(netuid, rate);
            Self::deposit_event(Event::FeeRateSet { netuid, rate });
            Ok(())
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_finalize(_: BlockNumberFor<T>) {
            for netuid in subtensor::Pallet::<T>::netuids() {
                let root = square_root(subtensor::Pallet::<T>::alpha_price(netuid));
                if AlphaSqrtPrice::<T>::get(netuid) != root {
                    AlphaSqrtPrice::<T>::insert(netuid, root);
                }
            }
        }
    }

    impl<T: Config> subtensor::Fees for Pallet<T> {
        fn rate(netuid: u16) -> u16 {
            FeeRate::<T>::get(netuid)
        }
    }

    fn square_root(price: U64F64) -> U64F64 {
        // The root of x / 2^64 is the root of x * 2^64, over 2^64.
        let root = (U256::from(price.to_bits()) << 64).integer_sqrt();
        U64F64::from_bits(root.low_u128())
    }
}
