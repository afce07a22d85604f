//! What a subnet's owner and a hotkey's owner may set without AdminUtils.

use super::{
    ActivityCutoffFactorMilli, AdminFreezeWindow, AlphaValues, AutoStakeDestination, Config,
    Delegates, Error, Event, LastTxBlockDelegateTake, LiquidAlphaOn, MaxDelegateTake,
    MinDelegateTake, NetworksAdded, Owner, Pallet, PendingEpochAt, SubnetOwner, Tempo, TokenSymbol,
    TxDelegateTakeRateLimit, Uids,
};
use frame_support::{dispatch::DispatchResult, ensure};
use sp_runtime::DispatchError;

/// Tempos that an owner may set, in blocks.
const TEMPOS: core::ops::RangeInclusive<u16> = 360..=50_400;
/// Least value of liquid alpha's bounds, of 65535.
const MIN_ALPHA: u16 = 1638;
/// Factors of the activity cutoff, in thousandths of a tempo.
const CUTOFF_FACTORS: core::ops::RangeInclusive<u32> = 1_000..=50_000;

impl<T: Config> Pallet<T> {
    fn ensure_owner(who: &T::AccountId, netuid: u16) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(SubnetOwner::<T>::get(netuid) == *who, DispatchError::BadOrigin);
        Ok(())
    }

    pub(super) fn do_set_tempo(who: &T::AccountId, netuid: u16, tempo: u16) -> DispatchResult {
        Self::ensure_owner(who, netuid)?;
        ensure!(TEMPOS.contains(&tempo), Error::<T>::TempoOutOfBounds);
        Tempo::<T>::insert(netuid, tempo);
        Self::deposit_event(Event::TempoSet(netuid, tempo));
        Ok(())
    }

    pub(super) fn do_set_cutoff_factor(
        who: &T::AccountId,
        netuid: u16,
        factor_milli: u32,
    ) -> DispatchResult {
        Self::ensure_owner(who, netuid)?;
        Self::set_cutoff_factor(netuid, factor_milli)
    }

    /// Sets the activity cutoff's factor.
    ///
    /// # Errors
    /// If it is out of range.
    pub fn set_cutoff_factor(netuid: u16, factor_milli: u32) -> DispatchResult {
        let within = CUTOFF_FACTORS.contains(&factor_milli);
        ensure!(within, Error::<T>::ActivityCutoffFactorMilliOutOfBounds);
        ActivityCutoffFactorMilli::<T>::insert(netuid, factor_milli);
        Self::deposit_event(Event::ActivityCutoffFactorMilliSet { netuid, factor_milli });
        Ok(())
    }

    /// Sets the bounds of liquid alpha.
    ///
    /// # Errors
    /// If liquid alpha is off, or the values are out of range.
    pub fn set_alpha_values(netuid: u16, low: u16, high: u16) -> DispatchResult {
        ensure!(LiquidAlphaOn::<T>::get(netuid), Error::<T>::LiquidAlphaDisabled);
        ensure!(high >= MIN_ALPHA, Error::<T>::AlphaHighTooLow);
        ensure!((MIN_ALPHA..=high).contains(&low), Error::<T>::AlphaLowOutOfRange);
        AlphaValues::<T>::insert(netuid, (low, high));
        Ok(())
    }

    /// Has the subnet's epoch run after the freeze window, if the regular one is not nearer.
    pub(super) fn do_trigger_epoch(who: &T::AccountId, netuid: u16) -> DispatchResult {
        Self::ensure_owner(who, netuid)?;
        let pending = PendingEpochAt::<T>::get(netuid);
        ensure!(pending == 0, Error::<T>::EpochTriggerAlreadyPending);
        let fires_at = Self::now().saturating_add(AdminFreezeWindow::<T>::get().max(1).into());
        let regular = Self::next_epoch_start_block(netuid).unwrap_or(u64::MAX);
        ensure!(fires_at < regular, Error::<T>::AutoEpochAlreadyImminent);
        PendingEpochAt::<T>::insert(netuid, fires_at);
        Self::deposit_event(Event::EpochTriggered { netuid, by: who.clone(), fires_at });
        Ok(())
    }

    pub(super) fn do_update_symbol(
        who: &T::AccountId,
        netuid: u16,
        symbol: Vec<u8>,
    ) -> DispatchResult {
        Self::ensure_owner(who, netuid)?;
        ensure!(!symbol.is_empty() && symbol.len() <= 16, Error::<T>::InvalidValue);
        let taken = Self::netuids().into_iter().any(|net| TokenSymbol::<T>::get(net) == symbol);
        ensure!(!taken, Error::<T>::SymbolAlreadyInUse);
        TokenSymbol::<T>::insert(netuid, symbol.clone());
        Self::deposit_event(Event::SymbolUpdated { netuid, symbol });
        Ok(())
    }

    pub(super) fn do_decrease_take(
        coldkey: &T::AccountId,
        hotkey: &T::AccountId,
        take: u16,
    ) -> DispatchResult {
        Self::check_decrease(coldkey, hotkey, take)?;
        Delegates::<T>::insert(hotkey, take);
        Self::deposit_event(Event::TakeDecreased(coldkey.clone(), hotkey.clone(), take));
        Ok(())
    }

    pub(super) fn do_increase_take(
        coldkey: &T::AccountId,
        hotkey: &T::AccountId,
        take: u16,
    ) -> DispatchResult {
        Self::check_increase(coldkey, hotkey, take)?;
        let (now, last) = (Self::now(), LastTxBlockDelegateTake::<T>::get(hotkey));
        let late = last == 0 || now.saturating_sub(last) >= TxDelegateTakeRateLimit::<T>::get();
        ensure!(late, Error::<T>::DelegateTxRateLimitExceeded);
        LastTxBlockDelegateTake::<T>::insert(hotkey, now);
        Delegates::<T>::insert(hotkey, take);
        Self::deposit_event(Event::TakeIncreased(coldkey.clone(), hotkey.clone(), take));
        Ok(())
    }

    pub(super) fn check_decrease(
        coldkey: &T::AccountId,
        hotkey: &T::AccountId,
        take: u16,
    ) -> Result<(), Error<T>> {
        let old = Self::take_of(coldkey, hotkey)?;
        ensure!(take < old, Error::<T>::DelegateTakeTooHigh);
        ensure!(take >= MinDelegateTake::<T>::get(), Error::<T>::DelegateTakeTooLow);
        Ok(())
    }

    pub(super) fn check_increase(
        coldkey: &T::AccountId,
        hotkey: &T::AccountId,
        take: u16,
    ) -> Result<(), Error<T>> {
        let old = Self::take_of(coldkey, hotkey)?;
        ensure!(take > old, Error::<T>::DelegateTakeTooLow);
        ensure!(take <= MaxDelegateTake::<T>::get(), Error::<T>::DelegateTakeTooHigh);
        Ok(())
    }

    /// A delegate's take, if the coldkey owns it.
    fn take_of(coldkey: &T::AccountId, hotkey: &T::AccountId) -> Result<u16, Error<T>> {
        ensure!(Owner::<T>::contains_key(hotkey), Error::<T>::HotKeyAccountNotExists);
        ensure!(Owner::<T>::get(hotkey) == *coldkey, Error::<T>::NonAssociatedColdKey);
        Ok(Delegates::<T>::get(hotkey))
    }

    /// Remembers on which hotkey a coldkey wants its incentive staked.
    pub(super) fn do_set_auto_stake(
        coldkey: &T::AccountId,
        netuid: u16,
        hotkey: &T::AccountId,
    ) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        let registered = Uids::<T>::contains_key(netuid, hotkey);
        ensure!(registered, Error::<T>::HotKeyNotRegisteredInSubNet);
        let same = AutoStakeDestination::<T>::get(coldkey, netuid).as_ref() == Some(hotkey);
        ensure!(!same, Error::<T>::SameAutoStakeHotkeyAlreadySet);
        AutoStakeDestination::<T>::insert(coldkey, netuid, hotkey);
        let (coldkey, hotkey) = (coldkey.clone(), hotkey.clone());
        Self::deposit_event(Event::AutoStakeDestinationSet { coldkey, netuid, hotkey });
        Ok(())
    }
}
