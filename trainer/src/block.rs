//! One decoder block of the Llama family, forward and backward: pre-norm, causal attention with grouped
//! queries and rotary positions, SwiGLU.

use crate::buffer::Buffer;
use crate::config::ModelConfig;
use crate::ops::attention::{Gradients, Heads, Inputs};
use crate::ops::linear::{apply, of_rows, of_weight, rows, rows_t};
use crate::ops::product::Out;
use crate::ops::rope::Angles;
use crate::ops::value::Value;
use crate::ops::{norm, swiglu};

/// Tensors of a block, in the order of the flat parameters: norm, query, key, value and output
/// projections, norm, gate, up and down projections.
pub(crate) const TENSORS: usize = 9;

/// What all blocks of a stage share.
pub(crate) struct Shape {
    pub(crate) width: usize,
    pub(crate) inner: usize,
    pub(crate) heads: Heads,
    angles: Angles,
}

/// What a forward pass keeps for the backward pass, besides the block's input. Norms and the gated
/// activation are cheap, and are computed again.
pub(crate) struct Kept<T: Value> {
    inverse1: Buffer<f32>,
    q: Buffer<T>,
    k: Buffer<T>,
    v: Buffer<T>,
    mixed: Buffer<T>,
    sums: Buffer<f32>,
    middle: Buffer<f32>,
    inverse2: Buffer<f32>,
    gate: Buffer<T>,
    up: Buffer<T>,
}

/// Buffers that no pass keeps, for one block at a time.
pub(crate) struct Scratch<T: Value> {
    /// Normed rows (N, D).
    pub(crate) h: Buffer<T>,
    /// Their gradient.
    pub(crate) dh: Buffer<f32>,
    active: Buffer<T>,
    dmixed: Buffer<T>,
    dq: Buffer<T>,
    dk: Buffer<T>,
    dv: Buffer<T>,
}

#[cfg(test)]
impl<T: Value> Kept<T> {
    pub(crate) fn bytes(&self) -> usize {
        let values = [&self.q, &self.k, &self.v, &self.mixed, &self.gate, &self.up];
        let numbers = [&self.inverse1, &self.sums, &self.middle, &self.inverse2];
        values.iter().map(|values| size_of_val(&***values)).sum::<usize>()
            + numbers.iter().map(|numbers| size_of_val(&***numbers)).sum::<usize>()
    }
}

#[cfg(test)]
impl<T: Value> Scratch<T> {
    pub(crate) fn bytes(&self) -> usize {
        let values = [&self.h, &self.active, &self.dmixed, &self.dq, &self.dk, &self.dv];
        values.iter().map(|values| size_of_val(&***values)).sum::<usize>() + size_of_val(&*self.dh)
    }
}

impl Shape {
    pub(crate) fn new(model: &ModelConfig) -> Self {
        let (width, inner) = (model.d_model as usize, model.d_ffn as usize);
        let (tokens, heads) = (model.context as usize, model.heads as usize);
        let (groups, each) = (model.kv_heads as usize, width / heads);
        let angles = Angles::new(tokens, each, f64::from(model.rope_theta));
        Self { width, inner, heads: Heads { tokens, heads, groups, each }, angles }
    }

    /// Width of keys and values.
    fn narrow(&self) -> usize {
        self.heads.groups * self.heads.each
    }

    /// Buffers for passes over so many rows.
    pub(crate) fn kept<T: Value>(&self, rows: usize) -> Kept<T> {
        let values = |width: usize| Buffer::new(rows * width);
        Kept {
            inverse1: Buffer::new(rows),
            q: values(self.width),
            k: values(self.narrow()),
            v: values(self.narrow()),
            mixed: values(self.width),
            sums: Buffer::new(rows * self.heads.heads),
            middle: Buffer::new(rows * self.width),
            inverse2: Buffer::new(rows),
            gate: values(self.inner),
            up: values(self.inner),
        }
    }

    /// Likewise.
    pub(crate) fn scratch<T: Value>(&self, rows: usize) -> Scratch<T> {
        let values = |width: usize| Buffer::new(rows * width);
        Scratch {
            h: values(self.width),
            dh: Buffer::new(rows * self.width),
            active: values(self.inner),
            dmixed: values(self.width),
            dq: values(self.width),
            dk: values(self.narrow()),
            dv: values(self.narrow()),
        }
    }

    /// From rows `x` (N, D) to `out`, with the parameters of a block.
    pub(crate) fn forward<T: Value>(
        &self,
        weights: &[&[f32]],
        x: &[f32],
        out: &mut [f32],
        kept: &mut Kept<T>,
        scratch: &mut Scratch<T>,
    ) {
        let [norm1, wq, wk, wv, wo, norm2, wgate, wup, wdown] = nine(weights);
        let (d, kv, f, p) = (self.width, self.narrow(), self.inner, T::PRECISION);
        norm::forward(x, norm1, &mut kept.inverse1, &mut scratch.h);
        let h = rows(p, &scratch.h, d);
        apply(&h, wq, Out::set(&mut kept.q, d));
        apply(&h, wk, Out::set(&mut kept.k, kv));
        apply(&h, wv, Out::set(&mut kept.v, kv));
        self.angles.rotate(&mut kept.q, d);
        self.angles.rotate(&mut kept.k, kv);
        let inputs = Inputs { q: &kept.q[..], k: &kept.k, v: &kept.v };
        self.heads.forward(inputs, &mut kept.mixed, &mut kept.sums);
        apply(&rows(p, &kept.mixed, d), wo, Out::sum(&mut kept.middle, d, x, d));

        norm::forward(&kept.middle, norm2, &mut kept.inverse2, &mut scratch.h);
        let h = rows(p, &scratch.h, d);
        apply(&h, wgate, Out::set(&mut kept.gate, f));
        apply(&h, wup, Out::set(&mut kept.up, f));
        swiglu::forward(&kept.gate, &kept.up, &mut scratch.active);
        apply(&rows(p, &scratch.active, f), wdown, Out::sum(out, d, &kept.middle, d));
    }

    /// Replaces the gradient of the output, `dy`, by that of the input `x`, and writes those of the
    /// parameters. Of what was kept, gate and up are lost.
    pub(crate) fn backward<T: Value>(
        &self,
        weights: &[&[f32]],
        x: &[f32],
        dy: &mut [f32],
        kept: &mut Kept<T>,
        scratch: &mut Scratch<T>,
        grads: &mut [&mut [f32]],
    ) {
        let [norm1, wq, wk, wv, wo, norm2, wgate, wup, wdown] = nine(weights);
        let [gnorm1, gq, gk, gv, go, gnorm2, ggate, gup, gdown] = grads else {
            unreachable!("a block has {TENSORS} tensors");
        };
        let (d, kv, f, p) = (self.width, self.narrow(), self.inner, T::PRECISION);
        let Scratch { h, dh, active, dmixed, dq, dk, dv } = scratch;

        swiglu::forward(&kept.gate, &kept.up, active);
        of_weight(&rows_t(p, active, f), dy, gdown);
        of_rows(&rows(p, dy, d), wdown, Out::set(active, f));
        swiglu::backward(&mut kept.gate, &mut kept.up, active);
        norm::again(&kept.middle, norm2, &kept.inverse2, h);
        let across = rows_t(p, h, d);
        of_weight(&across, &kept.gate, ggate);
        of_weight(&across, &kept.up, gup);
        of_rows(&rows(p, &kept.gate, f), wgate, Out::set(dh, d));
        of_rows(&rows(p, &kept.up, f), wup, Out::add(dh, d));
        norm::backward(&kept.middle, norm2, &kept.inverse2, dh, dy, gnorm2);

        of_weight(&rows_t(p, &kept.mixed, d), dy, go);
        of_rows(&rows(p, dy, d), wo, Out::set(dmixed, d));
        let inputs = Inputs { q: &kept.q[..], k: &kept.k, v: &kept.v };
        let gradients = Gradients { q: &mut dq[..], k: &mut dk[..], v: &mut dv[..] };
        self.heads.backward(inputs, (&kept.mixed, &kept.sums), dmixed, gradients);
        self.angles.rotate_back(dq, d);
        self.angles.rotate_back(dk, kv);
        norm::again(x, norm1, &kept.inverse1, h);
        let across = rows_t(p, h, d);
        of_weight(&across, dq, gq);
        of_weight(&across, dk, gk);
        of_weight(&across, dv, gv);
        of_rows(&rows(p, dq, d), wq, Out::set(dh, d));
        of_rows(&rows(p, dk, kv), wk, Out::add(dh, d));
        of_rows(&rows(p, dv, kv), wv, Out::add(dh, d));
        norm::backward(x, norm1, &kept.inverse1, dh, dy, gnorm1);
    }
}

/// The tensors of a block.
fn nine<'a>(weights: &[&'a [f32]]) -> [&'a [f32]; TENSORS] {
    weights.try_into().expect("a block has nine tensors")
}
