//! Stake: a hotkey's alpha, in which coldkeys hold shares. Emission to the hotkey raises the worth
//! of every share.

use super::{
    AlphaV2, Config, Delegates, Error, Event, NetworksAdded, OwnedHotkeys, Owner, Pallet, ROOT,
    SafeFloat, StakingHotkeys, SubtokenEnabled, TotalHotkeyAlpha, TotalHotkeySharesV2,
    types::mul_div,
};
use frame_support::{
    dispatch::DispatchResult,
    ensure,
    traits::{
        fungible::{Inspect, Mutate},
        tokens::{Fortitude, Precision, Preservation},
    },
};

/// Least TAO of one purchase or sale, in rao.
const MIN_STAKE: u64 = 2_000_000;
/// Shares per rao of alpha where nobody holds any yet, in billionths.
const FIRST_SHARES: u128 = 1_000_000_000;

impl<T: Config> Pallet<T> {
    pub(super) fn do_add_stake(
        coldkey: &T::AccountId,
        hotkey: &T::AccountId,
        netuid: u16,
        tao: u64,
    ) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        let tradable = netuid != ROOT && SubtokenEnabled::<T>::get(netuid);
        ensure!(tradable, Error::<T>::SubtokenDisabled);
        ensure!(tao >= MIN_STAKE, Error::<T>::AmountTooLow);
        ensure!(Owner::<T>::contains_key(hotkey), Error::<T>::HotKeyAccountNotExists);
        ensure!(Self::can_spend(coldkey, tao), Error::<T>::NotEnoughBalanceToStake);
        Self::withdraw(coldkey, tao)?;
        let (alpha, fee) = Self::buy_for_fee(netuid, tao)?;
        Self::increase_stake(hotkey, coldkey, netuid, alpha);
        let (coldkey, hotkey) = (coldkey.clone(), hotkey.clone());
        Self::deposit_event(Event::StakeAdded(coldkey, hotkey, tao, alpha, netuid, fee));
        Ok(())
    }

    pub(super) fn do_remove_stake(
        coldkey: &T::AccountId,
        hotkey: &T::AccountId,
        netuid: u16,
        alpha: u64,
    ) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        let tradable = netuid != ROOT && SubtokenEnabled::<T>::get(netuid);
        ensure!(tradable, Error::<T>::SubtokenDisabled);
        ensure!(Owner::<T>::contains_key(hotkey), Error::<T>::HotKeyAccountNotExists);
        let held = Self::stake_of_coldkey(hotkey, coldkey, netuid);
        ensure!(alpha > 0 && alpha <= held, Error::<T>::NotEnoughStakeToWithdraw);
        Self::decrease_stake(hotkey, coldkey, netuid, alpha);
        let (tao, fee) = Self::sell_for_fee(netuid, alpha)?;
        ensure!(tao >= MIN_STAKE, Error::<T>::AmountTooLow);
        T::Currency::mint_into(coldkey, tao)?;
        let (coldkey, hotkey) = (coldkey.clone(), hotkey.clone());
        Self::deposit_event(Event::StakeRemoved(coldkey, hotkey, tao, alpha, netuid, fee));
        Ok(())
    }

    /// All alpha on a hotkey, in rao.
    pub fn stake_of(hotkey: &T::AccountId, netuid: u16) -> u64 {
        TotalHotkeyAlpha::<T>::get(hotkey, netuid)
    }

    /// A coldkey's part of the alpha on a hotkey, in rao.
    pub fn stake_of_coldkey(hotkey: &T::AccountId, coldkey: &T::AccountId, netuid: u16) -> u64 {
        let shares = AlphaV2::<T>::get((hotkey, coldkey, netuid)).billionths();
        let all = TotalHotkeySharesV2::<T>::get(hotkey, netuid).billionths();
        mul_div(Self::stake_of(hotkey, netuid).into(), shares, all) as u64
    }

    /// Adds alpha to a hotkey on behalf of a coldkey. The alpha must be counted as out already.
    pub(super) fn increase_stake(
        hotkey: &T::AccountId,
        coldkey: &T::AccountId,
        netuid: u16,
        alpha: u64,
    ) {
        if alpha == 0 {
            return;
        }
        let total = Self::stake_of(hotkey, netuid);
        let all = TotalHotkeySharesV2::<T>::get(hotkey, netuid).billionths();
        let new = if total == 0 || all == 0 {
            u128::from(alpha).saturating_mul(FIRST_SHARES)
        } else {
            mul_div(alpha.into(), all, total.into())
        };
        let key = (hotkey, coldkey, netuid);
        let own = AlphaV2::<T>::get(key).billionths();
        AlphaV2::<T>::insert(key, SafeFloat::from_billionths(own.saturating_add(new)));
        let all = SafeFloat::from_billionths(all.saturating_add(new));
        TotalHotkeySharesV2::<T>::insert(hotkey, netuid, all);
        TotalHotkeyAlpha::<T>::insert(hotkey, netuid, total.saturating_add(alpha));
        if !StakingHotkeys::<T>::get(coldkey).contains(hotkey) {
            StakingHotkeys::<T>::append(coldkey, hotkey);
        }
    }

    /// Adds alpha to a hotkey on behalf of all who have stake on it.
    pub(super) fn increase_all_stake(hotkey: &T::AccountId, netuid: u16, alpha: u64) {
        if TotalHotkeySharesV2::<T>::get(hotkey, netuid).billionths() == 0 {
            let owner = Owner::<T>::get(hotkey);
            Self::increase_stake(hotkey, &owner, netuid, alpha);
        } else {
            TotalHotkeyAlpha::<T>::mutate(hotkey, netuid, |sum| *sum = sum.saturating_add(alpha));
        }
    }

    /// Takes at most a coldkey's part from a hotkey.
    pub(super) fn decrease_stake(
        hotkey: &T::AccountId,
        coldkey: &T::AccountId,
        netuid: u16,
        alpha: u64,
    ) {
        let total = Self::stake_of(hotkey, netuid);
        let key = (hotkey, coldkey, netuid);
        let own = AlphaV2::<T>::get(key).billionths();
        let all = TotalHotkeySharesV2::<T>::get(hotkey, netuid).billionths();
        let left = total.saturating_sub(alpha);
        // Rounding goes against the seller.
        let worth = mul_div(alpha.into(), all, total.into()).saturating_add(1);
        let sold = if left == 0 { own } else { worth.min(own) };
        AlphaV2::<T>::insert(key, SafeFloat::from_billionths(own.saturating_sub(sold)));
        let all = SafeFloat::from_billionths(all.saturating_sub(sold));
        TotalHotkeySharesV2::<T>::insert(hotkey, netuid, all);
        TotalHotkeyAlpha::<T>::insert(hotkey, netuid, left);
    }

    /// Ties a hotkey to the coldkey unless it has one.
    pub(super) fn ensure_owned(coldkey: &T::AccountId, hotkey: &T::AccountId) -> DispatchResult {
        if Owner::<T>::contains_key(hotkey) {
            ensure!(Owner::<T>::get(hotkey) == *coldkey, Error::<T>::NonAssociatedColdKey);
            return Ok(());
        }
        Owner::<T>::insert(hotkey, coldkey);
        Delegates::<T>::insert(hotkey, Delegates::<T>::get(hotkey));
        OwnedHotkeys::<T>::append(coldkey, hotkey);
        Ok(())
    }

    pub(super) fn can_spend(coldkey: &T::AccountId, tao: u64) -> bool {
        let free =
            T::Currency::reducible_balance(coldkey, Preservation::Preserve, Fortitude::Polite);
        free >= tao
    }

    /// Takes TAO out of the free balances. It must go to a pool or out of the issuance.
    pub(super) fn withdraw(coldkey: &T::AccountId, tao: u64) -> DispatchResult {
        let (keep, exact) = (Preservation::Preserve, Precision::Exact);
        T::Currency::burn_from(coldkey, tao, keep, exact, Fortitude::Polite)?;
        Ok(())
    }
}
