//! Each block: what is minted, where it waits, and how an epoch pays it out.

use super::{
    AlphaDividendsPerSubnet, AutoStakeDestination, BlockEmission, Config, Delegates,
    FirstEmissionBlockNumber, LastMechansimStepBlock, MinerBurned, NetworkRegistrationAllowed,
    OwnedHotkeys, Owner, OwnerCutEnabled, Pallet, PendingOwnerCut, PendingServerEmission,
    PendingValidatorEmission, SubnetAlphaIn, SubnetAlphaInEmission, SubnetAlphaOut,
    SubnetAlphaOutEmission, SubnetEmissionEnabled, SubnetMovingPrice, SubnetOwner, SubnetOwnerCut,
    SubnetOwnerHotkey, SubnetTaoInEmission, SubtokenEnabled, TotalIssuance, Uids, epoch::Earned,
    types::mul_div,
};
use std::collections::BTreeMap;
use substrate_fixed::types::{I96F32, U96F32};

/// All TAO, and all alpha of a subnet, that will ever be, in rao.
const TOTAL_SUPPLY: u64 = 21_000_000_000_000_000;
/// What a block mints before the first halving, in rao.
const BLOCK_EMISSION: u64 = 1_000_000_000;
/// Weight of a new price in the moving average after a long time.
const MOVING_ALPHA: f64 = 0.000_003;
/// Blocks after which the moving average moves at half of that.
const PRICE_HALVING_BLOCKS: u64 = 201_600;

impl<T: Config> Pallet<T> {
    /// All that happens at the head of a block.
    pub(super) fn step_block(now: u64) {
        Self::lower_prices(now);
        let minted = block_emission(TotalIssuance::<T>::get());
        BlockEmission::<T>::put(minted);
        let netuids = Self::netuids();
        Self::reveal_timelocked(&netuids, now);
        Self::emit(&netuids, minted, now);
        for netuid in Self::take_due_epochs(&netuids, now) {
            Self::pay_epoch(netuid, now);
            Self::apply_children(netuid, now);
        }
        for netuid in netuids {
            Self::move_price(netuid, now);
        }
    }

    /// Emits TAO to the pools and alpha to what waits for the epochs.
    fn emit(netuids: &[u16], minted: u64, now: u64) {
        let earning: Vec<u16> =
            netuids.iter().copied().filter(|netuid| Self::earns(*netuid, now)).collect();
        let weights: Vec<u128> =
            earning.iter().map(|netuid| Self::emission_weight(*netuid)).collect();
        let total: u128 = weights.iter().fold(0, |sum, weight| sum.saturating_add(*weight));
        for (netuid, weight) in earning.into_iter().zip(weights) {
            // No stake can be on the root, so its part of the pool's alpha is none, and all TAO
            // buys alpha that ceases to exist.
            let tao = mul_div(minted.into(), weight, total) as u64;
            let bought = if tao > 0 { Self::buy_alpha(netuid, tao).ok() } else { None };
            let emitted = bought.map_or(0, |_| tao);
            Self::recycle_alpha(netuid, bought.unwrap_or(0));
            TotalIssuance::<T>::mutate(|sum| *sum = sum.saturating_add(emitted));
            SubnetTaoInEmission::<T>::insert(netuid, emitted);
            SubnetAlphaInEmission::<T>::insert(netuid, 0);

            let issued =
                SubnetAlphaIn::<T>::get(netuid).saturating_add(SubnetAlphaOut::<T>::get(netuid));
            let alpha = block_emission(issued);
            SubnetAlphaOutEmission::<T>::insert(netuid, alpha);
            SubnetAlphaOut::<T>::mutate(netuid, |out| *out = out.saturating_add(alpha));
            let share =
                if OwnerCutEnabled::<T>::get(netuid) { SubnetOwnerCut::<T>::get() } else { 0 };
            let cut = mul_div(alpha.into(), share.into(), 65_535) as u64;
            let server = alpha.saturating_sub(cut) / 2;
            let validator = alpha.saturating_sub(cut).saturating_sub(server);
            PendingOwnerCut::<T>::mutate(netuid, |sum| *sum = sum.saturating_add(cut));
            PendingServerEmission::<T>::mutate(netuid, |sum| *sum = sum.saturating_add(server));
            PendingValidatorEmission::<T>::mutate(netuid, |sum| {
                *sum = sum.saturating_add(validator)
            });
        }
    }

    /// Whether the subnet has started and takes neurons.
    fn earns(netuid: u16, now: u64) -> bool {
        FirstEmissionBlockNumber::<T>::get(netuid).is_some_and(|first| first <= now)
            && SubtokenEnabled::<T>::get(netuid)
            && NetworkRegistrationAllowed::<T>::get(netuid)
    }

    /// Weight in the split of the TAO: the moving price, less what the owner withheld.
    fn emission_weight(netuid: u16) -> u128 {
        if !SubnetEmissionEnabled::<T>::get(netuid) {
            return 0;
        }
        let kept = U96F32::from_num(1).saturating_sub(MinerBurned::<T>::get(netuid));
        let price = U96F32::saturating_from_num(SubnetMovingPrice::<T>::get(netuid));
        price.saturating_mul(kept).to_bits()
    }

    fn move_price(netuid: u16, now: u64) {
        let start = FirstEmissionBlockNumber::<T>::get(netuid).unwrap_or(0).saturating_sub(1);
        let blocks = I96F32::saturating_from_num(now.saturating_sub(start));
        let rate = I96F32::from_num(MOVING_ALPHA)
            .saturating_mul(blocks)
            .checked_div(blocks.saturating_add(I96F32::from_num(PRICE_HALVING_BLOCKS)))
            .unwrap_or_default();
        let one = I96F32::from_num(1);
        let price = I96F32::saturating_from_num(Self::alpha_price(netuid)).min(one);
        let moved = rate.saturating_mul(price);
        SubnetMovingPrice::<T>::mutate(netuid, |average| {
            let kept = one.saturating_sub(rate).saturating_mul(*average);
            *average = moved.saturating_add(kept);
        });
    }

    /// Runs the subnet's epoch and pays what has waited for it.
    fn pay_epoch(netuid: u16, now: u64) {
        let server = PendingServerEmission::<T>::take(netuid);
        let validator = PendingValidatorEmission::<T>::take(netuid);
        let cut = PendingOwnerCut::<T>::take(netuid);
        let earned = Self::run_epoch(netuid, server.saturating_add(validator));
        LastMechansimStepBlock::<T>::insert(netuid, now);

        let owner = SubnetOwner::<T>::get(netuid);
        Self::increase_stake(&SubnetOwnerHotkey::<T>::get(netuid), &owner, netuid, cut);
        let incentive: u64 = Self::pay_servers(netuid, &owner, &earned);
        let for_validators =
            if incentive == 0 { validator.saturating_add(server) } else { validator };
        Self::pay_validators(netuid, for_validators, &earned);
    }

    /// Pays each server; what falls on the owner's hotkeys is burned. Returns the sum of both.
    fn pay_servers(netuid: u16, owner: &T::AccountId, earned: &[Earned<T::AccountId>]) -> u64 {
        let mut withheld_from = OwnedHotkeys::<T>::get(owner);
        withheld_from.push(SubnetOwnerHotkey::<T>::get(netuid));
        withheld_from.retain(|hotkey| Uids::<T>::contains_key(netuid, hotkey));
        let (mut total, mut withheld) = (0_u64, 0_u64);
        for Earned { hotkey, incentive, .. } in earned {
            total = total.saturating_add(*incentive);
            if withheld_from.contains(hotkey) {
                withheld = withheld.saturating_add(*incentive);
            } else {
                let coldkey = Owner::<T>::get(hotkey);
                let chosen = AutoStakeDestination::<T>::get(&coldkey, netuid);
                let place = chosen.as_ref().unwrap_or(hotkey);
                Self::increase_stake(place, &coldkey, netuid, *incentive);
            }
        }
        let share = U96F32::saturating_from_num(withheld)
            .checked_div(U96F32::saturating_from_num(total))
            .unwrap_or_default();
        MinerBurned::<T>::insert(netuid, share);
        total
    }

    /// Divides `alpha` by dividends, of which those who lent a hotkey stake have a part. Each hotkey's
    /// owner takes a cut, the rest goes to its shares.
    fn pay_validators(netuid: u16, alpha: u64, earned: &[Earned<T::AccountId>]) {
        let total: u128 = earned.iter().map(|earned| u128::from(earned.dividend)).sum();
        let _ = AlphaDividendsPerSubnet::<T>::clear_prefix(netuid, u32::MAX, None);
        // Stakes move below, and shares follow from them.
        let lending = Self::is_lending();
        let mut parts: BTreeMap<T::AccountId, u64> = BTreeMap::new();
        for Earned { hotkey, dividend, .. } in earned {
            let part = mul_div(alpha.into(), (*dividend).into(), total) as u64;
            let shared = match lending && part > 0 {
                true => Self::shared_dividends(hotkey, netuid, part),
                false => vec![(part, hotkey.clone())],
            };
            for (part, to) in shared {
                let sum = parts.entry(to).or_default();
                *sum = sum.saturating_add(part);
            }
        }
        for (hotkey, part) in parts.into_iter().filter(|(_, part)| *part > 0) {
            let take = mul_div(part.into(), Delegates::<T>::get(&hotkey).into(), 65_535) as u64;
            let rest = part.saturating_sub(take);
            Self::increase_stake(&hotkey, &Owner::<T>::get(&hotkey), netuid, take);
            Self::increase_all_stake(&hotkey, netuid, rest);
            AlphaDividendsPerSubnet::<T>::insert(netuid, hotkey, rest);
        }
    }
}

/// What a block mints at an issuance: it halves each time the rest to the supply halves.
pub(crate) fn block_emission(issuance: u64) -> u64 {
    let rest = TOTAL_SUPPLY.saturating_sub(issuance);
    if rest == 0 {
        return 0;
    }
    let halvings = (TOTAL_SUPPLY / rest).ilog2();
    BLOCK_EMISSION.checked_shr(halvings).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emission_halves_as_the_supply_fills() {
        assert_eq!(block_emission(0), 1_000_000_000);
        assert_eq!(block_emission(10_499_999_999_999_999), 1_000_000_000);
        assert_eq!(block_emission(10_500_000_000_000_001), 500_000_000);
        assert_eq!(block_emission(15_750_000_000_000_001), 250_000_000);
        assert_eq!(block_emission(TOTAL_SUPPLY - 1), 0);
        assert_eq!(block_emission(u64::MAX), 0);
    }
}
