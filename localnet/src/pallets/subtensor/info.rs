//! What clients read through the runtime APIs.

mod delegates;
mod hyperparameters;
mod metagraph;
mod neurons;
mod prices;
mod stakes;
mod subnets;

pub use delegates::{DelegateInfo, Delegated, Nomination};
pub use hyperparameters::{
    HyperparamEntry, HyperparamValue, SubnetHyperparams, SubnetHyperparamsV2,
};
pub use metagraph::{Metagraph, SelectiveMetagraph};
pub use prices::{SimSwapResult, SubnetPrice};
pub use stakes::{StakeAvailability, StakeInfo};
pub use subnets::{DynamicInfo, SubnetInfo, SubnetInfoV2, SubnetState};

use super::{
    Config, Keys, MechanismCountCurrent, NetworksAdded, Pallet, ROOT, SubnetIdentitiesV3,
    SubnetworkN, TokenSymbol,
};
use codec::Compact;

/// What hotkeys have committed, as the metagraph shows it.
pub trait Committed<AccountId> {
    /// The SCALE bytes of a hotkey's commitment on a subnet.
    fn committed(netuid: u16, hotkey: &AccountId) -> Option<Vec<u8>>;
}

/// `all[uid]`, or nothing's value.
fn entry<V: Copy + Default>(all: &[V], uid: u16) -> V {
    all.get(usize::from(uid)).copied().unwrap_or_default()
}

/// Each value as a compact number.
fn compact<V: Copy>(values: &[V]) -> Vec<Compact<V>> {
    values.iter().copied().map(Compact).collect()
}

/// The pairs whose value is not zero.
fn compact_pairs(row: Vec<(u16, u16)>) -> Vec<(Compact<u16>, Compact<u16>)> {
    let set = row.into_iter().filter(|(_, value)| *value > 0);
    set.map(|(to, value)| (Compact(to), Compact(value))).collect()
}

/// Text as clients of these APIs want it.
fn text(bytes: Vec<u8>) -> Vec<Compact<u8>> {
    compact(&bytes)
}

impl<T: Config> Pallet<T> {
    /// All subnets and the root, in rising order.
    pub(super) fn all_netuids() -> Vec<u16> {
        let root = NetworksAdded::<T>::get(ROOT).then_some(ROOT);
        root.into_iter().chain(Self::netuids()).collect()
    }

    /// Something of every subnet, the root first.
    pub fn of_all_subnets<V>(of: impl Fn(u16) -> Option<V>) -> Vec<Option<V>> {
        Self::all_netuids().into_iter().map(of).collect()
    }

    /// Whether a subnet has a mechanism.
    pub fn has_mechanism(netuid: u16, mechanism: u8) -> bool {
        mechanism < MechanismCountCurrent::<T>::get(netuid)
    }

    /// Hotkeys of a subnet by uid.
    fn hotkeys(netuid: u16) -> Vec<T::AccountId> {
        (0..SubnetworkN::<T>::get(netuid)).map(|uid| Keys::<T>::get(netuid, uid)).collect()
    }

    /// What a subnet calls itself.
    fn subnet_name(netuid: u16) -> Vec<Compact<u8>> {
        let given = SubnetIdentitiesV3::<T>::get(netuid).map(|identity| identity.subnet_name);
        text(match given {
            Some(name) if !name.is_empty() => name,
            _ if netuid == ROOT => b"root".to_vec(),
            _ => b"unknown".to_vec(),
        })
    }

    /// The sign of a subnet's alpha.
    fn symbol(netuid: u16) -> Vec<Compact<u8>> {
        text(TokenSymbol::<T>::get(netuid))
    }
}
