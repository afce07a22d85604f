//! Causal attention with grouped queries, by blocks of queries: no T x T matrix is kept.
//!
//! The forward pass keeps the logarithm of each query's sum of exponentials; the backward pass computes
//! the weights again from it (FlashAttention, arXiv 2205.14135).

use std::cell::RefCell;

use rayon::prelude::*;

use super::product::{Mat, Out, Panels, Part, Place, Threads, multiply};
use super::simd::{exp, greatest, sum, vectorized};
use super::value::Value;

/// Queries of a block: even, so that what they see has whole pairs of bf16.
const BLOCK: usize = 56;

/// Heads of one kind of attention. Queries are rows (B, T, H, E), keys and values (B, T, G, E).
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

/// Queries, keys and values.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a, T> {
    pub(crate) q: &'a [T],
    pub(crate) k: &'a [T],
    pub(crate) v: &'a [T],
}

/// Of queries, keys and values.
pub(crate) struct Gradients<'a, T> {
    pub(crate) q: &'a mut [T],
    pub(crate) k: &'a mut [T],
    pub(crate) v: &'a mut [T],
}

/// What a task computes with: weights, their slopes, the gradients of keys and values.
#[derive(Default)]
struct Scratch {
    weights: Vec<f32>,
    slopes: Vec<f32>,
    dk: Vec<f32>,
    dv: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Where a head's rows lie: the first value, and the distance from one token to the next.
#[derive(Clone, Copy)]
struct Rows {
    first: usize,
    step: usize,
}

/// A block of queries.
#[derive(Clone, Copy)]
struct Block {
    first: usize,
    rows: usize,
}

impl Block {
    /// Keys that its last query sees.
    fn seen(self) -> usize {
        self.first + self.rows
    }
}

impl Heads {
    fn blocks(self) -> impl Iterator<Item = Block> {
        let tokens = self.tokens;
        let block = move |first| Block { first, rows: BLOCK.min(tokens - first) };
        (0..tokens).step_by(BLOCK).map(block)
    }

    /// A head's rows of queries, by its number over all sequences.
    fn queries(&self, head: usize) -> Rows {
        let step = self.heads * self.each;
        let (sequence, head) = (head / self.heads, head % self.heads);
        Rows { first: sequence * self.tokens * step + head * self.each, step }
    }

    /// A group's rows of keys or values, by its number over all sequences.
    fn keys(&self, group: usize) -> Rows {
        let step = self.groups * self.each;
        let (sequence, group) = (group / self.groups, group % self.groups);
        Rows { first: sequence * self.tokens * step + group * self.each, step }
    }

    /// Some tokens of a head.
    fn view<'a, T>(&self, data: &'a [T], rows: Rows, first: usize, count: usize) -> Mat<'a, T> {
        Mat::spread(&data[rows.first + first * rows.step..], count, self.each, rows.step)
    }

    fn part(rows: usize, depth: usize, columns: usize) -> Part {
        Part { rows, depth, columns }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.each as f32).sqrt()
    }

    /// Writes the mixed values, as queries lie, and the logarithm of each query's sum, (B, H, T).
    pub(crate) fn forward<T: Value>(&self, x: Inputs<'_, T>, out: &mut [T], sums: &mut [f32]) {
        assert!(x.q.len() == out.len() && out.len() == sums.len() * self.each, "queries differ");
        let (len, place) = (out.len(), Place::new(out));
        sums.par_chunks_mut(self.tokens).enumerate().for_each(|(head, sums)| {
            let rows = self.queries(head);
            let keys = self.keys(head / (self.heads / self.groups));
            let k = self.view(x.k, keys, 0, self.tokens);
            let v = self.view(x.v, keys, 0, self.tokens);
            let k = Panels::right(T::PRECISION, k.t(), Threads::Own);
            let v = Panels::right(T::PRECISION, v, Threads::Own);
            SCRATCH.with_borrow_mut(|scratch| {
                for block in self.blocks() {
                    let q = self.view(x.q, rows, block.first, block.rows);
                    let weights = self.scores(q, &k, block, &mut scratch.weights);
                    let sums = &mut sums[block.first..block.seen()];
                    vectorized!(soften(weights, block, self.scale(), sums));
                    let weights = Mat::new(weights, block.rows, block.seen());
                    let weights = Panels::left(T::PRECISION, weights, Threads::Own);
                    let at = rows.first + block.first * rows.step;
                    // SAFETY: these columns of these rows are this head's alone, and `out` is borrowed.
                    let out = unsafe { Out::place(place.get().add(at), len - at, rows.step) };
                    let part = Self::part(block.rows, block.seen(), self.each);
                    multiply(out, &weights, &v, part, Threads::Own);
                }
            });
        });
    }

    /// Scores of a block's queries against all keys up to the last of them.
    fn scores<'a, T: Value>(
        &self,
        q: Mat<'_, T>,
        k: &Panels,
        block: Block,
        buffer: &'a mut Vec<f32>,
    ) -> &'a mut [f32] {
        buffer.resize(BLOCK * self.tokens, 0.0);
        let scores = &mut buffer[..block.rows * block.seen()];
        let q = Panels::left(T::PRECISION, q, Threads::Own);
        let part = Self::part(block.rows, self.each, block.seen());
        multiply(Out::set(scores, block.seen()), &q, k, part, Threads::Own);
        scores
    }

    /// Writes the gradients of queries, keys and values.
    pub(crate) fn backward<T: Value>(
        &self,
        x: Inputs<'_, T>,
        (out, sums): (&[T], &[f32]),
        dout: &[T],
        dx: Gradients<'_, T>,
    ) {
        assert!(x.q.len() == dx.q.len() && x.q.len() == sums.len() * self.each, "queries differ");
        assert!(x.k.len() == dx.k.len() && x.k.len() == dx.v.len(), "keys and values differ");
        let lens = (dx.q.len(), dx.k.len());
        let places = (Place::new(dx.q), Place::new(dx.k), Place::new(dx.v));
        let times = self.heads / self.groups;
        // All heads of a group in one task: they add to the same keys and values.
        let task = |group: usize| {
            let rows = self.keys(group);
            SCRATCH.with_borrow_mut(|scratch| {
                scratch.dk.clear();
                scratch.dk.resize(self.tokens * self.each, 0.0);
                scratch.dv.clear();
                scratch.dv.resize(self.tokens * self.each, 0.0);
                for head in group * times..(group + 1) * times {
                    let sums = &sums[head * self.tokens..][..self.tokens];
                    // SAFETY: a head's queries are this task's alone, and `dx` is borrowed.
                    let dq = |at: usize, step| unsafe {
                        Out::place(places.0.get().add(at), lens.0 - at, step)
                    };
                    self.head_backward((x, group), head, (out, sums), dout, dq, scratch);
                }
                for (place, sums) in [(places.1, &scratch.dk), (places.2, &scratch.dv)] {
                    for (token, sums) in sums.chunks_exact(self.each).enumerate() {
                        let at = rows.first + token * rows.step;
                        assert!(at + self.each <= lens.1, "keys and values past their buffers");
                        // SAFETY: a group's keys and values are this task's alone.
                        let row = unsafe {
                            std::slice::from_raw_parts_mut(place.get().add(at), self.each)
                        };
                        row.iter_mut().zip(sums).for_each(|(out, sum)| *out = T::near(*sum));
                    }
                }
            });
        };
        (0..lens.1 / (self.tokens * self.each)).into_par_iter().for_each(task);
    }

    fn head_backward<'a, T: Value>(
        &self,
        (x, group): (Inputs<'_, T>, usize),
        head: usize,
        (out, sums): (&[T], &[f32]),
        dout: &[T],
        dq: impl Fn(usize, usize) -> Out<'a, T>,
        scratch: &mut Scratch,
    ) {
        let (rows, keys, each) = (self.queries(head), self.keys(group), self.each);
        let k = self.view(x.k, keys, 0, self.tokens);
        let v = self.view(x.v, keys, 0, self.tokens);
        let k_across = Panels::right(T::PRECISION, k.t(), Threads::Own);
        let k_along = Panels::right(T::PRECISION, k, Threads::Own);
        let v_across = Panels::right(T::PRECISION, v.t(), Threads::Own);
        let Scratch { weights, slopes, dk, dv } = scratch;
        for block in self.blocks() {
            let (count, seen) = (block.rows, block.seen());
            let q = self.view(x.q, rows, block.first, count);
            let weights = self.scores(q, &k_across, block, weights);
            let slope_of = self.view(dout, rows, block.first, count);
            let slopes = self.scores(slope_of, &v_across, block, slopes);
            let at = rows.first + block.first * rows.step;
            let sums = &sums[block.first..seen];
            vectorized!({
                for (row, lse) in sums.iter().enumerate() {
                    let place = at + row * rows.step..at + row * rows.step + each;
                    let (out, dout) = (&out[place.clone()], &dout[place]);
                    let mean = sum(each, |at| out[at].wide() * dout[at].wide());
                    let place = row * seen..(row + 1) * seen;
                    let (weights, slopes) = (&mut weights[place.clone()], &mut slopes[place]);
                    steepen(weights, slopes, block.first + row + 1, self.scale(), *lse, mean);
                }
            });
            let weights = Mat::new(weights, count, seen);
            let slopes = Mat::new(slopes, count, seen);
            let add = |to: &mut [f32], left: Mat<'_, f32>, right: Mat<'_, T>| {
                let left = Panels::left(T::PRECISION, left.t(), Threads::Own);
                let right = Panels::right(T::PRECISION, right, Threads::Own);
                let to = Out::add(&mut to[..seen * each], each);
                multiply(to, &left, &right, Self::part(seen, count, each), Threads::Own);
            };
            add(dv, weights, slope_of);
            add(dk, slopes, q);
            let left = Panels::left(T::PRECISION, slopes, Threads::Own);
            let part = Self::part(count, seen, each);
            multiply(dq(at, rows.step), &left, &k_along, part, Threads::Own);
        }
    }
}

/// Replaces scores by weights, and writes the logarithm of each row's sum.
#[inline(always)]
fn soften(scores: &mut [f32], block: Block, scale: f32, sums: &mut [f32]) {
    for (row, lse) in sums.iter_mut().enumerate() {
        let scores = &mut scores[row * block.seen()..(row + 1) * block.seen()];
        let (past, future) = scores.split_at_mut(block.first + row + 1);
        let most = greatest(past) * scale;
        past.iter_mut().for_each(|score| *score = exp(*score * scale - most));
        let total = sum(past.len(), |at| past[at]);
        let share = 1.0 / total;
        past.iter_mut().for_each(|weight| *weight *= share);
        future.fill(0.0);
        *lse = most + total.ln();
    }
}

/// Replaces scores by weights, given the logarithm of their sum, and gradients of weights by gradients of
/// scores.
#[inline(always)]
fn steepen(weights: &mut [f32], slopes: &mut [f32], past: usize, scale: f32, lse: f32, mean: f32) {
    for (weight, slope) in weights[..past].iter_mut().zip(&mut slopes[..past]) {
        *weight = exp(*weight * scale - lse);
        *slope = *weight * (*slope - mean) * scale;
    }
    weights[past..].fill(0.0);
    slopes[past..].fill(0.0);
}
