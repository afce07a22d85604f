//! Stake, and what trading it would bring.

use subxt::dynamic;
use subxt::ext::scale_decode::DecodeAsType;

use crate::Hotkey;
use crate::client::{Client, rpc};
use crate::error::ReadError;

/// Rao per TAO, and per alpha.
const UNIT: f64 = 1e9;
/// Most entries of one coldkey's stake.
const MAX_STAKES: usize = 1 << 16;

/// What a trade in a subnet's pool would bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Rao given: TAO when staking, alpha when unstaking.
    pub paid: u64,
    /// Rao got: alpha when staking, TAO when unstaking.
    pub got: u64,
    /// Of what is paid, taken as a fee.
    pub fee: u64,
    /// Rao of TAO for one alpha before the trade.
    pub price: u64,
    /// Whether TAO is paid.
    pub stakes: bool,
}

impl Quote {
    /// How much less than at the price before the trade is got, as a share: 0.01 is one per cent.
    #[must_use]
    pub fn slippage(&self) -> f64 {
        let price = self.price as f64 / UNIT;
        let rate = if self.stakes { 1.0 / price } else { price };
        let ideal = self.paid as f64 * rate;
        if ideal > 0.0 { (1.0 - self.got as f64 / ideal).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The price that a trade may reach at most (staking) or at least (unstaking), where it may move
    /// by `tolerance`, in rao of TAO for one alpha.
    #[must_use]
    pub fn limit(&self, tolerance: f64) -> u64 {
        let by = if self.stakes { 1.0 + tolerance } else { 1.0 - tolerance };
        (self.price as f64 * by.max(0.0)) as u64
    }
}

/// Stake of a coldkey on a hotkey in a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stake {
    /// The subnet.
    pub netuid: u16,
    /// The hotkey.
    pub hotkey: Hotkey,
    /// Alpha, in rao.
    pub alpha: u64,
    /// Whether the hotkey is registered there.
    pub is_registered: bool,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Swap {
    tao_amount: u64,
    alpha_amount: u64,
    tao_fee: u64,
    alpha_fee: u64,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct StakeInfo {
    hotkey: Hotkey,
    netuid: u16,
    stake: u64,
    is_registered: bool,
}

impl Client {
    /// What staking so much TAO, or unstaking so much alpha, would bring now.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn quote(&self, netuid: u16, rao: u64, stakes: bool) -> Result<Quote, ReadError> {
        const WHAT: &str = "the pool's price";
        let at = self.latest().await?;
        let apis = at.runtime_apis();
        let call = |method: &'static str| {
            dynamic::runtime_api_call::<_, Swap>("SwapRuntimeApi", method, (netuid, rao))
        };
        let price =
            dynamic::runtime_api_call::<_, u64>("SwapRuntimeApi", "current_alpha_price", (netuid,));
        let price = rpc(WHAT, apis.call(price)).await?;
        let method = if stakes { "sim_swap_tao_for_alpha" } else { "sim_swap_alpha_for_tao" };
        let swap = rpc(WHAT, apis.call(call(method))).await?;
        let (got, fee) = if stakes {
            (swap.alpha_amount, swap.tao_fee)
        } else {
            (swap.tao_amount, swap.alpha_fee)
        };
        Ok(Quote { paid: rao, got, fee, price, stakes })
    }

    /// All that a coldkey has staked, by subnet and hotkey.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn stakes(&self, coldkey: &Hotkey) -> Result<Vec<Stake>, ReadError> {
        const WHAT: &str = "the stake";
        let at = self.latest().await?;
        let call = dynamic::runtime_api_call::<_, Vec<StakeInfo>>(
            "StakeInfoRuntimeApi",
            "get_stake_info_for_coldkey",
            (*coldkey,),
        );
        let found = rpc(WHAT, at.runtime_apis().call(call)).await?;
        if found.len() > MAX_STAKES {
            return Err(ReadError::form(WHAT, format_args!("{} entries", found.len())));
        }
        let mut stakes: Vec<Stake> = found
            .into_iter()
            .filter(|info| info.stake > 0)
            .map(|StakeInfo { hotkey, netuid, stake, is_registered }| Stake {
                netuid,
                hotkey,
                alpha: stake,
                is_registered,
            })
            .collect();
        stakes.sort_by_key(|stake| (stake.netuid, stake.hotkey));
        Ok(stakes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slippage_and_limit_follow_from_the_price_before() {
        let stake = Quote { paid: 1_000, got: 1_900, fee: 0, price: 500_000_000, stakes: true };
        assert!((stake.slippage() - 0.05).abs() < 1e-9);
        assert_eq!(stake.limit(0.1), 550_000_000);
        let unstake = Quote { paid: 1_000, got: 450, stakes: false, ..stake };
        assert!((unstake.slippage() - 0.1).abs() < 1e-9);
        assert_eq!((unstake.limit(0.1), unstake.limit(2.0)), (450_000_000, 0));
        let nothing = Quote { paid: 0, got: 0, price: 0, ..stake };
        assert!(nothing.slippage().abs() < 1e-9);
    }
}
