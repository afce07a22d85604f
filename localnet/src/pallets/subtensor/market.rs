//! Orders with a limit on the price, and stake that moves without being paid out.

use super::{
    Config, Error, Event, NetworksAdded, Owner, Pallet, ROOT, SubnetAlphaIn, SubnetTAO,
    SubtokenEnabled, TransferToggle,
};
use frame_support::{dispatch::DispatchResult, ensure};
use sp_core::U256;

/// Rao in a TAO.
const RAO: u64 = 1_000_000_000;

/// A place where stake lies.
pub(super) struct Place<'a, AccountId> {
    pub hotkey: &'a AccountId,
    pub coldkey: &'a AccountId,
    pub netuid: u16,
}

impl<T: Config> Pallet<T> {
    /// Buys at most so much that the price stays at or below `limit` rao per alpha.
    pub(super) fn do_add_stake_limit(
        coldkey: &T::AccountId,
        hotkey: &T::AccountId,
        netuid: u16,
        tao: u64,
        limit: u64,
        partial: bool,
    ) -> DispatchResult {
        let most = Self::most_tao(netuid, limit);
        ensure!(most > 0, Error::<T>::SlippageTooHigh);
        ensure!(partial || tao <= most, Error::<T>::SlippageTooHigh);
        Self::do_add_stake(coldkey, hotkey, netuid, tao.min(most))
    }

    /// Sells at most so much that the price stays at or above `limit` rao per alpha.
    pub(super) fn do_remove_stake_limit(
        coldkey: &T::AccountId,
        hotkey: &T::AccountId,
        netuid: u16,
        alpha: u64,
        limit: u64,
        partial: bool,
    ) -> DispatchResult {
        let most = Self::most_alpha(netuid, limit);
        ensure!(most > 0, Error::<T>::SlippageTooHigh);
        ensure!(partial || alpha <= most, Error::<T>::SlippageTooHigh);
        Self::do_remove_stake(coldkey, hotkey, netuid, alpha.min(most))
    }

    /// Sells all of a coldkey's alpha on the hotkey in one subnet.
    pub(super) fn do_remove_all_stake(
        coldkey: &T::AccountId,
        hotkey: &T::AccountId,
        netuid: u16,
        limit: Option<u64>,
    ) -> DispatchResult {
        let alpha = Self::stake_of_coldkey(hotkey, coldkey, netuid);
        match limit {
            Some(limit) => {
                Self::do_remove_stake_limit(coldkey, hotkey, netuid, alpha, limit, false)
            }
            None => Self::do_remove_stake(coldkey, hotkey, netuid, alpha),
        }
    }

    /// Sells all of a coldkey's alpha on the hotkey in every subnet where that is possible.
    pub(super) fn do_unstake_all(coldkey: &T::AccountId, hotkey: &T::AccountId) -> DispatchResult {
        ensure!(Owner::<T>::contains_key(hotkey), Error::<T>::HotKeyAccountNotExists);
        for netuid in Self::netuids() {
            // What cannot be sold stays where it is, like on the real chain.
            let _ = frame_support::storage::with_storage_layer(|| {
                Self::do_remove_all_stake(coldkey, hotkey, netuid, None)
            });
        }
        Ok(())
    }

    /// Moves alpha between two hotkeys or subnets of one coldkey.
    pub(super) fn do_move_stake(
        coldkey: &T::AccountId,
        (from, from_net): (&T::AccountId, u16),
        (to, to_net): (&T::AccountId, u16),
        alpha: u64,
    ) -> DispatchResult {
        let tao = Self::shift_stake(
            Place { hotkey: from, coldkey, netuid: from_net },
            Place { hotkey: to, coldkey, netuid: to_net },
            alpha,
        )?;
        Self::deposit_event(Event::StakeMoved(
            coldkey.clone(),
            from.clone(),
            from_net,
            to.clone(),
            to_net,
            tao,
        ));
        Ok(())
    }

    /// Moves alpha on one hotkey to another coldkey.
    pub(super) fn do_transfer_stake(
        coldkey: &T::AccountId,
        receiver: &T::AccountId,
        hotkey: &T::AccountId,
        (from_net, to_net): (u16, u16),
        alpha: u64,
    ) -> DispatchResult {
        for netuid in [from_net, to_net] {
            ensure!(TransferToggle::<T>::get(netuid), Error::<T>::TransferDisallowed);
        }
        let tao = Self::shift_stake(
            Place { hotkey, coldkey, netuid: from_net },
            Place { hotkey, coldkey: receiver, netuid: to_net },
            alpha,
        )?;
        Self::deposit_event(Event::StakeTransferred(
            coldkey.clone(),
            receiver.clone(),
            hotkey.clone(),
            from_net,
            to_net,
            tao,
        ));
        Ok(())
    }

    /// Turns one subnet's alpha on a hotkey into another's. `limit` is the least ratio of the
    /// prices after the trade, in billionths, and whether a part of the order will do.
    pub(super) fn do_swap_stake(
        coldkey: &T::AccountId,
        hotkey: &T::AccountId,
        (from_net, to_net): (u16, u16),
        alpha: u64,
        limit: Option<(u64, bool)>,
    ) -> DispatchResult {
        ensure!(from_net != to_net, Error::<T>::SameNetuid);
        let alpha = match limit {
            None => alpha,
            Some((least, partial)) => {
                let most = Self::most_swapped(from_net, to_net, alpha, least);
                ensure!(most == alpha || partial && most > 0, Error::<T>::SlippageTooHigh);
                most
            }
        };
        let tao = Self::shift_stake(
            Place { hotkey, coldkey, netuid: from_net },
            Place { hotkey, coldkey, netuid: to_net },
            alpha,
        )?;
        Self::deposit_event(Event::StakeSwapped(
            coldkey.clone(),
            hotkey.clone(),
            from_net,
            to_net,
            tao,
        ));
        Ok(())
    }

    /// Moves alpha from a place to a place, through the pools where the subnets differ. Returns
    /// what it was worth in TAO.
    fn shift_stake(
        from: Place<'_, T::AccountId>,
        to: Place<'_, T::AccountId>,
        alpha: u64,
    ) -> Result<u64, sp_runtime::DispatchError> {
        for netuid in [from.netuid, to.netuid] {
            ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
            let tradable = netuid != ROOT && SubtokenEnabled::<T>::get(netuid);
            ensure!(tradable, Error::<T>::SubtokenDisabled);
        }
        for hotkey in [from.hotkey, to.hotkey] {
            ensure!(Owner::<T>::contains_key(hotkey), Error::<T>::HotKeyAccountNotExists);
        }
        let held = Self::stake_of_coldkey(from.hotkey, from.coldkey, from.netuid);
        ensure!(alpha > 0 && alpha <= held, Error::<T>::NotEnoughStakeToWithdraw);
        Self::decrease_stake(from.hotkey, from.coldkey, from.netuid, alpha);
        if from.netuid == to.netuid {
            Self::increase_stake(to.hotkey, to.coldkey, to.netuid, alpha);
            return Ok(Self::tao_for(from.netuid, alpha).unwrap_or(0));
        }
        let (tao, _) = Self::sell_for_fee(from.netuid, alpha)?;
        let bought = Self::buy_alpha(to.netuid, tao)?;
        Self::increase_stake(to.hotkey, to.coldkey, to.netuid, bought);
        Ok(tao)
    }

    /// The most alpha of one subnet, `alpha` at most, that can become another's while the ratio of
    /// their prices stays at or above `least` billionths.
    fn most_swapped(from: u16, to: u16, alpha: u64, least: u64) -> u64 {
        let fits = |alpha| Self::ratio_after(from, to, alpha).is_some_and(|r| r >= least.into());
        if fits(alpha) {
            return alpha;
        }
        let (mut low, mut high) = (0, alpha);
        while high.saturating_sub(low) > 1 {
            let middle = low.midpoint(high);
            if fits(middle) { low = middle } else { high = middle }
        }
        low
    }

    /// Ratio of two subnets' prices after a swap, in billionths; `None` if a pool cannot fill it.
    fn ratio_after(from: u16, to: u16, alpha: u64) -> Option<U256> {
        let alpha = alpha.saturating_sub(Self::fee_in(from, alpha));
        let tao = Self::tao_for(from, alpha).ok()?;
        let bought = Self::alpha_for(to, tao).ok()?;
        let sides = |netuid| (SubnetTAO::<T>::get(netuid), SubnetAlphaIn::<T>::get(netuid));
        let ((from_tao, from_alpha), (to_tao, to_alpha)) = (sides(from), sides(to));
        let left = U256::from(from_tao.checked_sub(tao)?) * U256::from(to_alpha - bought);
        let right =
            U256::from(from_alpha.checked_add(alpha)?) * U256::from(to_tao.checked_add(tao)?);
        (left * U256::from(RAO)).checked_div(right)
    }

    /// The most TAO that buys alpha while the price stays at or below `limit`.
    fn most_tao(netuid: u16, limit: u64) -> u64 {
        // After buying, price = t * t / k with t the pool's TAO and k its product.
        let (tao, alpha) = (SubnetTAO::<T>::get(netuid), SubnetAlphaIn::<T>::get(netuid));
        let square = U256::from(tao) * U256::from(alpha) * U256::from(limit) / U256::from(RAO);
        Self::with_fee(netuid, clamp(square.integer_sqrt()).saturating_sub(tao))
    }

    /// The most alpha that can be sold while the price stays at or above `limit`.
    fn most_alpha(netuid: u16, limit: u64) -> u64 {
        if limit == 0 {
            return u64::MAX;
        }
        let (tao, alpha) = (SubnetTAO::<T>::get(netuid), SubnetAlphaIn::<T>::get(netuid));
        let square = U256::from(tao) * U256::from(alpha) * U256::from(RAO) / U256::from(limit);
        Self::with_fee(netuid, clamp(square.integer_sqrt()).saturating_sub(alpha))
    }
}

fn clamp(value: U256) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
