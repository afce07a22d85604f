//! The list of pallets, from which FRAME derives the runtime's call, event, error and origin types.
#![expect(missing_docs, reason = "the macro expands to items that it leaves undocumented")]

pub(super) mod metadata;

use super::{Block, UncheckedExtrinsic};
use sp_inherents::{CheckInherentsResult, InherentData};
use sp_runtime::traits::Block as BlockT;

#[frame_support::runtime]
mod runtime {
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask
    )]
    pub struct Runtime;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(2)]
    pub type Timestamp = pallet_timestamp;
    #[runtime::pallet_index(3)]
    pub type Aura = crate::pallets::aura;
    #[runtime::pallet_index(5)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(6)]
    pub type TransactionPayment = pallet_transaction_payment;
    #[runtime::pallet_index(7)]
    pub type SubtensorModule = crate::pallets::subtensor;
    #[runtime::pallet_index(11)]
    pub type Utility = pallet_utility;
    #[runtime::pallet_index(12)]
    pub type Sudo = pallet_sudo;
    #[runtime::pallet_index(18)]
    pub type Commitments = crate::pallets::commitments;
    #[runtime::pallet_index(19)]
    pub type AdminUtils = crate::pallets::admin_utils;
    #[runtime::pallet_index(26)]
    pub type Drand = crate::pallets::drand;
    #[runtime::pallet_index(28)]
    pub type Swap = crate::pallets::swap;
    #[runtime::pallet_index(30)]
    pub type MevShield = crate::pallets::mev_shield;
}

/// The inherent extrinsics that belong at the head of a block.
pub(super) fn create_inherents(data: &InherentData) -> Vec<UncheckedExtrinsic> {
    data.create_extrinsics()
}

/// Whether a block's inherent extrinsics agree with `data`.
pub(super) fn check_inherents(
    block: &<Block as BlockT>::LazyBlock,
    data: &InherentData,
) -> CheckInherentsResult {
    data.check_extrinsics(block)
}
