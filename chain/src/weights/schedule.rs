//! When a subnet's epochs run, and so when weights that are hidden now will be shown. Pure.
//!
//! Since spec 423 the schedule is state (`LastEpochBlock`, `PendingEpochAt`, `SubnetEpochIndex`);
//! before, it followed from the block number. In both, the block that runs an epoch belongs to the
//! new epoch when weights are shown: that comes first in a block (`reveal_crv3_commits` before
//! `run_coinbase`). Deferral by `MaxEpochsPerBlock` cannot be foreseen, and is not.

/// An epoch runs at the latest this many blocks after the last one (`MAX_TEMPO`).
const MAX_TEMPO: u64 = 50_400;
/// Blocks looked ahead at most, beyond the epochs that are waited for.
const SLACK: u64 = 2;
/// Epochs between commit and reveal that make sense (`MAX_REVEAL_PERIOD_EPOCHS`).
const MAX_PERIOD: u64 = 100;

/// A subnet's schedule at a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// As state.
    Stateful {
        /// Blocks per epoch.
        tempo: u16,
        /// The block that ran the last epoch.
        last: u64,
        /// The block that is to run one out of turn; 0 = none.
        pending: u64,
        /// Epochs so far.
        index: u64,
        /// Blocks since the last epoch, or since the subnet was created.
        since: u64,
    },
    /// From the block number: an epoch runs where `(block + netuid + 1) % (tempo + 1) == 0`.
    Modulo {
        /// Blocks per epoch, less one.
        tempo: u16,
        /// The subnet.
        netuid: u16,
    },
}

impl Schedule {
    /// The first block that shows what the block after `now` commits; none where no epochs run, or
    /// none that near.
    pub(crate) fn reveal_block(self, now: u64, period: u64) -> Option<u64> {
        let period = (period <= MAX_PERIOD).then_some(period)?;
        match self {
            Self::Modulo { tempo, netuid } => {
                let length = u64::from(tempo) + 1;
                let shift = u64::from(netuid) + 1;
                let next = now.checked_add(1)?;
                let epoch = next.checked_add(shift)? / length + period;
                Some(epoch.checked_mul(length)?.checked_sub(shift)?.max(next))
            }
            Self::Stateful { tempo: 0, .. } => None,
            Self::Stateful { .. } => {
                let next = now.checked_add(1)?;
                let target = self.epoch_at(next).checked_add(period)?;
                let last = next.checked_add((period + 1) * (MAX_TEMPO + SLACK))?;
                let mut schedule = self;
                for block in next..=last {
                    if schedule.epoch_at(block) == target {
                        return Some(block);
                    }
                    schedule = schedule.after(block);
                }
                None
            }
        }
    }

    /// Whether an epoch starts after the first block, and up to and with the last.
    pub(crate) fn starts_between(self, first: u64, last: u64) -> bool {
        (first.saturating_add(1)..=last).any(|block| self.epoch_at(block) != self.epoch_at(first))
    }

    /// The epoch to which the block counts, where all blocks before it have been taken in.
    pub(crate) fn epoch_at(self, block: u64) -> u64 {
        match self {
            Self::Stateful { index, .. } => index.saturating_add(self.is_due(block).into()),
            Self::Modulo { tempo, netuid } => {
                block.saturating_add(u64::from(netuid) + 1) / (u64::from(tempo) + 1)
            }
        }
    }

    fn is_due(self, block: u64) -> bool {
        let Self::Stateful { tempo, last, pending, since, .. } = self else { return false };
        tempo > 0
            && ((pending > 0 && block >= pending)
                || since > MAX_TEMPO
                || block.saturating_sub(last) >= u64::from(tempo))
    }

    /// The schedule after a block.
    fn after(self, block: u64) -> Self {
        let Self::Stateful { tempo, last, pending, index, since } = self else { return self };
        let since = since.saturating_add(1);
        let counted = Self::Stateful { tempo, last, pending, index, since };
        if counted.is_due(block) {
            return Self::Stateful {
                tempo,
                last: block,
                pending: 0,
                index: index.saturating_add(1),
                since: 0,
            };
        }
        counted
    }
}

/// The beacon's round that is out when a block comes `blocks` from now, and its reserve.
///
/// The reserve lets the block that starts the epoch come first: else the weights could be read
/// before the epoch in which they count.
pub(crate) fn round(now_ms: u64, blocks: u64, block_ms: u64, genesis_s: u64, period_s: u64) -> u64 {
    const RESERVE: u64 = 3;
    let wait = blocks.saturating_add(RESERVE).saturating_mul(block_ms);
    let since = now_ms.saturating_add(wait).saturating_sub(genesis_s.saturating_mul(1_000));
    (since / period_s.max(1).saturating_mul(1_000)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Schedule =
        Schedule::Stateful { tempo: 50, last: 10, pending: 0, index: 0, since: 0 };

    /// From bittensor-drand 2.0.0, `epoch_schedule_vectors.rs`.
    #[test]
    fn reveals_are_foreseen_as_the_sdks_do() {
        let none = Schedule::Stateful { tempo: 0, last: 10, pending: 0, index: 0, since: 0 };
        assert_eq!(none.reveal_block(10, 1), None);
        assert_eq!(START.reveal_block(10, 1), Some(60));
        let pending = Schedule::Stateful { tempo: 20, last: 80, pending: 95, index: 0, since: 0 };
        assert_eq!(pending.reveal_block(91, 1), Some(95));
        let running = Schedule::Stateful { tempo: 50, last: 100, pending: 0, index: 0, since: 0 };
        assert_eq!(running.epoch_at(121), 0);
    }

    #[test]
    fn a_commit_in_an_epochs_own_block_counts_to_the_epoch_it_starts() {
        // The block after 59 runs the epoch, so what is committed there is shown one later.
        assert_eq!(START.reveal_block(58, 1), Some(60));
        assert_eq!(START.reveal_block(59, 1), Some(110));
        assert_eq!(START.reveal_block(10, 3), Some(160));
        assert_eq!(START.reveal_block(10, u64::MAX), None);
    }

    #[test]
    fn an_epoch_s_start_between_two_blocks_is_seen() {
        // Epochs start at 60, 110, ...
        assert!(!START.starts_between(50, 59) && START.starts_between(57, 60));
        assert!(START.starts_between(59, 60) && !START.starts_between(60, 60));
        let modulo = Schedule::Modulo { tempo: 9, netuid: 1 };
        assert!(modulo.starts_between(16, 18) && !modulo.starts_between(18, 27));
    }

    #[test]
    fn what_a_chain_says_never_overflows() {
        let most = u64::MAX;
        for schedule in [
            Schedule::Stateful { tempo: 1, last: most, pending: most, index: most, since: most },
            Schedule::Modulo { tempo: u16::MAX, netuid: u16::MAX },
        ] {
            for now in [0, most - 1, most] {
                let _ = schedule.reveal_block(now, 1);
            }
        }
    }

    #[test]
    fn the_older_schedule_follows_the_block_number() {
        let schedule = Schedule::Modulo { tempo: 9, netuid: 1 };
        // Epochs start at 8, 18, 28, ...
        assert_eq!(schedule.reveal_block(8, 1), Some(18));
        assert_eq!(schedule.reveal_block(16, 1), Some(18));
        assert_eq!(schedule.reveal_block(17, 1), Some(28));
    }

    #[test]
    fn the_round_is_the_one_out_at_the_block() {
        let genesis = 1_000;
        // 1,030 s, ten blocks of 12 s and three in reserve: 186 s after the beacon's start.
        assert_eq!(round(1_030_000, 10, 12_000, genesis, 3), 62);
        assert_eq!(round(0, 0, 12_000, genesis, 3), 1);
        assert_eq!(round(u64::MAX, 0, 12_000, genesis, 0), u64::MAX / 1_000 - genesis);
    }
}
