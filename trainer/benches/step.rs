//! How fast a model trains: two stages in one process, each microbatch forward, backward and a step of
//! the optimizer.
//!
//! `cargo bench -p iota-trainer` prints tokens per second. The floor is the matrix products: six FLOPs
//! per parameter and token and those of attention, and the head's forward pass a second time, since a
//! stage keeps nothing between its passes.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use iota_trainer::{AdamConfig, CutConfig, Input, ModelConfig, Precision, Stage, StageConfig};

/// Sequences of a microbatch.
const BATCH: u32 = 4;

/// A Llama of four blocks that two cores train at some hundred tokens per second.
fn model() -> ModelConfig {
    ModelConfig {
        vocab: 4096,
        d_model: 512,
        layers: 4,
        heads: 8,
        kv_heads: 8,
        d_ffn: 1408,
        context: 256,
        rope_theta: 10_000,
        precision: Precision::F32,
    }
}

fn stage(stage: u16) -> Stage {
    let model = model();
    let config = StageConfig {
        model,
        cut: CutConfig { width: model.d_model, int8: false, residual: true, token_width: 0 },
        adam: AdamConfig {
            lr_micro: 100,
            beta1_milli: 900,
            beta2_milli: 950,
            weight_decay_milli: 100,
            clip_milli: 1000,
            warmup_steps: 10,
            muon: false,
        },
        stages: 2,
        stage,
        batch: BATCH,
        seed: [7; 32],
    };
    Stage::new(&config).unwrap()
}

fn step(criterion: &mut Criterion) {
    let (mut head, mut tail) = (stage(0), stage(1));
    let tokens = model().context * BATCH;
    let text: Vec<u32> = (0..=tokens).map(|at| at.wrapping_mul(2_654_435_761) % 4096).collect();
    let (inputs, targets) = (&text[..tokens as usize], &text[1..]);
    let mut group = criterion.benchmark_group("train");
    group.throughput(Throughput::Elements(tokens.into())).sample_size(10);
    group.bench_function("d 512, 4 blocks, f32", |bencher| {
        bencher.iter(|| {
            let (code, flight) = head.depart(Input::Tokens(inputs)).unwrap();
            let made = tail.loss_and_grad(Input::Code(&code), targets).unwrap();
            head.land(flight, &made.grad).unwrap();
            black_box((head.step().unwrap(), tail.step().unwrap()));
        });
    });
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
