//! What computes a stage's passes.

use std::sync::Arc;

use crate::buffer::Buffer;

/// What a stage computes from, checked.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// Token ids (head), B x T, each in the vocabulary.
    Tokens(&'a [u32]),
    /// A code (other stages), (B, T, K), and the tokens where the stage embeds them again (else none).
    Code(&'a [f32], &'a [u32]),
}

/// A device's way of computing one stage.
pub(crate) trait Engine: Send + Sync {
    /// Runs the blocks, and keeps what the backward pass needs.
    fn forward(&self, params: &Arc<Buffer<f32>>, source: Source<'_>) -> Box<dyn Pass>;
}

/// A forward pass that was made, with the parameters it was made with.
pub(crate) trait Pass: Send {
    /// The code, (N, K). Head and body stages.
    fn code(&mut self) -> Vec<f32>;

    /// The loss of each token, in nats. Tail.
    fn losses(&mut self, targets: &[u32]) -> Vec<f32>;

    /// The logits after one token, (V). Tail.
    fn logits(&mut self, token: usize) -> Vec<f32>;

    /// Writes the gradients of all parameters, from that of the code, (N, K); that of a code that was the
    /// source, too. Head and body stages.
    fn backward(self: Box<Self>, dcode: &[f32], gradient: &mut [f32]) -> Option<Vec<f32>>;

    /// As [`Pass::backward`], from the mean loss, which comes with it. Tail.
    fn loss_backward(
        self: Box<Self>,
        targets: &[u32],
        gradient: &mut [f32],
    ) -> (f32, Option<Vec<f32>>);
}
