//! How fast a model trains: two stages in one process, each microbatch forward, backward and a step of
//! the optimizer.
//!
//! `cargo bench -p iota-trainer` prints tokens per second. The floor is the matrix products: six FLOPs
//! per parameter and token, and those of attention.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

#[path = "llama.rs"]
mod llama;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use iota_trainer::Precision;

fn step(criterion: &mut Criterion) {
    let text = llama::text();
    let mut group = criterion.benchmark_group("train, d 512, 4 blocks");
    group.throughput(Throughput::Elements(llama::TOKENS.into())).sample_size(10);
    for (name, precision) in [("f32", Precision::F32), ("bf16", Precision::Bf16)] {
        let mut stages = llama::stages(precision);
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(llama::step(&mut stages, &text)));
        });
    }
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
