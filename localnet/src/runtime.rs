//! The runtime of the dev chain: the pallets and types that a Subtensor client relies on.
//!
//! Pallet names and indices, the transaction extensions' identifiers and order, account, address,
//! signature, balance and header types are those of `node-subtensor`, spec version 425. The code
//! is compiled natively and called through [`dispatch`]; there is no wasm blob.
//!
//! Not here: consensus (blocks are sealed by one process), EVM, contracts, governance.

use frame_support::{
    derive_impl,
    dispatch::DispatchClass,
    parameter_types,
    traits::{ConstU8, ConstU32, ConstU64, VariantCountOf},
    weights::{Weight, constants::WEIGHT_REF_TIME_PER_SECOND},
};
use frame_system::limits::{BlockLength, BlockWeights};
use pallet_transaction_payment::{ConstFeeMultiplier, FungibleAdapter, Multiplier};
use sp_runtime::{
    MultiAddress, MultiSignature, Perbill, generic,
    traits::{AccountIdLookup, BlakeTwo256, IdentifyAccount, One, Verify},
};
use sp_version::RuntimeVersion;
use std::borrow::Cow;

mod apis;
mod construct;
mod extensions;
mod fees;
mod genesis;
pub mod subtensor_apis;

pub use apis::{RUNTIME_API_VERSIONS, dispatch};
pub use construct::*;
pub use extensions::{
    CheckNonce, CheckShieldedTxValidity, DrandPriority, SubtensorTransactionExtension,
    SudoTransactionExtension,
};
pub use fees::{RecycleFees, WeightToRao};
pub use genesis::Genesis;

/// Height of a block.
pub type BlockNumber = u32;
/// Proves who sent an extrinsic.
pub type Signature = MultiSignature;
/// A 32-byte public key.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// How a call names an account.
pub type Address = MultiAddress<AccountId, ()>;
/// An amount in rao; 1 TAO is 1e9 rao.
pub type Balance = u64;
/// Count of the extrinsics an account has sent.
pub type Nonce = u32;
/// Hash of blocks, extrinsics and the state.
pub type Hash = sp_core::H256;
/// Header of a block.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A whole block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// What each signed extrinsic carries besides its call, in the order it is encoded. The nesting
/// (tuples hold at most twelve) does not show in the bytes or in the metadata.
pub type TxExtension = (
    (
        frame_system::CheckNonZeroSender<Runtime>,
        frame_system::CheckSpecVersion<Runtime>,
        frame_system::CheckTxVersion<Runtime>,
        frame_system::CheckGenesis<Runtime>,
        frame_system::CheckMortality<Runtime>,
        CheckNonce,
        frame_system::CheckWeight<Runtime>,
        pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
    ),
    (
        SudoTransactionExtension,
        CheckShieldedTxValidity,
        SubtensorTransactionExtension,
        DrandPriority,
        frame_metadata_hash_extension::CheckMetadataHash<Runtime>,
    ),
);
/// An extrinsic as it travels.
pub type UncheckedExtrinsic =
    generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;
/// What an extrinsic's signature covers.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TxExtension>;
/// Executes blocks.
pub type Executive = frame_executive::Executive<
    Runtime,
    Block,
    frame_system::ChainContext<Runtime>,
    Runtime,
    AllPalletsWithSystem,
>;

/// Identity of this runtime.
pub const VERSION: RuntimeVersion = RuntimeVersion {
    spec_name: Cow::Borrowed("node-subtensor"),
    impl_name: Cow::Borrowed("node-subtensor"),
    authoring_version: 1,
    spec_version: 425,
    impl_version: 1,
    apis: RUNTIME_API_VERSIONS,
    transaction_version: 1,
    system_version: 1,
};
/// Least balance of an account, in rao.
pub const EXISTENTIAL_DEPOSIT: Balance = 500;
/// Share of a block that normal extrinsics may fill.
const NORMAL_DISPATCH_RATIO: Perbill = Perbill::from_percent(75);
/// Largest block, in bytes.
const MAX_BLOCK_BYTES: u32 = 10 * 1024 * 1024;

parameter_types! {
    /// The runtime's identity, for [`frame_system`].
    pub const Version: RuntimeVersion = VERSION;
    /// Fees are not scaled by how full blocks are.
    pub FeeMultiplier: Multiplier = Multiplier::one();
    /// Limits on a block's weight: three quarters of four seconds for normal extrinsics.
    pub Weights: BlockWeights = BlockWeights::with_sensible_defaults(
        Weight::from_parts(4 * WEIGHT_REF_TIME_PER_SECOND, u64::MAX),
        NORMAL_DISPATCH_RATIO,
    );
    /// Limits on a block's bytes.
    pub Length: BlockLength = BlockLength::builder()
        .max_length(MAX_BLOCK_BYTES)
        .modify_max_length_for_class(DispatchClass::Normal, |m| *m = NORMAL_DISPATCH_RATIO * MAX_BLOCK_BYTES)
        .build();
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
    type Block = Block;
    type AccountId = AccountId;
    type Nonce = Nonce;
    type Hash = Hash;
    type Hashing = BlakeTwo256;
    type Lookup = AccountIdLookup<AccountId, ()>;
    type BlockHashCount = ConstU32<2400>;
    type BlockWeights = Weights;
    type BlockLength = Length;
    type Version = Version;
    type AccountData = pallet_balances::AccountData<Balance>;
    type SS58Prefix = frame_support::traits::ConstU16<42>;
    type MaxConsumers = ConstU32<16>;
}

impl pallet_timestamp::Config for Runtime {
    type Moment = u64;
    type OnTimestampSet = Drand;
    // Blocks are sealed as fast as a test wishes.
    type MinimumPeriod = ConstU64<1>;
    type WeightInfo = ();
}

impl crate::pallets::aura::Config for Runtime {}

impl crate::pallets::subtensor::Config for Runtime {
    type Currency = Balances;
    type Committed = Commitments;
    type Beacon = Drand;
    type Fees = crate::pallets::swap::Pallet<Runtime>;
}

impl crate::pallets::commitments::Config for Runtime {}
impl crate::pallets::admin_utils::Config for Runtime {}
impl crate::pallets::drand::Config for Runtime {}
impl crate::pallets::swap::Config for Runtime {}
impl crate::pallets::mev_shield::Config for Runtime {}

impl pallet_balances::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeHoldReason = RuntimeHoldReason;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type WeightInfo = ();
    type Balance = Balance;
    type DustRemoval = ();
    type ExistentialDeposit = ConstU64<EXISTENTIAL_DEPOSIT>;
    type AccountStore = System;
    type ReserveIdentifier = [u8; 8];
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxLocks = ConstU32<50>;
    type MaxReserves = ConstU32<50>;
    type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
    type DoneSlashHandler = ();
}

impl pallet_transaction_payment::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type OnChargeTransaction = FungibleAdapter<Balances, RecycleFees>;
    type WeightToFee = WeightToRao;
    type LengthToFee = frame_support::weights::IdentityFee<Balance>;
    type FeeMultiplierUpdate = ConstFeeMultiplier<FeeMultiplier>;
    type OperationalFeeMultiplier = ConstU8<5>;
    type WeightInfo = ();
}

impl pallet_utility::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type PalletsOrigin = OriginCaller;
    type WeightInfo = ();
}

impl pallet_sudo::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type WeightInfo = ();
}
