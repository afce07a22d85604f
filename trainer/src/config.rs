//! Model and run settings: integers, so that all nodes hold the same ones.

use codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Error, code};

/// What the operands of matrix products are rounded to. Sums, norms and the residual stream are f32 in
/// both; so are the parameters that the optimizer keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Nothing: they are f32.
    #[default]
    F32,
    /// bf16, the nearest value, ties to even; activations are kept in it, too.
    Bf16,
}

/// The model, a Llama-style decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Token ids.
    pub vocab: u32,
    /// Width of the residual stream.
    pub d_model: u32,
    /// Blocks, over all stages.
    pub layers: u32,
    /// Attention heads.
    pub heads: u32,
    /// Key/value heads.
    pub kv_heads: u32,
    /// Width of the feed-forward layer.
    pub d_ffn: u32,
    /// Tokens per sequence.
    pub context: u32,
    /// Base of the rotary embedding.
    pub rope_theta: u32,
    /// What products compute with.
    pub precision: Precision,
}

/// The bottleneck at each stage cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutConfig {
    /// Dimensions of the code. As many as the residual stream has: it crosses as it is (but
    /// for its rounding to few bits).
    pub width: u32,
    /// Of each value of a code and of its gradient on the wire: 32 (f32), 8, 4, 2 or 1.
    pub bits: u32,
    /// Whether as many dimensions of the residual stream cross the cut as they are (the residual
    /// bottleneck of arXiv 2604.11947), besides what is projected.
    pub residual: bool,
    /// Dimensions in which the stage behind the cut embeds the tokens again: these it knows from the draw,
    /// so they cost nothing on the wire. 0 = it does not.
    pub token_width: u32,
    /// Tokens that share these dimensions equally: the present one, and as many before it. What the stages
    /// before would find out of neighbours need then not cross the cut.
    pub token_span: u32,
}

impl CutConfig {
    /// Bytes that one token takes on the wire.
    #[must_use]
    pub fn bytes_per_token(&self) -> u32 {
        code::row_bytes(self.width, self.bits)
    }

    /// Compression against the full residual stream in bf16 (2 d bytes per token).
    #[must_use]
    pub fn ratio(&self, d_model: u32) -> f64 {
        f64::from(2 * d_model) / f64::from(self.bytes_per_token())
    }
}

/// The inner optimizer, AdamW (Loshchilov and Hutter, arXiv 1711.05101).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamConfig {
    /// Learning rate, in millionths.
    pub lr_micro: u32,
    /// Decay of the first moment, in thousandths.
    pub beta1_milli: u32,
    /// Decay of the second moment, in thousandths.
    pub beta2_milli: u32,
    /// Decoupled weight decay, in thousandths.
    pub weight_decay_milli: u32,
    /// Greatest gradient norm, in thousandths; 0 = no clipping.
    pub clip_milli: u32,
    /// Steps of linear warm-up after parameters were loaded.
    pub warmup_steps: u32,
    /// Whether matrices inside of a stage follow Muon (arXiv 2502.16982) rather than AdamW.
    pub muon: bool,
}

/// One stage of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageConfig {
    /// The whole model.
    pub model: ModelConfig,
    /// The cuts between stages.
    pub cut: CutConfig,
    /// The inner optimizer.
    pub adam: AdamConfig,
    /// Stages of the pipeline.
    pub stages: u16,
    /// This stage, 0 = head.
    pub stage: u16,
    /// Sequences per microbatch.
    pub batch: u32,
    /// Seed of the initial parameters.
    pub seed: [u8; 32],
}

impl StageConfig {
    /// Checks what the computation relies on.
    ///
    /// # Errors
    /// [`Error::Config`] with the first rule that is broken.
    pub fn validate(&self) -> Result<(), Error> {
        let model = &self.model;
        let divides = |a: u32, b: u32| a > 0 && b.is_multiple_of(a);
        let rules = [
            (model.vocab >= 2 && model.context >= 2, "vocab and context must be 2 or more"),
            (self.batch >= 1, "batch must be 1 or more"),
            (divides(model.heads, model.d_model), "heads must divide d_model"),
            (divides(model.kv_heads, model.heads), "kv_heads must divide heads"),
            (
                model.heads > 0 && (model.d_model / model.heads).is_multiple_of(2),
                "the width of a head must be even",
            ),
            (model.d_ffn >= 1, "d_ffn must be 1 or more"),
            ((1..=model.d_model).contains(&self.cut.width), "the code must be 1 to d_model wide"),
            (code::is_form(self.cut.bits), "the bits of a code are 32, 8, 4, 2 or 1"),
            (
                self.cut.token_width <= model.d_model.saturating_sub(self.cut.width),
                "token_width must be at most d_model less the width of the code",
            ),
            (
                (1..=8).contains(&self.cut.token_span)
                    && self.cut.token_width.is_multiple_of(self.cut.token_span),
                "token_span is 1 to 8, and divides token_width",
            ),
            (
                u64::from(self.batch) * u64::from(model.context) <= 1 << 24,
                "a microbatch has at most 2^24 tokens",
            ),
            (
                [model.vocab, model.d_model, model.d_ffn, model.context, self.batch]
                    .into_iter()
                    .all(|size| size <= 1 << 20)
                    && model.layers <= 1024,
                "vocab, widths, context and batch are at most 2^20, layers 1024",
            ),
            (self.stages >= 2, "a pipeline has 2 stages or more"),
            (self.stage < self.stages, "the stage lies beyond the pipeline"),
            (u32::from(self.stages) <= model.layers, "every stage needs a layer"),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, broken)) => Err(Error::Config(broken.to_owned())),
            None => Ok(()),
        }
    }

    /// Whether the residual stream is squeezed at a cut.
    #[must_use]
    pub fn squeezes(&self) -> bool {
        self.cut.width < self.model.d_model
    }

    /// Whether this is the first stage.
    #[must_use]
    pub fn is_head(&self) -> bool {
        self.stage == 0
    }

    /// Whether this is the last stage.
    #[must_use]
    pub fn is_tail(&self) -> bool {
        self.stage + 1 == self.stages
    }

    /// Blocks of the stages before this one.
    #[must_use]
    pub fn first_layer(&self) -> u32 {
        (0..self.stage).map(|stage| Self { stage, ..*self }.layers()).sum()
    }

    /// Blocks of this stage: split evenly, the middle ones getting what does not divide, because
    /// the ends also embed or project to the vocabulary.
    #[must_use]
    pub fn layers(&self) -> u32 {
        let (stages, layers) = (u32::from(self.stages), self.model.layers);
        let (each, extra) = (layers / stages, layers % stages);
        let first_extra = (stages - extra) / 2;
        let index = u32::from(self.stage);
        each + u32::from((first_extra..first_extra + extra).contains(&index))
    }
}
