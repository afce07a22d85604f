//! What a stage costs, told before it runs.

use crate::Error;
use crate::config::{Precision, StageConfig};
use crate::gpu::Cost;
use crate::model::Model;
use crate::ops::loss::logits;

/// Parameters, memory and work of one stage. Bytes are of what it holds on to; copies of operands, which a
/// product makes on a CPU for its time, and what a GPU's driver keeps, come on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StagePlan {
    /// Parameters.
    pub params: u64,
    /// Of them, entries of matrices that every token is multiplied with.
    pub multiplied: u64,
    /// Bytes of parameters, moments and two gradients.
    pub state_bytes: u64,
    /// Bytes of parameters of another version, which microbatches in flight hold on to while steps are
    /// taken; none at a tail.
    pub version_bytes: u64,
    /// Bytes that each microbatch in flight keeps.
    pub flight_bytes: u64,
    /// Bytes that passes compute in, whatever is in flight.
    pub work_bytes: u64,
    /// Floating-point operations of a token, forward and backward: 6 for each entry it is multiplied with,
    /// and those of causal attention.
    pub flops_per_token: u64,
    /// Bytes of a token on the wire, to the next stage and back; 0 behind the tail.
    pub wire_bytes_per_token: u64,
}

impl StagePlan {
    /// The plan of a stage on a CPU, which may compute activations again instead of keeping them.
    #[must_use]
    pub fn of(config: &StageConfig, recompute: bool) -> Self {
        let sizes = Sizes::of(config);
        let model = Model::new(config);
        let params = model.count() as u64;
        let of_matrices = |index: usize| {
            let is_table = model.entries[index].name.contains("tokens");
            let shape = &model.entries[index].shape;
            if is_table || shape.len() < 2 { 0 } else { shape.iter().product::<usize>() as u64 }
        };
        let multiplied = (0..model.entries.len()).map(of_matrices).sum::<u64>();
        // Scores and mixed values, 2 FLOPs each over half of the context, and twice that backward.
        let attention = 6 * sizes.layers * sizes.context * sizes.width;
        Self {
            params,
            multiplied,
            state_bytes: params * 4 * 5,
            version_bytes: if config.is_tail() { 0 } else { params * 4 },
            flight_bytes: sizes.ends() + if recompute { 0 } else { sizes.layers * sizes.block() },
            work_bytes: sizes.work() + if recompute { sizes.block() } else { 0 },
            flops_per_token: 6 * multiplied + attention,
            wire_bytes_per_token: if config.is_tail() {
                0
            } else {
                2 * u64::from(config.cut.bytes_per_token())
            },
        }
    }

    /// Likewise, on a GPU.
    ///
    /// # Errors
    /// [`Error::Config`] for a stage that a GPU has no kernels for.
    pub fn on_gpu(config: &StageConfig, recompute: bool) -> Result<Self, Error> {
        let Cost { state, version, flight, work } = Cost::of(config, recompute)?;
        Ok(Self {
            state_bytes: state,
            version_bytes: version,
            flight_bytes: flight,
            work_bytes: work,
            ..Self::of(config, recompute)
        })
    }

    /// Bytes with so many microbatches in flight, of which a step takes `per_step`.
    #[must_use]
    pub fn bytes(&self, in_flight: u64, per_step: u64) -> u64 {
        let flights = in_flight.saturating_mul(self.flight_bytes).min(1 << 60);
        let state =
            self.state_bytes.saturating_add(self.versions(in_flight, per_step)).min(1 << 60);
        state + self.work_bytes + flights
    }

    /// Bytes of the versions that so many microbatches in flight hold on to: each step makes one.
    #[must_use]
    pub fn versions(&self, in_flight: u64, per_step: u64) -> u64 {
        self.version_bytes.saturating_mul(in_flight.div_ceil(per_step.max(1)))
    }
}

/// What buffers are sized by.
struct Sizes {
    rows: u64,
    width: u64,
    narrow: u64,
    inner: u64,
    heads: u64,
    layers: u64,
    context: u64,
    /// Code and embedded tokens; none at the head or without a squeezed cut.
    known: u64,
    /// Held logits; none but at the tail.
    logits: u64,
    /// Bytes of an activation.
    value: u64,
}

impl Sizes {
    fn of(config: &StageConfig) -> Self {
        let model = &config.model;
        let rows = u64::from(config.batch) * u64::from(model.context);
        let each = model.d_model / model.heads;
        let behind = !config.is_head();
        let tail = config.is_tail();
        Self {
            rows,
            width: model.d_model.into(),
            narrow: u64::from(each) * u64::from(model.kv_heads),
            inner: model.d_ffn.into(),
            heads: model.heads.into(),
            layers: config.layers().into(),
            context: model.context.into(),
            known: if behind && config.squeezes() {
                u64::from(config.cut.width) + u64::from(config.cut.token_width)
            } else {
                0
            },
            logits: if tail { logits(rows as usize, model.vocab as usize) as u64 } else { 0 },
            value: match model.precision {
                Precision::F32 => 4,
                Precision::Bf16 => 2,
            },
        }
    }

    /// The residual stream before each block and after the last, and what came over the cut.
    fn ends(&self) -> u64 {
        4 * self.rows * ((self.layers + 1) * self.width + self.known)
    }

    /// What a block keeps: queries, keys, values, mixed values, gate and up; sums of attention, the
    /// stream between attention and feed-forward, two norms.
    fn block(&self) -> u64 {
        let values = 2 * self.width + 2 * self.narrow + 2 * self.inner;
        self.rows * (self.value * values + 4 * (self.heads + self.width + 2))
    }

    /// Normed rows, the gated activation, gradients of attention's parts; two f32 gradients, and the
    /// tail's losses and logits.
    fn work(&self) -> u64 {
        let values = 3 * self.width + 2 * self.narrow + self.inner;
        self.rows * (self.value * values + 4 * (2 * self.width + 2)) + 4 * self.logits
    }
}
