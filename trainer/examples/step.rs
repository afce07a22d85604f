//! The training step of `bench/pytorch.py` here: tokens per second and peak memory as a line of JSON.
//!
//! `cargo run --release -p iota-trainer --example step -- [f32|bf16] [STEPS]`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "an example says what it measured")]

use std::time::Instant;

use iota_trainer::{AdamConfig, CutConfig, Input, ModelConfig, Precision, Stage, StageConfig};

fn main() {
    let mut args = std::env::args().skip(1);
    let precision = match args.next().as_deref() {
        Some("bf16") => Precision::Bf16,
        _ => Precision::F32,
    };
    let steps: usize = args.next().map_or(15, |steps| steps.parse().unwrap());
    let model = ModelConfig {
        vocab: 4096,
        d_model: 512,
        layers: 4,
        heads: 8,
        kv_heads: 8,
        d_ffn: 1408,
        context: 256,
        rope_theta: 10_000,
        precision,
    };
    let stage = |stage| {
        Stage::new(&StageConfig {
            model,
            cut: CutConfig { width: model.d_model, int8: false, residual: true, token_width: 0 },
            adam: AdamConfig {
                lr_micro: 100,
                beta1_milli: 900,
                beta2_milli: 950,
                weight_decay_milli: 10,
                clip_milli: 1000,
                warmup_steps: 1,
                muon: false,
            },
            stages: 2,
            stage,
            batch: 4,
            seed: [7; 32],
        })
        .unwrap()
    };
    let (mut head, mut tail) = (stage(0), stage(1));
    let text: Vec<u32> = (0..=1024_u32).map(|at| at.wrapping_mul(2_654_435_761) % 4096).collect();
    let mut times = Vec::new();
    let mut loss = 0.0;
    for _ in 0..steps + 3 {
        let start = Instant::now();
        let (code, flight) = head.depart(Input::Tokens(&text[..1024])).unwrap();
        let made = tail.loss_and_grad(Input::Code(&code), &text[1..]).unwrap();
        head.land(flight, &made.grad).unwrap();
        head.step().unwrap();
        tail.step().unwrap();
        times.push(start.elapsed().as_secs_f64());
        loss = made.loss;
    }
    times.drain(..3);
    times.sort_by(f64::total_cmp);
    println!(
        "{{\"tokens_per_second\": {:.0}, \"peak_bytes\": {}, \"loss\": {loss}}}",
        1024.0 / times[times.len() / 2],
        peak_bytes()
    );
}

/// Memory held at most so far, where the system tells.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    kilobytes * 1024
}
