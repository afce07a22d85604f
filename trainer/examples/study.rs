//! Screening of bottleneck cuts.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "an example says what it measured")]
use iota_trainer::{AdamConfig, CutConfig, Dataset, ModelConfig, Precision, StageConfig, study};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let get = |name: &str, default: u32| -> u32 {
        args.iter()
            .find_map(|a| a.strip_prefix(&format!("{name}=")).map(|v| v.parse().unwrap()))
            .unwrap_or(default)
    };
    let d = get("d", 256);
    let model = ModelConfig {
        vocab: 256,
        d_model: d,
        layers: get("layers", 6),
        heads: d / 32,
        kv_heads: d / 32,
        d_ffn: d * 11 / 4,
        context: get("context", 256),
        rope_theta: 10_000,
        precision: Precision::Bf16,
    };
    let data = Dataset::embedded(model.context).unwrap();
    let config = StageConfig {
        model,
        cut: CutConfig {
            width: get("k", d),
            int8: get("int8", 0) == 1,
            residual: get("residual", 1) == 1,
            token_width: get("r", 0),
        },
        adam: AdamConfig {
            lr_micro: get("lr", 3000),
            beta1_milli: 900,
            beta2_milli: 950,
            weight_decay_milli: 100,
            clip_milli: 1000,
            warmup_steps: 50,
            muon: get("muon", 0) == 1,
        },
        stages: get("stages", 3) as u16,
        stage: 0,
        batch: get("batch", 8),
        seed: [get("seed", 7) as u8; 32],
    };
    let steps = get("steps", 600);
    let start = std::time::Instant::now();
    let loss = study::train(&config, &data, steps, get("every", 200), |p| {
        println!("  {} {:.4}", p.step, p.loss)
    })
    .unwrap();
    println!(
        "RESULT {} -> {loss:.4} ratio {:.1} in {:.0}s train {}",
        args.join(" "),
        config.cut.ratio(d),
        start.elapsed().as_secs_f64(),
        data.train_sequences()
    );
}
