//! A pass of a stage on a device, from its source to its code or losses, and back.

use std::any::Any;
use std::sync::Arc;

use super::{Buffers, Params, Shared, Work, parts};
use crate::Error;
use crate::block::TENSORS;
use crate::code::Wire;
use crate::engine::{Bytes, Pass};
use crate::gpu::block::{Weights as OfBlock, multiply};
use crate::gpu::device::{Device, Out, View};
use crate::gpu::ops::{self, Places};

/// A pass that was made.
pub(super) struct Made<D: Device> {
    pub(super) shared: Arc<Shared<D>>,
    pub(super) params: Arc<Params<D>>,
    /// Present until this is dropped.
    pub(super) buffers: Option<Buffers<D>>,
}

impl<D: Device> Drop for Made<D> {
    fn drop(&mut self) {
        self.buffers.take().into_iter().for_each(|buffers| self.shared.passes.give(buffers));
    }
}

impl<D: Device> Pass for Made<D> {
    fn code(&mut self) -> Result<Bytes, Error> {
        let shared = &self.shared;
        shared.with_work(|work| match shared.model.config.squeezes() {
            true => self.squeeze(work),
            false => shared.encode(work, self.last(), shared.shape.width),
        })
    }

    fn losses(&mut self, targets: &[u32]) -> Result<Vec<f32>, Error> {
        self.shared.with_work(|work| {
            self.compute_losses(work, targets, None)?;
            work.losses.all().get(&*self.shared.device)
        })
    }

    fn logits(&mut self, token: usize) -> Result<Vec<f32>, Error> {
        let device = &*self.shared.device;
        let model = &self.shared.model;
        let (d, vocab) = (self.shared.shape.width, model.config.model.vocab as usize);
        self.shared.with_work(|work| {
            self.norm(work)?;
            let h = work.scratch.h.all().part(token * d, d).rows(1, d);
            let half = parts(model, self.params.half.all());
            let logits = work.logits.all().part(0, vocab);
            multiply(device, h, half[half.len() - 1].rows(d, vocab), Out::Wide(logits))?;
            logits.get(device)
        })
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl<D: Device> Made<D> {
    fn held(&self) -> &Buffers<D> {
        self.buffers.as_ref().expect("buffers are there until the drop")
    }

    /// The residual stream after the last block.
    fn last(&self) -> View<'_, f32> {
        let x = &self.held().x;
        x[x.len() - 1].all()
    }

    fn squeeze(&self, work: &Work<D>) -> Result<Bytes, Error> {
        let (device, model) = (&*self.shared.device, &self.shared.model);
        let (n, d, k) = (self.shared.shape.rows, self.shared.shape.width, model.code_width());
        let half = parts(model, self.params.half.all());
        let (code, h) = (work.code.all().part(0, n * k), work.scratch.h.all());
        self.norm(work)?;
        let weight = half[half.len() - 1].rows(d, k);
        multiply(device, h.rows(n, d), weight, Out::Wide(code))?;
        if model.config.cut.residual {
            ops::add_half_rows(device, (h, d), (code, k), k)?;
        }
        self.shared.encode(work, code, k)
    }

    /// The norm of the last block's output: that of a tail, or the one before a code.
    fn norm(&self, work: &Work<D>) -> Result<(), Error> {
        let wide = parts(&self.shared.model, self.params.wide.all());
        let (scale, h) = (wide[wide.len() - 2], work.scratch.h.all());
        ops::norm_forward(&*self.shared.device, self.last(), scale, work.inverse.all(), h)
    }

    /// Fills `work.losses`; given where gradients go, begins with those of the mean loss.
    pub(super) fn compute_losses(
        &self,
        work: &Work<D>,
        targets: &[u32],
        grads: Option<&[View<'_, f32>]>,
    ) -> Result<(), Error> {
        let (device, model) = (&*self.shared.device, &self.shared.model);
        let (n, d) = (self.shared.shape.rows, self.shared.shape.width);
        let vocab = model.config.model.vocab as usize;
        let half = parts(model, self.params.half.all());
        let weight = half[half.len() - 1].rows(d, vocab);
        let (h, losses, on_device) = (work.scratch.h.all(), work.losses.all(), work.targets.all());
        let dh = work.scratch.dh.all();
        on_device.set(device, targets)?;
        self.norm(work)?;
        let most = work.logits.all().len() / vocab;
        for first in (0..n).step_by(most) {
            let rows = most.min(n - first);
            let own = h.part(first * d, rows * d).rows(rows, d);
            let logits = work.logits.all().part(0, rows * vocab);
            multiply(device, own, weight, Out::Wide(logits))?;
            let given = (logits, on_device.part(first, rows));
            let slopes = work.slopes.all().part(0, rows * vocab);
            let made = grads.map(|_| slopes);
            let share = 1.0 / n as f32;
            ops::cross_entropy(device, given, losses.part(first, rows), made, share)?;
            if let Some(grads) = grads {
                let (slopes, dweight) = (slopes.rows(rows, vocab), grads[grads.len() - 1]);
                let dh = dh.part(first * d, rows * d);
                multiply(device, slopes, weight.t(), Out::Wide(dh))?;
                let out = if first == 0 { Out::Wide(dweight) } else { Out::Added(dweight) };
                multiply(device, own.t(), slopes, out)?;
            }
        }
        grads.map_or(Ok(()), |grads| self.norm_backward(work, grads))
    }

    /// Makes the gradient of the last block's output of that of its norm, `work.scratch.dh`.
    fn norm_backward(&self, work: &Work<D>, grads: &[View<'_, f32>]) -> Result<(), Error> {
        let device = &*self.shared.device;
        let wide = parts(&self.shared.model, self.params.wide.all());
        let normed = (self.last(), wide[wide.len() - 2], work.inverse.all());
        let (dx, dh) = (work.scratch.dx.all(), work.scratch.dh.all());
        dx.zero(device)?;
        let (parts, dscale) = (work.scratch.parts.all(), grads[grads.len() - 2]);
        ops::norm_backward(device, normed, dh, dx, parts, dscale)
    }

    /// Makes the gradient of the last block's output of that of the code.
    pub(super) fn start_from_code(
        &self,
        work: &Work<D>,
        dcode: Wire<'_>,
        grads: &[View<'_, f32>],
    ) -> Result<(), Error> {
        let (device, model) = (&*self.shared.device, &self.shared.model);
        let (n, d, k) = (self.shared.shape.rows, self.shared.shape.width, model.code_width());
        let dx = work.scratch.dx.all();
        if !model.config.squeezes() {
            return self.shared.decode(work, dcode, dx);
        }
        let (code, code_half) = (work.code.all().part(0, n * k), work.code_half.all());
        let code_half = code_half.part(0, n * k);
        self.shared.decode(work, dcode, code)?;
        ops::halve(device, code, code_half)?;
        self.norm(work)?;
        let last = grads.len() - 1;
        let (rows, slopes) = (work.scratch.h.all().rows(n, d), code_half.rows(n, k));
        multiply(device, rows.t(), slopes, Out::Wide(grads[last]))?;
        let half = parts(model, self.params.half.all());
        let dh = work.scratch.dh.all();
        multiply(device, slopes, half[last].rows(d, k).t(), Out::Wide(dh))?;
        if model.config.cut.residual {
            ops::copy_rows(device, (code, k), (dh, d), k, true)?;
        }
        self.norm_backward(work, grads)
    }

    /// From the gradient of the last block's output to that of the source.
    pub(super) fn descend(
        &self,
        work: &Work<D>,
        grads: &[View<'_, f32>],
    ) -> Result<Option<Bytes>, Error> {
        let Shared { model, shape, recomputes, device, .. } = &*self.shared;
        let (device, buffers) = (&**device, self.held());
        let wide = parts(model, self.params.wide.all());
        let half = parts(model, self.params.half.all());
        let (n, d, k) = (shape.rows, shape.width, model.code_width());
        let scratch = &work.scratch;
        for index in (0..self.shared.layers()).rev() {
            let first = model.before_blocks() + index * TENSORS;
            let weights = OfBlock::at(&wide, &half, first);
            let kept = if *recomputes { &work.kept[0] } else { &buffers.kept[index] };
            let x = buffers.x[index].all();
            if *recomputes {
                // What comes after this block is no longer needed.
                let out = buffers.x[index + 1].all();
                shape.forward(device, &weights, x, out, kept, scratch)?;
            }
            let grads = &grads[first..first + TENSORS];
            shape.backward(device, &weights, x, kept, scratch, grads)?;
        }
        let (dx, dx_half) = (scratch.dx.all(), scratch.dx_half.all());
        if model.config.is_head() {
            Places::of(device, &buffers.tokens)?.sum(device, dx, grads[0], (d, d), 1)?;
            return Ok(None);
        }
        if !model.config.squeezes() {
            return self.shared.encode(work, dx, d).map(Some);
        }
        let both = self.shared.known_width();
        let (known, known_half) = (buffers.known.all(), work.code_half.all());
        ops::halve(device, known, known_half)?;
        ops::halve(device, dx, dx_half)?;
        let slopes = dx_half.rows(n, d);
        multiply(device, known_half.rows(n, both).t(), slopes, Out::Wide(grads[0]))?;
        let dknown = work.code.all();
        multiply(device, slopes, half[0].rows(both, d).t(), Out::Wide(dknown))?;
        if both > k {
            let places = Places::of(device, &buffers.tokens)?;
            places.sum(device, dknown, grads[1], (both - k, both), model.token_span())?;
        }
        if model.config.cut.residual {
            ops::copy_rows(device, (dx, d), (dknown, both), k, true)?;
        }
        self.shared.encode(work, dknown, both).map(Some)
    }
}
