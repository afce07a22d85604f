//! What computes a stage's passes, and holds its parameters and its optimizer's state.

use std::any::Any;
use std::sync::Arc;

use crate::Error;
use crate::adam::Update;
use crate::code::Wire;

/// What a stage computes from, checked.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// Token ids (head), B x T, each in the vocabulary.
    Tokens(&'a [u32]),
    /// A code (other stages), (N, K), and the tokens where the stage embeds them again (else none).
    Code(Wire<'a>, &'a [u32]),
}

/// Parameters where a device computes with them, which no step changes.
pub(crate) type Weights = Arc<dyn Any + Send + Sync>;

/// A code or its gradient, with its header.
pub(crate) type Bytes = Vec<u8>;

/// The loss of a microbatch, and the gradient of the code that was its source.
pub(crate) type Loss = (f32, Option<Bytes>);

/// A device's way of computing one stage. Besides parameters and moments it holds two gradients: that of
/// the latest microbatch, the *fresh* one, and the sum of those that were kept.
pub(crate) trait Engine: Send {
    /// The parameters of now.
    fn weights(&self) -> Weights;

    /// Other parameters of this stage.
    fn upload(&self, params: &[f32]) -> Result<Weights, Error>;

    /// The values of the parameters of now, flat; NaN where the device fails.
    fn params(&self) -> &[f32];

    /// First and second moments, flat; likewise.
    fn moments(&self) -> [Vec<f32>; 2];

    /// Replaces parameters and moments; without moments, these are zero.
    fn load(&mut self, params: &[f32], moments: Option<[&[f32]; 2]>) -> Result<(), Error>;

    /// Runs the blocks, and keeps what the backward pass needs.
    fn forward(&self, weights: &Weights, source: Source<'_>) -> Result<Box<dyn Pass>, Error>;

    /// Makes the fresh gradient from that of the code, (N, K); that of a code that was the source is
    /// returned, unless it has diverged. Head and body stages.
    fn backward(&mut self, pass: Box<dyn Pass>, dcode: Wire<'_>) -> Result<Option<Bytes>, Error>;

    /// As [`Engine::backward`], from the mean loss, which is finite. Tail.
    fn loss_backward(&mut self, pass: Box<dyn Pass>, targets: &[u32]) -> Result<Loss, Error>;

    /// Norm of the fresh gradient. Not finite if a value is not.
    fn fresh_norm(&self) -> Result<f64, Error>;

    /// Adds the fresh gradient to the sum, or begins one with it.
    fn keep(&mut self, begins: bool) -> Result<(), Error>;

    /// Begins a sum of no gradient.
    fn clear(&mut self) -> Result<(), Error>;

    /// Norm of the sum.
    fn norm(&self) -> Result<f64, Error>;

    /// Steps along the sum.
    fn step(&mut self, update: &Update) -> Result<(), Error>;

    /// The fresh gradient.
    #[cfg(test)]
    fn fresh(&self) -> Vec<f32>;
}

/// A forward pass that was made, with the parameters it was made with.
pub(crate) trait Pass: Send {
    /// The code, (N, K), unless it has diverged. Head and body stages.
    fn code(&mut self) -> Result<Bytes, Error>;

    /// The loss of each token, in nats. Tail.
    fn losses(&mut self, targets: &[u32]) -> Result<Vec<f32>, Error>;

    /// The logits after one token, (V). Tail.
    fn logits(&mut self, token: usize) -> Result<Vec<f32>, Error>;

    /// For the engine that made it.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// The loss of a microbatch, of those of its tokens.
///
/// # Errors
/// [`Error::Diverged`] for one that is not finite.
pub(crate) fn mean(losses: &[f32]) -> Result<f32, Error> {
    let sum = losses.iter().map(|loss| f64::from(*loss)).sum::<f64>();
    let loss = (sum / losses.len() as f64) as f32;
    if loss.is_finite() { Ok(loss) } else { Err(Error::Diverged("the loss")) }
}

/// A pass of this engine's own.
pub(crate) fn own<P: 'static>(pass: Box<dyn Pass>) -> Box<P> {
    pass.into_any().downcast().expect("a stage has one engine, and its passes are that one's")
}
