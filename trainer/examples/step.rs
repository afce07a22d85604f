//! The training step of `bench/pytorch.py` here: tokens per second and peak memory as a line of JSON.
//!
//! `cargo run --release -p iota-trainer --example step -- [f32|bf16] [STEPS]`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "an example says what it measured")]

#[path = "../benches/llama.rs"]
mod llama;

use std::time::Instant;

use iota_trainer::Precision;

/// Steps before those that count.
const WARM: usize = 3;

fn main() {
    let mut args = std::env::args().skip(1);
    let precision = match args.next().as_deref() {
        Some("bf16") => Precision::Bf16,
        _ => Precision::F32,
    };
    let steps: usize = args.next().map_or(15, |steps| steps.parse().unwrap());
    let (mut stages, text) = (llama::stages(precision), llama::text());
    let mut loss = 0.0;
    let mut times: Vec<f64> = (0..steps + WARM)
        .map(|_| {
            let start = Instant::now();
            loss = llama::step(&mut stages, &text);
            start.elapsed().as_secs_f64()
        })
        .skip(WARM)
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{{\"tokens_per_second\": {:.0}, \"peak_bytes\": {}, \"loss\": {loss}}}",
        f64::from(llama::TOKENS) / times[times.len() / 2],
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
