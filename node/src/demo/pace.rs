//! How fast blocks come on this machine.
//!
//! Phases are counted in blocks, and an audit that does not finish in its phase vetoes nobody. A
//! subnet's chain is slow enough for that; here the chain is made to wait for a slow machine, or
//! for one that has other things to do: [`block_ms`] measures how fast it may go at best, and
//! [`Pace`] holds the next block back while a role lags, and Train open until the heads have drawn
//! what they may: how much is learned does not depend on the machine. Only the real time between
//! blocks changes: the chain's own clock, and so its randomness, does not.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use iota_trainer::{Input, Stage, zeroed_code};

use crate::error::{Context, Result};
use crate::protocol::clock::{Clock, Phase};
use crate::protocol::manifest::Manifest;
use crate::report::Report;
use crate::roles::run::stage_config;

/// Blocks of an Audit phase in which nothing is repeated yet (logs, randomness) or any more (the
/// veto is on its way).
const OTHER_BLOCKS: u32 = 6;
/// Times the measured work that must fit: the machine does other things, too.
const SLACK: f64 = 1.5;
/// Measurements, of which the fastest counts.
const TRIES: u32 = 3;

/// Blocks that a role may lag behind the chain before the chain waits for it.
const LAG: u32 = 3;
/// Blocks at the end of an Audit phase that a veto needs to get into the chain.
const VETO_BLOCKS: u32 = 4;
/// How many times faster blocks come while heads draw: nothing is sent to the chain then, and Train lasts
/// until all is drawn anyway.
pub const DRAWING: u32 = 5;
/// Nothing is waited for that has not moved for this long: it may be lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// Milliseconds between blocks: what is wanted, or more where audits need it.
///
/// # Errors
/// If the manifest's model cannot be built.
pub fn block_ms(manifest: &Manifest, miners: u16, validators: u16, wanted: u64) -> Result<u64> {
    let microbatches = manifest.snapshot_every * manifest.inner_microbatches;
    let per_miner = f64::from(manifest.audit.windows * microbatches);
    // A validator repeats one microbatch at a time.
    let cores = available_parallelism().map_or(1, usize::from).min(validators.into());
    let all = f64::from(miners) * f64::from(validators) * per_miner / cores as f64;
    let blocks = manifest.phases.audit.saturating_sub(OTHER_BLOCKS).max(1);
    let needed = SLACK * all * measure(manifest)?.as_secs_f64() * 1e3 / f64::from(blocks);
    Ok(wanted.max(needed as u64))
}

/// Time to repeat one microbatch at the first stage.
fn measure(manifest: &Manifest) -> Result<Duration> {
    const WHAT: &str = "cannot build the manifest's model";
    iota_trainer::use_threads(1);
    let mut stage = Stage::new(&stage_config(manifest, 0)).or_user(WHAT)?;
    let tokens = vec![0; (manifest.batch * manifest.model.context) as usize];
    let code = stage.forward(Input::Tokens(&tokens)).or_user(WHAT)?;
    let gradient = zeroed_code(&code).or_user(WHAT)?;
    let mut fastest = Duration::MAX;
    for _ in 0..TRIES {
        let start = Instant::now();
        stage.replay(0, Input::Tokens(&tokens), &gradient).or_user(WHAT)?;
        fastest = fastest.min(start.elapsed());
    }
    Ok(fastest)
}

/// Whether the next block may come, by what the roles report. Pure: time comes in.
#[derive(Debug)]
pub struct Pace {
    clock: Clock,
    /// Between blocks, and when the last one came.
    every: Duration,
    sealed: Duration,
    /// Microbatches that a head may draw per epoch.
    max_draws: u32,
    /// The epoch and number of each head's last draws, and when the last one of all was.
    drawn: BTreeMap<String, (u32, u32)>,
    drew: Duration,
    /// The last block that each role handled, and when.
    handled: BTreeMap<String, (u32, Duration)>,
    /// The miners that committed work of the epoch, and the verdicts on it by validator and miner.
    epoch: u32,
    committed: BTreeSet<String>,
    judged: BTreeSet<(String, String)>,
    /// When the last of these came.
    heard: Duration,
}

impl Pace {
    /// A pace for a run, with this time between blocks; no role is known yet.
    pub fn new(manifest: &Manifest, every: Duration) -> Self {
        let (drawn, handled, committed, judged) = Default::default();
        let (sealed, drew, heard) = Default::default();
        let (clock, max_draws) = (Clock::new(manifest), manifest.max_draws);
        let epoch = 0;
        Self {
            clock,
            every,
            sealed,
            max_draws,
            drawn,
            drew,
            handled,
            epoch,
            committed,
            judged,
            heard,
        }
    }

    /// Takes in what the role `from` said, `now` after the run's start.
    pub fn hear(&mut self, from: &str, now: Duration, report: &Report) {
        match report {
            Report::Block { number, .. } => {
                self.handled.insert(from.into(), (*number, now));
            }
            Report::Draw { epoch, k, .. } => {
                let count = u32::try_from(*k).unwrap_or(u32::MAX).saturating_add(1);
                self.drawn.insert(from.into(), (*epoch, count));
                self.drew = now;
            }
            Report::Committed { epoch, .. } => {
                if *epoch > self.epoch {
                    self.committed.clear();
                    self.judged.clear();
                    self.epoch = *epoch;
                }
                self.committed.insert(from.into());
                self.heard = now;
            }
            Report::Audit { epoch, miner, .. } if *epoch == self.epoch => {
                self.judged.insert((from.into(), miner.clone()));
                self.heard = now;
            }
            _ => {}
        }
    }

    /// A block was made.
    pub fn seal(&mut self, now: Duration) {
        self.sealed = now;
    }

    /// A role is gone: nothing waits for it.
    pub fn forget(&mut self, name: &str) {
        self.handled.remove(name);
        self.drawn.remove(name);
    }

    /// Whether block `next` may come; `validators` are those alive.
    pub fn allows(&self, next: u32, now: Duration, validators: &BTreeSet<String>) -> bool {
        let waits_for = |since: Duration| now.saturating_sub(since) <= PATIENCE;
        let every = if self.clock.may_draw(next) { self.every / DRAWING } else { self.every };
        // Ticks are not exact; half of the shortest step is near enough.
        if now.saturating_sub(self.sealed) + self.every / DRAWING / 2 < every {
            return false;
        }
        let mut roles = self.handled.values();
        if roles.any(|(handled, since)| handled + LAG < next && waits_for(*since)) {
            return false;
        }
        if self.ends_draws(next) && waits_for(self.drew) {
            return false;
        }
        !self.ends_audits(next) || self.is_judged(validators) || !waits_for(self.heard)
    }

    /// Whether the block ends an epoch's draws while a head that draws has some left.
    fn ends_draws(&self, block: u32) -> bool {
        let before = block.saturating_sub(1);
        let Some(position) = self.clock.position(before) else { return false };
        let mut heads = self.drawn.values();
        self.clock.may_draw(before)
            && !self.clock.may_draw(block)
            && heads.any(|(epoch, count)| *epoch == position.epoch && *count < self.max_draws)
    }

    /// Whether a veto that is not committed before this block comes too late.
    fn ends_audits(&self, block: u32) -> bool {
        let later = self.clock.position(block.saturating_add(VETO_BLOCKS));
        self.clock.position(block).is_some_and(|now| {
            let over = later.is_none_or(|later| later.phase != Phase::Audit);
            now.phase == Phase::Audit && now.epoch == self.epoch && over
        })
    }

    /// Whether all validators have judged as many miners as committed work.
    fn is_judged(&self, validators: &BTreeSet<String>) -> bool {
        validators.iter().all(|validator| {
            let verdicts = self.judged.iter().filter(|(by, _)| by == validator).count();
            verdicts >= self.committed.len()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset::{self, Choice};
    use crate::protocol::manifest::Phases;

    fn manifest() -> Manifest {
        preset::small(Choice {
            name: "test".into(),
            genesis: [1; 32],
            netuid: 1,
            start_block: 64,
            stages: 3,
            seed: 7,
            pins: Vec::new(),
        })
    }

    #[test]
    fn blocks_come_as_wanted_unless_audits_need_longer() {
        let manifest = manifest();
        assert_eq!(block_ms(&manifest, 1, 1, 600_000).unwrap(), 600_000);
        let (few, many) = (block_ms(&manifest, 64, 1, 1), block_ms(&manifest, 2048, 1, 1));
        assert!(few.unwrap() > 1 && many.unwrap() > 1_000);
    }

    /// The Audit phase of epoch 0 ends with block 132.
    fn pace() -> Pace {
        let mut manifest = manifest();
        manifest.start_block = 100;
        manifest.phases = Phases { train: 20, commit: 3, audit: 10, merge: 5, settle: 6 };
        (manifest.draw_guard, manifest.max_draws) = (3, 2);
        Pace::new(&manifest, Duration::from_millis(500))
    }

    fn block(number: u32) -> Report {
        Report::Block { number, epoch: 0, phase: String::new() }
    }

    const NOW: Duration = Duration::from_secs(1);

    #[test]
    fn a_role_that_lags_holds_the_chain_until_it_is_gone_or_silent_for_long() {
        let (mut pace, nobody) = (pace(), BTreeSet::new());
        pace.hear("miner-1", NOW, &block(10));
        pace.hear("miner-2", NOW, &block(12));
        assert!(pace.allows(13, NOW, &nobody) && !pace.allows(14, NOW, &nobody));
        assert!(pace.allows(14, NOW + 2 * PATIENCE, &nobody));
        pace.forget("miner-1");
        assert!(pace.allows(15, NOW, &nobody) && !pace.allows(16, NOW, &nobody));
    }

    #[test]
    fn blocks_come_faster_while_heads_draw() {
        let (mut pace, nobody) = (pace(), BTreeSet::new());
        pace.seal(NOW);
        let after = |ms| NOW + Duration::from_millis(ms);
        // Heads draw until block 116; the next ones are as far apart as all others.
        assert!(!pace.allows(110, after(40), &nobody) && pace.allows(110, after(100), &nobody));
        assert!(!pace.allows(117, after(400), &nobody) && pace.allows(117, after(500), &nobody));
        assert!(!pace.allows(125, after(100), &nobody) && pace.allows(125, after(500), &nobody));
    }

    #[test]
    fn train_stays_open_until_every_head_has_drawn_what_it_may() {
        let (mut pace, nobody) = (pace(), BTreeSet::new());
        let draw = |k| Report::Draw { epoch: 0, head: String::new(), k, ids: Vec::new() };
        // Blocks 100 to 119 are Train's; heads draw until 116.
        assert!(pace.allows(117, NOW, &nobody), "nobody draws");
        pace.hear("miner-1", NOW, &draw(0));
        pace.hear("miner-2", NOW, &draw(1));
        assert!(pace.allows(116, NOW, &nobody) && !pace.allows(117, NOW, &nobody));
        assert!(pace.allows(117, NOW + 2 * PATIENCE, &nobody), "a head is stuck");
        pace.hear("miner-1", NOW, &draw(1));
        assert!(pace.allows(117, NOW, &nobody));
        pace.hear("miner-1", NOW, &draw(0));
        pace.forget("miner-1");
        assert!(pace.allows(117, NOW, &nobody), "a head is gone");
    }

    #[test]
    fn the_last_blocks_of_an_audit_phase_wait_for_every_verdict() {
        let (mut pace, validators) = (pace(), BTreeSet::from(["v1".into(), "v2".into()]));
        let committed = Report::Committed { epoch: 0, tokens: 1, steps: 1, windows: 1 };
        pace.hear("miner-1", NOW, &committed);
        for validator in ["v1", "v2"] {
            assert!(pace.allows(128, NOW, &validators) && !pace.allows(129, NOW, &validators));
            let audit = Report::Audit {
                epoch: 0,
                validator: String::new(),
                miner: "5Miner".into(),
                passed: true,
                windows: 1,
                reason: String::new(),
            };
            pace.hear(validator, NOW, &audit);
        }
        assert!(pace.allows(129, NOW, &validators));
    }
}
