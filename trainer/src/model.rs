//! A stage as a function of flat parameters: embed or decode, blocks, encode or project.
//!
//! The cut is the residual bottleneck of ResBM (arXiv 2604.11947): with rectangular identities the
//! code is `c = x W_enc + x[..k]`, and the next stage starts from `W_dec c + pad(c)`, so k dimensions
//! of the residual stream cross every cut uninterrupted, forward and backward.

use candle_core::{Device, Tensor, Var};

use crate::block::{Block, Positions, project, rms_norm};
use crate::config::StageConfig;

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
    positions: Positions,
}

/// What a stage computes from.
pub(crate) enum Source {
    /// Token ids (head), B x T.
    Tokens(Tensor),
    /// A code (other stages), (B, T, K).
    Code(Tensor),
}

impl Model {
    pub(crate) fn new(config: &StageConfig) -> candle_core::Result<Self> {
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
        Ok(Self { config: *config, entries, positions: Positions::new(model)? })
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

    /// The parameters as tensors that gradients are taken of, in flat order.
    pub(crate) fn variables(&self, params: &[f32]) -> candle_core::Result<Vec<Var>> {
        let tensors = self.tensors(params)?;
        tensors.iter().map(Var::from_tensor).collect()
    }

    /// The parameters as constants, in flat order.
    pub(crate) fn tensors(&self, params: &[f32]) -> candle_core::Result<Vec<Tensor>> {
        let mut at = 0;
        self.entries
            .iter()
            .map(|entry| {
                let len: usize = entry.shape.iter().product();
                at += len;
                Tensor::from_slice(&params[at - len..at], entry.shape.as_slice(), &Device::Cpu)
            })
            .collect()
    }

    /// The stage's output: a code (B, T, K), or at the tail logits (B x T, vocab).
    pub(crate) fn forward(
        &self,
        params: &[Tensor],
        source: &Source,
    ) -> candle_core::Result<Tensor> {
        let mut next = params.iter();
        let mut take = || -> candle_core::Result<&Tensor> {
            next.next().ok_or_else(|| candle_core::Error::Msg("too few parameters".into()))
        };
        let mut x = match source {
            Source::Tokens(tokens) => {
                let (batch, length) = tokens.dims2()?;
                let rows = take()?.index_select(&tokens.flatten_all()?, 0)?;
                rows.reshape((batch, length, ()))?
            }
            Source::Code(code) => self.decode(code, take()?)?,
        };
        for _ in 0..self.config.layers() {
            let block = Block {
                norm1: take()?.clone(),
                wq: take()?.clone(),
                wk: take()?.clone(),
                wv: take()?.clone(),
                wo: take()?.clone(),
                norm2: take()?.clone(),
                gate: take()?.clone(),
                up: take()?.clone(),
                down: take()?.clone(),
            };
            x = block.forward(&x, &self.config.model, &self.positions)?;
        }
        if self.config.is_tail() {
            let h = rms_norm(&x, take()?)?;
            return project(&h, take()?)?.flatten(0, 1);
        }
        let k = self.config.cut.width as usize;
        project(&x, take()?)? + x.narrow(2, 0, k)?
    }

    /// From a code back to the width of the model.
    fn decode(&self, code: &Tensor, weight: &Tensor) -> candle_core::Result<Tensor> {
        let (batch, tokens, k) = code.dims3()?;
        let d = self.config.model.d_model as usize;
        let lifted = project(code, weight)?;
        if k == d {
            return lifted + code;
        }
        let zeros = Tensor::zeros((batch, tokens, d - k), code.dtype(), code.device())?;
        lifted + Tensor::cat(&[code, &zeros], 2)?
    }
}
