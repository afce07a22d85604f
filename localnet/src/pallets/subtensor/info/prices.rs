//! What alpha costs, and what a trade would bring.

use crate::pallets::subtensor::{Config, Pallet, types::mul_div};
use codec::{Decode, Encode};
use scale_info::TypeInfo;

/// Rao in a TAO.
const RAO: u128 = 1_000_000_000;

/// Price of a subnet's alpha.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, TypeInfo)]
pub struct SubnetPrice {
    /// The subnet.
    pub netuid: u16,
    /// Rao of TAO for one alpha.
    pub price: u64,
}

/// What a trade would bring, in rao.
#[derive(Clone, Debug, Default, Eq, PartialEq, Encode, Decode, TypeInfo)]
pub struct SimSwapResult {
    /// TAO that enters or leaves the pool.
    pub tao_amount: u64,
    /// Alpha that leaves or enters the pool.
    pub alpha_amount: u64,
    /// Fee in TAO, where TAO is paid.
    pub tao_fee: u64,
    /// Fee in alpha, where alpha is paid.
    pub alpha_fee: u64,
    /// TAO lost against the price before the trade.
    pub tao_slippage: u64,
    /// Alpha lost against the price before the trade.
    pub alpha_slippage: u64,
}

impl<T: Config> Pallet<T> {
    /// Prices of all subnets.
    pub fn alpha_prices() -> Vec<SubnetPrice> {
        let price = |netuid| SubnetPrice { netuid, price: Self::alpha_price_rao(netuid) };
        Self::all_netuids().into_iter().map(price).collect()
    }

    /// What `tao` would buy. Nothing where the pool cannot fill the order.
    pub fn simulate_purchase(netuid: u16, tao: u64) -> SimSwapResult {
        let tao_fee = Self::fee_in(netuid, tao);
        let tao = tao.saturating_sub(tao_fee);
        let alpha = Self::alpha_for(netuid, tao).unwrap_or(0);
        let price = Self::alpha_price_rao(netuid);
        let ideal = mul_div(tao.into(), RAO, price.into());
        SimSwapResult {
            tao_amount: tao,
            alpha_amount: alpha,
            alpha_slippage: ideal.saturating_sub(alpha.into()) as u64,
            tao_fee,
            ..SimSwapResult::default()
        }
    }

    /// What `alpha` would bring. Nothing where the pool cannot fill the order.
    pub fn simulate_sale(netuid: u16, alpha: u64) -> SimSwapResult {
        let alpha_fee = Self::fee_in(netuid, alpha);
        let alpha = alpha.saturating_sub(alpha_fee);
        let tao = Self::tao_for(netuid, alpha).unwrap_or(0);
        let price = Self::alpha_price_rao(netuid);
        let ideal = mul_div(alpha.into(), price.into(), RAO);
        SimSwapResult {
            tao_amount: tao,
            alpha_amount: alpha,
            tao_slippage: ideal.saturating_sub(tao.into()) as u64,
            alpha_fee,
            ..SimSwapResult::default()
        }
    }
}
