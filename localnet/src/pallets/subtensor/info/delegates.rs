//! Hotkeys that take stake, and who has given it.

use crate::pallets::subtensor::{
    AlphaV2, Config, Delegates, Owner, Pallet, StakingHotkeys, Uids, ValidatorPermit,
};
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;
use std::collections::BTreeMap;

/// A part of a delegate's stake: netuid, rao of alpha.
pub type Nomination = (Compact<u16>, Compact<u64>);

/// A hotkey that takes stake.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, TypeInfo)]
pub struct DelegateInfo<AccountId> {
    /// The hotkey.
    pub delegate_ss58: AccountId,
    /// Share of the dividends that it keeps, of 65535.
    pub take: Compact<u16>,
    /// Who has stake on it: (coldkey, [(netuid, rao of alpha)]).
    pub nominators: Vec<(AccountId, Vec<Nomination>)>,
    /// Coldkey that owns it.
    pub owner_ss58: AccountId,
    /// Subnets on which it is registered.
    pub registrations: Vec<Compact<u16>>,
    /// Subnets on which it may set weights.
    pub validator_permits: Vec<Compact<u16>>,
    /// Return on 1000 TAO a day. Not computed here.
    pub return_per_1000: Compact<u64>,
    /// Return on all its stake a day. Not computed here.
    pub total_daily_return: Compact<u64>,
}

/// A delegate with what one coldkey has on it in one subnet: (delegate, (netuid, rao of alpha)).
pub type Delegated<AccountId> = (DelegateInfo<AccountId>, Nomination);

impl<T: Config> Pallet<T> {
    /// All delegates.
    pub fn delegates() -> Vec<DelegateInfo<T::AccountId>> {
        Delegates::<T>::iter_keys().filter_map(|hotkey| Self::delegate(&hotkey)).collect()
    }

    /// One delegate.
    pub fn delegate(hotkey: &T::AccountId) -> Option<DelegateInfo<T::AccountId>> {
        if !Delegates::<T>::contains_key(hotkey) {
            return None;
        }
        let mut nominators = BTreeMap::<T::AccountId, Vec<_>>::new();
        for (coldkey, netuid) in AlphaV2::<T>::iter_key_prefix((hotkey,)) {
            let stake = Self::stake_of_coldkey(hotkey, &coldkey, netuid);
            if stake > 0 {
                nominators.entry(coldkey).or_default().push((Compact(netuid), Compact(stake)));
            }
        }
        let registered: Vec<(u16, u16)> = Self::netuids()
            .into_iter()
            .filter_map(|netuid| Some((netuid, Uids::<T>::get(netuid, hotkey)?)))
            .collect();
        let permitted =
            |(netuid, uid): &&(u16, u16)| super::entry(&ValidatorPermit::<T>::get(netuid), *uid);
        Some(DelegateInfo {
            delegate_ss58: hotkey.clone(),
            take: Compact(Delegates::<T>::get(hotkey)),
            nominators: nominators.into_iter().collect(),
            owner_ss58: Owner::<T>::get(hotkey),
            validator_permits: registered.iter().filter(permitted).map(|r| Compact(r.0)).collect(),
            registrations: registered.iter().map(|registered| Compact(registered.0)).collect(),
            return_per_1000: Compact(0),
            total_daily_return: Compact(0),
        })
    }

    /// The delegates on which a coldkey has stake.
    pub fn delegated(coldkey: &T::AccountId) -> Vec<Delegated<T::AccountId>> {
        let mut all = Vec::new();
        for hotkey in StakingHotkeys::<T>::get(coldkey) {
            let Some(delegate) = Self::delegate(&hotkey) else { continue };
            for netuid in Self::netuids() {
                let stake = Self::stake_of_coldkey(&hotkey, coldkey, netuid);
                if stake > 0 {
                    all.push((delegate.clone(), (Compact(netuid), Compact(stake))));
                }
            }
        }
        all
    }
}
