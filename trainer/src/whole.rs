//! All stages of a model in one process: to measure, to sample from, to export.

use std::path::{Path, PathBuf};

use crate::stage::{Input, Stage};
use crate::{Checkpoint, Error, StageConfig};

/// A model, stage by stage.
pub struct Whole {
    checkpoints: Vec<Checkpoint>,
    /// With microbatches of one sequence.
    stages: Vec<Stage>,
}

/// How a token is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest token; 1 draws as likely as the model says.
    pub temperature: f32,
    /// Draws from as many of the likeliest tokens; 0 = all.
    pub top_k: usize,
    /// Draws from the likeliest tokens that together have this probability; 1 = all.
    pub top_p: f32,
    /// Of the random numbers.
    pub seed: u64,
}

impl Whole {
    /// A model's stages, in order.
    ///
    /// # Errors
    /// [`Error::Input`] unless they are all stages of one model.
    pub fn new(checkpoints: Vec<Checkpoint>) -> Result<Self, Error> {
        crate::export::whole(&checkpoints)?;
        let build = |checkpoint: &Checkpoint| {
            let mut stage = Stage::new(&StageConfig { batch: 1, ..checkpoint.config })?;
            stage.load_params(&checkpoint.params)?;
            Ok(stage)
        };
        let stages = checkpoints.iter().map(build).collect::<Result<_, Error>>()?;
        Ok(Self { checkpoints, stages })
    }

    /// The file of a stage in a folder.
    #[must_use]
    pub fn file(folder: &Path, stage: u16) -> PathBuf {
        folder.join(format!("stage-{stage}.safetensors"))
    }

    /// Reads `stage-0.safetensors` and so on from a folder.
    ///
    /// # Errors
    /// As [`Checkpoint::read`] and [`Whole::new`].
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let first = Checkpoint::read(&Self::file(folder, 0))?;
        let stages = first.config.stages;
        let mut all = vec![first];
        for stage in 1..stages {
            all.push(Checkpoint::read(&Self::file(folder, stage))?);
        }
        Self::new(all)
    }

    /// The stages as they were read.
    #[must_use]
    pub fn checkpoints(&self) -> &[Checkpoint] {
        &self.checkpoints
    }

    /// The settings of the first stage, with its microbatches.
    #[must_use]
    pub fn config(&self) -> &StageConfig {
        &self.checkpoints[0].config
    }

    /// Tokens of a sequence.
    fn context(&self) -> usize {
        self.config().model.context as usize
    }

    /// The loss of each target in nats, given the inputs before and at its place: as many of both as the
    /// context has, or fewer.
    ///
    /// # Errors
    /// [`Error::Input`] for more tokens, as many inputs as targets not given, or a token out of range.
    pub fn losses(&self, inputs: &[u32], targets: &[u32]) -> Result<Vec<f32>, Error> {
        let count = inputs.len();
        if count != targets.len() || count > self.context() {
            return Err(Error::Input(format!("{count} inputs for {} targets", targets.len())));
        }
        let pad = |tokens: &[u32]| {
            let mut tokens = tokens.to_vec();
            tokens.resize(self.context(), 0);
            tokens
        };
        let (inputs, targets) = (pad(inputs), pad(targets));
        let wire = self.last_code(&inputs)?;
        let (tail, index) = (self.tail(), self.stages.len() - 1);
        let input = Input::of(tail, index, &wire, &inputs);
        let mut losses = tail.losses_now(input, &targets)?;
        losses.truncate(count);
        Ok(losses)
    }

    fn tail(&self) -> &Stage {
        &self.stages[self.stages.len() - 1]
    }

    /// What the tail gets.
    fn last_code(&self, inputs: &[u32]) -> Result<Vec<u8>, Error> {
        let mut wire = Vec::new();
        for (index, stage) in self.stages[..self.stages.len() - 1].iter().enumerate() {
            wire = stage.forward(Input::of(stage, index, &wire, inputs))?;
        }
        Ok(wire)
    }

    /// Draws tokens that follow `prompt`, one after the other, and hands each out; stops after `count` or
    /// when `take` says false. What is longer than the context is forgotten from its start.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty prompt or a token out of range.
    pub fn generate(
        &self,
        prompt: &[u32],
        count: usize,
        sampling: &Sampling,
        mut take: impl FnMut(u32) -> bool,
    ) -> Result<(), Error> {
        if prompt.is_empty() {
            return Err(Error::Input("a prompt has a token or more".into()));
        }
        let mut random = blake3::Hasher::new_derive_key("iota 2026 sampling")
            .update(&sampling.seed.to_le_bytes())
            .finalize_xof();
        let mut tokens = prompt.to_vec();
        for _ in 0..count {
            let seen = &tokens[tokens.len().saturating_sub(self.context())..];
            let last = seen.len() - 1;
            let mut inputs = seen.to_vec();
            inputs.resize(self.context(), 0);
            let wire = self.last_code(&inputs)?;
            let input = Input::of(self.tail(), self.stages.len() - 1, &wire, &inputs);
            let logits = self.tail().logits(input, last)?;
            let mut bytes = [0; 8];
            random.fill(&mut bytes);
            let uniform = (u64::from_le_bytes(bytes) >> 11) as f64 / (1u64 << 53) as f64;
            let token = draw(&logits, sampling, uniform);
            tokens.push(token);
            if !take(token) {
                break;
            }
        }
        Ok(())
    }
}

/// A token, by a number from 0 to 1.
fn draw(logits: &[f32], sampling: &Sampling, uniform: f64) -> u32 {
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    let logit = |token: u32| f64::from(logits[token as usize]);
    order.sort_by(|a, b| logit(*b).total_cmp(&logit(*a)).then(a.cmp(b)));
    if sampling.temperature <= 0.0 {
        return order[0];
    }
    if sampling.top_k > 0 {
        order.truncate(sampling.top_k);
    }
    let weigh =
        |token: u32| ((logit(token) - logit(order[0])) / f64::from(sampling.temperature)).exp();
    let weights: Vec<f64> = order.iter().map(|token| weigh(*token)).collect();
    let total: f64 = weights.iter().sum();
    // The likeliest until they have the wanted probability, at least one.
    let (mut kept, mut within) = (0, 0.0);
    while kept < weights.len() && (kept == 0 || within < f64::from(sampling.top_p) * total) {
        within += weights[kept];
        kept += 1;
    }
    let mut left = uniform * within;
    for (token, weight) in order[..kept].iter().zip(&weights) {
        left -= weight;
        if left < 0.0 {
            return *token;
        }
    }
    order[kept - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 4] = [0.0, 2.0, 1.0, -3.0];

    fn sampling(temperature: f32, top_k: usize, top_p: f32) -> Sampling {
        Sampling { temperature, top_k, top_p, seed: 0 }
    }

    #[test]
    fn no_temperature_takes_the_likeliest() {
        assert_eq!(draw(&LOGITS, &sampling(0.0, 0, 1.0), 0.99), 1);
        assert_eq!(draw(&[1.0, 1.0], &sampling(0.0, 0, 1.0), 0.99), 0, "ties: the first");
    }

    #[test]
    fn draws_are_as_likely_as_the_model_says() {
        let mut counts = [0; 4];
        (0..10_000).for_each(|at| {
            let uniform = f64::from(at) / 10_000.0;
            counts[draw(&LOGITS, &sampling(1.0, 0, 1.0), uniform) as usize] += 1;
        });
        let total: f64 = LOGITS.iter().map(|logit| f64::from(*logit).exp()).sum();
        for (count, logit) in counts.iter().zip(LOGITS) {
            let expected = 10_000.0 * f64::from(logit).exp() / total;
            assert!((f64::from(*count) - expected).abs() < 2.0, "{counts:?}");
        }
    }

    #[test]
    fn few_of_the_likeliest_are_drawn_from_where_that_is_asked_for() {
        for at in 0..100 {
            let uniform = f64::from(at) / 100.0;
            assert!([1, 2].contains(&draw(&LOGITS, &sampling(9.0, 2, 1.0), uniform)));
            // The likeliest has 0.66, the two likeliest 0.9.
            assert_eq!(draw(&LOGITS, &sampling(1.0, 0, 0.5), uniform), 1);
            assert!([1, 2].contains(&draw(&LOGITS, &sampling(1.0, 0, 0.7), uniform)));
        }
    }
}
