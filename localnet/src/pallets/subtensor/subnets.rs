//! Making and starting subnets.

use super::{
    Burn, Config, Error, Event, FirstEmissionBlockNumber, ImmunityPeriod, LastEpochBlock,
    MaxAllowedUids, MaxAllowedValidators, MinAllowedWeights, NetworkLastLockCost,
    NetworkLastRegistered, NetworkLockReductionInterval, NetworkMinLockCost, NetworkRateLimit,
    NetworkRegisteredAt, NetworksAdded, Pallet, ROOT, StartCallDelay, SubnetAlphaIn,
    SubnetEmissionEnabled, SubnetIdentityV3, SubnetLimit, SubnetLocked, SubnetMechanism,
    SubnetOwner, SubnetOwnerHotkey, SubnetTAO, SubtokenEnabled, Tempo, TotalIssuance,
    TotalNetworks, TotalStake, Uids, Yuma3On,
};
use frame_support::{
    dispatch::{DispatchResult, RawOrigin},
    ensure,
};
use frame_system::pallet_prelude::OriginFor;
use sp_runtime::DispatchError;

impl<T: Config> Pallet<T> {
    /// All subnets but the root, in rising order.
    pub fn netuids() -> Vec<u16> {
        let mut netuids: Vec<u16> = NetworksAdded::<T>::iter()
            .filter(|(netuid, added)| *added && *netuid != ROOT)
            .map(|(netuid, _)| netuid)
            .collect();
        netuids.sort_unstable();
        netuids
    }

    /// Cost of a new subnet, in rao: twice the last one's, falling over time, never below the least.
    pub fn network_cost() -> u64 {
        let last = NetworkLastLockCost::<T>::get();
        let registered = NetworkLastRegistered::<T>::get();
        let interval = NetworkLockReductionInterval::<T>::get();
        let factor = if registered == 0 { 1 } else { 2 };
        let waited = Self::now().saturating_sub(registered);
        let fall = last.checked_div(interval).unwrap_or(0).saturating_mul(waited);
        last.saturating_mul(factor).saturating_sub(fall).max(NetworkMinLockCost::<T>::get())
    }

    /// Whether enough blocks have passed since the newest subnet.
    pub(super) fn may_register_network() -> bool {
        let last = NetworkLastRegistered::<T>::get();
        last == 0 || Self::now().saturating_sub(last) >= NetworkRateLimit::<T>::get()
    }

    pub(super) fn do_register_network(
        coldkey: &T::AccountId,
        hotkey: &T::AccountId,
        identity: Option<SubnetIdentityV3>,
    ) -> DispatchResult {
        ensure!(Self::may_register_network(), Error::<T>::NetworkTxRateLimitExceeded);
        let room = TotalNetworks::<T>::get() <= SubnetLimit::<T>::get();
        ensure!(room, Error::<T>::SubnetLimitReached);
        Self::ensure_owned(coldkey, hotkey)?;
        let cost = Self::network_cost();
        ensure!(Self::can_spend(coldkey, cost), Error::<T>::CannotAffordLockCost);
        let netuid = (1..=u16::MAX)
            .find(|netuid| !NetworksAdded::<T>::get(netuid))
            .ok_or(Error::<T>::SubnetLimitReached)?;

        Self::withdraw(coldkey, cost)?;
        Self::open_subnet(netuid, cost);
        SubnetOwner::<T>::insert(netuid, coldkey);
        SubnetOwnerHotkey::<T>::insert(netuid, hotkey);
        NetworkLastLockCost::<T>::put(cost);
        NetworkLastRegistered::<T>::put(Self::now());
        Self::append_neuron(netuid, hotkey);
        Self::deposit_event(Event::NetworkAdded(netuid, 1));
        if let Some(identity) = identity {
            Self::store_subnet_identity(netuid, identity)?;
        }
        Ok(())
    }

    /// Sets a new subnet's hyperparameters and fills its pool; what the cost leaves is recycled.
    fn open_subnet(netuid: u16, cost: u64) {
        let now = Self::now();
        let tempo = u64::from(Tempo::<T>::get(netuid));
        NetworksAdded::<T>::insert(netuid, true);
        TotalNetworks::<T>::mutate(|count| *count = count.saturating_add(1));
        Tempo::<T>::insert(netuid, tempo as u16);
        SubnetMechanism::<T>::insert(netuid, 1);
        NetworkRegisteredAt::<T>::insert(netuid, now);
        let offset = u64::from(netuid).checked_rem(tempo).unwrap_or(0);
        LastEpochBlock::<T>::insert(netuid, now.saturating_sub(offset));
        MaxAllowedUids::<T>::insert(netuid, 256);
        MaxAllowedValidators::<T>::insert(netuid, 64);
        MinAllowedWeights::<T>::insert(netuid, 1);
        ImmunityPeriod::<T>::insert(netuid, 5000);
        Yuma3On::<T>::insert(netuid, true);
        Burn::<T>::insert(netuid, 1_000_000_000);
        SubnetEmissionEnabled::<T>::insert(netuid, false);
        let pool = cost.min(NetworkMinLockCost::<T>::get());
        SubnetTAO::<T>::insert(netuid, pool);
        SubnetAlphaIn::<T>::insert(netuid, pool);
        TotalStake::<T>::mutate(|total| *total = total.saturating_add(pool));
        Self::recycle_tao(cost.saturating_sub(pool));
        SubnetLocked::<T>::insert(netuid, cost);
        Self::assign_symbol(netuid);
    }

    pub(super) fn do_start_call(coldkey: &T::AccountId, netuid: u16) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(SubnetOwner::<T>::get(netuid) == *coldkey, DispatchError::BadOrigin);
        let started = FirstEmissionBlockNumber::<T>::contains_key(netuid);
        ensure!(!started, Error::<T>::FirstEmissionBlockNumberAlreadySet);
        let now = Self::now();
        let from = NetworkRegisteredAt::<T>::get(netuid).saturating_add(StartCallDelay::<T>::get());
        ensure!(now >= from, Error::<T>::NeedWaitingMoreBlocksToStarCall);
        let first = now.saturating_add(1);
        FirstEmissionBlockNumber::<T>::insert(netuid, first);
        SubtokenEnabled::<T>::insert(netuid, true);
        Self::deposit_event(Event::FirstEmissionBlockNumberSet(netuid, first));
        Ok(())
    }

    /// Takes TAO that nobody holds out of the issuance, whence it is emitted anew.
    pub fn recycle_tao(tao: u64) {
        TotalIssuance::<T>::mutate(|total| *total = total.saturating_sub(tao));
    }

    /// Uid of the owner's hotkey, if it is registered.
    pub(super) fn owner_uid(netuid: u16) -> Option<u16> {
        Uids::<T>::get(netuid, SubnetOwnerHotkey::<T>::get(netuid))
    }

    /// Passes root, and the subnet's owner unless an epoch is near.
    ///
    /// # Errors
    /// `BadOrigin`, or that owners must wait for the epoch.
    pub fn ensure_owner_or_root(origin: OriginFor<T>, netuid: u16) -> DispatchResult {
        let raw: Result<RawOrigin<T::AccountId>, _> = origin.into();
        match raw {
            Ok(RawOrigin::Root) => Ok(()),
            Ok(RawOrigin::Signed(who)) if who == SubnetOwner::<T>::get(netuid) => {
                let window = u64::from(super::AdminFreezeWindow::<T>::get());
                let next = Self::next_epoch_start_block(netuid).unwrap_or(u64::MAX);
                let free = next.saturating_sub(Self::now()) >= window;
                ensure!(free, Error::<T>::AdminActionProhibitedDuringWeightsWindow);
                Ok(())
            }
            _ => Err(DispatchError::BadOrigin),
        }
    }
}
