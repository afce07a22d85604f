//! A stage on a device.

mod cost;
mod pass;

use std::sync::{Arc, OnceLock};

use half::bf16;

use super::block::{Kept, Scratch, Shape, Weights as OfBlock, multiply};
use super::device::{Array, Device, Out, View};
use super::muon;
use super::ops;
use crate::Error;
use crate::adam::{Rule, Segment, Update};
use crate::block::TENSORS;
use crate::code::{self, Wire, row_bytes};
use crate::engine::{Bytes, Engine, Loss, Pass, Source, Weights, mean, own};
use crate::model::Model;
use crate::pool::Pool;

pub(crate) use cost::Cost;
use pass::Made;

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
    passes: Pool<Buffers<D>>,
    work: Pool<Work<D>>,
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
    /// A code's bytes, without its header.
    wire: Array<D, u8>,
    logits: Array<D, f32>,
    slopes: Array<D, bf16>,
    losses: Array<D, f32>,
    targets: Array<D, u32>,
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
    fn new(device: &D, len: usize) -> Result<Self, Error> {
        Ok(Self { wide: Array::new(device, len)?, half: Array::new(device, len)? })
    }

    fn of(device: &D, values: &[f32]) -> Result<Self, Error> {
        let params = Self::new(device, values.len())?;
        params.set(device, values)?;
        Ok(params)
    }

    fn set(&self, device: &D, values: &[f32]) -> Result<(), Error> {
        self.wide.all().set(device, values)?;
        ops::halve(device, self.wide.all(), self.half.all())
    }

    fn copy(&self, device: &D) -> Result<Self, Error> {
        let copy = Self::new(device, self.wide.all().len())?;
        self.wide.all().copy_to(device, copy.wide.all())?;
        self.half.all().copy_to(device, copy.half.all())?;
        Ok(copy)
    }
}

impl<D: Device> Gpu<D> {
    /// As a run begins.
    ///
    /// # Errors
    /// [`Error::Config`] for heads that there are no kernels for, [`Error::Device`] for a stage that does not
    /// fit the device.
    pub(crate) fn new(device: Arc<D>, model: Model, recomputes: bool) -> Result<Self, Error> {
        let initial = model.initial();
        let gpu = Self::empty(device, model, recomputes)?;
        gpu.params.set(gpu.device(), &initial)?;
        Ok(gpu)
    }

    /// All zero.
    ///
    /// # Errors
    /// Likewise.
    fn empty(device: Arc<D>, model: Model, recomputes: bool) -> Result<Self, Error> {
        let shape = Shape::new(&*device, &model.config)?;
        let params = Arc::new(Params::new(&*device, model.count())?);
        let zeros = || Array::new(&*device, model.count());
        let (m, v, gradient, fresh) = (zeros()?, zeros()?, zeros()?, zeros()?);
        let muon = model.config.adam.muon.then(|| muon::Scratch::new(&*device, &model.segments()));
        let muon = muon.transpose()?;
        let (passes, work) = (Pool::default(), Pool::default());
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
        self.host = OnceLock::new();
        match Arc::get_mut(&mut self.params) {
            Some(own) => own.set(&*device, params)?,
            // Somebody needs the old ones as they are.
            None => self.params = Arc::new(Params::of(&*device, params)?),
        }
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
        Ok(())
    }

    fn forward(&self, weights: &Weights, source: Source<'_>) -> Result<Box<dyn Pass>, Error> {
        let params = Arc::clone(weights).downcast().expect("a stage has one engine");
        Ok(Box::new(self.shared.run(params, source)?))
    }

    fn backward(&mut self, pass: Box<dyn Pass>, dcode: Wire<'_>) -> Result<Option<Bytes>, Error> {
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
            pass.compute_losses(work, targets, Some(&grads))?;
            // Its failure is told after the loss's: that is read last, for reading it waits for the device.
            let source = pass.descend(work, &grads);
            let loss = mean(&work.losses.all().get(&*self.shared.device)?)?;
            Ok((loss, source?))
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

    /// Bytes of a code that kernels write and read; those of values as they are lie where these do.
    fn wire_len(&self) -> usize {
        let cut = &self.model.config.cut;
        let each = if cut.bits == 32 { 0 } else { row_bytes(cut.width, cut.bits) };
        self.shape.rows * each as usize
    }

    /// Writes the values of a code, (N, K).
    fn decode(&self, work: &Work<D>, code: Wire<'_>, to: View<'_, f32>) -> Result<(), Error> {
        if code.bits == 32 {
            return to.set(&*self.device, &code.values());
        }
        work.wire.all().set(&*self.device, code.body)?;
        ops::read_code(&*self.device, work.wire.all(), to, (code.rows, code.width), code.bits)
    }

    /// The code of the first K values of rows of `step`.
    fn encode(&self, work: &Work<D>, from: View<'_, f32>, step: usize) -> Result<Bytes, Error> {
        let (rows, width) = (self.shape.rows, self.model.code_width());
        let bits = self.model.config.cut.bits;
        if bits == 32 {
            let mut values = from.get(&*self.device)?;
            if step > width {
                values = values.chunks_exact(step).flat_map(|row| &row[..width]).copied().collect();
            }
            return code::encode(&values, width, bits);
        }
        ops::write_code(&*self.device, (from, step), work.wire.all(), (rows, width), bits)?;
        let mut bytes = code::empty(rows, width, bits);
        let body = &mut bytes[code::HEADER..];
        work.wire.all().read(&*self.device, body)?;
        if body[..rows].contains(&ops::NOT_A_CODE) {
            return Err(Error::Diverged("a code"));
        }
        Ok(bytes)
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

    fn new_work(&self) -> Result<Work<D>, Error> {
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
            wire: Array::new(device, self.wire_len())?,
            logits: Array::new(device, logits)?,
            slopes: Array::new(device, logits)?,
            losses: Array::new(device, rows)?,
            targets: Array::new(device, rows)?,
        })
    }

    fn with_work<R>(&self, body: impl FnOnce(&Work<D>) -> Result<R, Error>) -> Result<R, Error> {
        let work = self.work.take().map_or_else(|| self.new_work(), Ok)?;
        let made = body(&work);
        self.work.give(work);
        made
    }

    fn run(self: &Arc<Self>, params: Arc<Params<D>>, source: Source<'_>) -> Result<Made<D>, Error> {
        let device = &*self.device;
        let mut buffers = self.passes.take().map_or_else(|| self.buffers(), Ok)?;
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
            Source::Code(code, _) if !self.model.config.squeezes() => {
                self.with_work(|work| self.decode(work, code, x))?;
            }
            Source::Code(code, _) => self.with_work(|work| {
                let (known, both) = (buffers.known.all(), self.known_width());
                let given = work.code.all().part(0, n * k);
                self.decode(work, code, given)?;
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
