//! A stage at work: forward, backward, step, snapshot.
//!
//! The *version* of the parameters is the number of steps taken since they were loaded. A backward
//! pass is computed at the version of its forward pass, from the same input bytes, by running the
//! forward pass again; the last [`KEPT_VERSIONS`] versions are kept for that. Its gradient enters
//! the present accumulation. [`Stage::replay`] is the same for an auditor, which also wants the
//! code.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::Error;
use crate::adam::{Adam, norm};
use crate::code;
use crate::config::StageConfig;
use crate::model::{Model, Source};

/// Parameter versions kept for backward passes, the present one included.
pub(crate) const KEPT_VERSIONS: usize = 8;
/// First bytes of a snapshot.
const SNAPSHOT_MAGIC: &[u8; 8] = b"iotasnp1";

/// What a stage is given.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Token ids, batch x context of them (head).
    Tokens(&'a [u32]),
    /// A code as wire bytes (other stages).
    Code(&'a [u8]),
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

/// One stage of the pipeline with its optimizer.
pub struct Stage {
    config: StageConfig,
    model: Model,
    params: Arc<Vec<f32>>,
    versions: VecDeque<(u32, Arc<Vec<f32>>)>,
    adam: Adam,
    gradient: Vec<f32>,
    accumulated: u32,
}

impl Stage {
    /// A stage with its initial parameters.
    ///
    /// # Errors
    /// [`Error::Config`] for a configuration that cannot be built.
    pub fn new(config: &StageConfig) -> Result<Self, Error> {
        config.validate()?;
        let model = Model::new(config);
        let params = Arc::new(model.initial());
        let len = params.len();
        Ok(Self {
            config: *config,
            model,
            versions: VecDeque::from([(0, Arc::clone(&params))]),
            params,
            adam: Adam::new(len),
            gradient: vec![0.0; len],
            accumulated: 0,
        })
    }

    /// Number of parameters.
    #[must_use]
    pub fn param_count(&self) -> usize {
        self.params.len()
    }

    /// The parameters, flat, in the order of the architecture.
    #[must_use]
    pub fn params(&self) -> &[f32] {
        &self.params
    }

    /// Steps taken since the parameters were loaded.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.adam.step
    }

    /// Microbatches whose gradients wait for the next step.
    #[must_use]
    pub fn accumulated(&self) -> u32 {
        self.accumulated
    }

    /// Takes new parameters; moments, version and accumulation start anew.
    ///
    /// # Errors
    /// [`Error::Input`] for another number of parameters, [`Error::Diverged`] for a NaN.
    pub fn load_params(&mut self, params: &[f32]) -> Result<(), Error> {
        self.set(params.to_vec(), Adam::new(params.len()))
    }

    fn set(&mut self, params: Vec<f32>, adam: Adam) -> Result<(), Error> {
        if params.len() != self.model.count() {
            let text = format!("{} parameters, expected {}", params.len(), self.model.count());
            return Err(Error::Input(text));
        }
        if params.iter().chain(&adam.m).chain(&adam.v).any(|value| !value.is_finite()) {
            return Err(Error::Diverged("a parameter"));
        }
        if adam.v.iter().any(|value| *value < 0.0) {
            return Err(Error::Input("a second moment is negative".into()));
        }
        self.params = Arc::new(params);
        self.adam = adam;
        self.versions = VecDeque::from([(self.adam.step, Arc::clone(&self.params))]);
        self.gradient.fill(0.0);
        self.accumulated = 0;
        Ok(())
    }

    /// Parameters, moments and version as canonical bytes. What is accumulated is not part of it.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + self.params.len() * 12);
        bytes.extend(SNAPSHOT_MAGIC);
        bytes.extend(self.adam.step.to_le_bytes());
        bytes.extend((self.params.len() as u32).to_le_bytes());
        let values = self.params.iter().chain(&self.adam.m).chain(&self.adam.v);
        values.for_each(|value| bytes.extend(value.to_le_bytes()));
        bytes
    }

    /// Takes a snapshot's parameters, moments and version.
    ///
    /// # Errors
    /// [`Error::Input`] for bytes that are no snapshot of this stage.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let (step, values) = read_snapshot(bytes)?;
        let len = values.len() / 3;
        let part = |index: usize| values[index * len..(index + 1) * len].to_vec();
        self.set(part(0), Adam { m: part(1), v: part(2), step })
    }

    /// The code of an input, at the present version. Head and body stages.
    ///
    /// # Errors
    /// [`Error::Input`] for an input that does not fit the stage.
    pub fn forward(&self, input: Input<'_>) -> Result<Vec<u8>, Error> {
        self.forward_with(&self.params, input)
    }

    pub(crate) fn forward_with(&self, params: &[f32], input: Input<'_>) -> Result<Vec<u8>, Error> {
        self.expect_tail(false)?;
        let tape = self.model.forward(params, &self.source(input)?);
        self.encode(&self.model.code(params, &tape))
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
        let params = self.at_version(version)?;
        let source = self.source(input)?;
        let grad = self.values(grad)?;
        let tape = self.model.forward(&params, &source);
        let code = self.encode(&self.model.code(&params, &tape))?;
        let (gradient, dsource) = self.model.backward(&params, &source, &tape, &grad);
        let dsource = dsource.map(|values| self.encode(&values)).transpose()?;
        self.accumulate(&gradient)?;
        Ok((code, dsource))
    }

    /// Forward and backward at the tail: accumulates, returns loss and gradient of the code.
    ///
    /// # Errors
    /// [`Error::Input`] for a code or targets that do not fit, [`Error::Diverged`] when a result is
    /// not finite; nothing is accumulated then.
    pub fn loss_and_grad(&mut self, code: &[u8], targets: &[u32]) -> Result<TailOutput, Error> {
        self.expect_tail(true)?;
        self.check_tokens(targets)?;
        let source = Source::Code(self.values(code)?);
        let tape = self.model.forward(&self.params, &source);
        let (loss, gradient, dcode) =
            self.model.loss_backward(&self.params, &source, &tape, targets);
        if !loss.is_finite() {
            return Err(Error::Diverged("the loss"));
        }
        let grad = self.encode(&dcode.unwrap_or_default())?;
        self.accumulate(&gradient)?;
        Ok(TailOutput { loss, grad })
    }

    /// Loss of each token at the tail with given parameters, without a gradient.
    pub(crate) fn losses(
        &self,
        params: &[f32],
        code: &[u8],
        targets: &[u32],
    ) -> Result<Vec<f32>, Error> {
        self.expect_tail(true)?;
        self.check_tokens(targets)?;
        let tape = self.model.forward(params, &Source::Code(self.values(code)?));
        Ok(self.model.losses(params, &tape, targets))
    }

    /// Takes an AdamW step along the mean of the accumulated gradients.
    ///
    /// # Errors
    /// [`Error::Diverged`] when the gradient, a parameter or a moment is not finite,
    /// [`Error::Input`] when steps can no longer be counted; the stage stays as it was then.
    pub fn step(&mut self) -> Result<StepInfo, Error> {
        if self.adam.step == u32::MAX {
            return Err(Error::Input("no more steps can be counted".into()));
        }
        let microbatches = self.accumulated;
        let share = 1.0 / microbatches.max(1) as f32;
        let gradient: Vec<f32> = self.gradient.iter().map(|g| g * share).collect();
        let norm = norm(&gradient);
        if !norm.is_finite() {
            return Err(Error::Diverged("the gradient"));
        }
        let (mut params, mut adam) = (Vec::clone(&self.params), self.adam.clone());
        adam.step(&self.config.adam, &mut params, &gradient, norm);
        if params.iter().chain(&adam.m).chain(&adam.v).any(|value| !value.is_finite()) {
            return Err(Error::Diverged("a parameter"));
        }
        self.params = Arc::new(params);
        self.adam = adam;
        self.versions.push_back((self.adam.step, Arc::clone(&self.params)));
        if self.versions.len() > KEPT_VERSIONS {
            self.versions.pop_front();
        }
        self.gradient.fill(0.0);
        self.accumulated = 0;
        Ok(StepInfo { grad_norm: norm as f32, microbatches })
    }

    fn at_version(&self, version: u32) -> Result<Arc<Vec<f32>>, Error> {
        let found = self.versions.iter().find(|(kept, _)| *kept == version);
        found.map(|(_, params)| Arc::clone(params)).ok_or_else(|| Error::Version {
            version,
            oldest: self.versions.front().map_or(0, |(kept, _)| *kept),
            newest: self.version(),
        })
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

    /// The input, checked.
    fn source<'a>(&self, input: Input<'a>) -> Result<Source<'a>, Error> {
        match (input, self.config.is_head()) {
            (Input::Tokens(tokens), true) => {
                self.check_tokens(tokens)?;
                Ok(Source::Tokens(tokens))
            }
            (Input::Code(bytes), false) => Ok(Source::Code(self.values(bytes)?)),
            (Input::Tokens(_), false) => Err(Error::Input("only a head takes tokens".into())),
            (Input::Code(_), true) => Err(Error::Input("a head takes tokens, not a code".into())),
        }
    }

    /// The values of a code or a gradient, (B, T, K).
    fn values(&self, bytes: &[u8]) -> Result<Vec<f32>, Error> {
        let code = code::decode(bytes)?;
        let (batch, context) = (self.config.batch as usize, self.config.model.context as usize);
        let width = self.config.cut.width as usize;
        if (code.rows, code.width) != (batch * context, width) {
            let text = format!(
                "a code of {} x {}, expected {} x {width}",
                code.rows,
                code.width,
                batch * context
            );
            return Err(Error::Input(text));
        }
        Ok(code.values)
    }

    fn encode(&self, values: &[f32]) -> Result<Vec<u8>, Error> {
        code::encode(values, self.config.cut.width as usize, self.config.cut.int8)
    }

    fn accumulate(&mut self, gradient: &[f32]) -> Result<(), Error> {
        // Summed apart: a peer's finite numbers may overflow, and must not spoil what waits here.
        let sums: Vec<f32> = self.gradient.iter().zip(gradient).map(|(sum, g)| sum + g).collect();
        if sums.iter().any(|sum| !sum.is_finite()) {
            return Err(Error::Diverged("the gradient"));
        }
        self.gradient = sums;
        self.accumulated += 1;
        Ok(())
    }
}

/// Step and values (parameters, then first, then second moments) of a snapshot.
fn read_snapshot(bytes: &[u8]) -> Result<(u32, Vec<f32>), Error> {
    let bad = || Error::Input("not a snapshot".into());
    let rest = bytes.strip_prefix(SNAPSHOT_MAGIC).ok_or_else(bad)?;
    let (step, rest) = rest.split_first_chunk::<4>().ok_or_else(bad)?;
    let (len, rest) = rest.split_first_chunk::<4>().ok_or_else(bad)?;
    let expected = (u32::from_le_bytes(*len) as usize).checked_mul(12).ok_or_else(bad)?;
    if rest.len() != expected {
        return Err(bad());
    }
    let values = rest.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Ok((u32::from_le_bytes(*step), values))
}

/// The parameters in a snapshot.
///
/// # Errors
/// [`Error::Input`] for bytes that are no snapshot.
pub fn snapshot_params(bytes: &[u8]) -> Result<Vec<f32>, Error> {
    let (_, mut values) = read_snapshot(bytes)?;
    values.truncate(values.len() / 3);
    Ok(values)
}
