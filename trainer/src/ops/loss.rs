//! Cross-entropy of a linear head, by chunks of rows: the logits of a few rows at a time, never of all.

use super::matrix::{Mat, product};

/// Rows of a chunk.
const ROWS: usize = 128;

/// The loss of each row of `h` (N, D) under the head `weight` (D, V), in nats.
pub(crate) fn forward(h: &[f32], weight: &[f32], vocab: usize, targets: &[u32]) -> Vec<f32> {
    let mut losses = Vec::with_capacity(targets.len());
    chunks(h, weight, vocab, targets, |_, logits, targets| {
        for (logits, target) in logits.chunks_exact_mut(vocab).zip(targets) {
            losses.push(exponentials(logits, *target).0);
        }
    });
    losses
}

/// The losses, and with them the gradients of their mean: of `h`, and of the weight, added to `dweight`.
pub(crate) fn backward(
    h: &[f32],
    weight: &[f32],
    vocab: usize,
    targets: &[u32],
    dweight: &mut [f32],
) -> (Vec<f32>, Vec<f32>) {
    let width = weight.len() / vocab;
    let share = 1.0 / targets.len() as f32;
    let mut losses = Vec::with_capacity(targets.len());
    let mut dh = vec![0.0; h.len()];
    chunks(h, weight, vocab, targets, |first, logits, targets| {
        for (logits, target) in logits.chunks_exact_mut(vocab).zip(targets) {
            let (loss, sum) = exponentials(logits, *target);
            losses.push(loss);
            logits.iter_mut().for_each(|value| *value *= share / sum);
            logits[*target as usize] -= share;
        }
        let rows = targets.len();
        let slopes = Mat::new(logits, rows, vocab);
        let place = first * width..(first + rows) * width;
        product(&mut dh[place.clone()], 0.0, slopes, Mat::new(weight, width, vocab).t());
        product(dweight, 1.0, Mat::new(&h[place], rows, width).t(), slopes);
    });
    (losses, dh)
}

/// Hands out the first row, the logits and the targets of each chunk.
fn chunks(
    h: &[f32],
    weight: &[f32],
    vocab: usize,
    targets: &[u32],
    mut each: impl FnMut(usize, &mut [f32], &[u32]),
) {
    let width = weight.len() / vocab;
    let mut buffer = vec![0.0; ROWS.min(targets.len()) * vocab];
    for (index, targets) in targets.chunks(ROWS).enumerate() {
        let (first, rows) = (index * ROWS, targets.len());
        let logits = &mut buffer[..rows * vocab];
        let h = Mat::new(&h[first * width..(first + rows) * width], rows, width);
        product(logits, 0.0, h, Mat::new(weight, width, vocab));
        each(first, logits, targets);
    }
}

/// Replaces logits by their exponentials, shifted so that none overflows; the target's loss, and the sum.
fn exponentials(logits: &mut [f32], target: u32) -> (f32, f32) {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let wanted = logits[target as usize] - greatest;
    let mut sum = 0.0;
    for value in logits.iter_mut() {
        *value = (*value - greatest).exp();
        sum += *value;
    }
    (sum.ln() - wanted, sum)
}
