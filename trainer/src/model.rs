//! A stage as a function of flat parameters: embed or decode, blocks, encode or project.
//!
//! The cut is the residual bottleneck of ResBM (arXiv 2604.11947): with rectangular identities the
//! code is `c = x W_enc + x[..k]`, and the next stage starts from `W_dec c + pad(c)`, so k dimensions
//! of the residual stream cross every cut uninterrupted, forward and backward.

use crate::block::{Kept, Shape, TENSORS};
use crate::config::StageConfig;
use crate::ops::matrix::{linear, linear_backward};
use crate::ops::{loss, norm};

#[cfg(test)]
mod plain;

/// How an entry of the flat parameters starts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Init {
    /// Uniform with this standard deviation.
    Uniform(f32),
    /// All ones.
    Ones,
}

/// One tensor within the flat parameters.
#[derive(Clone, Debug)]
struct Entry {
    shape: Vec<usize>,
    init: Init,
}

/// The architecture of one stage: which tensors, in which order.
pub(crate) struct Model {
    config: StageConfig,
    entries: Vec<Entry>,
    shape: Shape,
}

/// What a stage computes from.
pub(crate) enum Source<'a> {
    /// Token ids (head), B x T, each in the vocabulary.
    Tokens(&'a [u32]),
    /// A code (other stages), (B, T, K).
    Code(Vec<f32>),
}

/// What a forward pass keeps for the backward pass.
pub(crate) struct Tape {
    blocks: Vec<Kept>,
    /// The residual stream after the last block, (N, D).
    x: Vec<f32>,
}

impl Model {
    pub(crate) fn new(config: &StageConfig) -> Self {
        let model = &config.model;
        let (d, f) = (model.d_model as usize, model.d_ffn as usize);
        let (vocab, k) = (model.vocab as usize, config.cut.width as usize);
        let kv = d / model.heads as usize * model.kv_heads as usize;
        let weight = |rows: usize, columns: usize, gain: f32| Entry {
            shape: vec![rows, columns],
            init: Init::Uniform(gain / (rows as f32).sqrt()),
        };
        let ones = || Entry { shape: vec![d], init: Init::Ones };
        // Outputs into the residual stream start small, by the depth of the whole model.
        let out = 1.0 / (2.0 * model.layers as f32).sqrt();
        let mut entries = Vec::new();
        if config.is_head() {
            entries.push(Entry { shape: vec![vocab, d], init: Init::Uniform(1.0) });
        } else {
            entries.push(weight(k, d, 1.0));
        }
        for _ in 0..config.layers() {
            entries.push(ones());
            entries.extend([weight(d, d, 1.0), weight(d, kv, 1.0), weight(d, kv, 1.0)]);
            entries.push(weight(d, d, out));
            entries.push(ones());
            entries.extend([weight(d, f, 1.0), weight(d, f, 1.0), weight(f, d, out)]);
        }
        if config.is_tail() {
            entries.push(ones());
            entries.push(weight(d, vocab, 0.5));
        } else {
            entries.push(weight(d, k, 1.0));
        }
        Self { config: *config, entries, shape: Shape::new(model) }
    }

    /// Number of parameters.
    pub(crate) fn count(&self) -> usize {
        self.entries.iter().map(|entry| entry.shape.iter().product::<usize>()).sum()
    }

    /// The initial parameters: a function of the seed and the stage alone, the same on every
    /// machine (uniform numbers need no logarithm, whose last bit differs between libraries).
    pub(crate) fn initial(&self) -> Vec<f32> {
        let mut hasher = blake3::Hasher::new_derive_key("iota 2025 initial parameters");
        hasher.update(&self.config.seed).update(&self.config.stage.to_le_bytes());
        let mut random = hasher.finalize_xof();
        let mut params = Vec::with_capacity(self.count());
        for entry in &self.entries {
            let len: usize = entry.shape.iter().product();
            match entry.init {
                Init::Ones => params.extend(std::iter::repeat_n(1.0, len)),
                Init::Uniform(deviation) => {
                    let mut bytes = vec![0; len * 4];
                    random.fill(&mut bytes);
                    // A uniform on -1..1 has the deviation 1/sqrt(3).
                    let scale = deviation * 3f32.sqrt();
                    params.extend(bytes.as_chunks::<4>().0.iter().map(|bytes| {
                        let bits = u32::from_le_bytes(*bytes) >> 8;
                        (bits as f32 / (1u32 << 23) as f32 - 1.0) * scale
                    }));
                }
            }
        }
        params
    }

    /// The parameters by tensor.
    fn parts<'a>(&self, mut params: &'a [f32]) -> Vec<&'a [f32]> {
        let lengths = self.entries.iter().map(|entry| entry.shape.iter().product());
        let part = |len: usize| {
            let (part, rest) = params.split_at(len);
            params = rest;
            part
        };
        lengths.map(part).collect()
    }

    /// A gradient by tensor.
    fn parts_mut<'a>(&self, mut params: &'a mut [f32]) -> Vec<&'a mut [f32]> {
        let mut parts = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let (part, rest) = params.split_at_mut(entry.shape.iter().product());
            parts.push(part);
            params = rest;
        }
        parts
    }

    fn width(&self) -> usize {
        self.config.model.d_model as usize
    }

    fn code_width(&self) -> usize {
        self.config.cut.width as usize
    }

    /// Runs the blocks.
    pub(crate) fn forward(&self, params: &[f32], source: &Source<'_>) -> Tape {
        let parts = self.parts(params);
        let mut x = match source {
            Source::Tokens(tokens) => self.embed(parts[0], tokens),
            Source::Code(code) => self.decode(parts[0], code),
        };
        let mut blocks = Vec::new();
        for weights in self.blocks(&parts) {
            let (out, kept) = self.shape.forward(weights, x);
            blocks.push(kept);
            x = out;
        }
        Tape { blocks, x }
    }

    fn blocks<'a, T>(&self, parts: &'a [T]) -> std::slice::ChunksExact<'a, T> {
        let count = self.config.layers() as usize;
        parts[1..=count * TENSORS].chunks_exact(TENSORS)
    }

    /// The code of a forward pass, (N, K). Head and body stages.
    pub(crate) fn code(&self, params: &[f32], tape: &Tape) -> Vec<f32> {
        let (d, k) = (self.width(), self.code_width());
        let parts = self.parts(params);
        let mut code = linear(&tape.x, parts[parts.len() - 1], d);
        for (code, x) in code.chunks_exact_mut(k).zip(tape.x.chunks_exact(d)) {
            code.iter_mut().zip(x).for_each(|(code, x)| *code += x);
        }
        code
    }

    /// The loss of each token, in nats. Tail.
    pub(crate) fn losses(&self, params: &[f32], tape: &Tape, targets: &[u32]) -> Vec<f32> {
        let parts = self.parts(params);
        let [.., scale, head] = parts[..] else { unreachable!("a tail has a norm and a head") };
        let h = norm::forward(&tape.x, scale, &norm::inverse_roots(&tape.x, self.width()));
        loss::forward(&h, head, self.config.model.vocab as usize, targets)
    }

    /// The gradients of all parameters, and of a code that was the source, from that of the code that
    /// was made, (N, K).
    pub(crate) fn backward(
        &self,
        params: &[f32],
        source: &Source<'_>,
        tape: &Tape,
        dcode: &[f32],
    ) -> (Vec<f32>, Option<Vec<f32>>) {
        let (d, k) = (self.width(), self.code_width());
        let weights = self.parts(params);
        let mut gradient = vec![0.0; params.len()];
        let mut grads = self.parts_mut(&mut gradient);
        let mut dx = vec![0.0; tape.x.len()];
        let last = weights.len() - 1;
        linear_backward((&tape.x, weights[last]), d, dcode, (&mut dx, 0.0), grads[last]);
        for (dx, dcode) in dx.chunks_exact_mut(d).zip(dcode.chunks_exact(k)) {
            dx.iter_mut().zip(dcode).for_each(|(dx, dcode)| *dx += dcode);
        }
        let dsource = self.descend(&weights, source, tape, dx, &mut grads);
        (gradient, dsource)
    }

    /// As [`Self::backward`], from the mean loss, which comes with it. Tail.
    pub(crate) fn loss_backward(
        &self,
        params: &[f32],
        source: &Source<'_>,
        tape: &Tape,
        targets: &[u32],
    ) -> (f32, Vec<f32>, Option<Vec<f32>>) {
        let weights = self.parts(params);
        let mut gradient = vec![0.0; params.len()];
        let mut grads = self.parts_mut(&mut gradient);
        let last = weights.len() - 1;
        let (scale, head) = (weights[last - 1], weights[last]);
        let inverse = norm::inverse_roots(&tape.x, self.width());
        let h = norm::forward(&tape.x, scale, &inverse);
        let vocab = self.config.model.vocab as usize;
        let (losses, dh) = loss::backward(&h, head, vocab, targets, grads[last]);
        let mut dx = vec![0.0; tape.x.len()];
        norm::backward(&tape.x, scale, &inverse, &dh, &mut dx, grads[last - 1]);
        let dsource = self.descend(&weights, source, tape, dx, &mut grads);
        let loss = losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / losses.len() as f64;
        (loss as f32, gradient, dsource)
    }

    /// From the gradient of the last block's output to that of the source.
    fn descend(
        &self,
        weights: &[&[f32]],
        source: &Source<'_>,
        tape: &Tape,
        mut dx: Vec<f32>,
        grads: &mut [&mut [f32]],
    ) -> Option<Vec<f32>> {
        for (index, kept) in tape.blocks.iter().enumerate().rev() {
            let place = 1 + index * TENSORS..1 + (index + 1) * TENSORS;
            dx = self.shape.backward(&weights[place.clone()], kept, dx, &mut grads[place]);
        }
        let (d, k) = (self.width(), self.code_width());
        match source {
            Source::Tokens(tokens) => {
                for (token, dx) in tokens.iter().zip(dx.chunks_exact(d)) {
                    let row = &mut grads[0][*token as usize * d..][..d];
                    row.iter_mut().zip(dx).for_each(|(sum, dx)| *sum += dx);
                }
                None
            }
            Source::Code(code) => {
                let mut dcode = vec![0.0; code.len()];
                linear_backward((code, weights[0]), k, &dx, (&mut dcode, 0.0), grads[0]);
                for (dcode, dx) in dcode.chunks_exact_mut(k).zip(dx.chunks_exact(d)) {
                    dcode.iter_mut().zip(dx).for_each(|(dcode, dx)| *dcode += dx);
                }
                Some(dcode)
            }
        }
    }

    /// The rows of tokens.
    fn embed(&self, table: &[f32], tokens: &[u32]) -> Vec<f32> {
        let d = self.width();
        tokens.iter().flat_map(|token| &table[*token as usize * d..][..d]).copied().collect()
    }

    /// From a code back to the width of the model.
    fn decode(&self, weight: &[f32], code: &[f32]) -> Vec<f32> {
        let (d, k) = (self.width(), self.code_width());
        let mut x = linear(code, weight, k);
        for (x, code) in x.chunks_exact_mut(d).zip(code.chunks_exact(k)) {
            x.iter_mut().zip(code).for_each(|(x, code)| *x += code);
        }
        x
    }
}
