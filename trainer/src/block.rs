//! One decoder block of the Llama family, on candle tensors.
//!
//! Shapes: B sequences, T tokens, D model width, H heads of width E = D / H. Pre-norm; grouped-query
//! causal attention with rotary positions (Su et al., arXiv 2104.09864); SwiGLU (arXiv 2002.05202).

use candle_core::{D, DType, Device, Tensor};

use crate::config::ModelConfig;

/// Added to the mean square before its root.
const EPSILON: f64 = 1e-5;

/// The parameters of one block.
pub(crate) struct Block {
    /// Scale of the norm before attention (D).
    pub(crate) norm1: Tensor,
    /// Query projection (D, D).
    pub(crate) wq: Tensor,
    /// Key projection (D, E x kv heads).
    pub(crate) wk: Tensor,
    /// Value projection (D, E x kv heads).
    pub(crate) wv: Tensor,
    /// Output projection (D, D).
    pub(crate) wo: Tensor,
    /// Scale of the norm before the feed-forward layer (D).
    pub(crate) norm2: Tensor,
    /// Gate projection (D, F).
    pub(crate) gate: Tensor,
    /// Up projection (D, F).
    pub(crate) up: Tensor,
    /// Down projection (F, D).
    pub(crate) down: Tensor,
}

/// What all blocks of a stage share: rotary angles and the causal mask.
pub(crate) struct Positions {
    /// (T, E / 2).
    cos: Tensor,
    /// (T, E / 2).
    sin: Tensor,
    /// (T, T): 0 where a token may look, a large negative number where not.
    mask: Tensor,
}

impl Positions {
    /// Positions of the model's context.
    pub(crate) fn new(model: &ModelConfig) -> candle_core::Result<Self> {
        let (tokens, half) = (model.context as usize, (model.d_model / model.heads / 2) as usize);
        let angle = |place: usize| {
            let (token, pair) = (place / half, place % half);
            let frequency = f64::from(model.rope_theta).powf(-(pair as f64) / half as f64);
            token as f64 * frequency
        };
        let table = |f: fn(f64) -> f64| -> candle_core::Result<Tensor> {
            let values: Vec<f32> = (0..tokens * half).map(|place| f(angle(place)) as f32).collect();
            Tensor::from_vec(values, (tokens, half), &Device::Cpu)
        };
        let mask: Vec<f32> = (0..tokens * tokens)
            .map(|place| if place % tokens > place / tokens { -1e9 } else { 0.0 })
            .collect();
        Ok(Self {
            cos: table(f64::cos)?,
            sin: table(f64::sin)?,
            mask: Tensor::from_vec(mask, (tokens, tokens), &Device::Cpu)?,
        })
    }
}

/// Root-mean-square norm over the last dimension (arXiv 1910.07467).
pub(crate) fn rms_norm(x: &Tensor, scale: &Tensor) -> candle_core::Result<Tensor> {
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
    x.broadcast_div(&(mean_square + EPSILON)?.sqrt()?)?.broadcast_mul(scale)
}

/// Softmax over the last dimension.
fn softmax(x: &Tensor) -> candle_core::Result<Tensor> {
    // The maximum is a constant shift: it carries no gradient.
    let shifted = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?;
    let exp = shifted.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
}

/// Rotates pairs of a head's dimensions by their position: (B, H, T, E) to the same.
fn rotate(x: &Tensor, positions: &Positions) -> candle_core::Result<Tensor> {
    let half = x.dim(D::Minus1)? / 2;
    let (first, second) = (x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?);
    let (cos, sin) = (&positions.cos, &positions.sin);
    let left = (first.broadcast_mul(cos)? - second.broadcast_mul(sin)?)?;
    let right = (second.broadcast_mul(cos)? + first.broadcast_mul(sin)?)?;
    Tensor::cat(&[&left, &right], D::Minus1)
}

/// `x W` for x (B, T, I) and W (I, O), as one matrix product.
pub(crate) fn project(x: &Tensor, weight: &Tensor) -> candle_core::Result<Tensor> {
    let (batch, tokens, inner) = x.dims3()?;
    let outer = weight.dim(1)?;
    x.reshape((batch * tokens, inner))?.matmul(weight)?.reshape((batch, tokens, outer))
}

impl Block {
    /// (B, T, D) to (B, T, D).
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        model: &ModelConfig,
        positions: &Positions,
    ) -> candle_core::Result<Tensor> {
        let x = (x + self.attention(&rms_norm(x, &self.norm1)?, model, positions)?)?;
        let h = rms_norm(&x, &self.norm2)?;
        let gated = (project(&h, &self.gate)?.silu()? * project(&h, &self.up)?)?;
        x + project(&gated, &self.down)?
    }

    fn attention(
        &self,
        h: &Tensor,
        model: &ModelConfig,
        positions: &Positions,
    ) -> candle_core::Result<Tensor> {
        let (batch, tokens, width) = h.dims3()?;
        let (heads, groups) = (model.heads as usize, model.kv_heads as usize);
        let each = width / heads;
        let split = |x: Tensor, count: usize| -> candle_core::Result<Tensor> {
            x.reshape((batch, tokens, count, each))?.transpose(1, 2)?.contiguous()
        };
        let q = rotate(&split(project(h, &self.wq)?, heads)?, positions)?;
        let k = rotate(&split(project(h, &self.wk)?, groups)?, positions)?;
        let v = split(project(h, &self.wv)?, groups)?;
        // Each key/value head serves heads / groups query heads.
        let (k, v) = (repeat(&k, heads / groups)?, repeat(&v, heads / groups)?);
        let scores = (q.matmul(&k.transpose(2, 3)?.contiguous()?)? / (each as f64).sqrt())?;
        let weights = softmax(&scores.broadcast_add(&positions.mask)?)?;
        let mixed = weights.matmul(&v)?.transpose(1, 2)?.contiguous()?;
        project(&mixed.reshape((batch, tokens, width))?, &self.wo)
    }
}

/// Repeats each head: (B, G, T, E) to (B, G x times, T, E).
fn repeat(x: &Tensor, times: usize) -> candle_core::Result<Tensor> {
    if times == 1 {
        return Ok(x.clone());
    }
    let (batch, groups, tokens, each) = x.dims4()?;
    x.unsqueeze(2)?.broadcast_as((batch, groups, times, tokens, each))?.contiguous()?.reshape((
        batch,
        groups * times,
        tokens,
        each,
    ))
}

/// Mean cross-entropy per row of logits (N, V) against N targets: (N) losses in nats.
pub(crate) fn cross_entropy(logits: &Tensor, targets: &[u32]) -> candle_core::Result<Tensor> {
    let targets = Tensor::from_slice(targets, (targets.len(), 1), &Device::Cpu)?;
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    let total = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let picked = shifted.gather(&targets, D::Minus1)?;
    (total - picked)?.squeeze(1)?.to_dtype(DType::F32)
}
