//! The settings of a small run: a model that two cores train in two minutes.
//!
//! `iota demo` runs it, and `iota run init` writes it for an owner to change.

use iota_trainer::Precision;

use crate::protocol::manifest::{
    Adam, AuditRules, ClaspRules, Cut, DeltaRules, Manifest, Model, Outer, PROTOCOL_VERSION,
    Phases, Pin, ScoreRules,
};
use crate::protocol::{Hash, Hotkey};

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
    /// Hash of the dataset manifest.
    pub dataset: Hash,
    /// What the initial parameters follow from.
    pub seed: u64,
    /// Miners with a fixed stage.
    pub pins: Vec<(Hotkey, u16)>,
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
        dataset: choice.dataset,
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
        cut: Cut { width: 15, int8: true, residual: true, token_width: 0 },
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

/// How many times fewer bytes a stage cut carries than the residual stream in bf16.
pub fn compression(manifest: &Manifest) -> f64 {
    manifest.cut.ratio(manifest.model.d_model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preset_is_valid_for_every_number_of_stages_a_demo_takes() {
        for stages in 2..=16 {
            let manifest = small(Choice {
                name: "test".into(),
                genesis: [1; 32],
                netuid: 1,
                start_block: 64,
                stages,
                dataset: [2; 32],
                seed: 7,
                pins: vec![([3; 32], 0)],
            });
            assert_eq!(manifest.validate().map_err(|error| error.to_string()), Ok(()));
            assert_eq!(compression(&manifest), 8.0);
        }
    }
}
