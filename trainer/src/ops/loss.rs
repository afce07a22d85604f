//! Cross-entropy of a linear head, by chunks of rows: the logits of some rows at a time, never of all.

use rayon::prelude::*;

use super::product::{Mat, Out, Panels, Part, Threads, multiply};
use super::simd::{exp, greatest, vectorized};
use super::value::Value;

/// Logits that are held at a time, unless one row has more.
const LOGITS: usize = 1 << 21;

/// Logits to hold for so many rows.
pub(crate) fn logits(rows: usize, vocab: usize) -> usize {
    (LOGITS / vocab).clamp(1, rows.max(1)) * vocab
}

/// A head: weight (D, V) and the rows it is applied to, (N, D).
pub(crate) struct Head<'a, T> {
    pub(crate) h: &'a [T],
    pub(crate) weight: &'a [f32],
    pub(crate) vocab: usize,
}

impl<T: Value> Head<'_, T> {
    fn width(&self) -> usize {
        self.weight.len() / self.vocab
    }

    /// Writes the loss of each row, in nats.
    pub(crate) fn forward(&self, targets: &[u32], logits: &mut [f32], losses: &mut [f32]) {
        self.chunks(targets, logits, |first, logits, targets| {
            let losses = &mut losses[first..first + targets.len()];
            let rows = logits.par_chunks_mut(self.vocab).zip(targets).zip(losses);
            rows.for_each(|((logits, target), loss)| {
                *loss = vectorized!(exponentials(logits, *target).0);
            });
        });
    }

    /// Writes the losses, and the gradients of their mean: of `h`, and of the weight.
    pub(crate) fn backward(
        &self,
        targets: &[u32],
        logits: &mut [f32],
        losses: &mut [f32],
        dh: &mut [f32],
        dweight: &mut [f32],
    ) {
        let (width, vocab) = (self.width(), self.vocab);
        let share = 1.0 / targets.len() as f32;
        let weight = Mat::new(self.weight, width, vocab);
        let back = Panels::right(T::PRECISION, weight.t(), Threads::All);
        self.chunks(targets, logits, |first, logits, targets| {
            let count = targets.len();
            let losses = &mut losses[first..first + count];
            let rows = logits.par_chunks_mut(vocab).zip(targets).zip(losses);
            rows.for_each(|((logits, target), loss)| {
                *loss = vectorized!(slopes(logits, *target, share));
            });
            let slopes = Mat::new(logits, count, vocab);
            let place = first * width..(first + count) * width;
            let left = Panels::left(T::PRECISION, slopes, Threads::All);
            let part = Part { rows: count, depth: vocab, columns: width };
            let dh = Out::set(&mut dh[place.clone()], width);
            multiply(dh, &left, &back, part, Threads::All);
            let left = Panels::left(
                T::PRECISION,
                Mat::new(&self.h[place], count, width).t(),
                Threads::All,
            );
            let right = Panels::right(T::PRECISION, slopes, Threads::All);
            let part = Part { rows: width, depth: count, columns: vocab };
            let dweight =
                if first == 0 { Out::set(dweight, vocab) } else { Out::add(dweight, vocab) };
            multiply(dweight, &left, &right, part, Threads::All);
        });
    }

    /// Hands out the first row, the logits and the targets of each chunk.
    fn chunks(
        &self,
        targets: &[u32],
        logits: &mut [f32],
        mut each: impl FnMut(usize, &mut [f32], &[u32]),
    ) {
        let (width, vocab) = (self.width(), self.vocab);
        let most = (logits.len() / vocab).max(1);
        let weight = Mat::new(self.weight, width, vocab);
        let right = Panels::right(T::PRECISION, weight, Threads::All);
        for (index, targets) in targets.chunks(most).enumerate() {
            let (first, rows) = (index * most, targets.len());
            let h = Mat::new(&self.h[first * width..(first + rows) * width], rows, width);
            let left = Panels::left(T::PRECISION, h, Threads::All);
            let logits = &mut logits[..rows * vocab];
            let part = Part { rows, depth: width, columns: vocab };
            multiply(Out::set(logits, vocab), &left, &right, part, Threads::All);
            each(first, logits, targets);
        }
    }
}

/// Replaces logits by their exponentials, shifted so that none overflows; the target's loss, and the sum.
#[inline(always)]
fn exponentials(logits: &mut [f32], target: u32) -> (f32, f32) {
    let most = greatest(logits);
    let wanted = logits[target as usize] - most;
    logits.iter_mut().for_each(|value| *value = exp(*value - most));
    let sum = super::simd::sum(logits.len(), |at| logits[at]);
    (sum.ln() - wanted, sum)
}

/// Replaces logits by the gradient of `share` times their loss, which is returned.
#[inline(always)]
fn slopes(logits: &mut [f32], target: u32, share: f32) -> f32 {
    let (loss, sum) = exponentials(logits, target);
    let factor = share / sum;
    logits.iter_mut().for_each(|value| *value *= factor);
    logits[target as usize] -= share;
    loss
}

#[cfg(test)]
mod tests {
    use half::bf16;
    use proptest::prelude::*;

    use super::*;
    use crate::ops::product::slack;

    fn run<T: Value>(
        h: &[f32],
        weight: &[f32],
        vocab: usize,
        targets: &[u32],
        rows: usize,
    ) -> [Vec<f32>; 3] {
        let h: Vec<T> = h.iter().map(|value| T::near(*value)).collect();
        let head = Head { h: &h[..], weight, vocab };
        let mut logits = vec![f32::NAN; rows * vocab];
        let mut losses = vec![f32::NAN; targets.len()];
        let (mut dh, mut dweight) = (vec![f32::NAN; h.len()], vec![f32::NAN; weight.len()]);
        head.forward(targets, &mut logits, &mut losses);
        let forward = losses.clone();
        head.backward(targets, &mut logits, &mut losses, &mut dh, &mut dweight);
        assert!(forward == losses, "the same losses with gradients and without");
        [losses, dh, dweight]
    }

    proptest! {
        /// How many rows are held at a time changes the order in which the weight's gradient is summed, and
        /// nothing else where products are sums in order; elsewhere a slope may be rounded to another bf16.
        #[test]
        fn chunks_of_any_size_agree(
            rows in 1_usize..12,
            width in 1_usize..20,
            vocab in 2_usize..40,
            held in 1_usize..4,
            seed: u64,
        ) {
            let mut state = seed;
            let mut random = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 40) as f32 / (1 << 23) as f32 - 1.0
            };
            let h: Vec<f32> = (0..rows * width).map(|_| random()).collect();
            let weight: Vec<f32> = (0..width * vocab).map(|_| random()).collect();
            let targets: Vec<u32> =
                (0..rows).map(|_| ((random() + 1.0) * 1e6) as u32 % vocab as u32).collect();
            for (whole, parts) in [
                (
                    run::<f32>(&h, &weight, vocab, &targets, rows),
                    run::<f32>(&h, &weight, vocab, &targets, held),
                ),
                (
                    run::<bf16>(&h, &weight, vocab, &targets, rows),
                    run::<bf16>(&h, &weight, vocab, &targets, held),
                ),
            ] {
                let most = [slack().min(1e-5), slack(), slack().max(1e-5)];
                for (index, most) in most.into_iter().enumerate() {
                    for (whole, part) in whole[index].iter().zip(&parts[index]) {
                        prop_assert!((whole - part).abs() <= most);
                    }
                }
            }
        }
    }
}
