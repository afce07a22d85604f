//! Epochs and phases, as functions of the finalized block number.
//!
//! Epoch e starts at `B_e = B_0 + e L` and runs through `Train, Commit, Audit, Merge, Settle`. The
//! blocks just before `B_0`, as many as a Settle phase has, are the *opening*: the members of epoch
//! 0 are announced and committed there, as those of epoch e + 1 are in the Settle phase of e.

use std::fmt;
use std::ops::RangeInclusive;

use super::manifest::{Manifest, Phases};

/// What an epoch is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Microbatches are drawn and trained on.
    Train,
    /// Miners put their work commitment on chain.
    Commit,
    /// Validators re-execute and veto.
    Audit,
    /// Stages merge.
    Merge,
    /// Validators set weights; the next epoch's members are announced and committed.
    Settle,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Commit => "commit",
            Self::Audit => "audit",
            Self::Merge => "merge",
            Self::Settle => "settle",
        })
    }
}

/// Where a block stands in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The epoch, from 0.
    pub epoch: u32,
    /// The phase.
    pub phase: Phase,
    /// First block of the phase.
    pub first: u32,
    /// Last block of the phase.
    pub last: u32,
}

impl Position {
    /// The block in the middle of the phase.
    #[must_use]
    pub fn half(&self) -> u32 {
        self.first + (self.last - self.first) / 2
    }
}

/// The run's calendar.
#[derive(Clone, Debug)]
pub struct Clock {
    start: u32,
    phases: Phases,
    guard: u32,
    quorum: u32,
}

impl Clock {
    /// The calendar of a valid manifest.
    #[must_use]
    pub fn new(manifest: &Manifest) -> Self {
        Self {
            start: manifest.start_block,
            phases: manifest.phases,
            guard: manifest.draw_guard,
            quorum: manifest.member_quorum,
        }
    }

    /// Blocks of one epoch.
    #[must_use]
    pub fn length(&self) -> u32 {
        self.phases.total()
    }

    /// First block of an epoch (saturating at the end of time).
    #[must_use]
    pub fn epoch_start(&self, epoch: u32) -> u32 {
        self.start.saturating_add(epoch.saturating_mul(self.length()))
    }

    /// Where a block stands; none before the first epoch.
    #[must_use]
    pub fn position(&self, block: u32) -> Option<Position> {
        let since = block.checked_sub(self.start)?;
        let epoch = since / self.length();
        [Phase::Train, Phase::Commit, Phase::Audit, Phase::Merge, Phase::Settle]
            .into_iter()
            .map(|phase| (phase, self.phase_range(epoch, phase)))
            .find(|(_, range)| range.contains(&block))
            .map(|(phase, range)| Position {
                epoch,
                phase,
                first: *range.start(),
                last: *range.end(),
            })
    }

    /// Blocks of a phase.
    #[must_use]
    pub fn phase_range(&self, epoch: u32, phase: Phase) -> RangeInclusive<u32> {
        let Phases { train, commit, audit, merge, settle } = self.phases;
        let (before, blocks) = match phase {
            Phase::Train => (0, train),
            Phase::Commit => (train, commit),
            Phase::Audit => (train + commit, audit),
            Phase::Merge => (train + commit + audit, merge),
            Phase::Settle => (train + commit + audit + merge, settle),
        };
        let first = self.epoch_start(epoch).saturating_add(before);
        first..=first.saturating_add(blocks - 1)
    }

    /// Whether heads may draw at this block: in Train, but not in its last `draw_guard` blocks.
    #[must_use]
    pub fn may_draw(&self, block: u32) -> bool {
        self.position(block).is_some_and(|position| {
            position.phase == Phase::Train && block.saturating_add(self.guard) <= position.last
        })
    }

    /// The epoch whose members announce themselves at this block, if any.
    #[must_use]
    pub fn announces(&self, block: u32) -> Option<u32> {
        if block < self.start {
            return (self.start - block <= self.phases.settle).then_some(0);
        }
        let position = self.position(block)?;
        (position.phase == Phase::Settle).then_some(position.epoch + 1)
    }

    /// The last block that may include a member-set commitment for an epoch: `B_e - q`.
    #[must_use]
    pub fn members_deadline(&self, epoch: u32) -> u32 {
        self.epoch_start(epoch).saturating_sub(self.quorum)
    }

    /// The block at which validators commit the members of an epoch: two blocks before the
    /// deadline, so that the extrinsic is included in time, but not before anyone was heard.
    #[must_use]
    pub fn proposes(&self, epoch: u32) -> u32 {
        let first = self.epoch_start(epoch).saturating_sub(self.phases.settle);
        self.members_deadline(epoch).saturating_sub(2).max(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clock() -> Clock {
        let phases = Phases { train: 24, commit: 3, audit: 8, merge: 5, settle: 6 };
        Clock { start: 100, phases, guard: 3, quorum: 1 }
    }

    #[test]
    fn phases_tile_the_epochs_without_gap_or_overlap() {
        let clock = clock();
        assert_eq!(clock.position(99), None);
        let mut last = None;
        for block in 100..100 + 5 * clock.length() {
            let position = clock.position(block).unwrap();
            assert!((position.first..=position.last).contains(&block));
            assert_eq!(position.epoch, (block - 100) / clock.length());
            let place = (position.epoch, position.phase);
            assert!(last.is_none_or(|last| last <= place), "{block}");
            last = Some(place);
        }
    }

    proptest! {
        #[test]
        fn every_block_lies_in_its_phase_and_in_no_other(
            lengths in prop::array::uniform5(1u32..50),
            start: u32,
            since in 0u32..100_000,
        ) {
            let [train, commit, audit, merge, settle] = lengths;
            let phases = Phases { train, commit, audit, merge, settle };
            let clock = Clock { start, phases, guard: 0, quorum: 1 };
            let block = start.saturating_add(since);
            let at = clock.position(block).unwrap();
            let range = clock.phase_range(at.epoch, at.phase);
            prop_assert!(range.contains(&block));
            prop_assert_eq!((*range.start(), *range.end()), (at.first, at.last));
            let before = at.first.checked_sub(1).and_then(|block| clock.position(block));
            prop_assert!(before.is_none_or(|before| before.last < at.first));
            prop_assert_eq!(clock.announces(block).is_some(), at.phase == Phase::Settle);
        }
    }

    #[test]
    fn drawing_stops_a_guard_before_training_ends() {
        let clock = clock();
        assert!(clock.may_draw(100) && clock.may_draw(120));
        assert!(!clock.may_draw(121) && !clock.may_draw(123) && !clock.may_draw(124));
        assert!(!clock.may_draw(99) && clock.may_draw(146));
    }

    #[test]
    fn members_are_announced_and_proposed_before_their_deadline() {
        let clock = clock();
        assert_eq!(clock.announces(93), None);
        assert_eq!(clock.announces(94), Some(0));
        assert_eq!(clock.announces(99), Some(0));
        assert_eq!(clock.announces(100), None);
        assert_eq!(clock.announces(140), Some(1));
        for epoch in 0..4 {
            let (proposes, deadline) = (clock.proposes(epoch), clock.members_deadline(epoch));
            assert_eq!(clock.announces(proposes), Some(epoch));
            assert!(proposes + 2 <= deadline && deadline < clock.epoch_start(epoch));
        }
    }

    #[test]
    fn the_end_of_time_does_not_overflow() {
        let clock = Clock { start: u32::MAX - 3, ..clock() };
        assert!(clock.position(u32::MAX).is_some());
        assert_eq!(clock.epoch_start(u32::MAX), u32::MAX);
    }
}
