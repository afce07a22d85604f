//! What an extrinsic costs.

use super::Balance;
use frame_support::weights::{Weight, WeightToFee};
use sp_runtime::Perbill;

/// Charges 0.0005 rao for each picosecond of an extrinsic's reference time.
pub struct WeightToRao;

impl WeightToFee for WeightToRao {
    type Balance = Balance;

    fn weight_to_fee(weight: &Weight) -> Balance {
        Perbill::from_parts(500_000) * weight.ref_time()
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
