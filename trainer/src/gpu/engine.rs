//! A stage on a device.

use std::any::Any;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use half::bf16;

use super::block::{Kept, Scratch, Shape, Weights as OfBlock, multiply};
use super::device::{Array, Device, Out, View};
use super::muon;
use super::ops::{self, Places};
use crate::Error;
use crate::adam::{Rule, Segment, Update};
use crate::block::TENSORS;
use crate::engine::{Engine, Loss, Pass, Source, Weights, own};
use crate::model::Model;

/// Logits that are held at a time, unless one row has more: 1,024 rows of a vocabulary of 2^17.
const LOGITS: usize = 1 << 27;

/// A stage's parameters, its optimizer's state, and what its passes share.
pub(crate) struct Gpu<D: Device> {
    shared: Arc<Shared<D>>,
    params: Arc<Params<D>>,
    m: Array<D, f32>,
    v: Array<D, f32>,
    gradient: Array<D, f32>,
    fresh: Array<D, f32>,
    /// Present where matrices follow Muon.
    muon: Option<muon::Scratch<D>>,
    /// The parameters of now, once somebody asked.
    host: OnceLock<Vec<f32>>,
}

/// Parameters of one version: as they are, and in bf16.
struct Params<D: Device> {
    wide: Array<D, f32>,
    half: Array<D, bf16>,
}

struct Shared<D: Device> {
    device: Arc<D>,
    model: Model,
    shape: Shape<D>,
    recomputes: bool,
    passes: Mutex<Vec<Buffers<D>>>,
    work: Mutex<Vec<Work<D>>>,
}

/// What a forward pass fills.
struct Buffers<D: Device> {
    tokens: Vec<u32>,
    on_device: Array<D, u32>,
    /// The code, and the embedded tokens beside it, (N, K + R).
    known: Array<D, f32>,
    /// The residual stream before each block, and after the last, (N, D) each.
    x: Vec<Array<D, f32>>,
    /// Of each block, unless it is computed again.
    kept: Vec<Kept<D>>,
}

/// What one pass at a time computes in.
struct Work<D: Device> {
    kept: Vec<Kept<D>>,
    scratch: Scratch<D>,
    inverse: Array<D, f32>,
    /// A code or its gradient, as wide as what is known of the source, and in bf16.
    code: Array<D, f32>,
    code_half: Array<D, bf16>,
    logits: Array<D, f32>,
    slopes: Array<D, bf16>,
    losses: Array<D, f32>,
    targets: Array<D, u32>,
}

/// A pass that was made.
struct Made<D: Device> {
    shared: Arc<Shared<D>>,
    params: Arc<Params<D>>,
    /// Present until this is dropped.
    buffers: Option<Buffers<D>>,
}

/// Views of each tensor of flat values.
fn parts<'a, T: bytemuck::Pod>(model: &Model, values: View<'a, T>) -> Vec<View<'a, T>> {
    let mut first = 0;
    let part = |entry: &crate::model::Entry| {
        let len = entry.shape.iter().product();
        first += len;
        values.part(first - len, len)
    };
    model.entries.iter().map(part).collect()
}

impl<D: Device> Params<D> {
    fn of(device: &D, values: &[f32]) -> Result<Self, Error> {
        let wide = Array::of(device, values)?;
        let half = Array::new(device, values.len())?;
        ops::halve(device, wide.all(), half.all())?;
        Ok(Self { wide, half })
    }

    fn copy(&self, device: &D) -> Result<Self, Error> {
        let len = self.wide.all().len();
        let copy = Self { wide: Array::new(device, len)?, half: Array::new(device, len)? };
        self.wide.all().copy_to(device, copy.wide.all())?;
        self.half.all().copy_to(device, copy.half.all())?;
        Ok(copy)
    }
}

impl<D: Device> Gpu<D> {
    /// # Errors
    /// [`Error::Config`] for heads that there are no kernels for, [`Error::Device`] for a stage that does not
    /// fit the device.
    pub(crate) fn new(device: Arc<D>, model: Model, recomputes: bool) -> Result<Self, Error> {
        let shape = Shape::new(&*device, &model.config)?;
        let params = Arc::new(Params::of(&*device, &model.initial())?);
        let zeros = || Array::new(&*device, model.count());
        let (m, v, gradient, fresh) = (zeros()?, zeros()?, zeros()?, zeros()?);
        let muon = model.config.adam.muon.then(|| muon::Scratch::new(&*device, &model.segments()));
        let muon = muon.transpose()?;
        let (passes, work) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { device, model, shape, recomputes, passes, work });
        Ok(Self { shared, params, m, v, gradient, fresh, muon, host: OnceLock::new() })
    }

    fn device(&self) -> &D {
        &self.shared.device
    }

    /// What is read of the device, or as many NaN.
    fn read(&self, values: &Array<D, f32>) -> Vec<f32> {
        let len = values.all().len();
        values.all().get(self.device()).unwrap_or_else(|_| vec![f32::NAN; len])
    }
}

impl<D: Device> Engine for Gpu<D> {
    fn weights(&self) -> Weights {
        Arc::clone(&self.params) as Weights
    }

    fn upload(&self, params: &[f32]) -> Result<Weights, Error> {
        Ok(Arc::new(Params::of(self.device(), params)?))
    }

    fn params(&self) -> &[f32] {
        self.host.get_or_init(|| self.read(&self.params.wide))
    }

    fn moments(&self) -> [Vec<f32>; 2] {
        [self.read(&self.m), self.read(&self.v)]
    }

    fn load(&mut self, params: &[f32], moments: Option<[&[f32]; 2]>) -> Result<(), Error> {
        let device = Arc::clone(&self.shared.device);
        let params = Params::of(&*device, params)?;
        self.host = OnceLock::new();
        match moments {
            Some([m, v]) => {
                self.m.all().set(&*device, m)?;
                self.v.all().set(&*device, v)?;
            }
            None => {
                self.m.all().zero(&*device)?;
                self.v.all().zero(&*device)?;
            }
        }
        self.params = Arc::new(params);
        Ok(())
    }

    fn forward(&self, weights: &Weights, source: Source<'_>) -> Result<Box<dyn Pass>, Error> {
        let params = Arc::clone(weights).downcast().expect("a stage has one engine");
        Ok(Box::new(self.shared.run(params, source)?))
    }

    fn backward(&mut self, pass: Box<dyn Pass>, dcode: &[f32]) -> Result<Option<Vec<f32>>, Error> {
        let pass = own::<Made<D>>(pass);
        let grads = parts(&self.shared.model, self.fresh.all());
        self.shared.with_work(|work| {
            pass.start_from_code(work, dcode, &grads)?;
            pass.descend(work, &grads)
        })
    }

    fn loss_backward(&mut self, pass: Box<dyn Pass>, targets: &[u32]) -> Result<Loss, Error> {
        let pass = own::<Made<D>>(pass);
        let grads = parts(&self.shared.model, self.fresh.all());
        self.shared.with_work(|work| {
            pass.losses(work, targets, Some(&grads))?;
            let source = pass.descend(work, &grads)?;
            let losses = work.losses.all().get(&*self.shared.device)?;
            let sum = losses.iter().map(|loss| f64::from(*loss)).sum::<f64>();
            Ok(((sum / losses.len() as f64) as f32, source))
        })
    }

    fn fresh_norm(&self) -> Result<f64, Error> {
        ops::norm(self.device(), self.fresh.all())
    }

    fn keep(&mut self, begins: bool) -> Result<(), Error> {
        if begins {
            std::mem::swap(&mut self.gradient, &mut self.fresh);
            return Ok(());
        }
        ops::accumulate(self.device(), self.gradient.all(), self.fresh.all())
    }

    fn clear(&mut self) -> Result<(), Error> {
        self.gradient.all().zero(self.device())
    }

    fn norm(&self) -> Result<f64, Error> {
        ops::norm(self.device(), self.gradient.all())
    }

    fn step(&mut self, update: &Update) -> Result<(), Error> {
        let device = Arc::clone(&self.shared.device);
        if Arc::get_mut(&mut self.params).is_none() {
            // Somebody needs them as they are.
            self.params = Arc::new(self.params.copy(&*device)?);
        }
        self.host = OnceLock::new();
        let Params { wide, half } = &*self.params;
        let state = [wide, &self.m, &self.v, &self.gradient].map(Array::all);
        let mut first = 0;
        for Segment { len, rule } in self.shared.model.segments() {
            let [params, m, v, gradient] = state.map(|values| values.part(first, len));
            let halves = half.all().part(first, len);
            match rule {
                Rule::Adam(factor) => {
                    let own = [params, m, v, gradient];
                    ops::adam_step(&*device, &update.slower(factor), own, halves)?;
                }
                Rule::Muon { rows, columns } => {
                    let scratch = self.muon.as_ref().expect("made with the engine");
                    let own = ([params, m, gradient], halves);
                    scratch.step(&*device, (rows, columns), own, update)?;
                }
            }
            first += len;
        }
        Ok(())
    }

    #[cfg(test)]
    fn fresh(&self) -> Vec<f32> {
        self.read(&self.fresh)
    }
}

impl<D: Device> Shared<D> {
    fn layers(&self) -> usize {
        self.model.config.layers() as usize
    }

    fn known_width(&self) -> usize {
        self.model.code_width() + self.model.token_width()
    }

    fn buffers(&self) -> Result<Buffers<D>, Error> {
        let (device, rows) = (&*self.device, self.shape.rows);
        let is_open = self.model.config.is_head() || !self.model.config.squeezes();
        let kept = if self.recomputes { 0 } else { self.layers() };
        let stream = |_| Array::new(device, rows * self.shape.width);
        Ok(Buffers {
            tokens: Vec::new(),
            on_device: Array::new(device, rows * self.model.token_span())?,
            known: Array::new(device, if is_open { 0 } else { rows * self.known_width() })?,
            x: (0..=self.layers()).map(stream).collect::<Result<_, _>>()?,
            kept: (0..kept).map(|_| self.shape.kept(device)).collect::<Result<_, _>>()?,
        })
    }

    fn work(&self) -> Result<Work<D>, Error> {
        let (device, rows) = (&*self.device, self.shape.rows);
        let vocab = self.model.config.model.vocab as usize;
        let logits = (LOGITS / vocab).clamp(1, rows) * vocab;
        let logits = if self.model.config.is_tail() { logits } else { 0 };
        let kept = usize::from(self.recomputes);
        Ok(Work {
            kept: (0..kept).map(|_| self.shape.kept(device)).collect::<Result<_, _>>()?,
            scratch: self.shape.scratch(device)?,
            inverse: Array::new(device, rows)?,
            code: Array::new(device, rows * self.known_width())?,
            code_half: Array::new(device, rows * self.known_width())?,
            logits: Array::new(device, logits)?,
            slopes: Array::new(device, logits)?,
            losses: Array::new(device, rows)?,
            targets: Array::new(device, rows)?,
        })
    }

    fn with_work<R>(&self, body: impl FnOnce(&Work<D>) -> Result<R, Error>) -> Result<R, Error> {
        let idle = take(&self.work);
        let work = idle.map_or_else(|| self.work(), Ok)?;
        let made = body(&work);
        give(&self.work, work);
        made
    }

    fn run(self: &Arc<Self>, params: Arc<Params<D>>, source: Source<'_>) -> Result<Made<D>, Error> {
        let device = &*self.device;
        let mut buffers = take(&self.passes).map_or_else(|| self.buffers(), Ok)?;
        let wide = parts(&self.model, params.wide.all());
        let half = parts(&self.model, params.half.all());
        let (n, d, k) = (self.shape.rows, self.shape.width, self.model.code_width());
        let (x, on_device) = (buffers.x[0].all(), buffers.on_device.all());
        let (Source::Tokens(tokens) | Source::Code(_, tokens)) = source;
        if !tokens.is_empty() {
            buffers.tokens = self.model.table_rows(tokens);
            on_device.set(device, &buffers.tokens)?;
        }
        match source {
            Source::Tokens(_) => ops::embed(device, wide[0], on_device, x, (d, d), 1)?,
            Source::Code(code, _) if !self.model.config.squeezes() => x.set(device, code)?,
            Source::Code(code, _) => self.with_work(|work| {
                let (known, both) = (buffers.known.all(), self.known_width());
                let given = work.code.all().part(0, n * k);
                given.set(device, code)?;
                ops::copy_rows(device, (given, k), (known, both), k, false)?;
                if both > k {
                    let span = self.model.token_span();
                    ops::embed(device, wide[1], on_device, known, (both - k, both), span)?;
                }
                let known_half = work.code_half.all();
                ops::halve(device, known, known_half)?;
                let (left, right) = (known_half.rows(n, both), half[0].rows(both, d));
                multiply(device, left, right, Out::Wide(x))?;
                if self.model.config.cut.residual {
                    ops::copy_rows(device, (given, k), (x, d), k, true)?;
                }
                Ok(())
            })?,
        }
        self.with_work(|work| {
            for index in 0..self.layers() {
                let (x, out) = (buffers.x[index].all(), buffers.x[index + 1].all());
                let kept = if self.recomputes { &work.kept[0] } else { &buffers.kept[index] };
                let first = self.model.before_blocks() + index * TENSORS;
                let weights = OfBlock::at(&wide, &half, first);
                self.shape.forward(device, &weights, x, out, kept, &work.scratch)?;
            }
            Ok(())
        })?;
        drop((wide, half));
        Ok(Made { shared: Arc::clone(self), params, buffers: Some(buffers) })
    }
}

fn take<B>(pool: &Mutex<Vec<B>>) -> Option<B> {
    pool.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn give<B>(pool: &Mutex<Vec<B>>, buffer: B) {
    pool.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
}

impl<D: Device> Drop for Made<D> {
    fn drop(&mut self) {
        self.buffers.take().into_iter().for_each(|buffers| give(&self.shared.passes, buffers));
    }
}

impl<D: Device> Pass for Made<D> {
    fn code(&mut self) -> Result<Vec<f32>, Error> {
        let shared = &self.shared;
        let x = self.last();
        if !shared.model.config.squeezes() {
            return x.get(&*shared.device);
        }
        shared.with_work(|work| self.encode(work))
    }

    fn losses(&mut self, targets: &[u32]) -> Result<Vec<f32>, Error> {
        self.shared.with_work(|work| {
            Made::losses(self, work, targets, None)?;
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

    fn encode(&self, work: &Work<D>) -> Result<Vec<f32>, Error> {
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
        code.get(device)
    }

    /// The norm of the last block's output: that of a tail, or the one before a code.
    fn norm(&self, work: &Work<D>) -> Result<(), Error> {
        let wide = parts(&self.shared.model, self.params.wide.all());
        let (scale, h) = (wide[wide.len() - 2], work.scratch.h.all());
        ops::norm_forward(&*self.shared.device, self.last(), scale, work.inverse.all(), h)
    }

    /// Fills `work.losses`; given where gradients go, begins with those of the mean loss.
    fn losses(
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
    fn start_from_code(
        &self,
        work: &Work<D>,
        dcode: &[f32],
        grads: &[View<'_, f32>],
    ) -> Result<(), Error> {
        let (device, model) = (&*self.shared.device, &self.shared.model);
        let (n, d, k) = (self.shared.shape.rows, self.shared.shape.width, model.code_width());
        let dx = work.scratch.dx.all();
        if !model.config.squeezes() {
            return dx.set(device, dcode);
        }
        let (code, code_half) = (work.code.all().part(0, n * k), work.code_half.all());
        let code_half = code_half.part(0, n * k);
        code.set(device, dcode)?;
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
    fn descend(&self, work: &Work<D>, grads: &[View<'_, f32>]) -> Result<Option<Vec<f32>>, Error> {
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
            return Ok(Some(dx.get(device)?));
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
        let values = dknown.get(device)?;
        Ok(Some(values.chunks_exact(both).flat_map(|row| &row[..k]).copied().collect()))
    }
}
