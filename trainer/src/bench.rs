//! Every operation of a block by itself, at the sizes of the model that benches train, for
//! `cargo bench -p iota-trainer --bench ops`. No part of the crate's interface.

use std::hint::black_box;

use half::bf16;

use crate::adam::{Moments, Rule, Segment, Update, norm as length};
use crate::code::{code_values, encode};
use crate::config::{AdamConfig, Precision};
use crate::ops::attention::{Gradients, Heads, Inputs};
use crate::ops::linear::{apply, of_rows, of_weight, rows, rows_t};
use crate::ops::loss::{Head, logits};
use crate::ops::product::Out;
use crate::ops::rope::Angles;
use crate::ops::simd::{LANES, vectorized};
use crate::ops::value::Value;
use crate::ops::{norm, swiglu};

/// Sequences, tokens of each, and their product.
const BATCH: usize = 4;
const CONTEXT: usize = 256;
const N: usize = BATCH * CONTEXT;
/// Width of the stream and of the feed-forward layer, heads, vocabulary.
const D: usize = 512;
const F: usize = 1408;
const HEADS: usize = 8;
const VOCAB: usize = 4096;
/// Parameters of the model: what the optimizer goes through.
const PARAMS: usize = 2 * VOCAB * D + 4 * (4 * D * D + 3 * D * F);

/// What bounds an operation from below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// Bytes that are read and written once.
    Bytes(u64),
    /// Multiplications and additions.
    Flops(u64),
}

/// An operation that can be done again and again.
pub struct Op {
    /// What it is.
    pub name: String,
    /// What it cannot do without.
    pub floor: Floor,
    /// Does it.
    pub run: Box<dyn FnMut()>,
}

/// All of them: first what the machine can do at best, then ours.
#[must_use]
pub fn all() -> Vec<Op> {
    let mut ops = vec![copy(), multiply_adds()];
    with::<f32>(&mut ops);
    with::<bf16>(&mut ops);
    ops.extend(codes());
    ops.extend([gradient_norm(), adam()]);
    ops
}

fn op(name: impl Into<String>, floor: Floor, run: impl FnMut() + 'static) -> Op {
    Op { name: name.into(), floor, run: Box::new(run) }
}

/// Values from -1 to 1 that look random.
fn values<T: Value>(len: usize) -> Vec<T> {
    let value =
        |at: usize| ((at as u32).wrapping_mul(2_654_435_769) >> 8) as f32 / (1 << 23) as f32;
    (0..len).map(|at| T::near(value(at) - 1.0)).collect()
}

/// Bytes of so many values.
fn bytes<T>(count: usize) -> u64 {
    (count * size_of::<T>()) as u64
}

fn flops(rows: usize, depth: usize, columns: usize) -> Floor {
    Floor::Flops(2 * (rows * depth * columns) as u64)
}

/// Memory as fast as it goes.
fn copy() -> Op {
    let (from, mut to) = (values::<f32>(PARAMS), vec![0f32; PARAMS]);
    op("floor: copy", Floor::Bytes(2 * bytes::<f32>(PARAMS)), move || {
        use rayon::prelude::*;
        let parts = to.par_chunks_mut(1 << 16).zip(from.par_chunks(1 << 16));
        parts.for_each(|(to, from)| to.copy_from_slice(from));
    })
}

/// Independent multiply-adds in registers as fast as they go on all cores; those of bf16 are two for one.
fn multiply_adds() -> Op {
    const CHAINS: usize = 12 * LANES;
    const TIMES: usize = 1 << 16;
    let tasks = rayon::current_num_threads();
    let flops = 2 * tasks * CHAINS * TIMES;
    op("floor: multiply-adds, f32", Floor::Flops(flops as u64), move || {
        use rayon::prelude::*;
        (0..tasks).into_par_iter().for_each(|_| {
            let factor = black_box(0.999f32);
            let mut sums = [1f32; CHAINS];
            vectorized!(for _ in 0..TIMES {
                for sum in &mut sums {
                    *sum = sum.mul_add(factor, factor);
                }
            });
            black_box(sums);
        });
    })
}

fn with<T: Value>(ops: &mut Vec<Op>) {
    let kind = if T::PRECISION == Precision::F32 { "f32" } else { "bf16" };
    let name = |what: &str| format!("{what}, {kind}");
    products::<T>(ops, kind);

    let (x, scale, dy) = (values::<f32>(N * D), values::<f32>(D), values::<f32>(N * D));
    let (mut inverse, mut h) = (vec![0f32; N], vec![T::default(); N * D]);
    norm::forward(&x, &scale, &mut inverse, &mut h);
    let (roots, wide) = (inverse.clone(), x.clone());
    let floor = Floor::Bytes(bytes::<f32>(N * D) + bytes::<T>(N * D));
    let scales = scale.clone();
    ops.push(op(name("norm"), floor, move || norm::forward(&x, &scales, &mut inverse, &mut h)));
    if T::PRECISION == Precision::F32 {
        // Of the stream, which is f32 in both.
        let (mut dx, mut dscale) = (vec![0f32; N * D], vec![0f32; D]);
        ops.push(op("norm, backward", Floor::Bytes(4 * bytes::<f32>(N * D)), move || {
            norm::backward(&wide, &scale, &roots, &dy, &mut dx, &mut dscale);
        }));
    }

    let angles = Angles::new(CONTEXT, D / HEADS, 10_000.0);
    let mut turned = values::<T>(N * D);
    ops.push(op(name("rope"), Floor::Bytes(2 * bytes::<T>(N * D)), move || {
        angles.rotate(&mut turned, D);
    }));

    let (gate, up) = (values::<T>(N * F), values::<T>(N * F));
    let (dout, mut out) = (values::<T>(N * F), vec![T::default(); N * F]);
    let (mut dgate, mut dup) = (gate.clone(), up.clone());
    ops.push(op(name("swiglu"), Floor::Bytes(3 * bytes::<T>(N * F)), move || {
        swiglu::forward(&gate, &up, &mut out);
    }));
    ops.push(op(name("swiglu, backward"), Floor::Bytes(5 * bytes::<T>(N * F)), move || {
        swiglu::backward(&mut dgate, &mut dup, &dout);
    }));

    attention::<T>(ops, kind);
    head::<T>(ops, kind);
}

fn products<T: Value>(ops: &mut Vec<Op>, kind: &str) {
    let (x, weight, dy) = (values::<T>(N * D), values::<f32>(D * F), values::<T>(N * F));
    let (mut y, mut dx) = (vec![T::default(); N * F], vec![T::default(); N * D]);
    let mut dweight = vec![0f32; D * F];
    let (left, weights) = (x.clone(), weight.clone());
    ops.push(op(format!("linear, {kind}"), flops(N, D, F), move || {
        apply(&rows(T::PRECISION, &left, D), &weights, Out::set(&mut y, F));
    }));
    let slopes = dy.clone();
    ops.push(op(format!("linear, of rows, {kind}"), flops(N, F, D), move || {
        of_rows(&rows(T::PRECISION, &slopes, F), &weight, Out::set(&mut dx, D));
    }));
    ops.push(op(format!("linear, of weight, {kind}"), flops(D, N, F), move || {
        of_weight(&rows_t(T::PRECISION, &x, D), &dy, &mut dweight);
    }));
}

fn attention<T: Value>(ops: &mut Vec<Op>, kind: &str) {
    let heads = Heads { tokens: CONTEXT, heads: HEADS, groups: HEADS, each: D / HEADS };
    let [q, k, v, dout] = [(); 4].map(|()| values::<T>(N * D));
    let (mut out, mut sums) = (vec![T::default(); N * D], vec![0f32; N * HEADS]);
    heads.forward(Inputs { q: &q, k: &k, v: &v }, &mut out, &mut sums);
    let (kept, logs) = (out.clone(), sums.clone());
    // Half of the pairs are causal: two products forward, five back.
    let pairs = BATCH * HEADS * CONTEXT * CONTEXT / 2;
    let (of_q, of_k, of_v) = (q.clone(), k.clone(), v.clone());
    ops.push(op(format!("attention, {kind}"), flops(2 * pairs, D / HEADS, 1), move || {
        heads.forward(Inputs { q: &of_q, k: &of_k, v: &of_v }, &mut out, &mut sums);
    }));
    let [mut dq, mut dk, mut dv] = [(); 3].map(|()| vec![T::default(); N * D]);
    ops.push(op(
        format!("attention, backward, {kind}"),
        flops(5 * pairs, D / HEADS, 1),
        move || {
            let dx = Gradients { q: &mut dq, k: &mut dk, v: &mut dv };
            heads.backward(Inputs { q: &q, k: &k, v: &v }, (&kept, &logs), &dout, dx);
        },
    ));
}

fn head<T: Value>(ops: &mut Vec<Op>, kind: &str) {
    let (h, weight) = (values::<T>(N * D), values::<f32>(D * VOCAB));
    let targets: Vec<u32> = (0..N as u32).map(|at| at % VOCAB as u32).collect();
    let (mut some, mut losses) = (vec![0f32; logits(N, VOCAB)], vec![0f32; N]);
    let (mut dh, mut dweight) = (vec![0f32; N * D], vec![0f32; D * VOCAB]);
    ops.push(op(
        format!("head and loss, with gradients, {kind}"),
        flops(3 * N, D, VOCAB),
        move || {
            let head = Head { h: &h, weight: &weight, vocab: VOCAB };
            head.backward(&targets, &mut some, &mut losses, &mut dh, &mut dweight);
        },
    ));
}

/// What a cut of 4 bits does to as many values as the stream has.
fn codes() -> [Op; 2] {
    let values = values::<f32>(N * D);
    let code = encode(&values, D, 4).expect("values are finite");
    let floor = Floor::Bytes(bytes::<f32>(N * D) + code.len() as u64);
    [
        op("encode, 4 bits", floor, move || {
            black_box(encode(&values, D, 4).is_ok());
        }),
        op("decode, 4 bits", floor, move || {
            black_box(code_values(&code).is_ok());
        }),
    ]
}

fn gradient_norm() -> Op {
    let gradient = values::<f32>(PARAMS);
    op("gradient norm", Floor::Bytes(bytes::<f32>(PARAMS)), move || {
        black_box(length(&gradient));
    })
}

fn adam() -> Op {
    let config = AdamConfig {
        lr_micro: 1_000,
        beta1_milli: 900,
        beta2_milli: 950,
        weight_decay_milli: 100,
        clip_milli: 1_000,
        warmup_steps: 1,
        muon: false,
    };
    let (mut params, gradient) = (values::<f32>(PARAMS), values::<f32>(PARAMS));
    let mut moments = Moments::new(PARAMS);
    let segments = [Segment { len: PARAMS, rule: Rule::Adam(1.0) }];
    op("AdamW", Floor::Bytes(7 * bytes::<f32>(PARAMS)), move || {
        let update = Update::new(&config, 10, 1.0, 1.0, 1.0);
        update.apply(&mut params, &mut moments, &gradient, &segments);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_runs_and_is_named_once() {
        let mut ops = all();
        let mut names: Vec<String> = ops.iter().map(|op| op.name.clone()).collect();
        ops.iter_mut().for_each(|op| (op.run)());
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ops.len());
    }
}
