//! The rules of a manifest; every number has a bound, so nothing later overflows.

use std::collections::BTreeSet;

use super::{Manifest, PROTOCOL_VERSION};

/// Why a manifest is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not TOML, or a field is missing, unknown or of the wrong type.
    #[error("the manifest does not parse: {0}")]
    Parse(#[from] toml::de::Error),
    /// More text than any manifest needs.
    #[error("the manifest has {bytes} bytes, but must have at most {limit}")]
    TooLong {
        /// Bytes given.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Cannot be written as TOML.
    #[error("the manifest cannot be written: {0}")]
    Write(toml::ser::Error),
    /// A number lies outside its bounds.
    #[error("`{field}` is {value}, but must be {low} to {high}")]
    Bounds {
        /// The field as in the TOML.
        field: &'static str,
        /// What it holds.
        value: u64,
        /// Least value.
        low: u64,
        /// Greatest value.
        high: u64,
    },
    /// Two fields contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
}

impl Manifest {
    /// Checks every rule.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), ManifestError> {
        let (phases, model) = (&self.phases, &self.model);
        let bounds: [(&'static str, u64, u64, u64); 46] = [
            ("version", self.version.into(), PROTOCOL_VERSION.into(), PROTOCOL_VERSION.into()),
            ("name (length)", self.name.len() as u64, 1, 64),
            ("netuid", self.netuid.into(), 1, 4095),
            ("draw_guard", self.draw_guard.into(), 0, 10_000),
            ("member_quorum", self.member_quorum.into(), 1, 10_000),
            ("seed_margin_s", self.seed_margin_s.into(), 0, 3600),
            ("stages", self.stages.into(), 1, 64),
            ("batch", self.batch.into(), 1, 1024),
            ("inner_microbatches", self.inner_microbatches.into(), 1, 1024),
            ("snapshot_every", self.snapshot_every.into(), 1, 10_000),
            ("max_in_flight", self.max_in_flight.into(), 1, 64),
            ("max_draws", self.max_draws.into(), 1, 1 << 20),
            ("hop_timeout_ms", self.hop_timeout_ms.into(), 10, 600_000),
            ("min_validator_stake", self.min_validator_stake, 0, i64::MAX as u64),
            ("phases (sum)", phases.total().into(), 5, 100_000),
            ("phases.train", phases.train.into(), 1, 100_000),
            ("phases.commit", phases.commit.into(), 1, 100_000),
            ("phases.audit", phases.audit.into(), 1, 100_000),
            ("phases.merge", phases.merge.into(), 1, 100_000),
            ("phases.settle", phases.settle.into(), 4, 100_000),
            ("model.vocab", model.vocab.into(), 2, 1 << 20),
            ("model.d_model", model.d_model.into(), 8, 1 << 16),
            ("model.layers", model.layers.into(), 1, 1024),
            ("model.heads", model.heads.into(), 1, 1024),
            ("model.kv_heads", model.kv_heads.into(), 1, 1024),
            ("model.d_ffn", model.d_ffn.into(), 8, 1 << 20),
            ("model.context", model.context.into(), 2, 1 << 20),
            ("model.rope_theta", model.rope_theta.into(), 1, 1 << 30),
            ("cut.width", self.cut.width.into(), 1, model.d_model.into()),
            ("adam.lr_micro", self.adam.lr_micro.into(), 1, 1_000_000),
            ("adam.beta1_milli", self.adam.beta1_milli.into(), 0, 999),
            ("adam.beta2_milli", self.adam.beta2_milli.into(), 0, 999),
            ("adam.weight_decay_milli", self.adam.weight_decay_milli.into(), 0, 1000),
            ("adam.clip_milli", self.adam.clip_milli.into(), 0, 1_000_000),
            ("adam.warmup_steps", self.adam.warmup_steps.into(), 0, 1_000_000),
            ("outer.lr_milli", self.outer.lr_milli.into(), 1, 10_000),
            ("outer.momentum_milli", self.outer.momentum_milli.into(), 0, 999),
            ("delta.block", self.delta.block.into(), 8, 4096),
            ("delta.max_rms_micro", self.delta.max_rms_micro.into(), 1, 100_000_000),
            ("audit.windows", self.audit.windows.into(), 1, 64),
            ("audit.audit_all_up_to", self.audit.audit_all_up_to.into(), 1, 4096),
            ("audit.min_cosine_ppm", self.audit.min_cosine_ppm.into(), 0, 1_000_000),
            ("audit.max_norm_error_ppm", self.audit.max_norm_error_ppm.into(), 0, 1_000_000),
            ("clasp.min_effect_milli", self.clasp.min_effect_milli.into(), 1, 1_000_000),
            ("scores.gamma_milli", self.scores.gamma_milli.into(), 1, 1000),
            ("scores.window_epochs", self.scores.window_epochs.into(), 1, 256),
        ];
        for (field, value, low, high) in bounds {
            if !(low..=high).contains(&value) {
                return Err(ManifestError::Bounds { field, value, low, high });
            }
        }
        self.consistent()
    }

    fn consistent(&self) -> Result<(), ManifestError> {
        let model = &self.model;
        let stages: BTreeSet<&[u8; 32]> = self.pins.iter().map(|pin| &pin.hotkey).collect();
        let rules = [
            (self.draw_guard < self.phases.train, "`draw_guard` must leave blocks to draw in"),
            (
                self.member_quorum + 2 < self.phases.settle,
                "`phases.settle` must exceed `member_quorum` by three blocks or more",
            ),
            (u32::from(self.stages) <= model.layers, "every stage needs a layer"),
            (
                model.d_model.is_multiple_of(model.heads),
                "`model.heads` must divide `model.d_model`",
            ),
            (
                model.heads.is_multiple_of(model.kv_heads),
                "`model.kv_heads` must divide `model.heads`",
            ),
            (
                (model.d_model / model.heads).is_multiple_of(2),
                "the width of a head must be even for the rotary embedding",
            ),
            (matches!(self.cut.bits, 32 | 8 | 4 | 2 | 1), "`cut.bits` must be 32, 8, 4, 2 or 1"),
            (
                self.cut.token_width <= model.d_model - self.cut.width,
                "`cut.token_width` must be at most `model.d_model` less `cut.width`",
            ),
            (
                (1..=8).contains(&self.cut.token_span)
                    && self.cut.token_width.is_multiple_of(self.cut.token_span),
                "`cut.token_span` is 1 to 8, and divides `cut.token_width`",
            ),
            (self.pins.iter().all(|pin| pin.stage < self.stages), "a pin names no stage"),
            (stages.len() == self.pins.len(), "a hotkey is pinned twice"),
            (self.pins.len() <= 4096, "too many pins"),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, broken)) => Err(ManifestError::Contradiction(broken)),
            None => Ok(()),
        }
    }
}
