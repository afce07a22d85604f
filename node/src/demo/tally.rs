//! What the demo knows from its children's reports: one pure fold, shown live and summed up at the
//! end.
//!
//! Several nodes report the same fact (every node sees every block, both reducers report a merge);
//! each fact is counted once, by its own key. The fold has no clock: time comes in with the report.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::demo::chart::Curve;
use crate::report::{Incentive, Report};

/// Weight of the newest microbatch in the smoothed training loss.
const SMOOTHING: f64 = 0.1;
/// Throughput is taken over this long.
const RATE_WINDOW: Duration = Duration::from_secs(8);

/// One miner as the demo sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Miner {
    /// Its name in the demo, such as `miner-3`.
    pub name: String,
    /// Whether the demo told it to cheat.
    pub hostile: bool,
    /// The stage of the last plan.
    pub stage: Option<u16>,
    /// Tokens that went through it on whole pathways.
    pub tokens: u64,
    /// The lowest credit multiplier that a validator last gave it.
    pub credit: Option<f64>,
    /// Epochs whose audits all passed.
    pub passed: BTreeSet<u32>,
    /// Epochs of which some audit failed.
    pub failed: BTreeSet<u32>,
    /// Share of the incentive, as read from the chain.
    pub incentive: f64,
    /// What the chain paid so far, in alpha rao.
    pub emission: u64,
}

/// One stage's merge of one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Merge {
    root: String,
    agreed: bool,
}

/// Everything known so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The miners by hotkey.
    pub miners: BTreeMap<String, Miner>,
    /// The last block that any node handled.
    pub block: u32,
    /// That block's epoch.
    pub epoch: u32,
    /// That block's phase.
    pub phase: String,
    /// Smoothed training loss over blocks.
    pub curve: Curve,
    /// Held-out loss and unigram entropy by the epoch that starts from the model.
    pub evals: BTreeMap<u32, (f64, f64)>,
    /// Tokens that went through whole pathways.
    pub tokens: u64,
    /// Time spent in train phases that are over or under way.
    train_time: Duration,
    train_since: Option<Duration>,
    smoothed: Option<f64>,
    recent: Vec<(Duration, u64)>,
    microbatches: BTreeSet<(u32, String, u64)>,
    merges: BTreeMap<(u32, u16), Merge>,
    weights: BTreeMap<(String, u32), u32>,
    credits: BTreeMap<(String, String), f64>,
}

impl Tally {
    /// A tally of these miners: hotkey, name, and whether it was told to cheat.
    pub fn new(miners: impl IntoIterator<Item = (String, String, bool)>) -> Self {
        let named = miners
            .into_iter()
            .map(|(hotkey, name, hostile)| (hotkey, Miner { name, hostile, ..Miner::default() }));
        Self { miners: named.collect(), ..Self::default() }
    }

    /// Takes in what the process `from` said, `now` after the run's start.
    pub fn apply(&mut self, from: &str, now: Duration, report: &Report) {
        match report {
            Report::Block { number, epoch, phase } => self.block(*number, *epoch, phase, now),
            Report::Plan { stages, .. } => self.plan(stages),
            Report::Microbatch { epoch, head, k, loss, tokens, path }
                if self.microbatches.insert((*epoch, head.clone(), *k)) =>
            {
                self.microbatch(*loss, *tokens, path, now);
            }
            Report::Audit { epoch, miner, passed, .. } => self.audit(miner, *epoch, *passed),
            Report::Clasp { miner, multiplier, .. } => self.credit(from, miner, *multiplier),
            Report::Merge { epoch, stage, root, agreed, .. } => {
                let known = self.merges.entry((*epoch, *stage));
                let merge = known.or_insert_with(|| Merge { root: root.clone(), agreed: true });
                merge.agreed &= *agreed && merge.root == *root;
            }
            Report::Eval { epoch, loss, unigram } => {
                self.evals.entry(*epoch).or_insert((*loss, *unigram));
            }
            Report::Weights { epoch, block, .. } => {
                self.weights.insert((from.to_owned(), *epoch), *block);
            }
            Report::Incentives { miners, .. } => self.incentives(miners),
            _ => {}
        }
    }

    fn block(&mut self, number: u32, epoch: u32, phase: &str, now: Duration) {
        if number <= self.block {
            return;
        }
        (self.block, self.epoch) = (number, epoch);
        if self.phase == phase {
            return;
        }
        if let Some(since) = self.train_since.take() {
            self.train_time += now.saturating_sub(since);
        }
        if phase == "train" {
            self.train_since = Some(now);
        }
        phase.clone_into(&mut self.phase);
    }

    fn plan(&mut self, stages: &[Vec<String>]) {
        for (stage, hotkeys) in (0..).zip(stages) {
            for hotkey in hotkeys {
                if let Some(miner) = self.miners.get_mut(hotkey) {
                    miner.stage = Some(stage);
                }
            }
        }
    }

    fn microbatch(&mut self, loss: f64, tokens: u64, path: &[String], now: Duration) {
        self.tokens += tokens;
        self.recent.retain(|(at, _)| now.saturating_sub(*at) <= RATE_WINDOW);
        self.recent.push((now, tokens));
        for hotkey in path {
            if let Some(miner) = self.miners.get_mut(hotkey) {
                miner.tokens += tokens;
            }
        }
        if loss.is_finite() {
            let smoothed = self.smoothed.map_or(loss, |old| old + SMOOTHING * (loss - old));
            self.smoothed = Some(smoothed);
            self.curve.push(f64::from(self.block), smoothed);
        }
    }

    fn audit(&mut self, miner: &str, epoch: u32, passed: bool) {
        let Some(miner) = self.miners.get_mut(miner) else { return };
        if !passed {
            miner.passed.remove(&epoch);
            miner.failed.insert(epoch);
        } else if !miner.failed.contains(&epoch) {
            miner.passed.insert(epoch);
        }
    }

    fn credit(&mut self, validator: &str, hotkey: &str, multiplier: f64) {
        let Some(miner) = self.miners.get_mut(hotkey) else { return };
        self.credits.insert((hotkey.to_owned(), validator.to_owned()), multiplier);
        let of_miner = self.credits.iter().filter(|((miner, _), _)| miner == hotkey);
        miner.credit = of_miner.map(|(_, credit)| *credit).min_by(f64::total_cmp);
    }

    fn incentives(&mut self, read: &[Incentive]) {
        for Incentive { hotkey, incentive, emission } in read {
            if let Some(miner) = self.miners.get_mut(hotkey) {
                (miner.incentive, miner.emission) = (*incentive, *emission);
            }
        }
    }

    /// The smoothed training loss.
    pub fn loss(&self) -> Option<f64> {
        self.smoothed
    }

    /// Stage merges so far, and how many of them both reducers did not agree on.
    pub fn merges(&self) -> (u32, u32) {
        let disputed = self.merges.values().filter(|merge| !merge.agreed).count();
        (count(self.merges.len()), count(disputed))
    }

    /// Weight extrinsics so far, over all validators.
    pub fn weights_set(&self) -> u32 {
        count(self.weights.len())
    }

    /// The block by which each of these validators had set the weights of an epoch; `None` while
    /// one of them has not.
    pub fn weights_block(&self, validators: &BTreeSet<String>, epoch: u32) -> Option<u32> {
        let block = |name: &String| self.weights.get(&(name.clone(), epoch)).copied();
        validators.iter().map(block).collect::<Option<Vec<u32>>>()?.into_iter().max()
    }

    /// Tokens per second over the last seconds.
    pub fn rate(&self, now: Duration) -> f64 {
        let window = self.recent.iter().filter(|(at, _)| now.saturating_sub(*at) <= RATE_WINDOW);
        #[expect(clippy::cast_precision_loss, reason = "tokens of some seconds are few")]
        let tokens = window.map(|(_, tokens)| *tokens).sum::<u64>() as f64;
        tokens / RATE_WINDOW.as_secs_f64()
    }

    /// Tokens per second of the train phases.
    pub fn mean_rate(&self, now: Duration) -> f64 {
        let under_way = self.train_since.map_or(Duration::ZERO, |at| now.saturating_sub(at));
        let seconds = (self.train_time + under_way).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a demo's tokens are below 2^52")]
        let tokens = self.tokens as f64;
        if seconds > 0.0 { tokens / seconds } else { 0.0 }
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
