//! How fast each operation is, in bytes or FLOPs per second: those it cannot do without.
//!
//! `cargo bench -p iota-trainer --bench ops`. `floor: copy` is what memory gives; the floor of products is what
//! independent multiply-adds in registers reach (docs/BENCHMARKS.md).

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use iota_trainer::bench::{Floor, all};

fn ops(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ops");
    group.sample_size(10);
    for mut op in all() {
        group.throughput(match op.floor {
            Floor::Bytes(bytes) => Throughput::BytesDecimal(bytes),
            Floor::Flops(flops) => Throughput::Elements(flops),
        });
        group.bench_function(&op.name, |bencher| bencher.iter(|| (op.run)()));
    }
    group.finish();
}

criterion_group!(benches, ops);
criterion_main!(benches);
