//! Registration: its price, and which neuron yields when the subnet is full.
//!
//! The price falls by half each half-life and rises by a factor with each registration. It is
//! spent on alpha that then ceases to exist.

use super::{
    BlockAtRegistration, Burn, BurnHalfLife, BurnIncreaseMult, Config, Emission, Error, Event,
    ImmuneOwnerUidsLimit, ImmunityPeriod, Keys, MaxAllowedUids, MaxBurn, MinBurn, MinNonImmuneUids,
    NetworkRegistrationAllowed, NetworksAdded, OwnedHotkeys, Pallet, RAORecycledForRegistration,
    ROOT, SubnetOwner, SubnetOwnerHotkey, SubnetworkN, Uids,
};
use frame_support::{dispatch::DispatchResult, ensure};
use substrate_fixed::types::U64F64;

/// One, in 32.32 fixed point.
const ONE_Q32: u64 = 1 << 32;

impl<T: Config> Pallet<T> {
    pub(super) fn do_register(
        coldkey: &T::AccountId,
        netuid: u16,
        hotkey: &T::AccountId,
        limit: Option<u64>,
    ) -> DispatchResult {
        Self::take_place(coldkey, netuid, hotkey, || {
            let price = Burn::<T>::get(netuid);
            let affordable = limit.is_none_or(|limit| price <= limit);
            ensure!(affordable, Error::<T>::RegistrationPriceLimitExceeded);
            ensure!(Self::can_spend(coldkey, price), Error::<T>::NotEnoughBalanceToStake);
            Self::withdraw(coldkey, price)?;
            let alpha = Self::buy_alpha(netuid, price)?;
            Self::recycle_alpha(netuid, alpha);
            RAORecycledForRegistration::<T>::mutate(netuid, |sum| *sum = sum.saturating_add(price));
            Self::raise_price(netuid);
            Ok(())
        })
    }

    /// Registers a hotkey once it has paid.
    pub(super) fn take_place(
        coldkey: &T::AccountId,
        netuid: u16,
        hotkey: &T::AccountId,
        pay: impl FnOnce() -> DispatchResult,
    ) -> DispatchResult {
        ensure!(netuid != ROOT, Error::<T>::RegistrationNotPermittedOnRootSubnet);
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        let allowed = NetworkRegistrationAllowed::<T>::get(netuid);
        ensure!(allowed, Error::<T>::SubNetRegistrationDisabled);
        let is_new = !Uids::<T>::contains_key(netuid, hotkey);
        ensure!(is_new, Error::<T>::HotKeyAlreadyRegisteredInSubNet);
        Self::ensure_owned(coldkey, hotkey)?;
        pay()?;
        let full = SubnetworkN::<T>::get(netuid) >= MaxAllowedUids::<T>::get(netuid);
        let place = if full { Self::neuron_to_prune(netuid) } else { None };
        ensure!(!full || place.is_some(), Error::<T>::NoNeuronIdAvailable);
        let uid = match place {
            Some(uid) => Self::replace_neuron(netuid, uid, hotkey),
            None => Self::append_neuron(netuid, hotkey),
        };
        Self::deposit_event(Event::NeuronRegistered(netuid, uid, hotkey.clone()));
        Ok(())
    }

    /// Applies one block's fall to each subnet's price.
    pub(super) fn lower_prices(now: u64) {
        for netuid in Self::netuids() {
            let old = Burn::<T>::get(netuid);
            let half_life = BurnHalfLife::<T>::get(netuid);
            let fallen = match half_life {
                0 => old,
                _ if now <= 1 => old,
                blocks => mul_q32(old, decay_factor_q32(blocks)),
            };
            let new = Self::bounded_price(netuid, fallen);
            if new != old {
                Burn::<T>::insert(netuid, new);
            }
        }
    }

    fn raise_price(netuid: u16) {
        let factor = BurnIncreaseMult::<T>::get(netuid).max(U64F64::from_num(1));
        let price = U64F64::saturating_from_num(Burn::<T>::get(netuid)).saturating_mul(factor);
        let price = price.saturating_to_num::<u64>();
        Burn::<T>::insert(netuid, Self::bounded_price(netuid, price));
    }

    fn bounded_price(netuid: u16, price: u64) -> u64 {
        price.max(MinBurn::<T>::get(netuid)).min(MaxBurn::<T>::get(netuid))
    }

    /// The neuron that yields to a new one: least emission, then oldest, then lowest uid. Immune
    /// neurons yield only where too few others would be left.
    pub fn neuron_to_prune(netuid: u16) -> Option<u16> {
        let now = Self::now();
        let immunity = u64::from(ImmunityPeriod::<T>::get(netuid));
        let kept = Self::unprunable_hotkeys(netuid);
        let emission = Emission::<T>::get(netuid);
        let (mut free, mut immune) = (Vec::new(), Vec::new());
        for uid in 0..SubnetworkN::<T>::get(netuid) {
            let hotkey = Keys::<T>::get(netuid, uid);
            if kept.contains(&hotkey) {
                continue;
            }
            let since = BlockAtRegistration::<T>::get(netuid, uid);
            let earned = emission.get(usize::from(uid)).copied().unwrap_or(0);
            let is_immune = now.saturating_sub(since) < immunity;
            let group = if is_immune { &mut immune } else { &mut free };
            group.push((earned, since, uid));
        }
        let enough = free.len() > usize::from(MinNonImmuneUids::<T>::get(netuid));
        let first = |group: &[(u64, u64, u16)]| group.iter().min().map(|(_, _, uid)| *uid);
        if enough {
            first(&free).or_else(|| first(&immune))
        } else {
            first(&immune).or_else(|| first(&free))
        }
    }

    /// The owner's hotkey, and the owner's other registered hotkeys up to the limit, oldest first.
    fn unprunable_hotkeys(netuid: u16) -> Vec<T::AccountId> {
        let mut owned: Vec<(u64, u16, T::AccountId)> =
            OwnedHotkeys::<T>::get(SubnetOwner::<T>::get(netuid))
                .into_iter()
                .filter_map(|hotkey| {
                    let uid = Uids::<T>::get(netuid, &hotkey)?;
                    Some((BlockAtRegistration::<T>::get(netuid, uid), uid, hotkey))
                })
                .collect();
        owned.sort();
        let limit = usize::from(ImmuneOwnerUidsLimit::<T>::get(netuid));
        let mut kept: Vec<T::AccountId> =
            owned.into_iter().map(|(_, _, hotkey)| hotkey).take(limit).collect();
        let first = SubnetOwnerHotkey::<T>::get(netuid);
        if Uids::<T>::contains_key(netuid, &first) && !kept.contains(&first) {
            kept.insert(0, first);
            kept.truncate(limit);
        }
        kept
    }
}

/// `value * factor` for a factor in 32.32 fixed point.
fn mul_q32(value: u64, factor: u64) -> u64 {
    let product = u128::from(value).saturating_mul(factor.into()) >> 32;
    u64::try_from(product).unwrap_or(u64::MAX)
}

fn pow_q32(base: u64, exponent: u16) -> u64 {
    let (mut result, mut factor, mut rest) = (ONE_Q32, base, exponent);
    while rest > 0 {
        if rest & 1 == 1 {
            result = mul_q32(result, factor);
        }
        rest >>= 1;
        if rest > 0 {
            factor = mul_q32(factor, factor);
        }
    }
    result
}

/// The greatest factor whose power by `half_life` is at most one half, by bisection.
fn decay_factor_q32(half_life: u16) -> u64 {
    let (mut low, mut high) = (0, ONE_Q32);
    while low + 1 < high {
        let middle = low + ((high - low) >> 1);
        if pow_q32(middle, half_life) > ONE_Q32 / 2 {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn price_halves_with_each_half_life() {
        let factor = decay_factor_q32(2);
        let after = |price| mul_q32(mul_q32(price, factor), factor);
        assert_eq!(after(1024), 511);
        assert_eq!(after(511), 255);
        let factor = decay_factor_q32(360);
        let halved = (0..360).fold(1_000_000_000, |price, _| mul_q32(price, factor));
        assert!((499_999_000..=500_000_000).contains(&halved), "{halved}");
    }
}
