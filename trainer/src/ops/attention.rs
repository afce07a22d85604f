//! Causal attention with grouped queries, by blocks of queries: no T x T matrix is kept.
//!
//! The forward pass keeps the logarithm of each query's sum of exponentials; the backward pass computes
//! the weights again from it (FlashAttention, arXiv 2205.14135).

use rayon::prelude::*;

use super::matrix::{Mat, product};

/// Queries of a block.
const BLOCK: usize = 64;

/// Heads of one kind of attention. Buffers are by head: queries (B, H, T, E), keys and values (B, G, T, E).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heads {
    /// Tokens of a sequence, T.
    pub(crate) tokens: usize,
    /// Query heads, H.
    pub(crate) heads: usize,
    /// Key/value heads, G.
    pub(crate) groups: usize,
    /// Width of a head, E.
    pub(crate) each: usize,
}

/// What a query head reads.
#[derive(Clone, Copy)]
struct Head<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    each: usize,
}

impl Heads {
    fn size(&self) -> usize {
        self.tokens * self.each
    }

    /// A query head by its number over all sequences.
    fn head<'a>(&self, index: usize, q: &'a [f32], k: &'a [f32], v: &'a [f32]) -> Head<'a> {
        let size = self.size();
        let group = index / (self.heads / self.groups);
        let part = |all: &'a [f32], at: usize| &all[at * size..(at + 1) * size];
        Head { q: part(q, index), k: part(k, group), v: part(v, group), each: self.each }
    }

    /// The mixed values (B, H, T, E), and the logarithm of each query's sum (B, H, T).
    pub(crate) fn forward(&self, q: &[f32], k: &[f32], v: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let mut out = vec![0.0; q.len()];
        let mut sums = vec![0.0; q.len() / self.each];
        let each_head = out.par_chunks_mut(self.size()).zip(sums.par_chunks_mut(self.tokens));
        each_head.enumerate().for_each(|(index, (out, sums))| {
            self.head(index, q, k, v).forward(out, sums);
        });
        (out, sums)
    }

    /// The gradients of queries, keys and values.
    pub(crate) fn backward(
        &self,
        (q, k, v): (&[f32], &[f32], &[f32]),
        (out, sums): (&[f32], &[f32]),
        dout: &[f32],
    ) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let (size, times) = (self.size(), self.heads / self.groups);
        let mut dq = vec![0.0; q.len()];
        let (mut dk, mut dv) = (vec![0.0; k.len()], vec![0.0; v.len()]);
        let keys = dk.par_chunks_mut(size).zip(dv.par_chunks_mut(size));
        // All heads of a group in one task: they add to the same keys and values.
        dq.par_chunks_mut(size * times).zip(keys).enumerate().for_each(
            |(group, (dq, (dk, dv)))| {
                for (at, dq) in dq.chunks_exact_mut(size).enumerate() {
                    let index = group * times + at;
                    let place = index * size..(index + 1) * size;
                    let sums = &sums[index * self.tokens..(index + 1) * self.tokens];
                    let head = self.head(index, q, k, v);
                    head.backward(&out[place.clone()], sums, &dout[place], (dq, dk, dv));
                }
            },
        );
        (dq, dk, dv)
    }
}

impl Head<'_> {
    fn scale(&self) -> f32 {
        1.0 / (self.each as f32).sqrt()
    }

    /// Scores of the queries from `first` on, against all keys up to the last of them.
    fn scores<'a>(&self, first: usize, rows: usize, buffer: &'a mut [f32]) -> &'a mut [f32] {
        let (seen, each) = (first + rows, self.each);
        let scores = &mut buffer[..rows * seen];
        let q = Mat::new(&self.q[first * each..], rows, each);
        product(scores, 0.0, q, Mat::new(self.k, seen, each).t());
        scores
    }

    fn forward(&self, out: &mut [f32], sums: &mut [f32]) {
        let (tokens, each, scale) = (sums.len(), self.each, self.scale());
        let mut buffer = vec![0.0; BLOCK.min(tokens) * tokens];
        for first in (0..tokens).step_by(BLOCK) {
            let rows = BLOCK.min(tokens - first);
            let seen = first + rows;
            let scores = self.scores(first, rows, &mut buffer);
            for (row, scores) in scores.chunks_exact_mut(seen).enumerate() {
                let (past, future) = scores.split_at_mut(first + row + 1);
                let greatest = past.iter().copied().fold(f32::NEG_INFINITY, f32::max) * scale;
                let mut sum = 0.0;
                for score in past.iter_mut() {
                    *score = (*score * scale - greatest).exp();
                    sum += *score;
                }
                past.iter_mut().for_each(|weight| *weight /= sum);
                future.fill(0.0);
                sums[first + row] = greatest + sum.ln();
            }
            let out = &mut out[first * each..seen * each];
            product(out, 0.0, Mat::new(scores, rows, seen), Mat::new(self.v, seen, each));
        }
    }

    fn backward(
        &self,
        out: &[f32],
        sums: &[f32],
        dout: &[f32],
        (dq, dk, dv): (&mut [f32], &mut [f32], &mut [f32]),
    ) {
        let (tokens, each, scale) = (sums.len(), self.each, self.scale());
        let mut buffer = vec![0.0; BLOCK.min(tokens) * tokens];
        let mut slopes = buffer.clone();
        for first in (0..tokens).step_by(BLOCK) {
            let rows = BLOCK.min(tokens - first);
            let seen = first + rows;
            let weights = self.scores(first, rows, &mut buffer);
            for (row, weights) in weights.chunks_exact_mut(seen).enumerate() {
                let (past, future) = weights.split_at_mut(first + row + 1);
                let sum = sums[first + row];
                past.iter_mut().for_each(|score| *score = (*score * scale - sum).exp());
                future.fill(0.0);
            }
            let place = first * each..seen * each;
            let (out, dout) = (&out[place.clone()], &dout[place.clone()]);
            let weights_view = Mat::new(weights, rows, seen);
            let dout_view = Mat::new(dout, rows, each);
            product(&mut dv[..seen * each], 1.0, weights_view.t(), dout_view);
            let slopes = &mut slopes[..rows * seen];
            product(slopes, 0.0, dout_view, Mat::new(self.v, seen, each).t());
            let rows_out = out.chunks_exact(each).zip(dout.chunks_exact(each));
            let by_row = slopes.chunks_exact_mut(seen).zip(weights.chunks_exact(seen));
            for ((slopes, weights), (out, dout)) in by_row.zip(rows_out) {
                let mean: f32 = out.iter().zip(dout).map(|(out, dout)| out * dout).sum();
                for (slope, weight) in slopes.iter_mut().zip(weights) {
                    *slope = weight * (*slope - mean) * scale;
                }
            }
            let slopes = Mat::new(slopes, rows, seen);
            let q = Mat::new(&self.q[place.clone()], rows, each);
            product(&mut dk[..seen * each], 1.0, slopes.t(), q);
            product(&mut dq[place], 0.0, slopes, Mat::new(self.k, seen, each));
        }
    }
}
