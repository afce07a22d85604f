//! The runtime APIs: what a node and its clients may ask of the runtime.

pub use expanded::{RUNTIME_API_VERSIONS, api::dispatch};

#[expect(missing_docs, reason = "the macro expands to items that it leaves undocumented")]
mod expanded {
    use crate::pallets::subtensor::{NeuronInfo, NeuronInfoLite};
    use crate::runtime::{
        AccountId, Balance, Block, Executive, Nonce, Runtime, RuntimeCall, SubtensorModule, System,
        TransactionPayment, VERSION, construct, subtensor_apis,
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
                OpaqueMetadata::new(Runtime::metadata().into())
            }

            fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
                Runtime::metadata_at_version(version)
            }

            fn metadata_versions() -> Vec<u32> {
                Runtime::metadata_versions()
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

        impl subtensor_apis::SubnetInfoRuntimeApi<Block> for Runtime {
            fn get_next_epoch_start_block(netuid: u16) -> Option<u64> {
                SubtensorModule::next_epoch_start_block(netuid)
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
        }
    }
}
