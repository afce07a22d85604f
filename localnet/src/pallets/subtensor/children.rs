//! Child hotkeys: a hotkey lends shares of its stake to others, which validate with it and share what
//! that earns. What is set waits for a cooldown, and is applied with an epoch.

use super::{
    ChildKeys, ChildkeyTake, Config, Error, Event, MaxChildkeyTake, MinChildkeyTake,
    MinChildkeyTakePerSubnet, NetworksAdded, Owner, Pallet, ParentKeys, PendingChildKeyCooldown,
    PendingChildKeys, ROOT, StakeThreshold, SubnetOwnerHotkey, SubtokenEnabled,
    TransactionKeyLastBlock, TxChildkeyTakeRateLimit, types::mul_div,
};
use frame_support::{dispatch::DispatchResult, ensure};
use std::collections::BTreeSet;

/// Most children of a hotkey.
const MAX_CHILDREN: usize = 5;
/// Blocks between two settings of a hotkey's children.
const RATE_LIMIT: u64 = 150;
/// The whole stake, in the scale of shares.
const WHOLE: u128 = 1 << 64;
/// Numbers of the kinds of calls whose rate is limited by hotkey and subnet.
const SET_CHILDREN: u16 = 0;
const SET_TAKE: u16 = 1;

/// A share of 2^64, and whose it is.
type Relative<AccountId> = (u64, AccountId);

impl<T: Config> Pallet<T> {
    pub(super) fn do_set_children(
        coldkey: &T::AccountId,
        hotkey: &T::AccountId,
        netuid: u16,
        children: Vec<Relative<T::AccountId>>,
    ) -> DispatchResult {
        ensure!(netuid != ROOT, Error::<T>::RegistrationNotPermittedOnRootSubnet);
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        let late = Self::may_change(hotkey, netuid, SET_CHILDREN, RATE_LIMIT);
        ensure!(late, Error::<T>::TxRateLimitExceeded);
        ensure!(Owner::<T>::get(hotkey) == *coldkey, Error::<T>::NonAssociatedColdKey);
        ensure!(children.len() <= MAX_CHILDREN, Error::<T>::TooManyChildren);
        ensure!(children.iter().all(|(_, child)| child != hotkey), Error::<T>::InvalidChild);
        let lent: u128 = children.iter().map(|(share, _)| u128::from(*share)).sum();
        ensure!(lent < WHOLE, Error::<T>::ProportionOverflow);
        let distinct: BTreeSet<&T::AccountId> = children.iter().map(|(_, child)| child).collect();
        ensure!(distinct.len() == children.len(), Error::<T>::DuplicateChild);
        Self::ensure_no_circle(hotkey, netuid, &children)?;
        let backed = SubnetOwnerHotkey::<T>::get(netuid) == *hotkey
            || Self::stake_of(hotkey, netuid) >= StakeThreshold::<T>::get();
        ensure!(children.is_empty() || backed, Error::<T>::NotEnoughStakeToSetChildkeys);
        Self::note_change(hotkey, netuid, SET_CHILDREN);
        // Nothing is earned yet, and nobody can be deceived.
        if !SubtokenEnabled::<T>::get(netuid) {
            Self::set_children_now(hotkey, netuid, children);
            return Ok(());
        }
        let until = Self::now().saturating_add(PendingChildKeyCooldown::<T>::get());
        PendingChildKeys::<T>::insert(netuid, hotkey, (children.clone(), until));
        Self::deposit_event(Event::SetChildrenScheduled(hotkey.clone(), netuid, until, children));
        Ok(())
    }

    pub(super) fn do_set_childkey_take(
        coldkey: &T::AccountId,
        hotkey: &T::AccountId,
        netuid: u16,
        take: u16,
    ) -> DispatchResult {
        ensure!(Owner::<T>::get(hotkey) == *coldkey, Error::<T>::NonAssociatedColdKey);
        let least = Self::least_childkey_take(netuid);
        let within = (least..=MaxChildkeyTake::<T>::get()).contains(&take);
        ensure!(within, Error::<T>::InvalidChildkeyTake);
        // Only what takes more is limited.
        if take > Self::childkey_take(hotkey, netuid) {
            let limit = TxChildkeyTakeRateLimit::<T>::get();
            let late = Self::may_change(hotkey, netuid, SET_TAKE, limit);
            ensure!(late, Error::<T>::TxChildkeyTakeRateLimitExceeded);
        }
        Self::note_change(hotkey, netuid, SET_TAKE);
        ChildkeyTake::<T>::insert(hotkey, netuid, take);
        Self::deposit_event(Event::ChildKeyTakeSet(hotkey.clone(), take));
        Ok(())
    }

    /// Of what lent stake earns, the part that its child keeps, of 65535.
    fn childkey_take(hotkey: &T::AccountId, netuid: u16) -> u16 {
        ChildkeyTake::<T>::get(hotkey, netuid).max(Self::least_childkey_take(netuid))
    }

    fn least_childkey_take(netuid: u16) -> u16 {
        MinChildkeyTake::<T>::get().max(MinChildkeyTakePerSubnet::<T>::get(netuid))
    }

    /// Applies what has waited long enough.
    pub(super) fn apply_children(netuid: u16, now: u64) {
        let ripe: Vec<_> = PendingChildKeys::<T>::iter_prefix(netuid)
            .filter(|(_, (_, until))| *until < now)
            .collect();
        for (hotkey, (children, _)) in ripe {
            PendingChildKeys::<T>::remove(netuid, &hotkey);
            // Relations may have changed since it was asked for.
            if Self::ensure_no_circle(&hotkey, netuid, &children).is_err() {
                continue;
            }
            Self::set_children_now(&hotkey, netuid, children);
        }
    }

    fn set_children_now(hotkey: &T::AccountId, netuid: u16, children: Vec<Relative<T::AccountId>>) {
        for (_, child) in ChildKeys::<T>::get(hotkey, netuid) {
            ParentKeys::<T>::mutate_exists(child, netuid, |all| {
                let mut left = all.take().unwrap_or_default();
                left.retain(|it| it.1 != *hotkey);
                *all = (!left.is_empty()).then_some(left);
            });
        }
        for (share, child) in &children {
            ParentKeys::<T>::append(child, netuid, (*share, hotkey.clone()));
        }
        if children.is_empty() {
            ChildKeys::<T>::remove(hotkey, netuid);
        } else {
            ChildKeys::<T>::insert(hotkey, netuid, &children);
        }
        Self::deposit_event(Event::SetChildren(hotkey.clone(), netuid, children));
    }

    /// Whether anybody lends stake: mostly not, and then an epoch need not ask for each neuron.
    pub(super) fn is_lending() -> bool {
        ChildKeys::<T>::iter_keys().next().is_some()
    }

    /// The alpha with which a hotkey validates: its own, less what it lends, and what it borrows.
    pub(super) fn validating_stake(hotkey: &T::AccountId, netuid: u16) -> u64 {
        let borrowed = Self::borrowed(hotkey, netuid);
        let sum = borrowed.iter().fold(0, |sum: u64, (part, _)| sum.saturating_add(*part));
        Self::kept_stake(hotkey, netuid).saturating_add(sum)
    }

    /// What a hotkey's dividends are to whom: parents get the part that their stake earned, less the
    /// child's take where another coldkey owns the child.
    pub(super) fn shared_dividends(
        hotkey: &T::AccountId,
        netuid: u16,
        dividend: u64,
    ) -> Vec<(u64, T::AccountId)> {
        let borrowed = Self::borrowed(hotkey, netuid);
        let all = u128::from(Self::validating_stake(hotkey, netuid));
        let (take, owner) = (Self::childkey_take(hotkey, netuid), Owner::<T>::get(hotkey));
        let mut own = dividend;
        let mut parts = Vec::new();
        for (stake, parent) in borrowed {
            let earned = mul_div(dividend.into(), stake.into(), all) as u64;
            let is_own = Owner::<T>::get(&parent) == owner;
            let taken = if is_own { 0 } else { mul_div(earned.into(), take.into(), 65_535) as u64 };
            let part = earned.saturating_sub(taken);
            own = own.saturating_sub(part);
            parts.push((part, parent));
        }
        parts.push((own, hotkey.clone()));
        parts
    }

    /// What parents lend a hotkey, in alpha.
    fn borrowed(hotkey: &T::AccountId, netuid: u16) -> Vec<(u64, T::AccountId)> {
        let parents = ParentKeys::<T>::get(hotkey, netuid).into_iter();
        parents.map(|(share, parent)| (Self::part(&parent, netuid, share), parent)).collect()
    }

    /// What a hotkey does not lend of its own alpha.
    fn kept_stake(hotkey: &T::AccountId, netuid: u16) -> u64 {
        let children = ChildKeys::<T>::get(hotkey, netuid);
        let lent = children
            .iter()
            .fold(0, |sum: u64, (share, _)| sum.saturating_add(Self::part(hotkey, netuid, *share)));
        Self::stake_of(hotkey, netuid).saturating_sub(lent)
    }

    fn part(hotkey: &T::AccountId, netuid: u16, share: u64) -> u64 {
        mul_div(Self::stake_of(hotkey, netuid).into(), share.into(), WHOLE) as u64
    }

    /// Who lends to a hotkey cannot borrow from it.
    fn ensure_no_circle(
        hotkey: &T::AccountId,
        netuid: u16,
        children: &[Relative<T::AccountId>],
    ) -> DispatchResult {
        let parents = ParentKeys::<T>::get(hotkey, netuid);
        let is_parent = |child| parents.iter().any(|(_, parent)| parent == child);
        let circle = children.iter().any(|(_, child)| is_parent(child));
        ensure!(!circle, Error::<T>::ChildParentInconsistency);
        Ok(())
    }

    fn may_change(hotkey: &T::AccountId, netuid: u16, kind: u16, limit: u64) -> bool {
        let last = TransactionKeyLastBlock::<T>::get((hotkey, netuid, kind));
        last == 0 || Self::now().saturating_sub(last) >= limit
    }

    fn note_change(hotkey: &T::AccountId, netuid: u16, kind: u16) {
        TransactionKeyLastBlock::<T>::insert((hotkey, netuid, kind), Self::now());
    }
}
