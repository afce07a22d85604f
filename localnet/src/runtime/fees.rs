//! What an extrinsic costs.

use super::{AccountId, Balance, Balances, SubtensorModule};
use frame_support::{
    traits::{Imbalance, OnUnbalanced, fungible::Credit},
    weights::{Weight, WeightToFee},
};
use sp_runtime::Perbill;

/// Charges 0.0005 rao for each picosecond of an extrinsic's reference time.
pub struct WeightToRao;

impl WeightToFee for WeightToRao {
    type Balance = Balance;

    fn weight_to_fee(weight: &Weight) -> Balance {
        Perbill::from_parts(500_000) * weight.ref_time()
    }
}

/// Takes fees out of the issuance: the dev chain has no block author to pay.
pub struct RecycleFees;

impl OnUnbalanced<Credit<AccountId, Balances>> for RecycleFees {
    fn on_nonzero_unbalanced(fees: Credit<AccountId, Balances>) {
        SubtensorModule::recycle_tao(fees.peek());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_one_rao_per_two_thousand_picoseconds() {
        assert_eq!(WeightToRao::weight_to_fee(&Weight::from_parts(2_000, 9)), 1);
        assert_eq!(WeightToRao::weight_to_fee(&Weight::from_parts(1_000_000_000, 0)), 500_000);
    }
}
