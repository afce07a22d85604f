//! An exported model is the same to Python's `transformers`: its loss, its greedy text, its tokenizer.
//!
//! Needs the packages that `cargo xtask test` installs; without them this test says so and passes.

use std::path::PathBuf;
use std::process::Command;

use iota_trainer::{CutConfig, Dataset, Sampling, Stage, Whole, to_hugging_face};
use serde_json::{Value, json};

use crate::pipeline::{STAGES, config, microbatch, step};

const CONTEXT: u32 = 32;

/// A model after some steps, with such cuts.
fn trained(cut: CutConfig) -> Whole {
    iota_trainer::use_threads(1);
    let stage = |index| {
        let mut config = config(index, CONTEXT, 12, 8);
        config.cut = cut;
        Stage::new(&config).unwrap()
    };
    let mut stages: Vec<Stage> = (0..STAGES).map(stage).collect();
    let data = Dataset::embedded(CONTEXT).unwrap();
    for number in 0..30 {
        step(&mut stages, &data, number);
    }
    Whole::new(stages.iter().map(Stage::checkpoint).collect()).unwrap()
}

#[test]
fn transformers_loads_an_exported_model_and_finds_the_same_loss() {
    let python = std::env::var_os("IOTA_TEST_CLIENTS")
        .map(|folder| PathBuf::from(folder).join("transformers"))
        .filter(|folder| folder.join("ready").exists())
        .map(|folder| folder.join("bin/python"));
    let Some(python) = python else {
        println!("skipped: `transformers` is not installed");
        return;
    };
    let open = CutConfig { width: 32, bits: 32, residual: true, token_width: 0, token_span: 1 };
    let squeezed = CutConfig { width: 12, bits: 2, residual: true, token_width: 8, token_span: 2 };
    let plain = CutConfig { width: 12, bits: 32, residual: false, token_width: 0, token_span: 1 };
    let data = Dataset::embedded(CONTEXT).unwrap();
    let rounded = CutConfig { bits: 8, ..open };
    for (cut, class) in [
        (open, "LlamaForCausalLM"),
        (squeezed, "IotaForCausalLM"),
        (plain, "IotaForCausalLM"),
        (rounded, "IotaForCausalLM"),
    ] {
        let whole = trained(cut);
        let folder = tempfile::tempdir().unwrap();
        to_hugging_face(whole.checkpoints(), None, folder.path()).unwrap();
        let (inputs, targets) = microbatch(&data, 99);
        let rows = |tokens: &[u32]| -> Vec<Vec<u32>> {
            tokens.chunks(CONTEXT as usize).map(<[u32]>::to_vec).collect()
        };
        let (inputs, targets) = (rows(&inputs), rows(&targets));
        let mut losses = Vec::new();
        for (inputs, targets) in inputs.iter().zip(&targets) {
            losses.extend(whole.losses(inputs, targets).unwrap());
        }
        let loss = losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / losses.len() as f64;
        let prompt: Vec<u32> = "fn main".bytes().map(u32::from).collect();
        let mut made = prompt.clone();
        let greedy = Sampling { temperature: 0.0, top_k: 0, top_p: 1.0, seed: 0 };
        let take = |token| {
            made.push(token);
            true
        };
        whole.generate(&prompt, 12, &greedy, take).unwrap();

        let given = folder.path().join("tokens.json");
        let tokens = json!({"inputs": inputs, "targets": targets, "prompt": prompt});
        std::fs::write(&given, tokens.to_string()).unwrap();
        // Two checkouts may share a target folder, so the script's place is asked of cargo.
        let own = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap());
        let ran = Command::new(&python)
            .arg(own.join("tests/interop/exported.py"))
            .arg(folder.path())
            .arg(given)
            .env("HF_HOME", folder.path().join("cache"))
            .env("HF_HUB_OFFLINE", "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "{text}\n{}", String::from_utf8_lossy(&ran.stderr));
        let found: Value = serde_json::from_str(text.lines().next_back().unwrap()).unwrap();
        let theirs = found["loss"].as_f64().unwrap();
        assert!((theirs - loss).abs() < 1e-3, "{cut:?}: {theirs} there, {loss} here");
        assert_eq!(found["class"], class);
        assert_eq!(found["made"], json!(made), "{cut:?}");
        assert_eq!((&found["bytes"], &found["text"]), (&json!(true), &json!(true)));
    }
}
