//! Each subnet's pool of TAO and alpha: the price is their ratio, their product stays.
//!
//! TAO that enters a pool leaves the free balances; the sum of both is the total issuance.
//!
//! Who trades pays a share of what he gives as a fee, on the first of two trades where a subnet's alpha
//! becomes another's. On the real chain the fees are the block author's; this one has none, and they
//! cease to exist.

use super::{
    Config, Error, Pallet, ROOT, SubnetAlphaIn, SubnetAlphaOut, SubnetMechanism, SubnetTAO,
    SubnetVolume, TotalStake, types::mul_div,
};
use substrate_fixed::types::U64F64;

/// What trades in the pools cost.
pub trait Fees {
    /// Share of what is given, of 65535.
    fn rate(netuid: u16) -> u16;
}

impl<T: Config> Pallet<T> {
    /// The fee in an amount that is given.
    pub fn fee_in(netuid: u16, paid: u64) -> u64 {
        mul_div(paid.into(), T::Fees::rate(netuid).into(), u16::MAX.into()) as u64
    }

    /// The amount to give so that this much remains after the fee.
    pub(super) fn with_fee(netuid: u16, left: u64) -> u64 {
        let rate = u128::from(T::Fees::rate(netuid));
        let fee = mul_div(left.into(), rate, u128::from(u16::MAX).saturating_sub(rate));
        left.saturating_add(u64::try_from(fee).unwrap_or(u64::MAX))
    }

    /// Buys alpha for TAO and pays the fee; the alpha, and the fee in TAO.
    pub(super) fn buy_for_fee(netuid: u16, tao: u64) -> Result<(u64, u64), Error<T>> {
        let fee = Self::fee_in(netuid, tao);
        let alpha = Self::buy_alpha(netuid, tao.saturating_sub(fee))?;
        Self::recycle_tao(fee);
        Ok((alpha, fee))
    }

    /// Sells alpha and pays the fee; the TAO, and the fee in alpha.
    pub(super) fn sell_for_fee(netuid: u16, alpha: u64) -> Result<(u64, u64), Error<T>> {
        let fee = Self::fee_in(netuid, alpha);
        let tao = Self::sell_alpha(netuid, alpha.saturating_sub(fee))?;
        Self::recycle_alpha(netuid, fee);
        Ok((tao, fee))
    }

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

    /// Alpha that `tao` would buy.
    ///
    /// # Errors
    /// If it would buy nothing or empty the pool.
    pub(super) fn alpha_for(netuid: u16, tao: u64) -> Result<u64, Error<T>> {
        Self::trade(SubnetTAO::<T>::get(netuid), SubnetAlphaIn::<T>::get(netuid), tao)
    }

    /// TAO that `alpha` would bring.
    ///
    /// # Errors
    /// If it would bring nothing or empty the pool.
    pub(super) fn tao_for(netuid: u16, alpha: u64) -> Result<u64, Error<T>> {
        Self::trade(SubnetAlphaIn::<T>::get(netuid), SubnetTAO::<T>::get(netuid), alpha)
    }

    /// What `paid` into one side of a pool takes out of the other.
    fn trade(side: u64, other: u64, paid: u64) -> Result<u64, Error<T>> {
        let filled = side.checked_add(paid).ok_or(Error::<T>::Overflow)?;
        let taken = mul_div(other.into(), paid.into(), filled.into()) as u64;
        if taken == 0 || taken >= other {
            return Err(Error::<T>::InsufficientLiquidity);
        }
        Ok(taken)
    }

    /// Puts TAO into the pool and takes alpha out of it.
    pub(super) fn buy_alpha(netuid: u16, tao: u64) -> Result<u64, Error<T>> {
        let alpha = Self::alpha_for(netuid, tao)?;
        let out =
            SubnetAlphaOut::<T>::get(netuid).checked_add(alpha).ok_or(Error::<T>::Overflow)?;
        SubnetTAO::<T>::mutate(netuid, |sum| *sum = sum.saturating_add(tao));
        SubnetAlphaIn::<T>::mutate(netuid, |sum| *sum = sum.saturating_sub(alpha));
        SubnetAlphaOut::<T>::insert(netuid, out);
        TotalStake::<T>::mutate(|total| *total = total.saturating_add(tao));
        SubnetVolume::<T>::mutate(netuid, |sum| *sum = sum.saturating_add(tao.into()));
        Ok(alpha)
    }

    /// Puts alpha into the pool and takes TAO out of it.
    pub(super) fn sell_alpha(netuid: u16, alpha: u64) -> Result<u64, Error<T>> {
        let tao = Self::tao_for(netuid, alpha)?;
        let out = SubnetAlphaOut::<T>::get(netuid)
            .checked_sub(alpha)
            .ok_or(Error::<T>::InsufficientLiquidity)?;
        SubnetTAO::<T>::mutate(netuid, |sum| *sum = sum.saturating_sub(tao));
        SubnetAlphaIn::<T>::mutate(netuid, |sum| *sum = sum.saturating_add(alpha));
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
