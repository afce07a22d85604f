//! One decoder block on a device, forward and backward: block.rs says what it computes.

use half::bf16;

use super::device::{Array, Device, Matrix, Out, Product, View};
use super::ops::{self, Angles, Attention, Inputs, NORM_ROWS};
use crate::Error;
use crate::block::TENSORS;
use crate::config::StageConfig;
use crate::ops::rope;

/// What all blocks of a stage share.
pub(super) struct Shape<D: Device> {
    pub(super) rows: usize,
    pub(super) width: usize,
    narrow: usize,
    inner: usize,
    attention: Attention,
    angles: Angles<D>,
}

/// What a forward pass keeps, besides the block's input.
pub(super) struct Kept<D: Device> {
    inverse1: Array<D, f32>,
    q: Array<D, bf16>,
    k: Array<D, bf16>,
    v: Array<D, bf16>,
    mixed: Array<D, bf16>,
    sums: Array<D, f32>,
    middle: Array<D, f32>,
    inverse2: Array<D, f32>,
    gate: Array<D, bf16>,
    up: Array<D, bf16>,
}

/// What one pass at a time computes in.
pub(super) struct Scratch<D: Device> {
    /// Normed rows (N, D), and their gradient.
    pub(super) h: Array<D, bf16>,
    pub(super) dh: Array<D, f32>,
    /// The gradient of the residual stream, and its bf16 copy.
    pub(super) dx: Array<D, f32>,
    pub(super) dx_half: Array<D, bf16>,
    /// Sums of a norm's scale, by blocks of rows.
    pub(super) parts: Array<D, f32>,
    active: Array<D, bf16>,
    dmixed: Array<D, bf16>,
    dq: Array<D, bf16>,
    dk: Array<D, bf16>,
    dv: Array<D, bf16>,
    along: Array<D, f32>,
}

/// A block's parameters: as they are, and in bf16.
pub(super) struct Weights<'a> {
    pub(super) wide: &'a [View<'a, f32>],
    pub(super) half: &'a [View<'a, bf16>],
}

impl<D: Device> Shape<D> {
    pub(super) fn new(device: &D, config: &StageConfig) -> Result<Self, Error> {
        let model = &config.model;
        let each = (model.d_model / model.heads) as usize;
        let table = rope::Angles::new(model.context as usize, each, f64::from(model.rope_theta));
        Ok(Self {
            rows: (config.batch * model.context) as usize,
            width: model.d_model as usize,
            narrow: each * model.kv_heads as usize,
            inner: model.d_ffn as usize,
            attention: Attention::new(model, config.batch as usize)?,
            angles: Angles::new(device, &table)?,
        })
    }

    fn heads(&self) -> usize {
        self.width / self.attention.each()
    }

    pub(super) fn kept(&self, device: &D) -> Result<Kept<D>, Error> {
        let (n, d, kv, f) = (self.rows, self.width, self.narrow, self.inner);
        Ok(Kept {
            inverse1: Array::new(device, n)?,
            q: Array::new(device, n * d)?,
            k: Array::new(device, n * kv)?,
            v: Array::new(device, n * kv)?,
            mixed: Array::new(device, n * d)?,
            sums: Array::new(device, n * self.heads())?,
            middle: Array::new(device, n * d)?,
            inverse2: Array::new(device, n)?,
            gate: Array::new(device, n * f)?,
            up: Array::new(device, n * f)?,
        })
    }

    pub(super) fn scratch(&self, device: &D) -> Result<Scratch<D>, Error> {
        let (n, d, kv, f) = (self.rows, self.width, self.narrow, self.inner);
        Ok(Scratch {
            h: Array::new(device, n * d)?,
            dh: Array::new(device, n * d)?,
            dx: Array::new(device, n * d)?,
            dx_half: Array::new(device, n * d)?,
            parts: Array::new(device, n.div_ceil(NORM_ROWS) * d)?,
            active: Array::new(device, n * f)?,
            dmixed: Array::new(device, n * d)?,
            dq: Array::new(device, n * d)?,
            dk: Array::new(device, n * kv)?,
            dv: Array::new(device, n * kv)?,
            along: Array::new(device, n * self.heads())?,
        })
    }

    /// From rows `x` (N, D) to `out`.
    pub(super) fn forward(
        &self,
        device: &D,
        weights: &Weights<'_>,
        x: View<'_, f32>,
        out: View<'_, f32>,
        kept: &Kept<D>,
        scratch: &Scratch<D>,
    ) -> Result<(), Error> {
        let (n, d, kv, f) = (self.rows, self.width, self.narrow, self.inner);
        let weight = |index: usize, rows, columns| weights.half[index].rows(rows, columns);
        let h = scratch.h.all();
        ops::norm_forward(device, x, weights.wide[0], kept.inverse1.all(), h)?;
        let rows = h.rows(n, d);
        let into =
            |weight, out: &Array<D, bf16>| multiply(device, rows, weight, Out::Half(out.all()));
        into(weight(1, d, d), &kept.q)?;
        into(weight(2, d, kv), &kept.k)?;
        into(weight(3, d, kv), &kept.v)?;
        self.angles.turn(device, kept.q.all(), d, false)?;
        self.angles.turn(device, kept.k.all(), kv, false)?;
        self.attention.forward(device, kept.inputs(), kept.mixed.all(), kept.sums.all())?;
        let middle = kept.middle.all();
        x.copy_to(device, middle)?;
        multiply(device, kept.mixed.all().rows(n, d), weight(4, d, d), Out::Added(middle))?;

        ops::norm_forward(device, middle, weights.wide[5], kept.inverse2.all(), h)?;
        into(weight(6, d, f), &kept.gate)?;
        into(weight(7, d, f), &kept.up)?;
        let active = scratch.active.all();
        ops::swiglu_forward(device, kept.gate.all(), kept.up.all(), active)?;
        middle.copy_to(device, out)?;
        multiply(device, active.rows(n, f), weight(8, f, d), Out::Added(out))
    }

    /// Replaces the gradient of the output, `scratch.dx`, by that of the input `x`, and writes those of the
    /// parameters. Of what was kept, gate and up are lost.
    pub(super) fn backward(
        &self,
        device: &D,
        weights: &Weights<'_>,
        x: View<'_, f32>,
        kept: &Kept<D>,
        scratch: &Scratch<D>,
        grads: &[View<'_, f32>],
    ) -> Result<(), Error> {
        let (n, d, kv, f) = (self.rows, self.width, self.narrow, self.inner);
        let weight = |index: usize, rows, columns| weights.half[index].rows(rows, columns).t();
        let grad = |index: usize, left: Matrix<'_, bf16>, right: Matrix<'_, bf16>| {
            multiply(device, left.t(), right, Out::Wide(grads[index]))
        };
        let (dx, half, h) = (scratch.dx.all(), scratch.dx_half.all(), scratch.h.all());
        let (gate, up, active) = (kept.gate.all(), kept.up.all(), scratch.active.all());
        let (middle, dh) = (kept.middle.all(), scratch.dh.all());

        ops::swiglu_forward(device, gate, up, active)?;
        ops::halve(device, dx, half)?;
        let dy = half.rows(n, d);
        grad(8, active.rows(n, f), dy)?;
        multiply(device, dy, weight(8, f, d), Out::Half(active))?;
        ops::swiglu_backward(device, gate, up, active)?;
        ops::norm_forward(device, middle, weights.wide[5], kept.inverse2.all(), h)?;
        grad(6, h.rows(n, d), gate.rows(n, f))?;
        grad(7, h.rows(n, d), up.rows(n, f))?;
        multiply(device, gate.rows(n, f), weight(6, d, f), Out::Wide(dh))?;
        multiply(device, up.rows(n, f), weight(7, d, f), Out::Added(dh))?;
        let normed = (middle, weights.wide[5], kept.inverse2.all());
        ops::norm_backward(device, normed, dh, dx, scratch.parts.all(), grads[5])?;

        ops::halve(device, dx, half)?;
        grad(4, kept.mixed.all().rows(n, d), dy)?;
        let dmixed = scratch.dmixed.all();
        multiply(device, dy, weight(4, d, d), Out::Half(dmixed))?;
        let (q, k, v) = (scratch.dq.all(), scratch.dk.all(), scratch.dv.all());
        let made = (kept.mixed.all(), kept.sums.all());
        let (inputs, along) = (kept.inputs(), scratch.along.all());
        self.attention.backward(device, inputs, made, dmixed, along, Inputs { q, k, v })?;
        self.angles.turn(device, q, d, true)?;
        self.angles.turn(device, k, kv, true)?;
        ops::norm_forward(device, x, weights.wide[0], kept.inverse1.all(), h)?;
        grad(1, h.rows(n, d), q.rows(n, d))?;
        grad(2, h.rows(n, d), k.rows(n, kv))?;
        grad(3, h.rows(n, d), v.rows(n, kv))?;
        multiply(device, q.rows(n, d), weight(1, d, d), Out::Wide(dh))?;
        multiply(device, k.rows(n, kv), weight(2, d, kv), Out::Added(dh))?;
        multiply(device, v.rows(n, kv), weight(3, d, kv), Out::Added(dh))?;
        let normed = (x, weights.wide[0], kept.inverse1.all());
        ops::norm_backward(device, normed, dh, dx, scratch.parts.all(), grads[0])
    }
}

impl<D: Device> Kept<D> {
    fn inputs(&self) -> Inputs<'_> {
        Inputs { q: self.q.all(), k: self.k.all(), v: self.v.all() }
    }
}

impl<'a> Weights<'a> {
    /// Those of the block whose tensors begin at `first`.
    pub(super) fn at(wide: &'a [View<'a, f32>], half: &'a [View<'a, bf16>], first: usize) -> Self {
        Self { wide: &wide[first..first + TENSORS], half: &half[first..first + TENSORS] }
    }
}

/// Multiplies two matrices.
pub(super) fn multiply(
    device: &impl Device,
    left: Matrix<'_, bf16>,
    right: Matrix<'_, bf16>,
    out: Out<'_>,
) -> Result<(), Error> {
    device.multiply(&Product { left, right, out })
}
