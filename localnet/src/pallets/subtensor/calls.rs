//! The calls. Each checks its origin and hands over to the module of its subject.

use frame_support::pallet_macros::pallet_section;

#[pallet_section]
mod calls {
    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Sets the caller's weights. `version_key` must reach the subnet's.
        #[pallet::call_index(0)]
        #[pallet::weight((Weight::from_parts(50_000_000, 0), DispatchClass::Normal, Pays::No))]
        pub fn set_weights(
            origin: OriginFor<T>,
            netuid: u16,
            dests: Vec<u16>,
            weights: Vec<u16>,
            version_key: u64,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_set_weights(&hotkey, netuid, 0, dests, weights, version_key)
        }

        /// Sets the caller's weights in one of the subnet's mechanisms.
        #[pallet::call_index(119)]
        #[pallet::weight((Weight::from_parts(50_000_000, 0), DispatchClass::Normal, Pays::No))]
        pub fn set_mechanism_weights(
            origin: OriginFor<T>,
            netuid: u16,
            mecid: u8,
            dests: Vec<u16>,
            weights: Vec<u16>,
            version_key: u64,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_set_weights(&hotkey, netuid, mecid, dests, weights, version_key)
        }

        /// Buys alpha for `amount_staked` rao and stakes it on the hotkey.
        #[pallet::call_index(2)]
        #[pallet::weight(Weight::from_parts(100_000_000, 0))]
        pub fn add_stake(
            origin: OriginFor<T>,
            hotkey: T::AccountId,
            netuid: u16,
            amount_staked: u64,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_add_stake(&coldkey, &hotkey, netuid, amount_staked)
        }

        /// Sells `amount_unstaked` of the caller's alpha on the hotkey.
        #[pallet::call_index(3)]
        #[pallet::weight(Weight::from_parts(100_000_000, 0))]
        pub fn remove_stake(
            origin: OriginFor<T>,
            hotkey: T::AccountId,
            netuid: u16,
            amount_unstaked: u64,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_remove_stake(&coldkey, &hotkey, netuid, amount_unstaked)
        }

        /// Announces where the caller serves.
        #[pallet::call_index(4)]
        #[pallet::weight((Weight::from_parts(30_000_000, 0), DispatchClass::Normal, Pays::No))]
        pub fn serve_axon(
            origin: OriginFor<T>,
            netuid: u16,
            version: u32,
            ip: u128,
            port: u16,
            ip_type: u8,
            protocol: u8,
            placeholder1: u8,
            placeholder2: u8,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            let axon = Axon { version, ip, port, ip_type, protocol, placeholder1, placeholder2 };
            Self::do_serve_axon(&hotkey, netuid, axon)
        }

        /// Registers a hotkey for the subnet's current price.
        #[pallet::call_index(7)]
        #[pallet::weight(Weight::from_parts(100_000_000, 0))]
        pub fn burned_register(
            origin: OriginFor<T>,
            netuid: u16,
            hotkey: T::AccountId,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_register(&coldkey, netuid, &hotkey)
        }

        /// Makes a subnet, whose first neuron is `hotkey`.
        #[pallet::call_index(59)]
        #[pallet::weight(Weight::from_parts(200_000_000, 0))]
        pub fn register_network(origin: OriginFor<T>, hotkey: T::AccountId) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_register_network(&coldkey, &hotkey)
        }

        /// Lets the caller's subnet earn and its alpha be traded.
        #[pallet::call_index(92)]
        #[pallet::weight(Weight::from_parts(30_000_000, 0))]
        pub fn start_call(origin: OriginFor<T>, netuid: u16) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_start_call(&coldkey, netuid)
        }
    }
}
