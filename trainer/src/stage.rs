//! A stage at work: forward, backward, step.
//!
//! The *version* of the parameters is the number of steps taken since they were loaded. A microbatch in
//! flight keeps what its forward pass computed, and the parameters it was made with: its backward pass
//! is at that version, and its gradient enters the present accumulation. One that is [`KEPT_VERSIONS`]
//! old is refused, for nobody could check it: an auditor keeps as many versions, and repeats a
//! microbatch from its input bytes ([`Stage::replay`]).

mod state;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::adam::Update;
use crate::code::Wire;
use crate::config::StageConfig;
use crate::engine::{Engine, Pass, Source, Weights};
use crate::model::Model;
use crate::{Device, Error};

pub use state::snapshot_params;

/// Parameter versions at which a backward pass can be, the present one included.
pub(crate) const KEPT_VERSIONS: usize = 8;
/// Greatest norm of a microbatch's gradient: sums of 2^16 of them are finite.
const GREATEST_NORM: f64 = 1e33;
/// Greatest norm of a gradient that is not clipped: its square is finite.
const GREATEST_UNCLIPPED: f64 = 1e18;

/// What a stage is given.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Token ids, batch x context of them (head).
    Tokens(&'a [u32]),
    /// A code as wire bytes (other stages).
    Code(&'a [u8]),
    /// A code, and the tokens it came from, where cuts have a `token_width`.
    CodeAndTokens(&'a [u8], &'a [u32]),
}

impl<'a> Input<'a> {
    /// What the stage at `index` takes of a code and the tokens it came from.
    #[must_use]
    pub fn of(stage: &Stage, index: usize, code: &'a [u8], tokens: &'a [u32]) -> Self {
        match (index, stage.wants_tokens()) {
            (0, _) => Self::Tokens(tokens),
            (_, true) => Self::CodeAndTokens(code, tokens),
            (_, false) => Self::Code(code),
        }
    }
}

/// What a tail makes of a code.
#[derive(Clone, Debug)]
pub struct TailOutput {
    /// Mean loss in nats per token.
    pub loss: f32,
    /// Gradient of the code, as wire bytes.
    pub grad: Vec<u8>,
}

/// What a step did.
#[derive(Clone, Copy, Debug)]
pub struct StepInfo {
    /// Norm of the mean gradient before clipping.
    pub grad_norm: f32,
    /// Microbatches accumulated in it.
    pub microbatches: u32,
}

/// A microbatch that went forward and waits for its gradient, with what its backward pass needs.
pub struct Flight {
    pass: Box<dyn Pass>,
    era: u64,
    version: u32,
}

impl Flight {
    /// The version of the parameters it went forward with.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }
}

impl std::fmt::Debug for Flight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flight").field("version", &self.version).finish_non_exhaustive()
    }
}

/// How a stage computes, which changes no result but for the rounding of another device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Microbatches in flight keep the inputs of blocks alone; the rest is computed again (activation
    /// recomputation): a third more work, and less memory.
    pub recompute: bool,
    /// Where it computes.
    pub device: Device,
    /// Earlier versions are kept, so that [`Stage::replay`] can go back to them.
    pub keep_versions: bool,
}

/// One stage of the pipeline with its optimizer.
pub struct Stage {
    config: StageConfig,
    options: Options,
    engine: Box<dyn Engine>,
    /// Parameters.
    count: usize,
    /// Earlier versions.
    versions: VecDeque<(u32, Weights)>,
    /// Steps taken.
    version: u32,
    /// What the learning rate is multiplied with, beyond the settings.
    rate: f32,
    accumulated: u32,
    /// Which loading of parameters this is, over all stages of the process.
    era: u64,
}

/// A number nobody had before.
fn next_era() -> u64 {
    static ERAS: AtomicU64 = AtomicU64::new(0);
    ERAS.fetch_add(1, Ordering::Relaxed)
}

impl Stage {
    /// A stage with its initial parameters.
    ///
    /// # Errors
    /// [`Error::Config`] for a configuration that cannot be built.
    pub fn new(config: &StageConfig) -> Result<Self, Error> {
        Self::with(config, Options::default())
    }

    /// Likewise, computing as asked.
    ///
    /// # Errors
    /// As [`Stage::new`].
    pub fn with(config: &StageConfig, options: Options) -> Result<Self, Error> {
        config.validate()?;
        Ok(Self::computed_by(config, options, options.device.engine(config, options)?))
    }

    /// Likewise, of a valid configuration, by an engine of it.
    pub(crate) fn computed_by(
        config: &StageConfig,
        options: Options,
        engine: Box<dyn Engine>,
    ) -> Self {
        Self {
            config: *config,
            options,
            engine,
            count: Model::new(config).count(),
            versions: VecDeque::new(),
            version: 0,
            rate: 1.0,
            accumulated: 0,
            era: next_era(),
        }
    }

    /// Number of parameters.
    #[must_use]
    pub fn param_count(&self) -> usize {
        self.count
    }

    /// The parameters, flat, in the order of the architecture. NaN where a device has failed to give them,
    /// which whatever is done next will tell.
    #[must_use]
    pub fn params(&self) -> &[f32] {
        self.engine.params()
    }

    /// Whether it takes tokens beside the code.
    #[must_use]
    pub fn wants_tokens(&self) -> bool {
        !self.config.is_head() && self.config.cut.token_width > 0
    }

    /// Steps taken since the parameters were loaded.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Microbatches whose gradients wait for the next step.
    #[must_use]
    pub fn accumulated(&self) -> u32 {
        self.accumulated
    }

    /// The code of an input, at the present version. Head and body stages.
    ///
    /// # Errors
    /// [`Error::Input`] for an input that does not fit the stage.
    pub fn forward(&self, input: Input<'_>) -> Result<Vec<u8>, Error> {
        self.forward_with(&self.engine.weights(), input)
    }

    /// Parameters of this stage, to compute with besides its own.
    pub(crate) fn upload(&self, params: &[f32]) -> Result<Weights, Error> {
        self.engine.upload(params)
    }

    pub(crate) fn forward_with(
        &self,
        weights: &Weights,
        input: Input<'_>,
    ) -> Result<Vec<u8>, Error> {
        self.expect_tail(false)?;
        let mut pass = self.pass(weights, input)?;
        pass.code()
    }

    /// As [`Stage::forward`], keeping what [`Stage::land`] needs.
    ///
    /// # Errors
    /// As [`Stage::forward`].
    pub fn depart(&self, input: Input<'_>) -> Result<(Vec<u8>, Flight), Error> {
        self.expect_tail(false)?;
        let mut pass = self.pass(&self.engine.weights(), input)?;
        let code = pass.code()?;
        Ok((code, Flight { pass, era: self.era, version: self.version() }))
    }

    /// Accumulates the gradient of a microbatch in flight, and returns that of its input code (none at
    /// the head).
    ///
    /// # Errors
    /// [`Error::Version`] for a flight of too long ago or from before parameters were loaded,
    /// [`Error::Input`] for bytes that do not fit, [`Error::Diverged`] when a result is not finite;
    /// nothing is accumulated then.
    pub fn land(&mut self, flight: Flight, grad: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let age = u64::from(self.version()).saturating_sub(flight.version.into());
        if flight.era != self.era || age >= KEPT_VERSIONS as u64 {
            let newest = self.version();
            let oldest = newest.saturating_sub(KEPT_VERSIONS as u32 - 1);
            return Err(Error::Version { version: flight.version, oldest, newest });
        }
        self.descend(flight.pass, self.wire(grad)?)
    }

    fn pass(&self, weights: &Weights, input: Input<'_>) -> Result<Box<dyn Pass>, Error> {
        match (input, self.config.is_head()) {
            (Input::Tokens(tokens), true) => {
                self.check_tokens(tokens)?;
                self.engine.forward(weights, Source::Tokens(tokens))
            }
            (Input::Code(bytes), false) if self.config.cut.token_width == 0 => {
                self.engine.forward(weights, Source::Code(self.wire(bytes)?, &[]))
            }
            (Input::CodeAndTokens(bytes, tokens), false) if self.config.cut.token_width > 0 => {
                self.check_tokens(tokens)?;
                self.engine.forward(weights, Source::Code(self.wire(bytes)?, tokens))
            }
            (Input::Tokens(_), false) => Err(Error::Input("only a head takes tokens alone".into())),
            (_, true) => Err(Error::Input("a head takes tokens, not a code".into())),
            (Input::Code(_), _) => Err(Error::Input("the cut wants tokens beside the code".into())),
            (_, false) => Err(Error::Input("the cut has no place for tokens".into())),
        }
    }

    fn descend(&mut self, pass: Box<dyn Pass>, grad: Wire<'_>) -> Result<Option<Vec<u8>>, Error> {
        let dsource = self.engine.backward(pass, grad)?;
        self.accumulate()?;
        Ok(dsource)
    }

    /// Accumulates the gradient of a microbatch whose forward pass was made at `version`, and
    /// returns the gradient of its input code (none at the head).
    ///
    /// # Errors
    /// [`Error::Version`] when the version is no longer kept, [`Error::Input`] for bytes that do
    /// not fit, [`Error::Diverged`] when a result is not finite; nothing is accumulated then.
    pub fn backward(
        &mut self,
        version: u32,
        input: Input<'_>,
        grad: &[u8],
    ) -> Result<Option<Vec<u8>>, Error> {
        self.replay(version, input, grad).map(|(_, grad)| grad)
    }

    /// [`Stage::backward`], returning the code as well.
    ///
    /// # Errors
    /// As [`Stage::backward`].
    pub fn replay(
        &mut self,
        version: u32,
        input: Input<'_>,
        grad: &[u8],
    ) -> Result<(Vec<u8>, Option<Vec<u8>>), Error> {
        self.expect_tail(false)?;
        let weights = self.at_version(version)?;
        let grad = self.wire(grad)?;
        let mut pass = self.pass(&weights, input)?;
        let code = pass.code()?;
        let dsource = self.descend(pass, grad)?;
        Ok((code, dsource))
    }

    /// Forward and backward at the tail: accumulates, returns loss and gradient of the code.
    ///
    /// # Errors
    /// [`Error::Input`] for a code or targets that do not fit, [`Error::Diverged`] when a result is
    /// not finite; nothing is accumulated then.
    pub fn loss_and_grad(
        &mut self,
        input: Input<'_>,
        targets: &[u32],
    ) -> Result<TailOutput, Error> {
        self.expect_tail(true)?;
        self.check_tokens(targets)?;
        let pass = self.pass(&self.engine.weights(), input)?;
        let (loss, dcode) = self.engine.loss_backward(pass, targets)?;
        self.accumulate()?;
        Ok(TailOutput { loss, grad: dcode.unwrap_or_default() })
    }

    /// Loss of each token at the tail, without a gradient.
    pub(crate) fn losses_now(&self, input: Input<'_>, targets: &[u32]) -> Result<Vec<f32>, Error> {
        self.losses(&self.engine.weights(), input, targets)
    }

    /// The logits that a tail has after one of the microbatch's tokens.
    pub(crate) fn logits(&self, input: Input<'_>, token: usize) -> Result<Vec<f32>, Error> {
        self.expect_tail(true)?;
        self.pass(&self.engine.weights(), input)?.logits(token)
    }

    /// Loss of each token at the tail with given parameters, without a gradient.
    pub(crate) fn losses(
        &self,
        weights: &Weights,
        input: Input<'_>,
        targets: &[u32],
    ) -> Result<Vec<f32>, Error> {
        self.expect_tail(true)?;
        self.check_tokens(targets)?;
        self.pass(weights, input)?.losses(targets)
    }

    /// Multiplies the learning rate of the next steps: a schedule over a run.
    pub(crate) fn scale_rate(&mut self, factor: f32) {
        self.rate = factor;
    }

    /// Takes an AdamW step along the mean of the accumulated gradients.
    ///
    /// # Errors
    /// [`Error::Diverged`] when the gradient is not finite, [`Error::Input`] when steps can no longer be
    /// counted; the stage stays as it was then. [`Error::Device`] when a device fails: some parameters may
    /// have taken the step, so the stage is to be loaded again.
    pub fn step(&mut self) -> Result<StepInfo, Error> {
        if self.version == u32::MAX {
            return Err(Error::Input("no more steps can be counted".into()));
        }
        let microbatches = self.accumulated;
        if microbatches == 0 {
            self.engine.clear()?;
        }
        let share = 1.0 / microbatches.max(1) as f32;
        let norm = self.engine.norm()? * f64::from(share);
        // Whatever is within these bounds leaves parameters and moments finite.
        if !norm.is_finite() || self.config.adam.clip_milli == 0 && norm > GREATEST_UNCLIPPED {
            return Err(Error::Diverged("the gradient"));
        }
        let before = self.options.keep_versions.then(|| self.engine.weights());
        let update = Update::new(&self.config.adam, self.version + 1, self.rate, share, norm);
        self.engine.step(&update)?;
        if let Some(weights) = before {
            self.versions.push_back((self.version, weights));
            if self.versions.len() >= KEPT_VERSIONS {
                self.versions.pop_front();
            }
        }
        self.version += 1;
        self.accumulated = 0;
        Ok(StepInfo { grad_norm: norm as f32, microbatches })
    }

    fn at_version(&self, version: u32) -> Result<Weights, Error> {
        if version == self.version() {
            return Ok(self.engine.weights());
        }
        let found = self.versions.iter().find(|(kept, _)| *kept == version);
        found.map(|(_, weights)| weights.clone()).ok_or_else(|| self.gone(version))
    }

    fn gone(&self, version: u32) -> Error {
        let newest = self.version();
        let oldest = self.versions.front().map_or(newest, |(kept, _)| *kept);
        Error::Version { version, oldest, newest }
    }

    fn expect_tail(&self, tail: bool) -> Result<(), Error> {
        if self.config.is_tail() == tail {
            return Ok(());
        }
        let text = if tail { "only a tail has a loss" } else { "a tail has no code to send" };
        Err(Error::Input(text.into()))
    }

    fn check_tokens(&self, tokens: &[u32]) -> Result<(), Error> {
        let expected = (self.config.batch * self.config.model.context) as usize;
        if tokens.len() != expected {
            return Err(Error::Input(format!("{} tokens, expected {expected}", tokens.len())));
        }
        match tokens.iter().find(|token| **token >= self.config.model.vocab) {
            Some(token) => Err(Error::Input(format!("token {token} is not in the vocabulary"))),
            None => Ok(()),
        }
    }

    /// A code or its gradient, (N, K).
    fn wire<'a>(&self, bytes: &'a [u8]) -> Result<Wire<'a>, Error> {
        let code = Wire::of(bytes)?;
        let expected = (self.config.batch * self.config.model.context) as usize;
        let cut = &self.config.cut;
        if (code.rows, code.width, code.bits) == (expected, cut.width as usize, cut.bits) {
            return Ok(code);
        }
        let Wire { rows, width, bits, .. } = code;
        let text = format!(
            "a code of {rows} x {width} values of {bits} bits, expected {expected} x {} of {}",
            cut.width, cut.bits
        );
        Err(Error::Input(text))
    }

    /// Adds the latest gradient to the others.
    fn accumulate(&mut self) -> Result<(), Error> {
        // A peer's finite numbers may overflow, and must not spoil what waits here.
        let norm = self.engine.fresh_norm()?;
        if !(norm <= GREATEST_NORM && self.accumulated < 1 << 16) {
            return Err(Error::Diverged("the gradient"));
        }
        self.engine.keep(self.accumulated == 0)?;
        self.accumulated += 1;
        Ok(())
    }
}
