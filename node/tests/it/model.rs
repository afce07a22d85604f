//! What is done with a trained model: measured, sampled from, exported.

use iota_trainer::{
    Ablation, AdamConfig, CutConfig, Dataset, ModelConfig, Precision, Stage, StageConfig, Whole,
    held_out_loss,
};
use serde_json::Value;

use crate::support::Home;

/// A model as a validator writes it, and its held-out loss.
fn checkpoint(home: &Home) -> f64 {
    let config = |stage| StageConfig {
        model: ModelConfig {
            vocab: 256,
            d_model: 32,
            layers: 2,
            heads: 2,
            kv_heads: 1,
            d_ffn: 48,
            context: 32,
            rope_theta: 10_000,
            precision: Precision::F32,
        },
        cut: CutConfig { width: 12, bits: 8, residual: true, token_width: 8, token_span: 2 },
        adam: AdamConfig {
            lr_micro: 1_000,
            beta1_milli: 900,
            beta2_milli: 950,
            weight_decay_milli: 0,
            clip_milli: 1_000,
            warmup_steps: 1,
            muon: false,
        },
        stages: 2,
        stage,
        batch: 1,
        seed: [3; 32],
    };
    let stages = [0, 1].map(|stage| Stage::new(&config(stage)).unwrap());
    let folder = home.path().join("model");
    std::fs::create_dir(&folder).unwrap();
    for (index, stage) in stages.iter().enumerate() {
        stage.checkpoint().write(&Whole::file(&folder, index as u16)).unwrap();
    }
    let params = [stages[0].params(), stages[1].params()];
    let data = Dataset::embedded(32).unwrap();
    held_out_loss(&[&stages[0], &stages[1]], &params, &data, 1, Ablation::None).unwrap()
}

#[test]
fn a_model_is_measured_on_held_out_text_and_on_any_other() {
    let home = Home::new();
    let expected = checkpoint(&home);
    let ran = home.run("eval model --json");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let loss = found["loss"].as_f64().unwrap();
    assert!((loss - expected).abs() < 1e-6, "{loss} {expected}");
    let bits = found["bits_per_byte"].as_f64().unwrap();
    assert!((bits - loss / std::f64::consts::LN_2).abs() < 1e-9);

    // Every byte but the first is a target, also those of a last sequence that is short.
    std::fs::write(home.path().join("text"), "x".repeat(71)).unwrap();
    let ran = home.run("eval model --data text --json");
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found["tokens"], 70, "{ran:?}");
    std::fs::write(home.path().join("text"), "x").unwrap();
    let ran = home.run("eval model --data text");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("fewer than two tokens"), "{ran:?}");
}

#[test]
fn a_sample_follows_from_its_seed_and_goes_on_from_the_prompt() {
    let home = Home::new();
    checkpoint(&home);
    let sample = |args: &str| home.run(&format!("generate model abc --tokens 40 {args}")).stdout;
    assert!(sample("--temperature 0").starts_with("abc"));
    assert_eq!(sample("--temperature 0"), sample("--temperature 0 --seed 5"));
    assert_eq!(sample("--seed 5"), sample("--seed 5"));
    assert_ne!(sample("--seed 5"), sample("--seed 6"));
    let ran = home.run("generate model abc --top-p 0");
    assert!(ran.code == Some(2) && ran.stderr.contains("--top-p"), "{ran:?}");
}

#[test]
fn a_model_is_exported_once_and_a_damaged_one_is_named() {
    let home = Home::new();
    checkpoint(&home);
    let ran = home.run("export model --hf out");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("trust_remote_code=True"), "{ran:?}");
    for file in ["config.json", "model.safetensors", "modeling_iota.py", "tokenizer.json"] {
        assert!(home.path().join("out").join(file).exists(), "{file}");
    }
    let again = home.run("export model --hf out");
    assert!(again.code == Some(2) && again.stderr.contains("not empty"), "{again:?}");

    let file = home.path().join("model/stage-1.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let ran = home.run("generate model abc");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("stage-1.safetensors is damaged"), "{ran:?}");
}

#[test]
fn a_stage_is_planned_for_a_model_of_any_size() {
    let home = Home::new();
    let ran = home.run("stage plan --preset 100b --json");
    let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
    let stages = plan["stages"].as_array().unwrap();
    assert_eq!((stages.len(), plan["compression"].as_f64()), (23, Some(64.0)));
    let bytes = |args: &str| {
        let ran = home.run(&format!("stage plan --preset 1b5 --json {args}"));
        let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
        plan["stages"][1]["bytes"].as_u64().unwrap()
    };
    assert!(bytes("--in-flight 4") > bytes("--in-flight 1"));
    assert!(bytes("--in-flight 4") > bytes("--in-flight 4 --recompute"));
    // A GPU keeps parameters in bf16 besides; the smallest preset is in f32, which it has no kernels for.
    assert!(bytes("--device cuda") > bytes("--device cpu"));
    let of_tiny = |args: &str| home.run(&format!("stage plan --preset tiny --json {args}"));
    assert!(of_tiny("").stdout.contains(r#""device":"cpu""#));
    let ran = of_tiny("--device cuda");
    assert!(ran.code == Some(2) && ran.stderr.contains("f32"), "{ran:?}");
    let ran = home.run("stage plan");
    assert!(ran.code == Some(2) && ran.stderr.contains("--manifest"), "{ran:?}");
}
