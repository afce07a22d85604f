//! How surprising a text is to a model that never changes: bigram counts of the train text.
//!
//! CLASP subtracts it from losses, so that a miner is not blamed for hard text. Addition-smoothed
//! counts over at most [`SAMPLE`] sequences, taken evenly, so that all validators have the same.

use crate::Dataset;

/// Sequences that are counted.
const SAMPLE: u64 = 8192;
/// Byte values.
const BYTES: usize = 256;

/// Bigram statistics of a text.
pub struct Reference {
    /// Surprisal of byte b after byte a, in nats, at a x 256 + b.
    surprisal: Vec<f32>,
}

impl Reference {
    /// Counts a dataset's train text.
    #[must_use]
    pub fn new(data: &Dataset) -> Self {
        let mut counts = vec![0u32; BYTES * BYTES];
        let all = data.train_sequences();
        let stride = all.div_ceil(SAMPLE).max(1);
        for id in (0..all).step_by(stride as usize) {
            let Some(tokens) = data.tokens(id) else { break };
            for pair in tokens.windows(2) {
                counts[pair[0] as usize * BYTES + pair[1] as usize] += 1;
            }
        }
        let mut surprisal = Vec::with_capacity(counts.len());
        for row in counts.chunks(BYTES) {
            let total = row.iter().sum::<u32>() as f32 + BYTES as f32 / 10.0;
            surprisal.extend(row.iter().map(|count| -((*count as f32 + 0.1) / total).ln()));
        }
        Self { surprisal }
    }

    /// Mean surprisal of a sequence's targets, in nats per token; 0 for fewer than two tokens.
    #[must_use]
    pub fn surprisal(&self, tokens: &[u32]) -> f64 {
        let of = |pair: &[u32]| {
            let place = pair[0] as usize % BYTES * BYTES + pair[1] as usize % BYTES;
            f64::from(self.surprisal[place])
        };
        let pairs = tokens.len().saturating_sub(1).max(1);
        tokens.windows(2).map(of).sum::<f64>() / pairs as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_text_surprises_less_than_noise() {
        let data = Dataset::embedded(64).unwrap();
        let reference = Reference::new(&data);
        let held_out: Vec<f64> = data.held_out().map(|s| reference.surprisal(&s)).collect();
        let mean = held_out.iter().sum::<f64>() / held_out.len() as f64;
        let noise: Vec<u32> = (0..65u32).map(|i| i * 97 % 251).collect();
        assert!(mean < data.unigram_entropy(), "{mean}");
        assert!(reference.surprisal(&noise) > 1.5 * mean);
        assert_eq!(reference.surprisal(&[]), 0.0);
    }
}
