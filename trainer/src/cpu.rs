//! A stage on the CPU, with activations in f32 or bf16.
//!
//! Buffers of passes and of their backward halves are made once and used again: after as many passes as
//! are in flight at a time, nothing of their size is allocated any more.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Error;
use crate::adam::{Moments, Segment, Update, accumulate, norm as length};
use crate::block::{Kept, Scratch, Shape, TENSORS};
use crate::buffer::Buffer;
use crate::engine::{Engine, Loss, Pass, Source, Weights, own};
use crate::model::Model;
use crate::ops::linear::{apply, of_rows, of_weight, rows, rows_t};
use crate::ops::loss::{Head, logits};
use crate::ops::norm;
use crate::ops::product::Out;
use crate::ops::value::Value;

#[cfg(test)]
pub(crate) mod plain;

/// A stage's parameters, its optimizer's state, and what its passes share.
pub(crate) struct Cpu<T: Value> {
    shared: Arc<Shared<T>>,
    params: Arc<Buffer<f32>>,
    moments: Moments,
    segments: Vec<Segment>,
    /// Of the microbatches kept.
    gradient: Buffer<f32>,
    /// Of the latest one.
    fresh: Buffer<f32>,
}

struct Shared<T: Value> {
    model: Model,
    shape: Shape,
    /// Whether passes keep the inputs of blocks alone, and compute the rest again.
    recomputes: bool,
    passes: Mutex<Vec<Buffers<T>>>,
    work: Mutex<Vec<Work<T>>>,
}

/// What a forward pass fills.
struct Buffers<T: Value> {
    tokens: Vec<u32>,
    /// The code, and the embedded tokens beside it, (N, K + R).
    known: Buffer<f32>,
    /// The residual stream before each block, and after the last, (N, D) each.
    x: Vec<Buffer<f32>>,
    /// Of each block, unless it is computed again.
    kept: Vec<Kept<T>>,
}

/// What one pass at a time computes with.
struct Work<T: Value> {
    /// Of the block that is computed again, where that is done; else none.
    kept: Vec<Kept<T>>,
    scratch: Scratch<T>,
    dx: Buffer<f32>,
    inverse: Buffer<f32>,
    logits: Buffer<f32>,
    losses: Buffer<f32>,
}

/// A pass that was made.
struct Made<T: Value> {
    shared: Arc<Shared<T>>,
    params: Arc<Buffer<f32>>,
    /// Present until this is dropped.
    buffers: Option<Buffers<T>>,
}

impl<T: Value> Cpu<T> {
    pub(crate) fn new(model: Model, recomputes: bool) -> Self {
        let shape = Shape::new(&model.config.model);
        let params = Arc::new(Buffer::of(&model.initial()));
        let len = params.len();
        let segments = model.segments();
        let (passes, work) = (Mutex::default(), Mutex::default());
        Self {
            shared: Arc::new(Shared { model, shape, recomputes, passes, work }),
            params,
            moments: Moments::new(len),
            segments,
            gradient: Buffer::new(len),
            fresh: Buffer::new(len),
        }
    }
}

impl<T: Value> Engine for Cpu<T> {
    fn weights(&self) -> Weights {
        Arc::clone(&self.params) as Weights
    }

    fn upload(&self, params: &[f32]) -> Result<Weights, Error> {
        Ok(Arc::new(Buffer::of(params)))
    }

    fn params(&self) -> &[f32] {
        &self.params
    }

    fn moments(&self) -> [Vec<f32>; 2] {
        [self.moments.m.to_vec(), self.moments.v.to_vec()]
    }

    fn load(&mut self, params: &[f32], moments: Option<[&[f32]; 2]>) -> Result<(), Error> {
        self.params = Arc::new(Buffer::of(params));
        self.moments = match moments {
            Some([m, v]) => Moments { m: Buffer::of(m), v: Buffer::of(v) },
            None => Moments::new(params.len()),
        };
        Ok(())
    }

    fn forward(&self, weights: &Weights, source: Source<'_>) -> Result<Box<dyn Pass>, Error> {
        let params = Arc::clone(weights).downcast().expect("a stage has one engine");
        Ok(Box::new(in_pool(|| self.shared.run(params, source))))
    }

    fn backward(&mut self, pass: Box<dyn Pass>, dcode: &[f32]) -> Result<Option<Vec<f32>>, Error> {
        let mut pass = own::<Made<T>>(pass);
        Ok(in_pool(|| pass.descend_from_code(dcode, &mut self.fresh)))
    }

    fn loss_backward(&mut self, pass: Box<dyn Pass>, targets: &[u32]) -> Result<Loss, Error> {
        let mut pass = own::<Made<T>>(pass);
        Ok(in_pool(|| pass.descend_from_loss(targets, &mut self.fresh)))
    }

    fn fresh_norm(&self) -> Result<f64, Error> {
        Ok(length(&self.fresh))
    }

    fn keep(&mut self, begins: bool) -> Result<(), Error> {
        if begins {
            std::mem::swap(&mut self.gradient, &mut self.fresh);
        } else {
            accumulate(&mut self.gradient, &self.fresh);
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Error> {
        self.gradient.fill(0.0);
        Ok(())
    }

    fn norm(&self) -> Result<f64, Error> {
        Ok(length(&self.gradient))
    }

    fn step(&mut self, update: &Update) -> Result<(), Error> {
        // Copied only while somebody needs them as they are.
        let params = Arc::make_mut(&mut self.params);
        update.apply(params, &mut self.moments, &self.gradient, &self.segments);
        Ok(())
    }

    #[cfg(test)]
    fn fresh(&self) -> Vec<f32> {
        self.fresh.to_vec()
    }
}

/// Runs in a thread of the pool, which shares out work without waking up first.
fn in_pool<R: Send>(body: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| body())
}

impl<T: Value> Shared<T> {
    fn run(self: &Arc<Self>, params: Arc<Buffer<f32>>, source: Source<'_>) -> Made<T> {
        let mut buffers = self.idle(&self.passes, Self::buffers);
        let mut work = self.idle(&self.work, Self::work);
        let parts = self.model.parts(&params);
        let (d, k) = (self.shape.width, self.model.code_width());
        let x = &mut buffers.x[0];
        match source {
            Source::Tokens(tokens) => {
                buffers.tokens.clear();
                buffers.tokens.extend(tokens);
                for (x, token) in x.chunks_exact_mut(d).zip(tokens) {
                    x.copy_from_slice(&parts[0][*token as usize * d..][..d]);
                }
            }
            Source::Code(code, _) if !self.model.config.squeezes() => x.copy_from_slice(code),
            Source::Code(code, tokens) => {
                buffers.tokens = self.model.table_rows(tokens);
                let (r, known) = (self.model.token_width(), &mut buffers.known);
                for (known, code) in known.chunks_exact_mut(k + r).zip(code.chunks_exact(k)) {
                    known[..k].copy_from_slice(code);
                }
                let each = r / self.model.token_span();
                let places = known.chunks_exact_mut(k + r).flat_map(|row| split(row, k, each));
                for (place, row) in places.zip(&buffers.tokens) {
                    place.copy_from_slice(&parts[1][*row as usize * each..][..each]);
                }
                apply(&rows(T::PRECISION, known, k + r), parts[0], Out::set(x, d));
                if self.model.config.cut.residual {
                    add_rows((x, d), (code, k));
                }
            }
        }
        for index in 0..self.layers() {
            let (x, out) = buffers.x.split_at_mut(index + 1);
            let kept = if self.recomputes { &mut work.kept[0] } else { &mut buffers.kept[index] };
            let scratch = &mut work.scratch;
            let weights = &parts[self.model.before_blocks() + index * TENSORS..][..TENSORS];
            self.shape.forward(weights, &x[index], &mut out[0], kept, scratch);
        }
        give(&self.work, work);
        Made { shared: Arc::clone(self), params, buffers: Some(buffers) }
    }
}

impl<T: Value> Shared<T> {
    fn layers(&self) -> usize {
        self.model.config.layers() as usize
    }

    /// Tokens of a microbatch.
    fn rows(&self) -> usize {
        (self.model.config.batch * self.model.config.model.context) as usize
    }

    fn buffers(&self) -> Buffers<T> {
        let (rows, layers) = (self.rows(), self.layers());
        let kept = if self.recomputes { 0 } else { layers };
        let known = rows * (self.model.code_width() + self.model.token_width());
        let is_open = self.model.config.is_head() || !self.model.config.squeezes();
        Buffers {
            tokens: Vec::new(),
            known: Buffer::new(if is_open { 0 } else { known }),
            x: (0..=layers).map(|_| Buffer::new(rows * self.shape.width)).collect(),
            kept: (0..kept).map(|_| self.shape.kept(rows)).collect(),
        }
    }

    fn work(&self) -> Work<T> {
        let (rows, vocab) = (self.rows(), self.model.config.model.vocab as usize);
        Work {
            kept: (0..usize::from(self.recomputes)).map(|_| self.shape.kept(rows)).collect(),
            scratch: self.shape.scratch(rows),
            dx: Buffer::new(rows * self.shape.width),
            inverse: Buffer::new(rows),
            logits: Buffer::new(if self.model.config.is_tail() { logits(rows, vocab) } else { 0 }),
            losses: Buffer::new(rows),
        }
    }

    /// A buffer nobody uses, or a new one.
    fn idle<B>(&self, pool: &Mutex<Vec<B>>, new: impl Fn(&Self) -> B) -> B {
        let idle = pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| new(self))
    }
}

/// Adds to rows of a width those of another, as far as both reach.
fn add_rows<T: Value>((sums, width): (&mut [f32], usize), (more, other): (&[T], usize)) {
    for (sums, more) in sums.chunks_exact_mut(width).zip(more.chunks_exact(other)) {
        sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more.wide());
    }
}

/// What lies behind a row's code, in parts of a length.
fn split(row: &mut [f32], k: usize, each: usize) -> std::slice::ChunksExactMut<'_, f32> {
    row[k..].chunks_exact_mut(each.max(1))
}

fn give<B>(pool: &Mutex<Vec<B>>, buffer: B) {
    pool.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
}

impl<T: Value> Drop for Made<T> {
    fn drop(&mut self) {
        self.buffers.take().into_iter().for_each(|buffers| give(&self.shared.passes, buffers));
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
    fn descend(&mut self, work: &mut Work<T>, grads: &mut [&mut [f32]]) -> Option<Vec<f32>> {
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
            return None;
        }
        if !model.config.squeezes() {
            return Some(dx.to_vec());
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
        Some(dcode)
    }
}

impl<T: Value> Pass for Made<T> {
    fn code(&mut self) -> Result<Vec<f32>, Error> {
        Ok(in_pool(|| self.make_code()))
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
    fn make_code(&mut self) -> Vec<f32> {
        let model = &self.shared.model;
        let (d, k) = (self.shared.shape.width, model.code_width());
        let parts = model.parts(&self.params);
        let x = Self::last(self.held());
        let [.., scale, weight] = parts[..] else { return x.to_vec() };
        if !model.config.squeezes() {
            return x.to_vec();
        }
        let mut work = self.shared.idle(&self.shared.work, Shared::work);
        let Work { scratch, inverse, .. } = &mut work;
        norm::forward(x, scale, inverse, &mut scratch.h);
        let mut code = vec![0.0; x.len() / d * k];
        apply(&rows(T::PRECISION, &scratch.h, d), weight, Out::set(&mut code, k));
        if model.config.cut.residual {
            add_rows((&mut code, k), (&scratch.h, d));
        }
        give(&self.shared.work, work);
        code
    }

    fn measure(&mut self, targets: &[u32]) -> Vec<f32> {
        let parts = self.shared.model.parts(&self.params);
        let [.., scale, weight] = parts[..] else { unreachable!("a tail has a norm and a head") };
        let mut work = self.shared.idle(&self.shared.work, Shared::work);
        let Work { scratch, inverse, logits, losses, .. } = &mut work;
        norm::forward(Self::last(self.held()), scale, inverse, &mut scratch.h);
        let vocab = self.shared.model.config.model.vocab as usize;
        Head { h: &scratch.h[..], weight, vocab }.forward(targets, logits, losses);
        let made = losses.to_vec();
        give(&self.shared.work, work);
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

    fn descend_from_code(&mut self, dcode: &[f32], gradient: &mut [f32]) -> Option<Vec<f32>> {
        let shared = Arc::clone(&self.shared);
        let (d, k) = (shared.shape.width, shared.model.code_width());
        let params = Arc::clone(&self.params);
        let parts = shared.model.parts(&params);
        let mut grads = shared.model.parts_mut(gradient);
        let mut work = shared.idle(&shared.work, Shared::work);
        let last = parts.len() - 1;
        if shared.model.config.squeezes() {
            let (x, scale) = (Self::last(self.held()), parts[last - 1]);
            let Work { scratch, dx, inverse, .. } = &mut work;
            norm::forward(x, scale, inverse, &mut scratch.h);
            of_weight(&rows_t(T::PRECISION, &scratch.h, d), dcode, grads[last]);
            of_rows(&rows(T::PRECISION, dcode, k), parts[last], Out::set(&mut scratch.dh, d));
            if shared.model.config.cut.residual {
                add_rows((&mut scratch.dh, d), (dcode, k));
            }
            dx.fill(0.0);
            norm::backward(x, scale, inverse, &scratch.dh, dx, grads[last - 1]);
        } else {
            work.dx.copy_from_slice(dcode);
        }
        let dsource = self.descend(&mut work, &mut grads);
        give(&shared.work, work);
        dsource
    }

    fn descend_from_loss(&mut self, targets: &[u32], gradient: &mut [f32]) -> Loss {
        let shared = Arc::clone(&self.shared);
        let params = Arc::clone(&self.params);
        let parts = shared.model.parts(&params);
        let [.., scale, weight] = parts[..] else { unreachable!("a tail has a norm and a head") };
        let mut grads = shared.model.parts_mut(gradient);
        let mut work = shared.idle(&shared.work, Shared::work);
        let Work { scratch, dx, inverse, logits, losses, .. } = &mut work;
        let x = Self::last(self.held());
        norm::forward(x, scale, inverse, &mut scratch.h);
        let (vocab, last) = (shared.model.config.model.vocab as usize, parts.len() - 1);
        let head = Head { h: &scratch.h[..], weight, vocab };
        head.backward(targets, logits, losses, &mut scratch.dh, grads[last]);
        dx.fill(0.0);
        norm::backward(x, scale, inverse, &scratch.dh, dx, grads[last - 1]);
        let loss = losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / losses.len() as f64;
        let dsource = self.descend(&mut work, &mut grads);
        give(&shared.work, work);
        (loss as f32, dsource)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::plain::tests::stage;
    use super::*;
    use crate::StagePlan;

    /// Bytes of buffers as they are made.
    fn made<T: Value>(cpu: &Cpu<T>) -> (u64, u64) {
        let (buffers, work) = (cpu.shared.buffers(), cpu.shared.work());
        let x = buffers.x.iter().chain([&buffers.known]).map(|x| size_of_val(&**x)).sum::<usize>();
        let kept: usize = buffers.kept.iter().map(Kept::bytes).sum();
        let Work { kept: again, scratch, dx, inverse, logits, losses } = work;
        let vectors = [&dx, &inverse, &logits, &losses].map(|vector| size_of_val(&**vector));
        let again: usize = again.iter().map(Kept::bytes).sum();
        let work = scratch.bytes() + again + vectors.iter().sum::<usize>();
        ((x + kept) as u64, work as u64)
    }

    proptest! {
        #[test]
        fn a_plan_tells_the_bytes_that_passes_take(config in stage(), recomputes: bool) {
            let plan = StagePlan::of(&config);
            let cpu = Cpu::<f32>::new(Model::new(&config), recomputes);
            prop_assert_eq!(made(&cpu), (plan.flight(recomputes), plan.work(recomputes)));
            let mut half = config;
            half.model.precision = crate::Precision::Bf16;
            let plan = StagePlan::of(&half);
            let cpu = Cpu::<half::bf16>::new(Model::new(&half), recomputes);
            prop_assert_eq!(made(&cpu), (plan.flight(recomputes), plan.work(recomputes)));
        }

        /// After the first steps no buffer is made: those of passes are used again.
        #[test]
        fn buffers_are_used_again(config in stage()) {
            let cpu = Cpu::<f32>::new(Model::new(&config), false);
            let tokens = vec![0; cpu.shared.rows()];
            let code = vec![0.5; cpu.shared.rows() * cpu.shared.model.code_width()];
            let beside = if config.cut.token_width > 0 { &tokens[..] } else { &[] };
            for _ in 0..3 {
                let source = if config.is_head() {
                    Source::Tokens(&tokens)
                } else {
                    Source::Code(&code, beside)
                };
                let weights = cpu.weights();
                let two = [cpu.forward(&weights, source), cpu.forward(&weights, source)];
                drop(two);
                prop_assert_eq!(cpu.shared.passes.lock().unwrap().len(), 2);
                prop_assert_eq!(cpu.shared.work.lock().unwrap().len(), 1);
            }
        }
    }
}
