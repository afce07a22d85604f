//! The settings of runs, by the size of the model. `iota demo` runs the smallest, which two cores train in
//! ninety seconds; `iota stage plan` plans them all; `iota run init` writes those whose stages nodes can
//! keep, for an owner to change.

use clap::ValueEnum;
use iota_trainer::{DatasetManifest, Precision};

use crate::protocol::manifest::{
    Adam, AuditRules, ClaspRules, Cut, DeltaRules, Manifest, Model, Outer, PROTOCOL_VERSION,
    Phases, Pin, ScoreRules,
};
use crate::protocol::{Hash, Hotkey};

/// Vocabularies are multiples of it: products of other widths are slower.
pub(crate) const VOCAB_STEP: u32 = 64;

/// A model by its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// 210 thousand parameters, of bytes
    #[default]
    Tiny,
    /// 112 million parameters
    #[value(name = "100m")]
    M100,
    /// 1.5 billion parameters
    #[value(name = "1b5")]
    B1_5,
    /// 15 billion parameters
    #[value(name = "15b")]
    B15,
    /// 100 billion parameters
    #[value(name = "100b")]
    B100,
}

impl Preset {
    /// Pipeline stages that the model is meant for.
    pub fn stages(self) -> u16 {
        match self {
            Self::Tiny | Self::M100 | Self::B1_5 => 3,
            Self::B15 => 5,
            Self::B100 => 23,
        }
    }
}

/// What the owner of a run decides beyond the preset.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Name of the run, for people.
    pub name: String,
    /// Genesis hash of the chain.
    pub genesis: Hash,
    /// The subnet.
    pub netuid: u16,
    /// First block of epoch 0.
    pub start_block: u32,
    /// Pipeline stages.
    pub stages: u16,
    /// What the initial parameters follow from.
    pub seed: u64,
    /// Miners with a fixed stage.
    pub pins: Vec<(Hotkey, u16)>,
}

impl Choice {
    /// A run on no chain: to look at.
    pub fn unbound(preset: Preset) -> Self {
        Self {
            name: "plan".into(),
            genesis: [0; 32],
            netuid: 1,
            start_block: 1,
            stages: preset.stages(),
            seed: 0,
            pins: Vec::new(),
        }
    }
}

/// The phases of the preset's epochs, in blocks.
pub const PHASES: Phases = Phases { train: 18, commit: 3, audit: 14, merge: 5, settle: 6 };

/// The manifest of a small run.
pub fn small(choice: Choice) -> Manifest {
    let stages = choice.stages;
    let pins = choice.pins.into_iter().map(|(hotkey, stage)| Pin { hotkey, stage }).collect();
    Manifest {
        version: PROTOCOL_VERSION,
        name: choice.name,
        genesis: choice.genesis,
        netuid: choice.netuid,
        start_block: choice.start_block,
        draw_guard: 3,
        member_quorum: 1,
        seed_margin_s: 1,
        stages,
        batch: 8,
        inner_microbatches: 2,
        snapshot_every: 4,
        max_in_flight: 4,
        // With 60 the replicas of a stage drift so far apart that their average learns less.
        max_draws: 40,
        hop_timeout_ms: 3_000,
        min_validator_stake: 1_000_000_000,
        dataset: [0; 32],
        init_seed: blake3::derive_key("iota initial parameters", &choice.seed.to_le_bytes()),
        phases: PHASES,
        model: Model {
            vocab: 256,
            d_model: 64,
            layers: u32::from(stages.max(3)),
            heads: 4,
            kv_heads: 2,
            d_ffn: 192,
            context: 64,
            rope_theta: 10_000,
            precision: Precision::F32,
        },
        cut: Cut { width: 30, bits: 4, residual: true, token_width: 32, token_span: 4 },
        adam: Adam {
            lr_micro: 2_000,
            beta1_milli: 900,
            beta2_milli: 950,
            weight_decay_milli: 0,
            clip_milli: 1_000,
            warmup_steps: 5,
            muon: false,
        },
        // Five epochs are too few for the usual momentum of 0.9: it carries the first epoch's steps,
        // which a cheat has spoilt, into the last.
        outer: Outer { lr_milli: 700, momentum_milli: 500 },
        delta: DeltaRules { block: 64, max_rms_micro: 50_000 },
        audit: AuditRules {
            windows: 1,
            audit_all_up_to: 64,
            min_cosine_ppm: 990_000,
            max_norm_error_ppm: 50_000,
        },
        clasp: ClaspRules { min_effect_milli: 50 },
        scores: ScoreRules { gamma_milli: 900, window_epochs: 8 },
        pins,
    }
}

/// The settings of a run with such a model.
pub fn manifest(preset: Preset, choice: Choice) -> Manifest {
    let base = small(choice);
    // Llama 3's vocabulary, and codes 64 times smaller than bf16: a scale and values of 4 bits.
    let large = |d_model: u32, layers, heads, d_ffn, context| Model {
        vocab: 128_256,
        d_model,
        layers,
        heads,
        kv_heads: 8,
        d_ffn,
        context,
        rope_theta: 500_000,
        precision: Precision::Bf16,
    };
    let model = match preset {
        Preset::Tiny => return base,
        Preset::M100 => {
            let model = large(768, 10, 12, 2048, 1024);
            Model { vocab: 32_000, kv_heads: 4, ..model }
        }
        Preset::B1_5 => large(2048, 16, 32, 8192, 800),
        Preset::B15 => large(5120, 50, 40, 13_824, 800),
        Preset::B100 => large(9216, 90, 72, 32_256, 800),
    };
    let width = 2 * (model.d_model / 32 - 1);
    let cut =
        Cut { width, bits: 4, residual: true, token_width: model.d_model / 32, token_span: 4 };
    let adam = Adam { lr_micro: 300, weight_decay_milli: 100, warmup_steps: 100, ..base.adam };
    Manifest { model, cut, adam, batch: 4, inner_microbatches: 4, ..base }
}

/// Makes a manifest one for a dataset: its hash, its context, and a vocabulary that holds its tokens.
pub fn fit(manifest: &mut Manifest, data: &DatasetManifest) {
    manifest.dataset = data.hash();
    // A dataset that was packed has its own.
    manifest.model.context = data.context;
    if data.vocab > manifest.model.vocab {
        manifest.model.vocab = data.vocab.next_multiple_of(VOCAB_STEP);
    }
}

/// How many times fewer bytes a stage cut carries than the residual stream in bf16.
pub fn compression(manifest: &Manifest) -> f64 {
    manifest.cut.ratio(manifest.model.d_model)
}

#[cfg(test)]
mod tests {
    use iota_trainer::StagePlan;

    use super::*;
    use crate::roles::run::stage_config;

    #[test]
    fn the_preset_is_valid_for_every_number_of_stages_a_demo_takes() {
        for stages in 2..=16 {
            let manifest = small(Choice {
                name: "test".into(),
                genesis: [1; 32],
                netuid: 1,
                start_block: 64,
                stages,
                seed: 7,
                pins: vec![([3; 32], 0)],
            });
            assert_eq!(manifest.validate().map_err(|error| error.to_string()), Ok(()));
            assert_eq!(compression(&manifest), 8.0);
        }
    }

    #[test]
    fn presets_are_valid_and_as_large_as_their_names_say() {
        let sizes = [210_240.0, 112e6, 1.5e9, 15e9, 100e9];
        for (preset, size) in Preset::value_variants().iter().zip(sizes) {
            let manifest = manifest(*preset, Choice::unbound(*preset));
            assert_eq!(manifest.validate().map_err(|error| error.to_string()), Ok(()));
            let params =
                |stage| StagePlan::of(&stage_config(&manifest, stage), false).params as f64;
            let all: f64 = (0..manifest.stages).map(params).sum();
            assert!((all / size - 1.0).abs() < 0.02, "{preset:?}: {all}");
            assert!(*preset == Preset::Tiny || compression(&manifest) == 64.0);
        }
    }
}
