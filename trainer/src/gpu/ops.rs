//! The kernels, each with what it is given.

use half::bf16;

use super::device::{Arg, Array, Device, Grid, HeadShape, View};
use crate::Error;
use crate::adam::Update;
use crate::code;
use crate::config::ModelConfig;

/// Rows whose gradients of a norm's scale one block sums.
pub(crate) const NORM_ROWS: usize = 32;
/// Values whose squares one block sums.
const STRETCH: usize = 1 << 16;
/// Queries or keys of a block of attention, threads of it, and rows of a tile's padding.
const TILE: usize = 64;
const TILE_THREADS: u32 = 128;
const TILE_PADDING: usize = 8;
/// Heads of all sequences: CUDA has no more blocks in the second direction of a grid.
const MOST_HEADS: u64 = 65_535;
/// Widths of a head that there are kernels for.
const WIDTHS: [usize; 3] = [32, 64, 128];

type Done = Result<(), Error>;

/// Norm of the rows of `x`, (N, D).
pub(crate) fn norm_forward(
    device: &impl Device,
    x: View<'_, f32>,
    scale: View<'_, f32>,
    inverse: View<'_, f32>,
    out: View<'_, bf16>,
) -> Done {
    let (rows, width) = (x.len() / scale.len(), Arg::Int(scale.len() as i32));
    let args = [x.arg(), scale.arg(), inverse.arg(), out.arg(), width];
    device.launch("norm_forward", Grid::rows(rows), &args)
}

/// Adds the gradient of `x` to `dx`, and writes that of the scale; `parts` is for (N / 32, D) sums.
pub(crate) fn norm_backward(
    device: &impl Device,
    (x, scale, inverse): (View<'_, f32>, View<'_, f32>, View<'_, f32>),
    dy: View<'_, f32>,
    dx: View<'_, f32>,
    parts: View<'_, f32>,
    dscale: View<'_, f32>,
) -> Done {
    let (width, rows) = (scale.len(), x.len() / scale.len());
    let blocks = rows.div_ceil(NORM_ROWS);
    let sizes = [rows, width, NORM_ROWS].map(|size| Arg::Int(size as i32));
    let [rows, columns, each] = sizes;
    let views = [x, scale, inverse, dy, dx, parts].map(View::arg);
    let args: Vec<Arg> = views.into_iter().chain([rows, columns, each]).collect();
    device.launch("norm_backward", Grid::rows(blocks), &args)?;
    let args = [parts.arg(), dscale.arg(), Arg::Int(blocks as i32), columns];
    device.launch("column_sums", Grid::values(width), &args)
}

/// Cosines and sines of rotary positions.
pub(crate) struct Angles<D: Device> {
    cosines: Array<D, f32>,
    sines: Array<D, f32>,
    tokens: usize,
    half: usize,
}

impl<D: Device> Angles<D> {
    pub(crate) fn new(device: &D, angles: &crate::ops::rope::Angles) -> Result<Self, Error> {
        let (cosines, sines, tokens, half) = angles.table();
        let (cosines, sines) = (Array::of(device, cosines)?, Array::of(device, sines)?);
        Ok(Self { cosines, sines, tokens, half })
    }

    /// Rotates rows of heads, (N, width), or rotates them back.
    pub(crate) fn turn(
        &self,
        device: &D,
        rows: View<'_, bf16>,
        width: usize,
        is_back: bool,
    ) -> Done {
        let pairs = rows.len() / 2;
        let sizes = [self.tokens, width / self.half / 2, self.half];
        let [tokens, heads, half] = sizes.map(|size| Arg::Int(size as i32));
        let sign = Arg::Float(if is_back { -1.0 } else { 1.0 });
        let (cosines, sines) = (self.cosines.all().arg(), self.sines.all().arg());
        let args = [rows.arg(), cosines, sines, Arg::Long(pairs as u64), tokens, heads, half, sign];
        device.launch("rope", Grid::values(pairs), &args)
    }
}

pub(crate) fn swiglu_forward(
    device: &impl Device,
    gate: View<'_, bf16>,
    up: View<'_, bf16>,
    out: View<'_, bf16>,
) -> Done {
    let args = [gate.arg(), up.arg(), out.arg(), Arg::Long(gate.len() as u64)];
    device.launch("swiglu_forward", Grid::values(gate.len()), &args)
}

/// Replaces gate and up by their gradients.
pub(crate) fn swiglu_backward(
    device: &impl Device,
    gate: View<'_, bf16>,
    up: View<'_, bf16>,
    dy: View<'_, bf16>,
) -> Done {
    let args = [gate.arg(), up.arg(), dy.arg(), Arg::Long(gate.len() as u64)];
    device.launch("swiglu_backward", Grid::values(gate.len()), &args)
}

/// Queries, keys and values.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) q: View<'a, bf16>,
    pub(crate) k: View<'a, bf16>,
    pub(crate) v: View<'a, bf16>,
}

/// Causal attention over microbatches of one shape.
#[derive(Clone, Copy)]
pub(crate) struct Attention {
    shape: HeadShape,
    batch: usize,
    /// The kernels', which a head's width is filled up to.
    width: usize,
    names: [&'static str; 3],
}

impl Attention {
    /// # Errors
    /// [`Error::Config`] for heads that there is no kernel for.
    pub(crate) fn new(model: &ModelConfig, batch: usize) -> Result<Self, Error> {
        let each = model.d_model / model.heads;
        let width = WIDTHS.into_iter().find(|width| each as usize <= *width);
        let names = match width {
            Some(32) => ["attention_forward_32", "attention_queries_32", "attention_keys_32"],
            Some(64) => ["attention_forward_64", "attention_queries_64", "attention_keys_64"],
            _ => ["attention_forward_128", "attention_queries_128", "attention_keys_128"],
        };
        let (Some(width), true) = (width, each.is_multiple_of(8)) else {
            let text =
                format!("a head is {each} wide; on a GPU it is a multiple of 8, at most 128");
            return Err(Error::Config(text));
        };
        if u64::from(model.heads) * batch as u64 > MOST_HEADS {
            let text =
                format!("{} heads x {batch} sequences; a GPU takes {MOST_HEADS}", model.heads);
            return Err(Error::Config(text));
        }
        let [tokens, heads, groups, each] =
            [model.context, model.heads, model.kv_heads, each].map(|size| size as i32);
        let scale = 1.0 / (each as f32).sqrt();
        let shape = HeadShape { tokens, heads, groups, each, scale };
        Ok(Self { shape, batch, width, names })
    }

    /// Width of a head.
    pub(crate) fn each(&self) -> usize {
        self.shape.each as usize
    }

    fn grid(&self, heads: i32, tiles: usize) -> Grid {
        let blocks = (self.shape.tokens as usize).div_ceil(TILE);
        let bytes = tiles * TILE * (self.width + TILE_PADDING) * size_of::<bf16>();
        Grid {
            blocks: [blocks as u32, heads as u32 * self.batch as u32],
            threads: TILE_THREADS,
            shared: bytes as u32,
        }
    }

    /// Writes the mixed values, as queries lie, and log2 of each query's sum, (B, H, T).
    pub(crate) fn forward(
        &self,
        device: &impl Device,
        x: Inputs<'_>,
        out: View<'_, bf16>,
        sums: View<'_, f32>,
    ) -> Done {
        let args = [x.q.arg(), x.k.arg(), x.v.arg(), out.arg(), sums.arg(), Arg::Heads(self.shape)];
        device.launch(self.names[0], self.grid(self.shape.heads, 3), &args)
    }

    /// Writes the gradients of the inputs; `along` is for a value of each query and head.
    pub(crate) fn backward(
        &self,
        device: &impl Device,
        x: Inputs<'_>,
        (out, sums): (View<'_, bf16>, View<'_, f32>),
        dout: View<'_, bf16>,
        along: View<'_, f32>,
        d: Inputs<'_>,
    ) -> Done {
        let shape = Arg::Heads(self.shape);
        let count = self.batch * (self.shape.heads * self.shape.tokens) as usize;
        let args = [out.arg(), dout.arg(), along.arg(), shape, Arg::Int(count as i32)];
        device.launch("attention_along", Grid::rows(count.div_ceil(8)), &args)?;
        let given = [x.q.arg(), x.k.arg(), x.v.arg(), dout.arg(), sums.arg(), along.arg()];
        let args = [&given[..], &[d.q.arg(), shape]].concat();
        device.launch(self.names[1], self.grid(self.shape.heads, 2), &args)?;
        let args = [&given[..], &[d.k.arg(), d.v.arg(), shape]].concat();
        device.launch(self.names[2], self.grid(self.shape.groups, 2), &args)
    }
}

/// Losses of rows of logits, and the gradients of `share` times them.
pub(crate) fn cross_entropy(
    device: &impl Device,
    (logits, targets): (View<'_, f32>, View<'_, u32>),
    losses: View<'_, f32>,
    slopes: Option<View<'_, bf16>>,
    share: f32,
) -> Done {
    let vocab = logits.len() / targets.len();
    let slopes = slopes.map_or(Arg::Address(0), View::arg);
    let (vocab, share) = (Arg::Int(vocab as i32), Arg::Float(share));
    let args = [logits.arg(), targets.arg(), losses.arg(), slopes, vocab, share];
    device.launch("cross_entropy", Grid::rows(targets.len()), &args)
}

/// Rows of a table, `span` for each token, to the last `width` of rows of `step` values.
pub(crate) fn embed(
    device: &impl Device,
    table: View<'_, f32>,
    rows: View<'_, u32>,
    out: View<'_, f32>,
    (width, step): (usize, usize),
    span: usize,
) -> Done {
    let out = out.part(step - width, out.len() - (step - width));
    let [width, step, span] = [width / span, step, span].map(|size| Arg::Int(size as i32));
    let args = [table.arg(), rows.arg(), out.arg(), width, step, span];
    device.launch("embed", Grid::rows(rows.len()), &args)
}

/// Which rows each token has, on the device.
pub(crate) struct Places<D: Device> {
    found: Array<D, u32>,
    starts: Array<D, u32>,
    order: Array<D, u32>,
}

impl<D: Device> Places<D> {
    pub(crate) fn of(device: &D, tokens: &[u32]) -> Result<Self, Error> {
        let mut order: Vec<u32> = (0..tokens.len() as u32).collect();
        // Stable: rows of a token are summed in their order.
        order.sort_by_key(|row| tokens[*row as usize]);
        let (mut found, mut starts) = (Vec::new(), Vec::new());
        for (at, row) in order.iter().enumerate() {
            let token = tokens[*row as usize];
            if found.last() != Some(&token) {
                found.push(token);
                starts.push(at as u32);
            }
        }
        starts.push(order.len() as u32);
        let (found, starts) = (Array::of(device, &found)?, Array::of(device, &starts)?);
        Ok(Self { found, starts, order: Array::of(device, &order)? })
    }

    /// Writes a table's gradient from the ends of rows of `step` values, as [`embed`] reads it.
    pub(crate) fn sum(
        &self,
        device: &D,
        dx: View<'_, f32>,
        dtable: View<'_, f32>,
        (width, step): (usize, usize),
        span: usize,
    ) -> Done {
        dtable.zero(device)?;
        let dx = dx.part(step - width, dx.len() - (step - width));
        let found = self.found.all();
        let [width, step, span] = [width / span, step, span].map(|size| Arg::Int(size as i32));
        let (starts, order) = (self.starts.all().arg(), self.order.all().arg());
        let args = [dx.arg(), found.arg(), starts, order, dtable.arg(), width, step, span];
        device.launch("embed_backward", Grid::rows(found.len()), &args)
    }
}

/// An exponent that no row has: of one with a value that is not finite, or too large.
pub(crate) const NOT_A_CODE: u8 = i8::MAX as u8;

/// A warp for each row.
fn warps(rows: usize) -> Grid {
    Grid { threads: 32, ..Grid::rows(rows) }
}

/// Writes the code of the first K values of rows of `step`, in 8 bits each or fewer: the bytes that
/// [`crate::code::encode`] makes of them, without a header.
pub(crate) fn write_code(
    device: &impl Device,
    (values, step): (View<'_, f32>, usize),
    code: View<'_, u8>,
    (rows, width): (usize, usize),
    bits: u32,
) -> Done {
    let [row, width] = [step, width].map(|size| Arg::Int(size as i32));
    let (limit, spacing) = (code::limit(bits), code::spacing(bits as usize));
    let numbers = [Arg::Int(bits as i32), Arg::Float(limit), Arg::Float(spacing)];
    let args = [&[values.arg(), row, code.arg(), width][..], &numbers].concat();
    device.launch("write_code", warps(rows), &args)
}

/// Writes the values of a code that was checked, (N, K).
pub(crate) fn read_code(
    device: &impl Device,
    code: View<'_, u8>,
    values: View<'_, f32>,
    (rows, width): (usize, usize),
    bits: u32,
) -> Done {
    let spacing = Arg::Float(code::spacing(bits as usize));
    let (width, bits) = (Arg::Int(width as i32), Arg::Int(bits as i32));
    let args = [code.arg(), values.arg(), width, bits, spacing];
    device.launch("read_code", warps(rows), &args)
}

/// Copies the first `width` values of rows to those of others, or adds them.
pub(crate) fn copy_rows(
    device: &impl Device,
    (from, from_step): (View<'_, f32>, usize),
    (to, to_step): (View<'_, f32>, usize),
    width: usize,
    adds: bool,
) -> Done {
    let rows = from.len() / from_step;
    let sizes = [from_step, to_step, width, usize::from(adds)];
    let [from_step, to_step, width, adds] = sizes.map(|size| Arg::Int(size as i32));
    let args = [from.arg(), from_step, to.arg(), to_step, width, adds];
    device.launch("copy_rows", Grid::rows(rows), &args)
}

/// Adds the first `width` values of rows to those of others.
pub(crate) fn add_half_rows(
    device: &impl Device,
    (from, from_step): (View<'_, bf16>, usize),
    (to, to_step): (View<'_, f32>, usize),
    width: usize,
) -> Done {
    let rows = from.len() / from_step;
    let [from_step, to_step, width] = [from_step, to_step, width].map(|size| Arg::Int(size as i32));
    let args = [from.arg(), from_step, to.arg(), to_step, width];
    device.launch("add_half_rows", Grid::rows(rows), &args)
}

/// Rounds to bf16.
pub(crate) fn halve(device: &impl Device, from: View<'_, f32>, to: View<'_, bf16>) -> Done {
    let args = [from.arg(), to.arg(), Arg::Long(from.len() as u64)];
    device.launch("halve", Grid::values(from.len()), &args)
}

pub(crate) fn accumulate(device: &impl Device, sums: View<'_, f32>, more: View<'_, f32>) -> Done {
    let args = [sums.arg(), more.arg(), Arg::Long(sums.len() as u64)];
    device.launch("accumulate", Grid::values(sums.len()), &args)
}

/// Makes of values `share` times them and `more` times others; given, the bf16 copies follow.
pub(crate) fn blend(
    device: &impl Device,
    (values, share): (View<'_, f32>, f32),
    (others, more): (View<'_, f32>, f32),
    halves: Option<View<'_, bf16>>,
) -> Done {
    let halves = halves.map_or(Arg::Address(0), View::arg);
    let count = Arg::Long(values.len() as u64);
    let args = [values.arg(), others.arg(), halves, count, Arg::Float(share), Arg::Float(more)];
    device.launch("blend", Grid::values(values.len()), &args)
}

/// The L2 norm, summed in f64. Not finite if a value is not.
pub(crate) fn norm<D: Device>(device: &D, values: View<'_, f32>) -> Result<f64, Error> {
    let blocks = values.len().div_ceil(STRETCH);
    let parts = Array::<D, f64>::new(device, blocks)?;
    let [count, stretch] = [values.len(), STRETCH].map(|size| Arg::Long(size as u64));
    let args = [values.arg(), parts.all().arg(), count, stretch];
    device.launch("squares", Grid::rows(blocks), &args)?;
    Ok(parts.all().get(device)?.iter().sum::<f64>().sqrt())
}

/// A step of AdamW over parameters and moments; the bf16 copies follow.
pub(crate) fn adam_step(
    device: &impl Device,
    update: &Update,
    [params, m, v, gradient]: [View<'_, f32>; 4],
    halves: View<'_, bf16>,
) -> Done {
    let Update { share, beta1, beta2, decay, scale, root, .. } = *update;
    let views = [params, m, v, gradient].map(View::arg);
    let numbers = [share, beta1, beta2, decay, scale, root].map(Arg::Float);
    let rest = [halves.arg(), Arg::Long(params.len() as u64)];
    let args: Vec<Arg> = views.into_iter().chain(rest).chain(numbers).collect();
    device.launch("adam_step", Grid::values(params.len()), &args)
}
