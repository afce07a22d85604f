//! The runtime APIs of the Subtensor pallets, as clients call them by name.

use super::AccountId;
use crate::pallets::subtensor::{
    DelegateInfo, Delegated, DynamicInfo, HyperparamEntry, LockState, Metagraph, NeuronInfo,
    NeuronInfoLite, SelectiveMetagraph, SimSwapResult, StakeAvailability, StakeInfo,
    SubnetHyperparams, SubnetHyperparamsV2, SubnetInfo, SubnetInfoV2, SubnetPrice, SubnetState,
};
use std::collections::BTreeMap;
use substrate_fixed::types::U64F64;

sp_api::decl_runtime_apis! {
    /// Neurons.
    pub trait NeuronInfoRuntimeApi {
        /// All neurons of a subnet by uid.
        fn get_neurons(netuid: u16) -> Vec<NeuronInfo<AccountId>>;
        /// One neuron.
        fn get_neuron(netuid: u16, uid: u16) -> Option<NeuronInfo<AccountId>>;
        /// All neurons of a subnet by uid, without weights and bonds.
        fn get_neurons_lite(netuid: u16) -> Vec<NeuronInfoLite<AccountId>>;
        /// One neuron, without weights and bonds.
        fn get_neuron_lite(netuid: u16, uid: u16) -> Option<NeuronInfoLite<AccountId>>;
    }

    /// Hotkeys that take stake.
    pub trait DelegateInfoRuntimeApi {
        /// All of them.
        fn get_delegates() -> Vec<DelegateInfo<AccountId>>;
        /// One.
        fn get_delegate(delegate_account: AccountId) -> Option<DelegateInfo<AccountId>>;
        /// Those on which a coldkey has stake.
        fn get_delegated(delegatee_account: AccountId) -> Vec<Delegated<AccountId>>;
    }

    /// Subnets.
    pub trait SubnetInfoRuntimeApi {
        /// A subnet as before the pools came.
        fn get_subnet_info(netuid: u16) -> Option<SubnetInfo<AccountId>>;
        /// All of them, the root first.
        fn get_subnets_info() -> Vec<Option<SubnetInfo<AccountId>>>;
        /// The same with the subnet's identity.
        fn get_subnet_info_v2(netuid: u16) -> Option<SubnetInfoV2<AccountId>>;
        /// All of them, the root first.
        fn get_subnets_info_v2() -> Vec<Option<SubnetInfoV2<AccountId>>>;
        /// Hyperparameters.
        fn get_subnet_hyperparams(netuid: u16) -> Option<SubnetHyperparams>;
        /// Hyperparameters with those that came later.
        fn get_subnet_hyperparams_v2(netuid: u16) -> Option<SubnetHyperparamsV2>;
        /// Hyperparameters by name.
        fn get_subnet_hyperparams_v3(netuid: u16) -> Option<Vec<HyperparamEntry>>;
        /// A subnet's pool and emission.
        fn get_dynamic_info(netuid: u16) -> Option<DynamicInfo<AccountId>>;
        /// All of them, the root first.
        fn get_all_dynamic_info() -> Vec<Option<DynamicInfo<AccountId>>>;
        /// A subnet with its neurons.
        fn get_metagraph(netuid: u16) -> Option<Metagraph<AccountId>>;
        /// All of them, the root first.
        fn get_all_metagraphs() -> Vec<Option<Metagraph<AccountId>>>;
        /// A mechanism of a subnet with its neurons.
        fn get_mechagraph(netuid: u16, mecid: u8) -> Option<Metagraph<AccountId>>;
        /// All of them, the root first.
        fn get_all_mechagraphs() -> Vec<Option<Metagraph<AccountId>>>;
        /// The parts of a subnet that are asked for, by index.
        fn get_selective_metagraph(
            netuid: u16,
            metagraph_indexes: Vec<u16>,
        ) -> Option<SelectiveMetagraph<AccountId>>;
        /// The parts of a mechanism that are asked for, by index.
        fn get_selective_mechagraph(
            netuid: u16,
            subid: u8,
            metagraph_indexes: Vec<u16>,
        ) -> Option<SelectiveMetagraph<AccountId>>;
        /// A subnet's neurons, a column each.
        fn get_subnet_state(netuid: u16) -> Option<SubnetState<AccountId>>;
        /// Where a coldkey has its incentive staked.
        fn get_coldkey_auto_stake_hotkey(coldkey: AccountId, netuid: u16) -> Option<AccountId>;
        /// The subnet that would yield to a new one: none here.
        fn get_subnet_to_prune() -> Option<u16>;
        /// The block that runs the subnet's next epoch if nothing changes.
        fn get_next_epoch_start_block(netuid: u16) -> Option<u64>;
        /// TAO that a block mints, in rao.
        fn get_block_emission() -> u64;
    }

    /// Stake.
    pub trait StakeInfoRuntimeApi {
        /// All stake of a coldkey.
        fn get_stake_info_for_coldkey(coldkey_account: AccountId) -> Vec<StakeInfo<AccountId>>;
        /// All stake of several coldkeys.
        fn get_stake_info_for_coldkeys(
            coldkey_accounts: Vec<AccountId>,
        ) -> Vec<(AccountId, Vec<StakeInfo<AccountId>>)>;
        /// A coldkey's stake on a hotkey in a subnet.
        fn get_stake_info_for_hotkey_coldkey_netuid(
            hotkey_account: AccountId,
            coldkey_account: AccountId,
            netuid: u16,
        ) -> Option<StakeInfo<AccountId>>;
        /// How much of coldkeys' stake may be moved, by subnet.
        fn get_stake_availability_for_coldkeys(
            coldkey_accounts: Vec<AccountId>,
            netuids: Option<Vec<u16>>,
        ) -> BTreeMap<AccountId, BTreeMap<u16, StakeAvailability>>;
        /// Fee for a move of stake, in rao of TAO: none here.
        fn get_stake_fee(
            origin: Option<(AccountId, u16)>,
            origin_coldkey_account: AccountId,
            destination: Option<(AccountId, u16)>,
            destination_coldkey_account: AccountId,
            amount: u64,
        ) -> u64;
        /// What a coldkey has locked in a subnet: nothing here.
        fn get_coldkey_lock(coldkey: AccountId, netuid: u16) -> Option<LockState>;
        /// What the locks on a hotkey count for: nothing here.
        fn get_hotkey_conviction(hotkey: AccountId, netuid: u16) -> U64F64;
        /// The hotkey with the most locked stake: none here.
        fn get_most_convicted_hotkey_on_subnet(netuid: u16) -> Option<AccountId>;
    }

    /// Root dividends as shares of validators' baskets, of spec 461. No stake can be on the root
    /// here, so all of them are empty.
    pub trait BetaBasketRuntimeApi {
        /// What a coldkey is owed, in rao of TAO.
        fn get_root_basket_owed(coldkey: AccountId) -> u64;
        /// What a coldkey's part of a basket would bring, in rao of TAO.
        fn get_basket_payout(hotkey: AccountId, coldkey: AccountId) -> u64;
        /// Worth of a basket, in rao of TAO.
        fn get_validator_basket_nav(hotkey: AccountId) -> u64;
        /// A basket: netuid, rao of alpha, rao of TAO.
        fn get_validator_basket(hotkey: AccountId) -> Vec<(u16, u64, u64)>;
        /// Worth of all baskets, in rao of TAO.
        fn get_root_basket_total_nav() -> u64;
        /// A coldkey's parts: hotkey, shares, rao of TAO.
        fn get_root_basket_positions(coldkey: AccountId) -> Vec<(AccountId, u64, u64)>;
    }

    /// Registration of subnets.
    pub trait SubnetRegistrationRuntimeApi {
        /// Cost of a new subnet, in rao.
        fn get_network_registration_cost() -> u64;
    }

    /// The pools.
    pub trait SwapRuntimeApi {
        /// Price of one alpha, in rao of TAO.
        fn current_alpha_price(netuid: u16) -> u64;
        /// Prices of all subnets.
        fn current_alpha_price_all() -> Vec<SubnetPrice>;
        /// What TAO would buy.
        fn sim_swap_tao_for_alpha(netuid: u16, tao: u64) -> SimSwapResult;
        /// What alpha would bring.
        fn sim_swap_alpha_for_tao(netuid: u16, alpha: u64) -> SimSwapResult;
    }
}
