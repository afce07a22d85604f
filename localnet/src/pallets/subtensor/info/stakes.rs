//! Who has how much stake where.

use crate::pallets::subtensor::{Config, Pallet, StakingHotkeys, Uids};
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;
use std::collections::BTreeMap;

/// A coldkey's stake on a hotkey in a subnet.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, TypeInfo)]
pub struct StakeInfo<AccountId> {
    /// Hotkey that has it.
    pub hotkey: AccountId,
    /// Coldkey that owns it.
    pub coldkey: AccountId,
    /// Subnet.
    pub netuid: Compact<u16>,
    /// Alpha, in rao.
    pub stake: Compact<u64>,
    /// Of it locked, in rao: none here.
    pub locked: Compact<u64>,
    /// Alpha earned by the hotkey in the last epoch, in rao.
    pub emission: Compact<u64>,
    /// TAO earned by the hotkey: none here, since none is staked on the root.
    pub tao_emission: Compact<u64>,
    /// No longer computed: zero.
    pub drain: Compact<u64>,
    /// Whether the hotkey is registered on the subnet.
    pub is_registered: bool,
}

/// How much of a coldkey's stake may be moved, in rao of alpha.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, TypeInfo)]
pub struct StakeAvailability {
    /// All.
    pub total: Compact<u64>,
    /// Locked: none here.
    pub locked: Compact<u64>,
    /// The rest.
    pub available: Compact<u64>,
}

impl<T: Config> Pallet<T> {
    /// All stake of a coldkey.
    pub fn stakes_of(coldkey: &T::AccountId) -> Vec<StakeInfo<T::AccountId>> {
        let netuids = Self::all_netuids();
        let hotkeys = StakingHotkeys::<T>::get(coldkey);
        let pairs = hotkeys.iter().flat_map(|hotkey| netuids.iter().map(move |net| (hotkey, net)));
        pairs
            .filter_map(|(hotkey, netuid)| Self::stake_info(hotkey, coldkey, *netuid))
            .filter(|info| info.stake.0 > 0)
            .collect()
    }

    /// A coldkey's stake on a hotkey in a subnet; `None` where there is no such subnet.
    pub fn stake_info(
        hotkey: &T::AccountId,
        coldkey: &T::AccountId,
        netuid: u16,
    ) -> Option<StakeInfo<T::AccountId>> {
        Self::all_netuids().contains(&netuid).then(|| {
            let uid = Uids::<T>::get(netuid, hotkey);
            let neuron = uid.and_then(|uid| Self::neuron(netuid, uid));
            StakeInfo {
                stake: Compact(Self::stake_of_coldkey(hotkey, coldkey, netuid)),
                hotkey: hotkey.clone(),
                coldkey: coldkey.clone(),
                netuid: Compact(netuid),
                locked: Compact(0),
                emission: neuron.map_or(Compact(0), |neuron| neuron.emission),
                tao_emission: Compact(0),
                drain: Compact(0),
                is_registered: uid.is_some(),
            }
        })
    }

    /// By subnet, how much of a coldkey's stake may be moved.
    pub fn stake_availability(
        coldkey: &T::AccountId,
        netuids: Option<&[u16]>,
    ) -> BTreeMap<u16, StakeAvailability> {
        let mut sums = BTreeMap::<u16, u64>::new();
        for info in Self::stakes_of(coldkey) {
            if netuids.is_none_or(|wanted| wanted.contains(&info.netuid.0)) {
                let sum = sums.entry(info.netuid.0).or_default();
                *sum = sum.saturating_add(info.stake.0);
            }
        }
        let availability = |total| StakeAvailability {
            total: Compact(total),
            locked: Compact(0),
            available: Compact(total),
        };
        sums.into_iter().map(|(netuid, total)| (netuid, availability(total))).collect()
    }
}
