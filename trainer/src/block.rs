//! One decoder block of the Llama family, forward and backward: pre-norm, causal attention with grouped
//! queries and rotary positions, SwiGLU.

use crate::config::ModelConfig;
use crate::ops::attention::Heads;
use crate::ops::matrix::{linear, linear_backward};
use crate::ops::rope::{self, Angles};
use crate::ops::{norm, swiglu};

/// Tensors of a block, in the order of the flat parameters: norm, query, key, value and output
/// projections, norm, gate, up and down projections.
pub(crate) const TENSORS: usize = 9;

/// What all blocks of a stage share.
pub(crate) struct Shape {
    width: usize,
    inner: usize,
    heads: Heads,
    angles: Angles,
}

/// What a forward pass keeps for the backward pass: inputs of what cannot be inverted. Norms and the
/// gated activation are cheap, and are computed again.
pub(crate) struct Kept {
    x: Vec<f32>,
    inverse1: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    mixed: Vec<f32>,
    sums: Vec<f32>,
    middle: Vec<f32>,
    inverse2: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
}

impl Shape {
    pub(crate) fn new(model: &ModelConfig) -> Self {
        let (width, inner) = (model.d_model as usize, model.d_ffn as usize);
        let (tokens, heads) = (model.context as usize, model.heads as usize);
        let (groups, each) = (model.kv_heads as usize, width / heads);
        let angles = Angles::new(tokens, each, f64::from(model.rope_theta));
        Self { width, inner, heads: Heads { tokens, heads, groups, each }, angles }
    }

    /// Rows (N, D) to the same, with the parameters of a block.
    pub(crate) fn forward(&self, weights: &[&[f32]], x: Vec<f32>) -> (Vec<f32>, Kept) {
        let [norm1, wq, wk, wv, wo, norm2, wgate, wup, wdown] = nine(weights);
        let Heads { tokens, heads, groups, each } = self.heads;
        let width = self.width;
        let inverse1 = norm::inverse_roots(&x, width);
        let h = norm::forward(&x, norm1, &inverse1);
        let q = self.angles.split(&linear(&h, wq, width), tokens, heads);
        let k = self.angles.split(&linear(&h, wk, width), tokens, groups);
        let v = rope::split(&linear(&h, wv, width), tokens, groups, each);
        let (mixed, sums) = self.heads.forward(&q, &k, &v);
        let mut middle = linear(&rope::join(&mixed, tokens, heads, each), wo, width);
        add(&mut middle, &x);

        let inverse2 = norm::inverse_roots(&middle, width);
        let h = norm::forward(&middle, norm2, &inverse2);
        let (gate, up) = (linear(&h, wgate, width), linear(&h, wup, width));
        let mut out = linear(&swiglu::forward(&gate, &up), wdown, self.inner);
        add(&mut out, &middle);
        (out, Kept { x, inverse1, q, k, v, mixed, sums, middle, inverse2, gate, up })
    }

    /// The gradient of the input from that of the output `dy`; the parameters' are added to `grads`.
    pub(crate) fn backward(
        &self,
        weights: &[&[f32]],
        kept: &Kept,
        mut dy: Vec<f32>,
        grads: &mut [&mut [f32]],
    ) -> Vec<f32> {
        let [norm1, wq, wk, wv, wo, norm2, wgate, wup, wdown] = nine(weights);
        let [gnorm1, gq, gk, gv, go, gnorm2, ggate, gup, gdown] = grads else {
            unreachable!("a block has {TENSORS} tensors");
        };
        let Heads { tokens, heads, groups, each } = self.heads;
        let width = self.width;

        let active = swiglu::forward(&kept.gate, &kept.up);
        let mut dactive = vec![0.0; active.len()];
        linear_backward((&active, wdown), self.inner, &dy, (&mut dactive, 0.0), gdown);
        let (dgate, dup) = swiglu::backward(&kept.gate, &kept.up, &dactive);
        let h = norm::forward(&kept.middle, norm2, &kept.inverse2);
        let mut dh = vec![0.0; h.len()];
        linear_backward((&h, wgate), width, &dgate, (&mut dh, 0.0), ggate);
        linear_backward((&h, wup), width, &dup, (&mut dh, 1.0), gup);
        norm::backward(&kept.middle, norm2, &kept.inverse2, &dh, &mut dy, gnorm2);

        let joined = rope::join(&kept.mixed, tokens, heads, each);
        let mut djoined = vec![0.0; joined.len()];
        linear_backward((&joined, wo), width, &dy, (&mut djoined, 0.0), go);
        let dmixed = rope::split(&djoined, tokens, heads, each);
        let (dq, dk, dv) =
            self.heads.backward((&kept.q, &kept.k, &kept.v), (&kept.mixed, &kept.sums), &dmixed);
        let h = norm::forward(&kept.x, norm1, &kept.inverse1);
        let dq = self.angles.join(dq, tokens, heads);
        linear_backward((&h, wq), width, &dq, (&mut dh, 0.0), gq);
        let dk = self.angles.join(dk, tokens, groups);
        linear_backward((&h, wk), width, &dk, (&mut dh, 1.0), gk);
        let dv = rope::join(&dv, tokens, groups, each);
        linear_backward((&h, wv), width, &dv, (&mut dh, 1.0), gv);
        norm::backward(&kept.x, norm1, &kept.inverse1, &dh, &mut dy, gnorm1);
        dy
    }
}

/// The tensors of a block.
fn nine<'a>(weights: &[&'a [f32]]) -> [&'a [f32]; TENSORS] {
    weights.try_into().expect("a block has nine tensors")
}

fn add(sum: &mut [f32], other: &[f32]) {
    sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
}
