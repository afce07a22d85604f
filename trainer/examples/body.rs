//! One body stage of a model of 1.5 billion parameters at work: a microbatch forward, backward and a step
//! of the optimizer. `body DEVICE BATCH CONTEXT` prints a line of JSON, as `bench/pytorch.py --body` does.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "an example says what it measured")]

use std::time::Instant;

use iota_trainer::{
    AdamConfig, CutConfig, Device, Input, ModelConfig, Options, Precision, Stage, StageConfig,
    StagePlan, code,
};

/// Steps before those that count, and those.
const STEPS: (usize, usize) = (5, 20);
/// What an H200's tensor cores do in bf16, in FLOPs per second (NVIDIA's data sheet, without sparsity).
const PEAK: f64 = 989e12;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [device, batch, context] = &args[..] else { panic!("usage: body DEVICE BATCH CONTEXT") };
    let device: Device = device.parse().unwrap();
    let config = config(batch.parse().unwrap(), context.parse().unwrap());
    let mut stage = Stage::with(&config, Options { device, ..Options::default() }).unwrap();
    let tokens = (config.batch * config.model.context) as usize;
    let values = |salt: u32| -> Vec<f32> {
        let value = |at: u32| (at.wrapping_mul(2_654_435_761) ^ salt) as f32 / 4.3e9 - 0.5;
        (0..tokens as u32 * config.cut.width).map(value).collect()
    };
    let form = config.cut;
    let (input, grad) = (values(1), values(2).iter().map(|g| g * 1e-4).collect::<Vec<_>>());
    let input = code::encode(&input, form.width as usize, form.bits).unwrap();
    let grad = code::encode(&grad, form.width as usize, form.bits).unwrap();
    let mut times = Vec::new();
    for _ in 0..STEPS.0 + STEPS.1 {
        let start = Instant::now();
        let (_, flight) = stage.depart(Input::Code(&input)).unwrap();
        stage.land(flight, &grad).unwrap();
        stage.step().unwrap();
        times.push(start.elapsed().as_secs_f64());
    }
    let mut times = times.split_off(STEPS.0);
    times.sort_by(f64::total_cmp);
    let speed = tokens as f64 / times[times.len() / 2];
    let flops = StagePlan::of(&config, false).flops_per_token as f64;
    let line = serde_json::json!({"tokens_per_second": speed, "mfu": speed * flops / PEAK});
    println!("{line}");
}

fn config(batch: u32, context: u32) -> StageConfig {
    StageConfig {
        model: ModelConfig {
            vocab: 128_256,
            d_model: 2048,
            layers: 16,
            heads: 32,
            kv_heads: 8,
            d_ffn: 8192,
            context,
            rope_theta: 500_000,
            precision: Precision::Bf16,
        },
        cut: CutConfig { width: 127, bits: 8, residual: true, token_width: 0, token_span: 1 },
        adam: AdamConfig {
            lr_micro: 100,
            beta1_milli: 900,
            beta2_milli: 950,
            weight_decay_milli: 10,
            clip_milli: 1000,
            warmup_steps: 1,
            muon: false,
        },
        stages: 3,
        stage: 1,
        batch,
        seed: [7; 32],
    }
}
