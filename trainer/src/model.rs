//! A stage's architecture: which tensors the flat parameters are, in which order, and how they start.
//!
//! A head embeds, other stages decode; blocks follow; a tail projects, other stages encode. The cut is the residual bottleneck of ResBM (arXiv 2604.11947): with rectangular identities the
//! code is `c = x W_enc + x[..k]`, and the next stage starts from `W_dec c + pad(c)`, so k dimensions
//! of the residual stream cross every cut uninterrupted, forward and backward.

use crate::config::StageConfig;
use crate::muon::Matrix;

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
        let mut entries = Vec::new();
        if config.is_head() {
            entries.push(table("embed_tokens", d));
        } else if config.squeezes() {
            let tokens = config.cut.token_width as usize;
            entries.push(weight("decode", k + tokens, d, 1.0));
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
            entries.push(weight("encode", d, k, 1.0));
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

    /// Where the matrices inside of the stage lie.
    pub(crate) fn inner(&self) -> Vec<Matrix> {
        let mut first = 0;
        let mut matrices = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            if self.is_inner(index) {
                let [rows, columns] = entry.shape[..] else {
                    unreachable!("a matrix has two sizes")
                };
                matrices.push(Matrix { first, rows, columns });
            }
            first += entry.shape.iter().product::<usize>();
        }
        matrices
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
