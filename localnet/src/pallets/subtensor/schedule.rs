//! When epochs run. The schedule is state: it follows the last epoch, not the block number, so
//! that a change of the tempo moves only what is to come.

use super::{
    BlocksSinceLastStep, Config, LastEpochBlock, MaxEpochsPerBlock, Pallet, PendingEpochAt,
    SubnetEpochIndex, Tempo,
};

/// An epoch runs at the latest this many blocks after the last one.
const MAX_TEMPO: u64 = 50_400;

impl<T: Config> Pallet<T> {
    /// The block that runs the subnet's next epoch if nothing changes; `None` where the tempo is 0.
    pub fn next_epoch_start_block(netuid: u16) -> Option<u64> {
        let tempo = u64::from(Tempo::<T>::get(netuid));
        if tempo == 0 {
            return None;
        }
        let regular = LastEpochBlock::<T>::get(netuid).saturating_add(tempo);
        let pending = PendingEpochAt::<T>::get(netuid);
        let next = if pending > 0 { pending.min(regular) } else { regular };
        Some(next.max(Self::now().saturating_add(1)))
    }

    /// Whether the subnet's epoch is due.
    pub(super) fn is_epoch_due(netuid: u16, now: u64) -> bool {
        let tempo = u64::from(Tempo::<T>::get(netuid));
        let pending = PendingEpochAt::<T>::get(netuid);
        tempo > 0
            && ((pending > 0 && pending <= now)
                || BlocksSinceLastStep::<T>::get(netuid) > MAX_TEMPO
                || now.saturating_sub(LastEpochBlock::<T>::get(netuid)) >= tempo)
    }

    /// Of the subnets whose epoch is due, those that may run it in this block. The rest are put
    /// off to the next block.
    pub(super) fn take_due_epochs(netuids: &[u16], now: u64) -> Vec<u16> {
        let most = usize::from(MaxEpochsPerBlock::<T>::get());
        let mut due = Vec::new();
        for netuid in netuids {
            if !Self::is_epoch_due(*netuid, now) {
                BlocksSinceLastStep::<T>::mutate(netuid, |blocks| *blocks += 1);
            } else if due.len() < most {
                due.push(*netuid);
                LastEpochBlock::<T>::insert(netuid, now);
                PendingEpochAt::<T>::insert(netuid, 0);
                SubnetEpochIndex::<T>::mutate(netuid, |index| *index += 1);
                BlocksSinceLastStep::<T>::insert(netuid, 0);
            } else {
                PendingEpochAt::<T>::insert(netuid, now.saturating_add(1));
                BlocksSinceLastStep::<T>::mutate(netuid, |blocks| *blocks += 1);
            }
        }
        due
    }
}
