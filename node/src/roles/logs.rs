//! Collects the committed work logs of an epoch and counts what they confirm.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Effect;
use super::fetches::{Arrival, Fetches};
use crate::protocol::Hotkey;
use crate::protocol::commitment::WorkCommitment;
use crate::protocol::plan::Plan;
use crate::protocol::receipts::{CountRule, MAX_LOG_BYTES, WorkLog, verified_tokens};

/// The logs of one epoch as they arrive.
#[derive(Debug)]
pub struct Logs {
    plan: Arc<Plan>,
    logs: BTreeMap<Hotkey, WorkLog>,
    withheld: Vec<Hotkey>,
    broken: Vec<Hotkey>,
    fetches: Fetches<Hotkey>,
}

impl Logs {
    /// Starts to fetch the logs that the plan's miners committed.
    pub fn start(
        plan: Arc<Plan>,
        work: &BTreeMap<Hotkey, WorkCommitment>,
        component: u16,
        out: &mut Vec<Effect>,
    ) -> Self {
        let mut fetches = Fetches::new(component);
        for hotkey in plan.stages.iter().flatten() {
            let Some(work) = work.get(hotkey) else { continue };
            // Who has fetched a log can serve it, too: ask some others after its owner.
            let others = plan.stages.iter().flatten().filter(|other| *other != hotkey).take(4);
            let from = std::iter::once(hotkey).chain(others).copied().collect();
            fetches.start(*hotkey, work.log_root, from, MAX_LOG_BYTES, out);
        }
        let (logs, withheld, broken) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { plan, logs, withheld, broken, fetches }
    }

    /// Takes a fetched log and serves it on; false if the fetch was not ours.
    pub fn fetched(&mut self, ticket: u64, bytes: Option<&Arc<[u8]>>) -> bool {
        let (hotkey, bytes) = match self.fetches.arrived(ticket, bytes) {
            Arrival::Blob(hotkey, bytes) => (hotkey, bytes),
            Arrival::Failed => return true,
            Arrival::Foreign => return false,
        };
        match WorkLog::from_bytes(bytes) {
            Ok(log) if self.fits(&log, &hotkey) => {
                self.logs.insert(hotkey, log);
            }
            _ => self.broken.push(hotkey),
        }
        true
    }

    fn fits(&self, log: &WorkLog, hotkey: &Hotkey) -> bool {
        log.hotkey == *hotkey
            && log.epoch == self.plan.epoch
            && self.plan.stage_of(hotkey) == Some(log.stage)
            && log.check(self.plan.stages.len() as u16).is_ok()
    }

    /// Asks again for logs that nobody served; call once per block.
    pub fn retry(&mut self, out: &mut Vec<Effect>) {
        self.fetches.retry(out);
    }

    /// Goes on without the logs that are not there.
    pub fn give_up(&mut self) {
        self.withheld.extend(self.fetches.give_up());
    }

    /// Whether nothing is awaited any more.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.fetches.is_empty()
    }

    /// The logs that are there and keep the rules.
    #[must_use]
    pub fn all(&self) -> &BTreeMap<Hotkey, WorkLog> {
        &self.logs
    }

    /// Miners whose committed log nobody served until it was given up.
    #[must_use]
    pub fn withheld(&self) -> &[Hotkey] {
        &self.withheld
    }

    /// Miners whose log breaks the rules.
    #[must_use]
    pub fn broken(&self) -> &[Hotkey] {
        &self.broken
    }

    /// Tokens of each miner that its neighbours' logs confirm.
    #[must_use]
    pub fn verified(&self, rule: CountRule) -> BTreeMap<Hotkey, u64> {
        verified_tokens(&self.plan.stages, &self.logs, rule)
    }
}
