//! A stage's architecture: which tensors the flat parameters are, in which order, and how they start.
//!
//! A head embeds, other stages decode; blocks follow; a tail projects, other stages encode. The cut is
//! the residual bottleneck of ResBM (arXiv 2604.11947): with h the norm of the stream and rectangular
//! identities, the code is `c = h W_enc + h[..k]`, and the next stage starts from `W_dec c + pad(c)`, so k
//! dimensions of the residual stream cross every cut uninterrupted, forward and backward.
//!
//! Three things of ours keep the loss near that of an open cut (docs/BENCHMARKS.md has the study). The norm:
//! gradients of few bits are not orthogonal to the stream as exact ones are, and would change its
//! length step by step. Maps of a residual cut start and learn at [`SLOW`] of what others do: nothing
//! norms what they make, so that at the full rate they would soon drown the identities. And tokens that are
//! embedded behind a cut, the present one and some before it, start in the dimensions that no code reaches.

use crate::adam::{Rule, Segment};
use crate::config::StageConfig;

/// How much smaller maps of a residual cut start, and how much slower they learn.
const SLOW: f32 = 0.03;

/// How an entry of the flat parameters starts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Init {
    /// Uniform with this standard deviation.
    Uniform(f32),
    /// Likewise in the first rows; then ones from this column and the first further row on.
    Beside(f32, usize),
    /// All ones.
    Ones,
}

/// One tensor within the flat parameters.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// As in a Llama of Hugging Face, with layers counted over all stages; "encode" and "decode" at cuts.
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    init: Init,
}

/// The architecture of one stage.
pub(crate) struct Model {
    pub(crate) config: StageConfig,
    pub(crate) entries: Vec<Entry>,
}

impl Model {
    pub(crate) fn new(config: &StageConfig) -> Self {
        let model = &config.model;
        let (d, f) = (model.d_model as usize, model.d_ffn as usize);
        let (vocab, k) = (model.vocab as usize, config.cut.width as usize);
        let kv = d / model.heads as usize * model.kv_heads as usize;
        let weight = |name: &str, rows: usize, columns: usize, gain: f32| Entry {
            name: name.into(),
            shape: vec![rows, columns],
            init: Init::Uniform(gain / (rows as f32).sqrt()),
        };
        let ones = |name: &str| Entry { name: name.into(), shape: vec![d], init: Init::Ones };
        let table = |name: &str, columns: usize| Entry {
            name: name.into(),
            shape: vec![vocab, columns],
            init: Init::Uniform(1.0),
        };
        // Outputs into the residual stream start small, by the depth of the whole model.
        let out = 1.0 / (2.0 * model.layers as f32).sqrt();
        let gain = if config.cut.residual { SLOW } else { 1.0 };
        let mut entries = Vec::new();
        if config.is_head() {
            entries.push(table("embed_tokens", d));
        } else if config.squeezes() {
            let tokens = config.cut.token_width as usize;
            let mut decode = weight("decode", k + tokens, d, gain);
            if let (true, Init::Uniform(deviation)) = (config.cut.residual, decode.init) {
                decode.init = Init::Beside(deviation, k);
            }
            entries.push(decode);
            if tokens > 0 {
                entries.push(table("decode_tokens", tokens));
            }
        }
        for layer in config.first_layer()..config.first_layer() + config.layers() {
            let name = |part: &str| format!("layers.{layer}.{part}");
            entries.push(ones(&name("input_layernorm")));
            entries.push(weight(&name("self_attn.q_proj"), d, d, 1.0));
            entries.push(weight(&name("self_attn.k_proj"), d, kv, 1.0));
            entries.push(weight(&name("self_attn.v_proj"), d, kv, 1.0));
            entries.push(weight(&name("self_attn.o_proj"), d, d, out));
            entries.push(ones(&name("post_attention_layernorm")));
            entries.push(weight(&name("mlp.gate_proj"), d, f, 1.0));
            entries.push(weight(&name("mlp.up_proj"), d, f, 1.0));
            entries.push(weight(&name("mlp.down_proj"), f, d, out));
        }
        if config.is_tail() {
            entries.push(ones("norm"));
            entries.push(weight("lm_head", d, vocab, 0.5));
        } else if config.squeezes() {
            entries.push(ones("encode_norm"));
            entries.push(weight("encode", d, k, gain));
        }
        Self { config: *config, entries }
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
                Init::Uniform(deviation) | Init::Beside(deviation, _) => {
                    let first = params.len();
                    let mut bytes = vec![0; len * 4];
                    random.fill(&mut bytes);
                    // A uniform on -1..1 has the deviation 1/sqrt(3).
                    let scale = deviation * 3f32.sqrt();
                    params.extend(bytes.as_chunks::<4>().0.iter().map(|bytes| {
                        let bits = u32::from_le_bytes(*bytes) >> 8;
                        (bits as f32 / (1u32 << 23) as f32 - 1.0) * scale
                    }));
                    if let (Init::Beside(_, from), [rows, columns]) = (entry.init, &entry.shape[..])
                    {
                        let beside = &mut params[first + from * columns..];
                        beside.fill(0.0);
                        (from..*rows).for_each(|at| beside[(at - from) * columns + at] = 1.0);
                    }
                }
            }
        }
        params
    }

    /// The parameters by tensor.
    pub(crate) fn parts<'a>(&self, mut params: &'a [f32]) -> Vec<&'a [f32]> {
        let lengths = self.entries.iter().map(|entry| entry.shape.iter().product());
        let part = |len: usize| {
            let (part, rest) = params.split_at(len);
            params = rest;
            part
        };
        lengths.map(part).collect()
    }

    /// A gradient by tensor.
    pub(crate) fn parts_mut<'a>(&self, mut params: &'a mut [f32]) -> Vec<&'a mut [f32]> {
        let mut parts = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let (part, rest) = params.split_at_mut(entry.shape.iter().product());
            parts.push(part);
            params = rest;
        }
        parts
    }

    /// How each stretch of the parameters follows its gradient.
    pub(crate) fn segments(&self) -> Vec<Segment> {
        let residual = self.config.cut.residual;
        let mut segments: Vec<Segment> = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let len: usize = entry.shape.iter().product();
            // The rows of a decoder that read tokens learn as others do.
            let slow = match (&entry.name[..], residual) {
                ("decode", true) => self.code_width() * entry.shape[1],
                ("encode", true) => len,
                _ => 0,
            };
            let rule = match entry.shape[..] {
                [rows, columns] if slow == 0 && self.config.adam.muon && self.is_inner(index) => {
                    Rule::Muon { rows, columns }
                }
                _ => Rule::Adam(1.0),
            };
            segments.push(Segment { len: slow, rule: Rule::Adam(SLOW) });
            segments.push(Segment { len: len - slow, rule });
        }
        segments.retain(|segment| segment.len > 0);
        // As few as possible: each is a task of its own.
        segments.dedup_by(|next, before| {
            let joins = next.rule == before.rule && matches!(next.rule, Rule::Adam(_));
            before.len += if joins { next.len } else { 0 };
            joins
        });
        segments
    }

    /// Tensors before those of the first block.
    pub(crate) fn before_blocks(&self) -> usize {
        let tables = usize::from(self.config.is_head() || self.token_width() > 0);
        tables + usize::from(!self.config.is_head() && self.config.squeezes())
    }

    /// Dimensions of the tokens that are embedded behind a cut.
    pub(crate) fn token_width(&self) -> usize {
        if self.config.is_head() { 0 } else { self.config.cut.token_width as usize }
    }

    /// Rows of the table that each token looks up, one after the other, with the table seen as so many
    /// rows for each token of the vocabulary: itself, and behind a cut those before it in its sequence (or
    /// the first, where there are none).
    pub(crate) fn table_rows(&self, tokens: &[u32]) -> Vec<u32> {
        let span = self.token_span();
        let context = self.config.model.context as usize;
        let of_sequence = |sequence: &[u32]| -> Vec<u32> {
            let row = |at: usize, back: usize| {
                sequence[at.saturating_sub(back)] * span as u32 + back as u32
            };
            (0..sequence.len() * span).map(|place| row(place / span, place % span)).collect()
        };
        tokens.chunks(context).flat_map(of_sequence).collect()
    }

    /// Rows of the table that each token looks up.
    pub(crate) fn token_span(&self) -> usize {
        if self.config.is_head() { 1 } else { self.config.cut.token_span as usize }
    }

    /// Matrices that map one width of the stage to another: neither tables of tokens nor the head.
    fn is_inner(&self, index: usize) -> bool {
        let ends = index < self.before_blocks() && (self.config.is_head() || index == 1)
            || self.config.is_tail() && index + 1 == self.entries.len();
        !ends && self.entries[index].shape.len() == 2
    }

    /// Dimensions of a code.
    pub(crate) fn code_width(&self) -> usize {
        self.config.cut.width as usize
    }
}
