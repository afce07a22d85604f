//! The held-out loss of a whole model, through all its cuts, as its stages would compute it.

use crate::stage::{Input, Stage};
use crate::{Dataset, Error, code};

/// What to break on purpose, to see that it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ablation {
    /// Nothing.
    None,
    /// The code that leaves this stage is replaced by zeros.
    ZeroCut(u16),
}

/// Mean loss in nats per token over the held-out text, whole microbatches of it.
///
/// `stages` are all stages in order, `params` the parameters to evaluate each with.
///
/// # Errors
/// [`Error::Input`] when stages or parameters do not belong together.
pub fn held_out_loss(
    stages: &[&Stage],
    params: &[&[f32]],
    data: &Dataset,
    batch: u32,
    ablation: Ablation,
) -> Result<f64, Error> {
    let (Some((tail, others)), true) = (stages.split_last(), stages.len() == params.len()) else {
        return Err(Error::Input("as many parameters as stages are needed".into()));
    };
    for (stage, params) in stages.iter().zip(params) {
        if stage.param_count() != params.len() {
            return Err(Error::Input("parameters of another stage".into()));
        }
    }
    let weights = stages.iter().zip(params).map(|(stage, params)| stage.upload(params));
    let weights = weights.collect::<Result<Vec<_>, _>>()?;
    let sequences = data.held_out()?;
    let (mut sum, mut count) = (0f64, 0u64);
    for microbatch in sequences.chunks_exact(batch.max(1) as usize) {
        let inputs: Vec<u32> =
            microbatch.iter().flat_map(|s| s[..s.len() - 1].iter().copied()).collect();
        let targets: Vec<u32> = microbatch.iter().flat_map(|s| s[1..].iter().copied()).collect();
        let mut wire = Vec::new();
        for (index, stage) in others.iter().enumerate() {
            let input = Input::of(stage, index, &wire, &inputs);
            let code = stage.forward_with(&weights[index], input)?;
            let zeroed = ablation == Ablation::ZeroCut(index as u16);
            wire = if zeroed { code::zeroed_code(&code)? } else { code };
        }
        let input = Input::of(tail, others.len(), &wire, &inputs);
        let losses = tail.losses(&weights[others.len()], input, &targets)?;
        sum += losses.iter().map(|loss| f64::from(*loss)).sum::<f64>();
        count += losses.len() as u64;
    }
    if count == 0 {
        return Err(Error::Input("no held-out microbatch".into()));
    }
    Ok(sum / count as f64)
}
