//! After training: gather the epoch's logs, merge the stage, keep the result.

use std::sync::Arc;

use super::{Activity, Error, Held, LOGS, MERGE, Miner, Serving};
use crate::protocol::clock::Position;
use crate::protocol::outer::OuterState;
use crate::protocol::{Hash, Hotkey};
use crate::report::Report;
use crate::roles::fetches::Arrival;
use crate::roles::logs::Logs;
use crate::roles::merge::{Duty, Merge, Outcome};
use crate::roles::{Effect, remember};
use crate::wire::Gossip;

impl Miner {
    /// Fetches the committed logs once the Commit phase is over.
    pub(super) fn gather(&mut self, out: &mut Vec<Effect>) {
        let Activity::Serving(serving) = &mut self.activity else { return };
        if serving.logs.is_none() {
            let work = self.ledger.work(serving.plan.epoch);
            serving.logs = Some(Logs::start(Arc::clone(&serving.plan), &work, LOGS, out));
        } else if let Some(logs) = &mut serving.logs {
            logs.retry(out);
        }
    }

    /// Drives the merge by the blocks of its phase: start, hurry at half time, end.
    pub(super) fn merge(
        &mut self,
        position: &Position,
        block: u32,
        out: &mut Vec<Effect>,
    ) -> Result<(), Error> {
        self.gather(out);
        self.start_merge(block > position.first, out);
        let Activity::Serving(serving) = &mut self.activity else { return Ok(()) };
        if let Some(merge) = &mut serving.merge {
            if block >= position.half() {
                merge.hurry(out);
            } else {
                merge.retry(out);
            }
        }
        self.settle_merge(block == position.last, out)
    }

    /// Starts the merge once all logs are there, or without the missing ones when time presses.
    fn start_merge(&mut self, hurry: bool, out: &mut Vec<Effect>) {
        let Activity::Serving(serving) = &mut self.activity else { return };
        let Serving {
            plan,
            stage,
            logs: Some(logs),
            merge: merge @ None,
            merged: merged @ false,
            early,
            ..
        } = &mut **serving
        else {
            return;
        };
        let Some(held) = &self.held else { return };
        if !logs.is_complete() && !hurry {
            return;
        }
        let Ok(terms) = self.run.merge_terms(plan, *stage, held.state.theta.len()) else { return };
        let contributors = self.run.contributors(plan, *stage, &self.ledger, logs);
        *merge = Merge::start(terms, self.me, Duty::Replica, contributors, MERGE, out).ok();
        match merge {
            Some(merge) => {
                for (from, said) in early.drain(..) {
                    merge.heard(from, &said, out);
                }
            }
            // Nobody contributes: the stage keeps its state.
            None => *merged = true,
        }
    }

    /// Applies the merge when it is complete, or as far as it came at the end of its phase.
    fn settle_merge(&mut self, is_last: bool, out: &mut Vec<Effect>) -> Result<(), Error> {
        let Activity::Serving(serving) = &mut self.activity else { return Ok(()) };
        let Some(merge) = &serving.merge else { return Ok(()) };
        if serving.merged || !(merge.is_done() || is_last) {
            return Ok(());
        }
        serving.merged = true;
        let outcome = merge.finish();
        let included = merge.included();
        let Some(held) = &mut self.held else { return Ok(()) };
        let layout = self.run.layout(held.state.theta.len())?;
        held.state.step(&layout, &outcome.merged, self.run.outer())?;
        held.root = held.state.root();
        held.sure &= outcome.lost.is_empty();
        let bytes = held.state.encode();
        let (epoch, stage) = (serving.plan.epoch, serving.stage);
        // The state outlives its epoch: the next one starts from it.
        out.push(Effect::Provide { hash: held.root, bytes: bytes.into(), epoch: epoch + 1 });
        if let Some(delta) = &serving.delta {
            let mut residual = self.residual.clone();
            for chunks in &outcome.lost {
                delta.give_back(chunks.clone(), &mut residual);
            }
            self.unmerged = Some(residual);
        }
        out.push(report_merge(epoch, stage, held.root, included, &outcome));
        Ok(())
    }

    /// Routes a fetched blob to whoever waits for it.
    pub(super) fn fetched(
        &mut self,
        ticket: u64,
        bytes: Option<&Arc<[u8]>>,
        out: &mut Vec<Effect>,
    ) -> Result<(), Error> {
        match self.states.arrived(ticket, bytes) {
            Arrival::Blob(root, bytes) => return self.take_state(root, bytes, out),
            Arrival::Failed => {
                let text = "the state of the own stage could not be fetched; asking again";
                out.push(Effect::Report(Report::Warning { text: text.into() }));
                return Ok(());
            }
            Arrival::Foreign => {}
        }
        if self.membership.fetched(ticket, bytes) {
            return Ok(());
        }
        let Activity::Serving(serving) = &mut self.activity else { return Ok(()) };
        if let Some(logs) = &mut serving.logs
            && logs.fetched(ticket, bytes)
        {
            // Who has a log can serve it to others.
            if let Some(bytes) = bytes {
                let (hash, epoch) = (*blake3::hash(bytes).as_bytes(), serving.plan.epoch);
                out.push(Effect::Provide { hash, bytes: Arc::clone(bytes), epoch });
            }
            return Ok(());
        }
        if let Some(merge) = &mut serving.merge
            && merge.fetched(ticket, bytes, out)
        {
            return self.settle_merge(false, out);
        }
        Ok(())
    }

    /// Takes the fetched state of the stage.
    fn take_state(&mut self, root: Hash, bytes: &[u8], out: &mut Vec<Effect>) -> Result<(), Error> {
        let Activity::Syncing { plan, stage } = &self.activity else { return Ok(()) };
        let (plan, stage) = (Arc::clone(plan), *stage);
        let elements = self.elements() as u64;
        let Ok(state) = OuterState::decode(bytes, elements) else {
            let text = format!("the state of stage {stage} is not one; no work in this epoch");
            out.push(Effect::Report(Report::Warning { text }));
            return Ok(());
        };
        out.push(Effect::Report(Report::Resync { epoch: plan.epoch, stage }));
        self.held = Some(Held { stage, state, root, sure: true });
        // The agreed state has what this node's own merge may have lost.
        self.unmerged = None;
        self.start(plan, stage, out)
    }

    /// Parameters of the stage taken up.
    pub(super) fn elements(&self) -> usize {
        self.stage.as_ref().map_or(0, |(_, stage)| stage.param_count())
    }

    pub(super) fn gossip(&mut self, from: Hotkey, body: Gossip, out: &mut Vec<Effect>) {
        match body {
            Gossip::Heartbeat(heartbeat) => self.membership.heard(heartbeat, &self.ledger),
            Gossip::Reduced(said) => {
                let Activity::Serving(serving) = &mut self.activity else { return };
                match &mut serving.merge {
                    Some(merge) => merge.heard(from, &said, out),
                    None => remember(&mut serving.early, from, said),
                }
            }
        }
    }
}

/// The report of a stage's merge.
pub(in crate::roles) fn report_merge(
    epoch: u32,
    stage: u16,
    root: Hash,
    contributors: usize,
    outcome: &Outcome,
) -> Effect {
    Effect::Report(Report::Merge {
        epoch,
        stage,
        root: hex::encode(root),
        contributors: contributors as u32,
        shards: outcome.shards as u32,
        lost: outcome.lost.len() as u32,
        agreed: outcome.agreement.disputed.is_empty() && outcome.agreement.liars.is_empty(),
    })
}
