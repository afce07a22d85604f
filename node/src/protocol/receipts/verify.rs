//! Which tokens count: those that every neighbouring hop's committed log confirms.
//!
//! A hop is confirmed when both sides name each other and the same bytes: the one's output is the
//! other's input, and the gradient that one received is the gradient that the other sent back. A
//! neighbour without a committed log, or with one that breaks the rules, confirms nothing.
//!
//! Two adjacent miners can confirm each other's invented microbatch. What stops them: where several
//! claim one (microbatch, stage), only the one whose hops are confirmed back to the head that drew
//! it counts; and re-execution (see `audit`) asks for inputs that follow from the draw.

use super::{Receipt, WorkLog};
use crate::protocol::{Hotkey, draw::MicrobatchId};
use std::collections::{BTreeMap, BTreeSet};

/// What a receipt must satisfy besides its neighbours' consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountRule {
    /// Epoch that is counted.
    pub epoch: u32,
    /// Target tokens of every microbatch.
    pub tokens: u32,
    /// Draw numbers of each head lie below this.
    pub max_k: u32,
}

/// A receipt's place in the swarm.
type Place = (MicrobatchId, u16);

/// Tokens that count for each miner whose log is well formed (zero included).
///
/// `stages` are the plan's miners per stage; a microbatch's `head` is a position in `stages[0]`.
#[must_use]
pub fn verified_tokens(
    stages: &[Vec<Hotkey>],
    logs: &BTreeMap<Hotkey, WorkLog>,
    rule: CountRule,
) -> BTreeMap<Hotkey, u64> {
    let swarm = Swarm::new(stages, logs, rule);
    let mut candidates: BTreeMap<Place, Vec<&Hotkey>> = BTreeMap::new();
    for (hotkey, receipts) in &swarm.receipts {
        for receipt in receipts.values() {
            if swarm.confirmed_back(hotkey, receipt) && swarm.confirmed_forth(hotkey, receipt) {
                candidates.entry((receipt.mb, receipt.stage)).or_default().push(hotkey);
            }
        }
    }
    let mut tokens: BTreeMap<Hotkey, u64> =
        swarm.receipts.keys().map(|hotkey| (**hotkey, 0)).collect();
    for ((mb, _), mut claimants) in candidates {
        if claimants.len() > 1 {
            claimants.retain(|hotkey| swarm.anchored(hotkey, &mb));
        }
        // A hop names one next hop, so at most one claimant leads back to the head.
        if let [hotkey] = claimants[..] {
            *tokens.entry(*hotkey).or_default() += u64::from(rule.tokens);
        }
    }
    tokens
}

/// All receipts that may count, by miner and microbatch.
struct Swarm<'a> {
    /// Stages of the plan.
    depth: usize,
    /// Well-formed logs' admissible receipts.
    receipts: BTreeMap<&'a Hotkey, BTreeMap<MicrobatchId, &'a Receipt>>,
}

impl<'a> Swarm<'a> {
    fn new(
        stages: &'a [Vec<Hotkey>],
        logs: &'a BTreeMap<Hotkey, WorkLog>,
        rule: CountRule,
    ) -> Self {
        let planned: BTreeSet<(u16, &Hotkey)> = stages
            .iter()
            .enumerate()
            .flat_map(|(stage, miners)| miners.iter().map(move |miner| (stage as u16, miner)))
            .collect();
        let well_formed = |hotkey: &Hotkey, log: &WorkLog| {
            log.epoch == rule.epoch
                && log.hotkey == *hotkey
                && planned.contains(&(log.stage, hotkey))
                && log.check(stages.len() as u16).is_ok()
        };
        let admissible = |hotkey: &Hotkey, receipt: &Receipt| {
            let head = stages[0].get(usize::from(receipt.mb.head));
            receipt.tokens == rule.tokens
                && receipt.mb.k < rule.max_k
                && head.is_some_and(|head| receipt.stage != 0 || head == hotkey)
        };
        let receipts = logs
            .iter()
            .filter(|(hotkey, log)| well_formed(hotkey, log))
            .map(|(hotkey, log)| {
                let receipts = log.receipts.iter().filter(|receipt| admissible(hotkey, receipt));
                (hotkey, receipts.map(|receipt| (receipt.mb, receipt)).collect())
            })
            .collect();
        Self { depth: stages.len(), receipts }
    }

    /// The receipt of `hotkey` for a microbatch at a stage.
    fn receipt(&self, hotkey: &Hotkey, mb: &MicrobatchId, stage: usize) -> Option<&'a Receipt> {
        let receipt = *self.receipts.get(hotkey)?.get(mb)?;
        (usize::from(receipt.stage) == stage).then_some(receipt)
    }

    /// Whether the hop before confirms; a head has none.
    fn confirmed_back(&self, hotkey: &Hotkey, receipt: &Receipt) -> bool {
        let Some(prev) = &receipt.prev else { return receipt.stage == 0 };
        let stage = usize::from(receipt.stage).checked_sub(1);
        stage
            .and_then(|stage| self.receipt(prev, &receipt.mb, stage))
            .is_some_and(|before| hop(prev, before, hotkey, receipt))
    }

    /// Whether the hop after confirms; a tail has none.
    fn confirmed_forth(&self, hotkey: &Hotkey, receipt: &Receipt) -> bool {
        let stage = usize::from(receipt.stage) + 1;
        let Some(next) = &receipt.next else { return stage == self.depth };
        self.receipt(next, &receipt.mb, stage)
            .is_some_and(|after| hop(hotkey, receipt, next, after))
    }

    /// Whether confirmed hops lead from here back to the head.
    fn anchored(&self, hotkey: &Hotkey, mb: &MicrobatchId) -> bool {
        let mut hotkey = *hotkey;
        // Each turn goes one stage back, so there are at most `depth`.
        for _ in 0..self.depth {
            let receipt = self.receipts.get(&hotkey).and_then(|receipts| receipts.get(mb));
            let Some(receipt) = receipt else { return false };
            if !self.confirmed_back(&hotkey, receipt) {
                return false;
            }
            let Some(prev) = receipt.prev else { return true };
            hotkey = prev;
        }
        false
    }
}

/// Whether two receipts of adjacent stages tell the same story.
fn hop(prev: &Hotkey, before: &Receipt, next: &Hotkey, after: &Receipt) -> bool {
    before.next.as_ref() == Some(next)
        && after.prev.as_ref() == Some(prev)
        && before.out_hash == after.in_hash
        && before.grad_in_hash == after.grad_out_hash
}
