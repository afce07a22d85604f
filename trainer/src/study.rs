//! Whole models trained in one process, stage by stage through their cuts, to compare settings.

use std::time::{Duration, Instant};

use crate::stage::{Input, Stage};
use crate::{Ablation, Dataset, Error, StageConfig, held_out_loss};

/// How far a run has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Steps taken.
    pub step: u32,
    /// Tokens trained on.
    pub tokens: u64,
    /// Held-out loss, in nats per token.
    pub loss: f64,
    /// Time since the start, measuring included.
    pub time: Duration,
}

/// Trains all stages of a model for so many steps of one microbatch, and tells the held-out loss every
/// `every` steps and at the end. The learning rate falls to a tenth over the run, along a cosine.
///
/// # Errors
/// [`Error`] for settings that cannot be built or a run that diverges.
pub fn train(
    config: &StageConfig,
    data: &Dataset,
    steps: u32,
    every: u32,
    mut tell: impl FnMut(Progress),
) -> Result<f64, Error> {
    let start = Instant::now();
    let build = |stage| Stage::new(&StageConfig { stage, ..*config });
    let mut stages = (0..config.stages).map(build).collect::<Result<Vec<_>, _>>()?;
    let tokens = u64::from(config.batch * config.model.context);
    let mut last = f64::NAN;
    for step in 1..=steps {
        let sequences = u64::from(step - 1) * u64::from(config.batch)..;
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for number in sequences.take(config.batch as usize) {
            // A stride coprime to most lengths walks through all of the text.
            let id = (number * 7919 + u64::from(config.seed[0])) % data.train_sequences();
            let sequence = data.tokens(id)?.unwrap_or_default();
            inputs.extend(&sequence[..sequence.len() - 1]);
            targets.extend(&sequence[1..]);
        }
        let along = std::f64::consts::PI * f64::from(step) / f64::from(steps);
        let fraction = 0.1 + 0.45 * (1.0 + along.cos());
        pass(&mut stages, &inputs, &targets)?;
        for stage in &mut stages {
            stage.scale_rate(fraction as f32);
            stage.step()?;
        }
        if step % every == 0 || step == steps {
            let all: Vec<&Stage> = stages.iter().collect();
            let params: Vec<&[f32]> = stages.iter().map(Stage::params).collect();
            last = held_out_loss(&all, &params, data, config.batch, Ablation::None)?;
            let time = start.elapsed();
            tell(Progress { step, tokens: u64::from(step) * tokens, loss: last, time });
        }
    }
    Ok(last)
}

/// One microbatch through all stages and back.
fn pass(stages: &mut [Stage], inputs: &[u32], targets: &[u32]) -> Result<(), Error> {
    let Some((tail, others)) = stages.split_last_mut() else { return Ok(()) };
    let mut wire = Vec::new();
    let mut flights = Vec::new();
    for (index, stage) in others.iter().enumerate() {
        let (code, flight) = stage.depart(Input::of(stage, index, &wire, inputs))?;
        flights.push(flight);
        wire = code;
    }
    let input = Input::of(tail, others.len(), &wire, inputs);
    let mut grad = tail.loss_and_grad(input, targets)?.grad;
    for (stage, flight) in others.iter_mut().zip(flights).rev() {
        grad = stage.land(flight, &grad)?.unwrap_or_default();
    }
    Ok(())
}
