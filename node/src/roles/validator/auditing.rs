//! The audits of an epoch: which there are, what they came to, and the veto that follows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::audit::{Audit, Case};
use super::{Epoch, LOGS, Validator};
use crate::protocol::Hotkey;
use crate::protocol::audit::{Evidence, Failure, choose_miners, choose_windows};
use crate::protocol::clock::Position;
use crate::report::Report;
use crate::roles::Effect;
use crate::roles::logs::Logs;

/// Blocks a veto needs from its submission to a finalized block.
const VETO_BLOCKS: u32 = 2;

impl Validator {
    /// Drives the audits by the blocks of their phase: logs, seed, verdicts, veto.
    pub(super) fn audit(&mut self, position: &Position, block: u32, out: &mut Vec<Effect>) {
        let Some(epoch) = &mut self.epoch else { return };
        if epoch.logs.is_none() {
            let work = self.ledger.work(epoch.plan.epoch);
            epoch.logs = Some(Logs::start(Arc::clone(&epoch.plan), &work, LOGS, out));
        } else if let Some(logs) = &mut epoch.logs {
            logs.retry(out);
        }
        self.start_audits(block + 2 * VETO_BLOCKS >= position.last, out);
        let hurry = block + VETO_BLOCKS >= position.last;
        for audit in self.epoch.iter_mut().flat_map(|e| e.audits.iter_mut().flatten()) {
            if hurry {
                audit.give_up();
            } else {
                audit.retry(out);
            }
        }
        self.conclude(out);
        self.veto(out);
    }

    /// Starts one audit per assigned miner, once logs and seed are there.
    fn start_audits(&mut self, hurry: bool, out: &mut Vec<Effect>) {
        let Some(epoch) = &mut self.epoch else { return };
        let number = epoch.plan.epoch;
        let (Some(logs), None) = (&mut epoch.logs, &epoch.audits) else { return };
        let Some(seed) = self.ledger.audit_seed(number) else { return };
        if hurry {
            logs.give_up();
        }
        if !logs.is_complete() {
            return;
        }
        let work = self.ledger.work(number);
        let before = number.checked_sub(1).map(|before| (before, self.ledger.work(before)));
        let (mut cases, mut thetas) = (Vec::new(), BTreeMap::<u16, Arc<[f32]>>::new());
        let mut failed = Vec::new();
        let count = self.run.manifest.audit.audit_all_up_to as usize;
        for miner in choose_miners(&seed, &self.me, &epoch.plan.stages, count) {
            let Some(work) = work.get(&miner) else { continue };
            if logs.withheld().contains(&miner) {
                failed.push((miner, Failure::WithheldLog));
            } else if logs.broken().contains(&miner) {
                failed.push((miner, Failure::BadLog));
            }
            let Some(log) = logs.all().get(&miner) else { continue };
            let Some(held) = self.held.get(&log.stage) else { continue };
            // Without the state that the epoch started from there is nothing to judge by.
            if !held.is_origin(epoch.plan.origins[usize::from(log.stage)]) {
                continue;
            }
            let count = self.run.manifest.audit.windows as usize;
            let windows = log.windows().len();
            // The residual carries over only within a stage, from the epoch just before.
            let residual = before
                .as_ref()
                .filter(|(before, _)| self.membership.stage_in(*before, &miner) == Some(log.stage))
                .and_then(|(_, work)| work.get(&miner))
                .map(|work| work.residual_hash);
            let seen = number.checked_sub(1).is_none_or(|e| self.membership.has_plan(e));
            if work.carried && residual.is_none() && seen {
                failed.push((miner, Failure::BadLog));
                continue;
            }
            let theta = thetas.entry(log.stage).or_insert_with(|| held.state.theta[..].into());
            cases.push(Case {
                plan: Arc::clone(&epoch.plan),
                text: Arc::clone(&epoch.text),
                miner,
                work: *work,
                log: log.clone(),
                theta: Arc::clone(theta),
                residual: residual.filter(|_| work.carried),
                windows: choose_windows(&seed, &self.me, &miner, windows, count),
                check_delta: held.sure && (residual.is_some() || !work.carried),
            });
        }
        let mut audits = Vec::new();
        for case in cases {
            let component = self.component();
            audits.push(Audit::start(Arc::clone(&self.run), case, component, out));
        }
        if let Some(epoch) = &mut self.epoch {
            epoch.audits = Some(audits);
        }
        for (miner, failure) in failed {
            self.verdict(miner, 0, Err(failure), out);
        }
    }

    /// Repeats one piece of the first audit that can go on; false when none can.
    pub(super) fn work_on_audit(&mut self, out: &mut Vec<Effect>) -> bool {
        let Some(Epoch { audits: Some(audits), .. }) = &mut self.epoch else { return false };
        audits.iter_mut().for_each(|audit| audit.look_for_text(out));
        // One audit at a time per stage: its parameters live in the stage between two pieces.
        let busy: Vec<(u16, Hotkey)> = audits
            .iter()
            .filter(|audit| audit.is_under_way())
            .map(|audit| (audit.stage(), audit.miner()))
            .collect();
        let free = |audit: &Audit| {
            busy.iter().all(|(stage, miner)| *stage != audit.stage() || *miner == audit.miner())
        };
        let can_go_on = audits.iter_mut().filter(|audit| audit.is_ready() && free(audit));
        // Probes first: `min_by_key` takes the first of equals.
        let Some(audit) = can_go_on.min_by_key(|audit| audit.is_probed()) else { return false };
        let Some(stage) = self.stages.get_mut(&audit.stage()) else { return false };
        audit.work(stage, out);
        if self.conclude(out) {
            self.veto(out);
        }
        true
    }

    /// Reports new verdicts; whether all are in.
    fn conclude(&mut self, out: &mut Vec<Effect>) -> bool {
        let Some(Epoch { audits: Some(audits), .. }) = &self.epoch else { return false };
        let news: Vec<_> = audits
            .iter()
            .filter_map(|audit| Some((audit.miner(), audit.windows(), audit.verdict()?)))
            .collect();
        let all = news.len() == audits.len();
        for (miner, windows, verdict) in news {
            self.verdict(miner, windows, verdict, out);
        }
        all
    }

    /// Notes and reports a verdict once.
    fn verdict(
        &mut self,
        miner: Hotkey,
        windows: usize,
        verdict: Result<(), Failure>,
        out: &mut Vec<Effect>,
    ) {
        let Some(epoch) = &mut self.epoch else { return };
        if !epoch.reported.insert(miner) {
            return;
        }
        if let Err(failure) = verdict {
            epoch.failed.insert(miner, failure);
        }
        out.push(Effect::Report(Report::Audit {
            epoch: epoch.plan.epoch,
            validator: self.run.name(&self.me),
            miner: self.run.name(&miner),
            passed: verdict.is_ok(),
            windows: windows as u32,
            reason: verdict.err().map(|failure| failure.to_string()).unwrap_or_default(),
        }));
    }

    /// Commits the failed miners, each with the hash of its evidence, as soon as there are more:
    /// audits that take too long must not cost the verdicts that are there.
    fn veto(&mut self, out: &mut Vec<Effect>) {
        let Some(epoch) = &mut self.epoch else { return };
        if epoch.vetoed == epoch.failed.len() {
            return;
        }
        epoch.vetoed = epoch.failed.len();
        let number = epoch.plan.epoch;
        let work = self.ledger.work(number);
        let mut miners = Vec::new();
        for (miner, failure) in &epoch.failed {
            let Some(neuron) = self.ledger.neurons().iter().find(|n| n.hotkey == *miner) else {
                continue;
            };
            let evidence = Evidence {
                epoch: number,
                stage: epoch.plan.stage_of(miner).unwrap_or_default(),
                miner: *miner,
                log_root: work.get(miner).map_or([0; 32], |work| work.log_root),
                window: 0,
                failure: *failure,
            };
            miners.push((neuron.uid, evidence.hash()));
        }
        if !miners.is_empty() {
            self.commitment = self.commitment.clone().with_veto(number, miners);
            out.push(Effect::Commit(self.commitment.clone()));
        }
    }

    /// Ends the audits at the end of their phase: what is not finished is no verdict.
    pub(super) fn conclude_audits(&mut self, out: &mut Vec<Effect>) {
        self.conclude(out);
    }
}
