//! From audits, logs and losses to weights: CLASP, scores, and the last word on an epoch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use codec::Encode;

use super::{Epoch, Validator};
use crate::protocol::Hotkey;
use crate::protocol::clasp::{Credit, Fit, FitRule, Record, credits, fit, usable};
use crate::protocol::draw::MicrobatchId;
use crate::protocol::receipts::WorkLog;
use crate::protocol::scores::{EpochScore, Scores, weights};
use crate::report::Report;
use crate::roles::Effect;
use crate::roles::run::Run;

/// Windows of records kept for CLASP; a flag needs two in a row.
const KEPT_WINDOWS: usize = 4;

/// What a validator remembers over epochs to judge miners.
pub(super) struct Judge {
    run: Arc<Run>,
    scores: Scores,
    windows: Vec<Option<Fit>>,
}

impl Judge {
    pub(super) fn new(run: &Arc<Run>, saved: Option<Scores>) -> Self {
        let rule = &run.manifest.scores;
        let fresh = || Scores::new(rule.gamma_milli * 1000, rule.window_epochs);
        let scores = saved.unwrap_or_else(fresh);
        Self { run: Arc::clone(run), scores, windows: Vec::new() }
    }

    /// Turns recomputed losses into records: whose pathway, when, and how hard the text was.
    fn records(
        &self,
        epoch: &Epoch,
        logs: &BTreeMap<Hotkey, WorkLog>,
        losses: &[(MicrobatchId, Hotkey, f32)],
    ) -> Vec<Record> {
        let mut hops: BTreeMap<(MicrobatchId, Hotkey), Hotkey> = BTreeMap::new();
        for (hotkey, log) in logs {
            for receipt in &log.receipts {
                if let Some(prev) = receipt.prev {
                    hops.insert((receipt.mb, *hotkey), prev);
                }
            }
        }
        let depth = epoch.plan.stages.len();
        let mut records = Vec::new();
        for (mb, tail, loss) in losses {
            let mut pathway = vec![*tail];
            while pathway.len() < depth {
                let Some(prev) = hops.get(&(*mb, pathway[pathway.len() - 1])) else { break };
                pathway.push(*prev);
            }
            pathway.reverse();
            let Some((_, tokens)) = epoch.text.tokens(mb) else { continue };
            let time = f64::from(epoch.plan.epoch) + f64::from(mb.k) / 4096.0;
            let surprisal = self.run.surprisal(&tokens);
            records.push(Record { pathway, loss: f64::from(*loss), time, surprisal });
        }
        records
    }
}

impl Validator {
    /// Scores the epoch and sets weights, once its merge is over.
    pub(super) fn settle(&mut self, out: &mut Vec<Effect>) {
        let Some(epoch) = &mut self.epoch else { return };
        let Some(logs) = &epoch.logs else { return };
        if epoch.judged {
            return;
        }
        epoch.judged = true;
        let epoch = &*epoch;
        let number = epoch.plan.epoch;
        let depth = epoch.plan.stages.len();
        let failed: BTreeSet<Hotkey> = epoch.failed.keys().copied().collect();
        let losses: Vec<(MicrobatchId, Hotkey, f32)> = epoch
            .audits
            .iter()
            .flatten()
            .flat_map(|audit| audit.losses().iter().map(|(mb, loss)| (*mb, audit.miner(), *loss)))
            .collect();
        let records = self.judge.records(epoch, logs.all(), &losses);
        self.judge.windows.push(fit(&usable(&records, depth, &failed), FitRule::default()));
        if self.judge.windows.len() > KEPT_WINDOWS {
            self.judge.windows.remove(0);
        }
        let credits = credits(&self.judge.windows, self.run.credit_rule());
        let verified = logs.verified(self.run.count_rule(&epoch.plan));
        for miner in epoch.plan.stages.iter().flatten() {
            let credit = credits.get(miner);
            let multiplier = credit.map_or(1.0, |credit| credit.multiplier);
            let score = EpochScore {
                tokens: verified.get(miner).copied().unwrap_or(0),
                credit_ppm: credit.map_or(1_000_000, Credit::ppm),
                passed: !failed.contains(miner),
            };
            self.judge.scores.record(number, *miner, score);
            out.push(Effect::Report(Report::Clasp {
                epoch: number,
                miner: self.run.name(miner),
                effect: credit.and_then(|credit| credit.estimate).map_or(0.0, |found| found.effect),
                multiplier,
                flagged: credit.is_some_and(|credit| credit.flagged),
            }));
        }
        out.push(Effect::Persist { name: "scores", bytes: self.judge.scores.encode() });
        let uids: BTreeMap<Hotkey, u16> =
            self.ledger.neurons().iter().map(|neuron| (neuron.hotkey, neuron.uid)).collect();
        match weights(&self.judge.scores, number, &uids, u16::MAX) {
            Some((uids, values)) => out.push(Effect::SetWeights { epoch: number, uids, values }),
            None => {
                let text = format!("no miner scored in epoch {number}; no weights are set");
                out.push(Effect::Report(Report::Warning { text }));
            }
        }
    }
}
