//! What all parts of a role know of the run: manifest, clock, text and own key.

use std::sync::Arc;

use iota_trainer::{Ablation, Dataset, Device, Reference, Stage, StageConfig, held_out_loss};
use sp_core::crypto::{AccountId32, Ss58Codec};

use super::ledger::Ledger;
use super::logs::Logs;
use super::merge::{Contributor, Terms};
use super::text::Text;
use super::{Effect, Signer};
use crate::protocol::audit::Tolerance;
use crate::protocol::butterfly::ClipRule;
use crate::protocol::clasp::CreditRule;
use crate::protocol::clock::Clock;
use crate::protocol::delta::{DeltaError, Layout};
use crate::protocol::draw::{Draw, MicrobatchId};
use crate::protocol::manifest::Manifest;
use crate::protocol::outer::OuterRule;
use crate::protocol::plan::Plan;
use crate::protocol::receipts::CountRule;
use crate::protocol::routing::RoutingRule;
use crate::protocol::{Hash, Hotkey};
use crate::report::Report;

/// Chunks a stage is cut into at most; the unit in which pseudo-gradients are hashed and sent.
const MAX_CHUNKS: u32 = 64;
/// Greatest multiple of the contributors' median norm, Q8.
const MEDIAN_MULTIPLE: u32 = 4 << 8;
/// 2^40, the unit of clip bounds.
const RMS_ONE: u64 = 1 << 40;

/// The run as one node knows it.
pub struct Run {
    /// The published manifest.
    pub manifest: Manifest,
    /// Its hash, as committed on chain.
    pub manifest_hash: Hash,
    /// Epochs and phases.
    pub clock: Clock,
    /// The text.
    pub dataset: Arc<Dataset>,
    /// How surprising text is to a model that learns nothing.
    pub reference: Arc<Reference>,
    /// The own hotkey.
    pub signer: Arc<dyn Signer>,
    /// Whether the operator wants the whole model after each merge (validators).
    pub keeps_checkpoints: bool,
    /// Whether activations are computed again instead of kept (miners).
    pub recompute: bool,
    /// Where stages are trained (miners).
    pub device: Device,
}

impl Run {
    /// The run of a manifest over a dataset whose hash matches it.
    #[must_use]
    pub fn new(
        manifest: Manifest,
        dataset: Arc<Dataset>,
        reference: Arc<Reference>,
        signer: Arc<dyn Signer>,
    ) -> Self {
        let (manifest_hash, clock) = (manifest.hash(), Clock::new(&manifest));
        Self {
            manifest,
            manifest_hash,
            clock,
            dataset,
            reference,
            signer,
            keeps_checkpoints: false,
            recompute: false,
            device: Device::default(),
        }
    }

    /// The own hotkey.
    #[must_use]
    pub fn me(&self) -> Hotkey {
        self.signer.hotkey()
    }

    /// A hotkey as people read it.
    #[must_use]
    pub fn name(&self, hotkey: &Hotkey) -> String {
        name(hotkey)
    }

    /// Target tokens of a microbatch.
    #[must_use]
    pub fn targets(&self) -> usize {
        (self.manifest.batch * self.manifest.model.context) as usize
    }

    /// The text of an epoch.
    #[must_use]
    pub fn text(&self, plan: &Plan) -> Text {
        let (sizes, batch) = (self.dataset.train_counts(), self.manifest.batch);
        let draw = Draw::new(&plan.seed, plan.heads(), sizes, batch);
        Text::new(Arc::clone(&self.dataset), draw)
    }

    /// Gets the text of an epoch that this node needs ready in the background: what heads draw first, and last.
    pub fn prefetch(&self, plan: &Plan) {
        let me = self.me();
        let own = plan.stages[0].iter().position(|head| *head == me);
        let heads = match own {
            Some(head) => head as u16..head as u16 + 1,
            None => 0..plan.heads(),
        };
        let last = self.manifest.max_draws.saturating_sub(1);
        let draws = [0, last].into_iter().flat_map(|k| heads.clone().map(move |head| (head, k)));
        let microbatches = draws.map(|(head, k)| MicrobatchId { epoch: plan.epoch, head, k });
        self.text(plan).prefetch(microbatches);
    }

    /// Inputs and targets of a microbatch's tokens.
    #[must_use]
    pub fn split(&self, tokens: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let sequences = tokens.chunks(self.manifest.model.context as usize + 1);
        let inputs = sequences.clone().flat_map(|s| &s[..s.len() - 1]).copied().collect();
        (inputs, sequences.flat_map(|s| &s[1..]).copied().collect())
    }

    /// Mean surprisal of a microbatch's tokens to the reference.
    #[must_use]
    pub fn surprisal(&self, tokens: &[u32]) -> f64 {
        let sequences = tokens.chunks(self.manifest.model.context as usize + 1);
        let count = sequences.len().max(1) as f64;
        sequences.map(|sequence| self.reference.surprisal(sequence)).sum::<f64>() / count
    }

    /// What the trainer needs to know of a stage.
    #[must_use]
    pub fn stage_config(&self, stage: u16) -> StageConfig {
        stage_config(&self.manifest, stage)
    }

    /// Bytes of an encoded state.
    #[must_use]
    pub fn state_bytes(&self, elements: usize) -> usize {
        elements * 8
    }

    /// Bytes of an encoded snapshot.
    #[must_use]
    pub fn snapshot_bytes(&self, elements: usize) -> usize {
        16 + elements * 12
    }

    /// How a stage's pseudo-gradient is cut.
    ///
    /// # Errors
    /// [`DeltaError::Layout`] for a stage beyond the protocol's limits.
    pub fn layout(&self, elements: usize) -> Result<Layout, DeltaError> {
        Layout::new(elements as u64, self.manifest.delta.block, MAX_CHUNKS)
    }

    /// The outer step's constants.
    #[must_use]
    pub fn outer(&self) -> OuterRule {
        let outer = &self.manifest.outer;
        OuterRule {
            lr: outer.lr_milli as f32 / 1000.0,
            momentum: outer.momentum_milli as f32 / 1000.0,
        }
    }

    /// What is accepted between device classes.
    #[must_use]
    pub fn tolerance(&self) -> Tolerance {
        let audit = &self.manifest.audit;
        Tolerance {
            min_cosine_ppm: audit.min_cosine_ppm as i32,
            max_norm_error_ppm: audit.max_norm_error_ppm,
            exact: false,
        }
    }

    /// What CLASP holds against a miner.
    #[must_use]
    pub fn credit_rule(&self) -> CreditRule {
        let min_effect = f64::from(self.manifest.clasp.min_effect_milli) / 1000.0;
        CreditRule { min_effect, ..CreditRule::default() }
    }

    /// How receipts are counted.
    #[must_use]
    pub fn count_rule(&self, plan: &Plan) -> CountRule {
        CountRule {
            epoch: plan.epoch,
            tokens: self.targets() as u32,
            max_k: self.manifest.max_draws,
        }
    }

    /// How a head's or body's router behaves.
    #[must_use]
    pub fn routing(&self) -> RoutingRule {
        let timeout = u64::from(self.manifest.hop_timeout_ms);
        RoutingRule { credit: self.manifest.max_in_flight * 2, penalty_ms: timeout * 2 }
    }

    /// What a stage's merge is of.
    ///
    /// # Errors
    /// As [`Run::layout`].
    pub fn merge_terms(
        &self,
        plan: &Plan,
        stage: u16,
        elements: usize,
    ) -> Result<Terms, DeltaError> {
        let max_rms = u64::from(self.manifest.delta.max_rms_micro) * RMS_ONE / 1_000_000;
        let mut hasher = blake3::Hasher::new_derive_key("iota 2025 merge pairing");
        hasher.update(&plan.seed).update(&stage.to_le_bytes());
        Ok(Terms {
            epoch: plan.epoch,
            stage,
            layout: self.layout(elements)?,
            clip: ClipRule { max_rms, median_multiple: MEDIAN_MULTIPLE },
            seed: *hasher.finalize().as_bytes(),
        })
    }

    /// Whose work enters a stage's merge: committed in time, not vetoed, weighted by the tokens
    /// that the neighbours' logs confirm.
    #[must_use]
    pub fn contributors(
        &self,
        plan: &Plan,
        stage: u16,
        ledger: &Ledger,
        logs: &Logs,
    ) -> Vec<Contributor> {
        let (work, vetoed) = (ledger.work(plan.epoch), ledger.vetoed(plan.epoch));
        let verified = logs.verified(self.count_rule(plan));
        plan.stages[usize::from(stage)]
            .iter()
            .filter(|miner| !vetoed.contains(*miner))
            .filter_map(|miner| {
                let tokens = verified.get(miner).copied().unwrap_or(0);
                let delta_root = work.get(miner)?.delta_root;
                Some(Contributor { hotkey: *miner, delta_root, tokens })
            })
            .collect()
    }

    /// Held-out loss of a model in nats per token.
    ///
    /// # Errors
    /// When the parameters do not belong to the stages.
    pub fn held_out_loss(
        &self,
        stages: &[&Stage],
        params: &[&[f32]],
    ) -> Result<f64, iota_trainer::Error> {
        held_out_loss(stages, params, &self.dataset, self.manifest.batch, Ablation::None)
    }

    /// Reports where a block stands in the run.
    pub fn report_block(&self, number: u32, out: &mut Vec<Effect>) {
        let position = self.clock.position(number);
        out.push(Effect::Report(Report::Block {
            number,
            epoch: position.map_or(0, |position| position.epoch),
            phase: position.map_or("wait".into(), |position| position.phase.to_string()),
        }));
    }
}

/// What the trainer needs to know of a stage of a run.
#[must_use]
pub fn stage_config(manifest: &Manifest, stage: u16) -> StageConfig {
    let Manifest { model, cut, adam, stages, batch, init_seed, .. } = manifest;
    StageConfig {
        model: *model,
        cut: *cut,
        adam: *adam,
        stages: *stages,
        stage,
        batch: *batch,
        seed: *init_seed,
    }
}

/// A hotkey as people read it: SS58 with the generic prefix, as Bittensor uses.
#[must_use]
pub fn name(hotkey: &Hotkey) -> String {
    AccountId32::new(*hotkey).to_ss58check()
}
