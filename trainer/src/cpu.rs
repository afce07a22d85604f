//! A stage on the CPU, with activations in f32 or bf16.
//!
//! Buffers of passes and of their backward halves are made once and used again: after as many passes as
//! are in flight at a time, nothing of their size is allocated any more.

mod pass;
#[cfg(test)]
pub(crate) mod plain;

use std::sync::Arc;

use crate::Error;
use crate::adam::{Moments, Segment, Update, accumulate, norm as length};
use crate::block::{Kept, Scratch, Shape, TENSORS};
use crate::buffer::Buffer;
use crate::code::{self, Wire};
use crate::engine::{Bytes, Engine, Loss, Pass, Source, Weights, own};
use crate::model::Model;
use crate::ops::linear::{apply, rows};
use crate::ops::loss::logits;
use crate::ops::product::Out;
use crate::ops::value::Value;
use crate::pool::Pool;

use pass::{Made, add_rows, split};

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
    passes: Pool<Buffers<T>>,
    work: Pool<Work<T>>,
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

impl<T: Value> Cpu<T> {
    pub(crate) fn new(model: Model, recomputes: bool) -> Self {
        let shape = Shape::new(&model.config.model);
        let params = Arc::new(Buffer::of(&model.initial()));
        let len = params.len();
        let segments = model.segments();
        let (passes, work) = (Pool::default(), Pool::default());
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

    fn backward(&mut self, pass: Box<dyn Pass>, dcode: Wire<'_>) -> Result<Option<Bytes>, Error> {
        let mut pass = own::<Made<T>>(pass);
        in_pool(|| pass.descend_from_code(dcode, &mut self.fresh))
    }

    fn loss_backward(&mut self, pass: Box<dyn Pass>, targets: &[u32]) -> Result<Loss, Error> {
        let mut pass = own::<Made<T>>(pass);
        in_pool(|| pass.descend_from_loss(targets, &mut self.fresh))
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
        let mut buffers = self.passes.take().unwrap_or_else(|| self.buffers());
        let mut work = self.idle_work();
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
            Source::Code(code, _) if !self.model.config.squeezes() => {
                x.copy_from_slice(&code.values());
            }
            Source::Code(code, tokens) => {
                let code = code.values();
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
                    add_rows((x, d), (&code, k));
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
        self.work.give(work);
        Made { shared: Arc::clone(self), params, buffers: Some(buffers) }
    }
}

impl<T: Value> Shared<T> {
    /// The code of values, (N, K).
    fn encode(&self, values: &[f32]) -> Result<Bytes, Error> {
        code::encode(values, self.model.code_width(), self.model.config.cut.bits)
    }

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

    fn new_work(&self) -> Work<T> {
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

    fn idle_work(&self) -> Work<T> {
        self.work.take().unwrap_or_else(|| self.new_work())
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
        let (buffers, work) = (cpu.shared.buffers(), cpu.shared.new_work());
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
            let plan = StagePlan::of(&config, recomputes);
            let cpu = Cpu::<f32>::new(Model::new(&config), recomputes);
            prop_assert_eq!(made(&cpu), (plan.flight_bytes, plan.work_bytes));
            let mut half = config;
            half.model.precision = crate::Precision::Bf16;
            let plan = StagePlan::of(&half, recomputes);
            let cpu = Cpu::<half::bf16>::new(Model::new(&half), recomputes);
            prop_assert_eq!(made(&cpu), (plan.flight_bytes, plan.work_bytes));
        }

        /// After the first steps no buffer is made: those of passes are used again, also of those that fail.
        #[test]
        fn buffers_are_used_again(config in stage()) {
            let mut cpu = Cpu::<f32>::new(Model::new(&config), false);
            let tokens = vec![0; cpu.shared.rows()];
            let code = vec![f32::MAX; cpu.shared.rows() * cpu.shared.model.code_width()];
            let code = cpu.shared.encode(&code).unwrap();
            let code = Wire::of(&code).unwrap();
            let beside = if config.cut.token_width > 0 { &tokens[..] } else { &[] };
            for _ in 0..3 {
                let source = if config.is_head() {
                    Source::Tokens(&tokens)
                } else {
                    Source::Code(code, beside)
                };
                let weights = cpu.weights();
                let two = [cpu.forward(&weights, source), cpu.forward(&weights, source)];
                let [one, _] = two.map(Result::unwrap);
                // Which of them fails is up to the stage.
                if config.is_tail() {
                    let _ = cpu.loss_backward(one, &tokens);
                } else {
                    let _ = cpu.backward(one, code);
                }
                prop_assert_eq!(cpu.shared.passes.len(), 2);
                prop_assert_eq!(cpu.shared.work.len(), 1);
            }
        }
    }
}
