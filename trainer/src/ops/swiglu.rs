//! The gated activation of the feed-forward layer (arXiv 2002.05202): `silu(gate) * up`.

use rayon::prelude::*;

use super::simd::{exp, vectorized};
use super::value::Value;

/// Values of a task.
const CHUNK: usize = 1 << 14;

/// `silu(gate) * up`.
pub(crate) fn forward<T: Value>(gate: &[T], up: &[T], out: &mut [T]) {
    let inputs = gate.par_chunks(CHUNK).zip(up.par_chunks(CHUNK));
    inputs.zip(out.par_chunks_mut(CHUNK)).for_each(|((gate, up), out)| {
        vectorized!({
            for ((gate, up), out) in gate.iter().zip(up).zip(out) {
                let gate = gate.wide();
                *out = T::near(gate * sigmoid(gate) * up.wide());
            }
        });
    });
}

/// Replaces gate and up by their gradients.
pub(crate) fn backward<T: Value>(gate: &mut [T], up: &mut [T], dy: &[T]) {
    let both = gate.par_chunks_mut(CHUNK).zip(up.par_chunks_mut(CHUNK));
    both.zip(dy.par_chunks(CHUNK)).for_each(|((gate, up), dy)| {
        vectorized!({
            for ((gate, up), dy) in gate.iter_mut().zip(up).zip(dy) {
                let dy = dy.wide();
                let open = sigmoid(gate.wide());
                let silu = gate.wide() * open;
                *gate = T::near(dy * up.wide() * (open + silu * (1.0 - open)));
                *up = T::near(dy * silu);
            }
        });
    });
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}
