//! The runtime APIs: what a node and its clients may ask of the runtime.

pub use expanded::{RUNTIME_API_VERSIONS, api::dispatch};

#[expect(missing_docs, reason = "the macro expands to items that it leaves undocumented")]
mod expanded {
    use crate::pallets::subtensor::{
        AutoStakeDestination, BlockEmission, DelegateInfo, Delegated, DynamicInfo, HyperparamEntry,
        LockState, Metagraph, NeuronInfo, NeuronInfoLite, SelectiveMetagraph, SimSwapResult,
        StakeAvailability, StakeInfo, SubnetHyperparams, SubnetHyperparamsV2, SubnetInfo,
        SubnetInfoV2, SubnetPrice, SubnetState,
    };
    use crate::runtime::{
        AccountId, Balance, Block, Executive, Nonce, Runtime, RuntimeCall, SubtensorModule, System,
        TransactionPayment, VERSION,
        construct::{self, metadata},
        subtensor_apis,
    };
    use frame_support::weights::Weight;
    use pallet_transaction_payment_rpc_runtime_api::{FeeDetails, RuntimeDispatchInfo};
    use sp_api::impl_runtime_apis;
    use sp_core::OpaqueMetadata;
    use sp_inherents::{CheckInherentsResult, InherentData};
    use sp_runtime::{
        ApplyExtrinsicResult, ExtrinsicInclusionMode,
        traits::Block as BlockT,
        transaction_validity::{TransactionSource, TransactionValidity},
    };
    use sp_version::RuntimeVersion;
    use std::collections::BTreeMap;
    use substrate_fixed::types::U64F64;

    fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
        metadata::at_version(version).map(|metadata| OpaqueMetadata::new(metadata.into()))
    }

    impl_runtime_apis! {
        impl sp_api::Core<Block> for Runtime {
            fn version() -> RuntimeVersion {
                VERSION
            }

            fn execute_block(block: <Block as BlockT>::LazyBlock) {
                Executive::execute_block(block)
            }

            fn initialize_block(header: &<Block as BlockT>::Header) -> ExtrinsicInclusionMode {
                Executive::initialize_block(header)
            }
        }

        impl sp_api::Metadata<Block> for Runtime {
            fn metadata() -> OpaqueMetadata {
                let first = metadata::VERSIONS[0];
                metadata_at_version(first).unwrap_or_else(|| OpaqueMetadata::new(Vec::new()))
            }

            fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
                metadata_at_version(version)
            }

            fn metadata_versions() -> Vec<u32> {
                metadata::VERSIONS.to_vec()
            }
        }

        impl sp_block_builder::BlockBuilder<Block> for Runtime {
            fn apply_extrinsic(extrinsic: <Block as BlockT>::Extrinsic) -> ApplyExtrinsicResult {
                Executive::apply_extrinsic(extrinsic)
            }

            fn finalize_block() -> <Block as BlockT>::Header {
                Executive::finalize_block()
            }

            fn inherent_extrinsics(data: InherentData) -> Vec<<Block as BlockT>::Extrinsic> {
                construct::create_inherents(&data)
            }

            fn check_inherents(
                block: <Block as BlockT>::LazyBlock,
                data: InherentData,
            ) -> CheckInherentsResult {
                construct::check_inherents(&block, &data)
            }
        }

        impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
            fn validate_transaction(
                source: TransactionSource,
                tx: <Block as BlockT>::Extrinsic,
                block_hash: <Block as BlockT>::Hash,
            ) -> TransactionValidity {
                Executive::validate_transaction(source, tx, block_hash)
            }
        }

        impl frame_system_rpc_runtime_api::AccountNonceApi<Block, AccountId, Nonce> for Runtime {
            fn account_nonce(account: AccountId) -> Nonce {
                System::account_nonce(account)
            }
        }

        impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentApi<Block, Balance>
            for Runtime
        {
            fn query_info(
                uxt: <Block as BlockT>::Extrinsic,
                len: u32,
            ) -> RuntimeDispatchInfo<Balance> {
                TransactionPayment::query_info(uxt, len)
            }

            fn query_fee_details(
                uxt: <Block as BlockT>::Extrinsic,
                len: u32,
            ) -> FeeDetails<Balance> {
                TransactionPayment::query_fee_details(uxt, len)
            }

            fn query_weight_to_fee(weight: Weight) -> Balance {
                TransactionPayment::weight_to_fee(weight)
            }

            fn query_length_to_fee(length: u32) -> Balance {
                TransactionPayment::length_to_fee(length)
            }
        }

        impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentCallApi<
            Block,
            Balance,
            RuntimeCall,
        > for Runtime
        {
            fn query_call_info(call: RuntimeCall, len: u32) -> RuntimeDispatchInfo<Balance> {
                TransactionPayment::query_call_info(call, len)
            }

            fn query_call_fee_details(call: RuntimeCall, len: u32) -> FeeDetails<Balance> {
                TransactionPayment::query_call_fee_details(call, len)
            }

            fn query_weight_to_fee(weight: Weight) -> Balance {
                TransactionPayment::weight_to_fee(weight)
            }

            fn query_length_to_fee(length: u32) -> Balance {
                TransactionPayment::length_to_fee(length)
            }
        }

        impl subtensor_apis::NeuronInfoRuntimeApi<Block> for Runtime {
            fn get_neurons(netuid: u16) -> Vec<NeuronInfo<AccountId>> {
                SubtensorModule::full_neurons(netuid)
            }

            fn get_neuron(netuid: u16, uid: u16) -> Option<NeuronInfo<AccountId>> {
                SubtensorModule::full_neuron(netuid, uid)
            }

            fn get_neurons_lite(netuid: u16) -> Vec<NeuronInfoLite<AccountId>> {
                SubtensorModule::neurons(netuid)
            }

            fn get_neuron_lite(netuid: u16, uid: u16) -> Option<NeuronInfoLite<AccountId>> {
                SubtensorModule::neuron(netuid, uid)
            }
        }

        impl subtensor_apis::DelegateInfoRuntimeApi<Block> for Runtime {
            fn get_delegates() -> Vec<DelegateInfo<AccountId>> {
                SubtensorModule::delegates()
            }

            fn get_delegate(delegate_account: AccountId) -> Option<DelegateInfo<AccountId>> {
                SubtensorModule::delegate(&delegate_account)
            }

            fn get_delegated(delegatee_account: AccountId) -> Vec<Delegated<AccountId>> {
                SubtensorModule::delegated(&delegatee_account)
            }
        }

        impl subtensor_apis::SubnetInfoRuntimeApi<Block> for Runtime {
            fn get_subnet_info(netuid: u16) -> Option<SubnetInfo<AccountId>> {
                SubtensorModule::subnet_info(netuid)
            }

            fn get_subnets_info() -> Vec<Option<SubnetInfo<AccountId>>> {
                SubtensorModule::of_all_subnets(SubtensorModule::subnet_info)
            }

            fn get_subnet_info_v2(netuid: u16) -> Option<SubnetInfoV2<AccountId>> {
                SubtensorModule::subnet_info_v2(netuid)
            }

            fn get_subnets_info_v2() -> Vec<Option<SubnetInfoV2<AccountId>>> {
                SubtensorModule::of_all_subnets(SubtensorModule::subnet_info_v2)
            }

            fn get_subnet_hyperparams(netuid: u16) -> Option<SubnetHyperparams> {
                SubtensorModule::hyperparameters(netuid)
            }

            fn get_subnet_hyperparams_v2(netuid: u16) -> Option<SubnetHyperparamsV2> {
                SubtensorModule::hyperparameters_v2(netuid)
            }

            fn get_subnet_hyperparams_v3(netuid: u16) -> Option<Vec<HyperparamEntry>> {
                SubtensorModule::hyperparameter_entries(netuid)
            }

            fn get_dynamic_info(netuid: u16) -> Option<DynamicInfo<AccountId>> {
                SubtensorModule::dynamic_info(netuid)
            }

            fn get_all_dynamic_info() -> Vec<Option<DynamicInfo<AccountId>>> {
                SubtensorModule::of_all_subnets(SubtensorModule::dynamic_info)
            }

            fn get_metagraph(netuid: u16) -> Option<Metagraph<AccountId>> {
                SubtensorModule::metagraph(netuid)
            }

            fn get_all_metagraphs() -> Vec<Option<Metagraph<AccountId>>> {
                SubtensorModule::of_all_subnets(SubtensorModule::metagraph)
            }

            fn get_mechagraph(netuid: u16, mecid: u8) -> Option<Metagraph<AccountId>> {
                SubtensorModule::mechagraph(netuid, mecid)
            }

            fn get_all_mechagraphs() -> Vec<Option<Metagraph<AccountId>>> {
                SubtensorModule::mechagraphs()
            }

            fn get_selective_metagraph(
                netuid: u16,
                metagraph_indexes: Vec<u16>,
            ) -> Option<SelectiveMetagraph<AccountId>> {
                SubtensorModule::selective_metagraph(netuid, &metagraph_indexes)
            }

            fn get_selective_mechagraph(
                netuid: u16,
                subid: u8,
                metagraph_indexes: Vec<u16>,
            ) -> Option<SelectiveMetagraph<AccountId>> {
                SubtensorModule::selective_mechagraph(netuid, subid, &metagraph_indexes)
            }

            fn get_subnet_state(netuid: u16) -> Option<SubnetState<AccountId>> {
                SubtensorModule::subnet_state(netuid)
            }

            fn get_coldkey_auto_stake_hotkey(
                coldkey: AccountId,
                netuid: u16,
            ) -> Option<AccountId> {
                AutoStakeDestination::<Runtime>::get(coldkey, netuid)
            }

            fn get_subnet_to_prune() -> Option<u16> {
                None
            }

            fn get_next_epoch_start_block(netuid: u16) -> Option<u64> {
                SubtensorModule::next_epoch_start_block(netuid)
            }

            fn get_block_emission() -> u64 {
                BlockEmission::<Runtime>::get()
            }
        }

        impl subtensor_apis::StakeInfoRuntimeApi<Block> for Runtime {
            fn get_stake_info_for_coldkey(
                coldkey_account: AccountId,
            ) -> Vec<StakeInfo<AccountId>> {
                SubtensorModule::stakes_of(&coldkey_account)
            }

            fn get_stake_info_for_coldkeys(
                coldkey_accounts: Vec<AccountId>,
            ) -> Vec<(AccountId, Vec<StakeInfo<AccountId>>)> {
                let stakes = |coldkey| {
                    let stakes = SubtensorModule::stakes_of(&coldkey);
                    (coldkey, stakes)
                };
                coldkey_accounts.into_iter().map(stakes).collect()
            }

            fn get_stake_info_for_hotkey_coldkey_netuid(
                hotkey_account: AccountId,
                coldkey_account: AccountId,
                netuid: u16,
            ) -> Option<StakeInfo<AccountId>> {
                SubtensorModule::stake_info(&hotkey_account, &coldkey_account, netuid)
            }

            fn get_stake_availability_for_coldkeys(
                coldkey_accounts: Vec<AccountId>,
                netuids: Option<Vec<u16>>,
            ) -> BTreeMap<AccountId, BTreeMap<u16, StakeAvailability>> {
                let available = |coldkey| {
                    let sums = SubtensorModule::stake_availability(&coldkey, netuids.as_deref());
                    (coldkey, sums)
                };
                coldkey_accounts.into_iter().map(available).collect()
            }

            fn get_stake_fee(
                origin: Option<(AccountId, u16)>,
                _origin_coldkey_account: AccountId,
                destination: Option<(AccountId, u16)>,
                _destination_coldkey_account: AccountId,
                amount: u64,
            ) -> u64 {
                let place = destination.or(origin);
                place.map_or(0, |(_, netuid)| SubtensorModule::fee_in(netuid, amount))
            }

            fn get_coldkey_lock(_coldkey: AccountId, _netuid: u16) -> Option<LockState> {
                None
            }

            fn get_hotkey_conviction(_hotkey: AccountId, _netuid: u16) -> U64F64 {
                U64F64::default()
            }

            fn get_most_convicted_hotkey_on_subnet(_netuid: u16) -> Option<AccountId> {
                None
            }
        }

        impl subtensor_apis::BetaBasketRuntimeApi<Block> for Runtime {
            fn get_root_basket_owed(_coldkey: AccountId) -> u64 {
                0
            }

            fn get_basket_payout(_hotkey: AccountId, _coldkey: AccountId) -> u64 {
                0
            }

            fn get_validator_basket_nav(_hotkey: AccountId) -> u64 {
                0
            }

            fn get_validator_basket(_hotkey: AccountId) -> Vec<(u16, u64, u64)> {
                Vec::new()
            }

            fn get_root_basket_total_nav() -> u64 {
                0
            }

            fn get_root_basket_positions(_coldkey: AccountId) -> Vec<(AccountId, u64, u64)> {
                Vec::new()
            }
        }

        impl subtensor_apis::SubnetRegistrationRuntimeApi<Block> for Runtime {
            fn get_network_registration_cost() -> u64 {
                SubtensorModule::network_cost()
            }
        }

        impl subtensor_apis::SwapRuntimeApi<Block> for Runtime {
            fn current_alpha_price(netuid: u16) -> u64 {
                SubtensorModule::alpha_price_rao(netuid)
            }

            fn current_alpha_price_all() -> Vec<SubnetPrice> {
                SubtensorModule::alpha_prices()
            }

            fn sim_swap_tao_for_alpha(netuid: u16, tao: u64) -> SimSwapResult {
                SubtensorModule::simulate_purchase(netuid, tao)
            }

            fn sim_swap_alpha_for_tao(netuid: u16, alpha: u64) -> SimSwapResult {
                SubtensorModule::simulate_sale(netuid, alpha)
            }
        }
    }
}
