//! Manifests survive TOML, hash alike everywhere, and name the rule that they break.

use iota_trainer::Precision;

use super::*;

/// A small valid manifest.
pub(in crate::protocol) fn sample() -> Manifest {
    Manifest {
        version: PROTOCOL_VERSION,
        name: "sample".into(),
        genesis: [1; 32],
        netuid: 1,
        start_block: 100,
        draw_guard: 3,
        member_quorum: 1,
        seed_margin_s: 0,
        stages: 3,
        batch: 8,
        inner_microbatches: 2,
        snapshot_every: 4,
        max_in_flight: 4,
        max_draws: 1_000,
        hop_timeout_ms: 5000,
        min_validator_stake: 1,
        dataset: [2; 32],
        init_seed: [3; 32],
        phases: Phases { train: 24, commit: 3, audit: 8, merge: 5, settle: 6 },
        model: Model {
            vocab: 256,
            d_model: 64,
            layers: 3,
            heads: 4,
            kv_heads: 2,
            d_ffn: 192,
            context: 64,
            rope_theta: 10_000,
            precision: Precision::F32,
        },
        cut: Cut { width: 16, bits: 8, residual: true, token_width: 0, token_span: 1 },
        adam: Adam {
            lr_micro: 3000,
            beta1_milli: 900,
            beta2_milli: 950,
            weight_decay_milli: 0,
            clip_milli: 1000,
            warmup_steps: 5,
            muon: false,
        },
        outer: Outer { lr_milli: 700, momentum_milli: 900 },
        delta: DeltaRules { block: 64, max_rms_micro: 50_000 },
        audit: AuditRules {
            windows: 1,
            audit_all_up_to: 64,
            min_cosine_ppm: 990_000,
            max_norm_error_ppm: 50_000,
        },
        clasp: ClaspRules { min_effect_milli: 50 },
        scores: ScoreRules { gamma_milli: 900, window_epochs: 8 },
        pins: vec![Pin { hotkey: [7; 32], stage: 2 }],
    }
}

#[test]
fn toml_round_trips_and_keeps_the_hash() {
    let manifest = sample();
    let text = manifest.to_toml().unwrap();
    let back = Manifest::from_toml(&format!("# a comment\n{text}")).unwrap();
    assert_eq!(back, manifest);
    assert_eq!(back.hash(), manifest.hash());
}

#[test]
fn the_hash_is_pinned_and_covers_every_part() {
    let base = sample().hash();
    assert_eq!(
        hex::encode(base),
        "cd82acb97512782a90aa0d19fb3d4f5385ac9a9a52130dd388111b9195b5b80b",
        "the canonical encoding changed: runs in progress would not recognise their manifest"
    );
    let changed = [
        Manifest { start_block: 101, ..sample() },
        Manifest { pins: Vec::new(), ..sample() },
        Manifest { scores: ScoreRules { gamma_milli: 901, window_epochs: 8 }, ..sample() },
    ];
    assert!(changed.iter().all(|manifest| manifest.hash() != base));
}

#[test]
fn a_broken_rule_is_named() {
    let cases = [
        (Manifest { stages: 65, ..sample() }, "`stages` is 65, but must be 1 to 64"),
        (Manifest { stages: 4, ..sample() }, "every stage needs a layer"),
        (Manifest { draw_guard: 24, ..sample() }, "`draw_guard` must leave blocks to draw in"),
        (
            Manifest { pins: vec![Pin { hotkey: [7; 32], stage: 3 }], ..sample() },
            "a pin names no stage",
        ),
        (
            Manifest { phases: Phases { train: 99_999, ..sample().phases }, ..sample() },
            "`phases (sum)` is 100021, but must be 5 to 100000",
        ),
        (Manifest { version: 1, ..sample() }, "`version` is 1, but must be 2 to 2"),
    ];
    for (manifest, message) in cases {
        assert_eq!(manifest.validate().unwrap_err().to_string(), message);
    }
}

#[test]
fn an_unknown_field_or_short_hash_is_an_error_that_names_it() {
    let text = sample().to_toml().unwrap();
    let unknown = Manifest::from_toml(&format!("surprise = 1\n{text}")).unwrap_err();
    assert!(unknown.to_string().contains("surprise"), "{unknown}");
    let short = text.replace(&hex::encode([3; 32]), "0303");
    assert!(Manifest::from_toml(&short).unwrap_err().to_string().contains("64 hex digits"));
    let long = format!("{text}# {}", "x".repeat(MAX_TOML_BYTES));
    assert!(Manifest::from_toml(&long).unwrap_err().to_string().contains("at most 1048576"));
}
