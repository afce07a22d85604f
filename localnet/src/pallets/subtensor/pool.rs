//! Each subnet's pool of TAO and alpha: the price is their ratio, their product stays.
//!
//! TAO that enters a pool leaves the free balances; the sum of both is the total issuance. There
//! is no fee.

use super::{
    Config, Error, Pallet, ROOT, SubnetAlphaIn, SubnetAlphaOut, SubnetMechanism, SubnetTAO,
    SubnetVolume, TotalStake, types::mul_div,
};
use substrate_fixed::types::U64F64;

impl<T: Config> Pallet<T> {
    /// Price of one alpha in TAO.
    pub fn alpha_price(netuid: u16) -> U64F64 {
        if netuid == ROOT || SubnetMechanism::<T>::get(netuid) == 0 {
            return U64F64::from_num(1);
        }
        U64F64::saturating_from_num(SubnetTAO::<T>::get(netuid))
            .checked_div(U64F64::saturating_from_num(SubnetAlphaIn::<T>::get(netuid)))
            .unwrap_or_default()
    }

    /// Price of one alpha in rao of TAO.
    pub fn alpha_price_rao(netuid: u16) -> u64 {
        let rao = U64F64::from_num(1_000_000_000);
        Self::alpha_price(netuid).saturating_mul(rao).saturating_to_num::<u64>()
    }

    /// Puts TAO into the pool and takes alpha out of it.
    pub(super) fn buy_alpha(netuid: u16, tao: u64) -> Result<u64, Error<T>> {
        let (pool_tao, pool_alpha) = (SubnetTAO::<T>::get(netuid), SubnetAlphaIn::<T>::get(netuid));
        let new_tao = pool_tao.checked_add(tao).ok_or(Error::<T>::Overflow)?;
        let alpha = mul_div(pool_alpha.into(), tao.into(), new_tao.into()) as u64;
        let left = pool_alpha.checked_sub(alpha).ok_or(Error::<T>::InsufficientLiquidity)?;
        if alpha == 0 || left == 0 {
            return Err(Error::<T>::InsufficientLiquidity);
        }
        let out =
            SubnetAlphaOut::<T>::get(netuid).checked_add(alpha).ok_or(Error::<T>::Overflow)?;
        SubnetTAO::<T>::insert(netuid, new_tao);
        SubnetAlphaIn::<T>::insert(netuid, left);
        SubnetAlphaOut::<T>::insert(netuid, out);
        TotalStake::<T>::mutate(|total| *total = total.saturating_add(tao));
        SubnetVolume::<T>::mutate(netuid, |sum| *sum = sum.saturating_add(tao.into()));
        Ok(alpha)
    }

    /// Puts alpha into the pool and takes TAO out of it.
    pub(super) fn sell_alpha(netuid: u16, alpha: u64) -> Result<u64, Error<T>> {
        let (pool_tao, pool_alpha) = (SubnetTAO::<T>::get(netuid), SubnetAlphaIn::<T>::get(netuid));
        let new_alpha = pool_alpha.checked_add(alpha).ok_or(Error::<T>::Overflow)?;
        let tao = mul_div(pool_tao.into(), alpha.into(), new_alpha.into()) as u64;
        let left = pool_tao.checked_sub(tao).ok_or(Error::<T>::InsufficientLiquidity)?;
        let out = SubnetAlphaOut::<T>::get(netuid)
            .checked_sub(alpha)
            .ok_or(Error::<T>::InsufficientLiquidity)?;
        if tao == 0 || left == 0 {
            return Err(Error::<T>::InsufficientLiquidity);
        }
        SubnetTAO::<T>::insert(netuid, left);
        SubnetAlphaIn::<T>::insert(netuid, new_alpha);
        SubnetAlphaOut::<T>::insert(netuid, out);
        TotalStake::<T>::mutate(|total| *total = total.saturating_sub(tao));
        SubnetVolume::<T>::mutate(netuid, |sum| *sum = sum.saturating_add(tao.into()));
        Ok(tao)
    }

    /// Takes alpha that nobody holds out of existence.
    pub(super) fn recycle_alpha(netuid: u16, alpha: u64) {
        SubnetAlphaOut::<T>::mutate(netuid, |out| *out = out.saturating_sub(alpha));
    }
}
