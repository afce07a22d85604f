//! The agreed state of every stage: checked merges, and fetching what was missed.

use std::sync::Arc;

use iota_trainer::Stage;

use super::{Epoch, Error, Held, Validator};
use crate::protocol::Hash;
use crate::protocol::clock::Position;
use crate::protocol::outer::OuterState;
use crate::protocol::plan::{Origin, Plan};
use crate::report::Report;
use crate::roles::Effect;
use crate::roles::merge::{Duty, Merge};
use crate::roles::miner::report_merge;

impl Validator {
    /// Takes up the state that each stage starts from; fetches those that this validator did not
    /// compute itself.
    ///
    /// # Errors
    /// When the manifest's model cannot be built.
    pub(super) fn sync(&mut self, plan: &Arc<Plan>, out: &mut Vec<Effect>) -> Result<(), Error> {
        self.syncing.give_up();
        for (index, origin) in plan.origins.iter().enumerate() {
            let stage = index as u16;
            let Some(held) = self.held.get_mut(&stage) else { continue };
            match origin {
                Origin::Initial => {
                    let fresh = Stage::new(&self.run.stage_config(stage))?;
                    *held = Held::initial(&fresh);
                }
                Origin::Agreed(root) if held.root != *root => {
                    held.sure = false;
                    let holders = self.membership.holders(plan.epoch, stage, root);
                    let bytes = self.run.state_bytes(held.state.theta.len());
                    self.syncing.start((stage, *root), *root, holders, bytes, out);
                }
                Origin::Agreed(_) | Origin::Unsaid => {}
            }
        }
        Ok(())
    }

    /// Takes a fetched state.
    pub(super) fn take_state(
        &mut self,
        stage: u16,
        root: Hash,
        bytes: &[u8],
        out: &mut Vec<Effect>,
    ) {
        let Some(held) = self.held.get_mut(&stage) else { return };
        let elements = held.state.theta.len() as u64;
        match OuterState::decode(bytes, elements) {
            Ok(state) => {
                *held = Held { state, root, sure: false };
                let epoch = self.epoch.as_ref().map_or(0, |epoch| epoch.plan.epoch);
                out.push(Effect::Report(Report::Resync { epoch, stage }));
            }
            Err(_) => {
                let text = format!("what was fetched as the state of stage {stage} is none");
                out.push(Effect::Report(Report::Warning { text }));
            }
        }
    }

    /// Drives the merges of all stages by the blocks of their phase.
    pub(super) fn merge(
        &mut self,
        position: &Position,
        block: u32,
        out: &mut Vec<Effect>,
    ) -> Result<(), Error> {
        self.start_merges(block > position.first, out);
        for merge in self.epoch.iter_mut().flat_map(|epoch| epoch.merges.values_mut()) {
            if block >= position.half() {
                merge.hurry(out);
            } else {
                merge.retry(out);
            }
        }
        self.finish_merges(block == position.last, out)
    }

    /// Starts the merges once all logs are there, or without the missing ones when time presses.
    fn start_merges(&mut self, hurry: bool, out: &mut Vec<Effect>) {
        let Some(epoch) = &self.epoch else { return };
        let Some(logs) = &epoch.logs else { return };
        if epoch.merged || !epoch.merges.is_empty() || !(logs.is_complete() || hurry) {
            return;
        }
        let stages: Vec<u16> = self.held.keys().copied().collect();
        for stage in stages {
            let component = self.component();
            let (Some(epoch), Some(held)) = (&mut self.epoch, self.held.get(&stage)) else {
                return;
            };
            let Some(logs) = &epoch.logs else { return };
            let elements = held.state.theta.len();
            let Ok(terms) = self.run.merge_terms(&epoch.plan, stage, elements) else { continue };
            let contributors = self.run.contributors(&epoch.plan, stage, &self.ledger, logs);
            let merge = Merge::start(terms, self.me, Duty::Check, contributors, component, out);
            // A stage to which nobody contributes keeps its state.
            if let Ok(mut merge) = merge {
                for (from, said) in epoch.early.iter().filter(|(_, said)| said.stage == stage) {
                    merge.heard(*from, said, out);
                }
                epoch.merges.insert(stage, merge);
            }
        }
    }

    /// Applies the merges together, once all are complete or their phase ends.
    pub(super) fn finish_merges(
        &mut self,
        is_last: bool,
        out: &mut Vec<Effect>,
    ) -> Result<(), Error> {
        let Some(Epoch { plan, merges, merged: merged @ false, .. }) = &mut self.epoch else {
            return Ok(());
        };
        let complete = !merges.is_empty() && merges.values().all(Merge::is_done);
        if !complete && !is_last {
            return Ok(());
        }
        *merged = true;
        let mut whole = self.syncing.is_empty()
            && self
                .held
                .iter()
                .all(|(stage, held)| held.is_origin(plan.origins[usize::from(*stage)]));
        for (stage, merge) in merges.iter() {
            let Some(held) = self.held.get_mut(stage) else { continue };
            let outcome = merge.finish();
            whole &= outcome.lost.is_empty();
            let layout = self.run.layout(held.state.theta.len())?;
            let agreed = held.is_origin(plan.origins[usize::from(*stage)]);
            held.state.step(&layout, &outcome.merged, self.run.outer())?;
            held.root = held.state.root();
            held.sure = agreed && outcome.lost.is_empty();
            // The state outlives its epoch: the next one starts from it.
            let (hash, bytes, epoch) = (held.root, held.state.encode(), plan.epoch + 1);
            out.push(Effect::Provide { hash, bytes: bytes.into(), epoch });
            out.push(report_merge(plan.epoch, *stage, held.root, merge.included(), &outcome));
        }
        let epoch = plan.epoch + 1;
        if self.run.keeps_checkpoints && whole {
            let stages = self.held.values().map(|held| held.state.theta.clone()).collect();
            out.push(Effect::Checkpoint { epoch, stages });
        } else if self.run.keeps_checkpoints {
            let text = format!("no checkpoint of epoch {epoch}: not all stages' states are agreed");
            out.push(Effect::Report(Report::Warning { text }));
        }
        Ok(())
    }

    /// Evaluates the model that an epoch starts from, once per epoch.
    pub(super) fn evaluate(&mut self, out: &mut Vec<Effect>) -> Result<bool, Error> {
        let Some(epoch) = &self.epoch else { return Ok(false) };
        // Before its merge an epoch shows the model it started from, then the one it made.
        let number = epoch.plan.epoch + u32::from(epoch.merged);
        let fresh = self.evaluated.is_none_or(|evaluated| evaluated < number);
        if !fresh || !self.syncing.is_empty() {
            return Ok(false);
        }
        self.evaluated = Some(number);
        let params: Vec<&[f32]> = self.held.values().map(|h| h.state.theta.as_slice()).collect();
        let stages: Vec<&Stage> = self.stages.values().collect();
        let loss = self.run.held_out_loss(&stages, &params)?;
        let unigram = self.run.dataset.unigram_entropy()?;
        out.push(Effect::Report(Report::Eval { epoch: number, loss, unigram }));
        Ok(true)
    }
}
