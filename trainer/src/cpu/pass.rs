//! A pass of a stage on the CPU, from its source to its code or losses, and back.

use std::any::Any;
use std::sync::Arc;

use super::{Buffers, Shared, Work, in_pool};
use crate::Error;
use crate::block::TENSORS;
use crate::buffer::Buffer;
use crate::code::Wire;
use crate::engine::{Bytes, Loss, Pass, mean};
use crate::ops::linear::{apply, of_rows, of_weight, rows, rows_t};
use crate::ops::loss::Head;
use crate::ops::norm;
use crate::ops::product::Out;
use crate::ops::value::Value;

/// A pass that was made.
pub(super) struct Made<T: Value> {
    pub(super) shared: Arc<Shared<T>>,
    pub(super) params: Arc<Buffer<f32>>,
    /// Present until this is dropped.
    pub(super) buffers: Option<Buffers<T>>,
}

/// Adds to rows of a width those of another, as far as both reach.
pub(super) fn add_rows<T: Value>((sums, width): (&mut [f32], usize), (more, other): (&[T], usize)) {
    for (sums, more) in sums.chunks_exact_mut(width).zip(more.chunks_exact(other)) {
        sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more.wide());
    }
}

/// What lies behind a row's code, in parts of a length.
pub(super) fn split(row: &mut [f32], k: usize, each: usize) -> std::slice::ChunksExactMut<'_, f32> {
    row[k..].chunks_exact_mut(each.max(1))
}

impl<T: Value> Drop for Made<T> {
    fn drop(&mut self) {
        self.buffers.take().into_iter().for_each(|buffers| self.shared.passes.give(buffers));
    }
}

impl<T: Value> Made<T> {
    /// The residual stream after the last block.
    fn last(buffers: &Buffers<T>) -> &[f32] {
        &buffers.x[buffers.x.len() - 1]
    }

    fn held(&self) -> &Buffers<T> {
        self.buffers.as_ref().expect("buffers are there until the drop")
    }

    /// From the gradient of the last block's output, in `work.dx`, to that of the source.
    fn descend(
        &mut self,
        work: &mut Work<T>,
        grads: &mut [&mut [f32]],
    ) -> Result<Option<Bytes>, Error> {
        let Shared { model, shape, recomputes, .. } = &*self.shared;
        let buffers = self.buffers.as_mut().expect("buffers are there until the drop");
        let parts = model.parts(&self.params);
        let (d, k) = (shape.width, model.code_width());
        for index in (0..self.shared.layers()).rev() {
            let first = model.before_blocks() + index * TENSORS;
            let place = first..first + TENSORS;
            let weights = &parts[place.clone()];
            let kept = if *recomputes { &mut work.kept[0] } else { &mut buffers.kept[index] };
            let scratch = &mut work.scratch;
            if *recomputes {
                // What comes after this block is no longer needed.
                let (x, out) = buffers.x.split_at_mut(index + 1);
                shape.forward(weights, &x[index], &mut out[0], kept, scratch);
            }
            let x = &buffers.x[index];
            shape.backward(weights, x, &mut work.dx, kept, scratch, &mut grads[place]);
        }
        let dx = &work.dx;
        if model.config.is_head() {
            grads[0].fill(0.0);
            for (token, dx) in buffers.tokens.iter().zip(dx.chunks_exact(d)) {
                let row = &mut grads[0][*token as usize * d..][..d];
                row.iter_mut().zip(dx).for_each(|(sum, dx)| *sum += dx);
            }
            return Ok(None);
        }
        if !model.config.squeezes() {
            return self.shared.encode(dx).map(Some);
        }
        let r = model.token_width();
        of_weight(&rows_t(T::PRECISION, &buffers.known, k + r), dx, grads[0]);
        let known = &mut buffers.known;
        of_rows(&rows(T::PRECISION, dx, d), parts[0], Out::set(known, k + r));
        if r > 0 {
            grads[1].fill(0.0);
            let each = r / model.token_span();
            let places = known.chunks_exact_mut(k + r).flat_map(|row| split(row, k, each));
            for (place, row) in places.zip(&buffers.tokens) {
                let row = &mut grads[1][*row as usize * each..][..each];
                row.iter_mut().zip(place).for_each(|(sum, known)| *sum += *known);
            }
        }
        let mut dcode: Vec<f32> =
            known.chunks_exact(k + r).flat_map(|known| &known[..k]).copied().collect();
        if model.config.cut.residual {
            add_rows((&mut dcode, k), (dx, d));
        }
        self.shared.encode(&dcode).map(Some)
    }
}

impl<T: Value> Pass for Made<T> {
    fn code(&mut self) -> Result<Bytes, Error> {
        in_pool(|| self.make_code())
    }

    fn losses(&mut self, targets: &[u32]) -> Result<Vec<f32>, Error> {
        Ok(in_pool(|| self.measure(targets)))
    }

    fn logits(&mut self, token: usize) -> Result<Vec<f32>, Error> {
        Ok(in_pool(|| self.predict(token)))
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl<T: Value> Made<T> {
    fn make_code(&mut self) -> Result<Bytes, Error> {
        let model = &self.shared.model;
        let (d, k) = (self.shared.shape.width, model.code_width());
        let parts = model.parts(&self.params);
        let x = Self::last(self.held());
        let [.., scale, weight] = parts[..] else { return self.shared.encode(x) };
        if !model.config.squeezes() {
            return self.shared.encode(x);
        }
        let mut work = self.shared.idle_work();
        let Work { scratch, inverse, .. } = &mut work;
        norm::forward(x, scale, inverse, &mut scratch.h);
        let mut code = vec![0.0; x.len() / d * k];
        apply(&rows(T::PRECISION, &scratch.h, d), weight, Out::set(&mut code, k));
        if model.config.cut.residual {
            add_rows((&mut code, k), (&scratch.h, d));
        }
        self.shared.work.give(work);
        self.shared.encode(&code)
    }

    fn measure(&mut self, targets: &[u32]) -> Vec<f32> {
        let parts = self.shared.model.parts(&self.params);
        let [.., scale, weight] = parts[..] else { unreachable!("a tail has a norm and a head") };
        let mut work = self.shared.idle_work();
        let Work { scratch, inverse, logits, losses, .. } = &mut work;
        norm::forward(Self::last(self.held()), scale, inverse, &mut scratch.h);
        let vocab = self.shared.model.config.model.vocab as usize;
        Head { h: &scratch.h[..], weight, vocab }.forward(targets, logits, losses);
        let made = losses.to_vec();
        self.shared.work.give(work);
        made
    }

    fn predict(&mut self, token: usize) -> Vec<f32> {
        let parts = self.shared.model.parts(&self.params);
        let [.., scale, weight] = parts[..] else { unreachable!("a tail has a norm and a head") };
        let d = self.shared.shape.width;
        let x = &Self::last(self.held())[token * d..][..d];
        let (mut inverse, mut h) = ([0.0], vec![T::default(); d]);
        norm::forward(x, scale, &mut inverse, &mut h);
        let mut logits = vec![0.0; weight.len() / d];
        let columns = logits.len();
        apply(&rows(T::PRECISION, &h, d), weight, Out::set(&mut logits, columns));
        logits
    }

    pub(super) fn descend_from_code(
        &mut self,
        dcode: Wire<'_>,
        gradient: &mut [f32],
    ) -> Result<Option<Bytes>, Error> {
        let shared = Arc::clone(&self.shared);
        let (d, k) = (shared.shape.width, shared.model.code_width());
        let params = Arc::clone(&self.params);
        let parts = shared.model.parts(&params);
        let mut grads = shared.model.parts_mut(gradient);
        let mut work = shared.idle_work();
        let last = parts.len() - 1;
        if shared.model.config.squeezes() {
            let dcode = dcode.values();
            let (x, scale) = (Self::last(self.held()), parts[last - 1]);
            let Work { scratch, dx, inverse, .. } = &mut work;
            norm::forward(x, scale, inverse, &mut scratch.h);
            of_weight(&rows_t(T::PRECISION, &scratch.h, d), &dcode, grads[last]);
            of_rows(&rows(T::PRECISION, &dcode, k), parts[last], Out::set(&mut scratch.dh, d));
            if shared.model.config.cut.residual {
                add_rows((&mut scratch.dh, d), (&dcode, k));
            }
            dx.fill(0.0);
            norm::backward(x, scale, inverse, &scratch.dh, dx, grads[last - 1]);
        } else {
            work.dx.copy_from_slice(&dcode.values());
        }
        let dsource = self.descend(&mut work, &mut grads);
        shared.work.give(work);
        dsource
    }

    pub(super) fn descend_from_loss(
        &mut self,
        targets: &[u32],
        gradient: &mut [f32],
    ) -> Result<Loss, Error> {
        let shared = Arc::clone(&self.shared);
        let params = Arc::clone(&self.params);
        let parts = shared.model.parts(&params);
        let [.., scale, weight] = parts[..] else { unreachable!("a tail has a norm and a head") };
        let mut grads = shared.model.parts_mut(gradient);
        let mut work = shared.idle_work();
        let Work { scratch, dx, inverse, logits, losses, .. } = &mut work;
        let x = Self::last(self.held());
        norm::forward(x, scale, inverse, &mut scratch.h);
        let (vocab, last) = (shared.model.config.model.vocab as usize, parts.len() - 1);
        let head = Head { h: &scratch.h[..], weight, vocab };
        head.backward(targets, logits, losses, &mut scratch.dh, grads[last]);
        dx.fill(0.0);
        norm::backward(x, scale, inverse, &scratch.dh, dx, grads[last - 1]);
        let made = mean(losses).and_then(|loss| Ok((loss, self.descend(&mut work, &mut grads)?)));
        shared.work.give(work);
        made
    }
}
