//! How surprising a text is to a model that never changes: counts of the train text.
//!
//! CLASP subtracts it from losses, so that a miner is not blamed for hard text. Where tokens are bytes, pairs of
//! them are counted, else single tokens; addition-smoothed counts over at most [`SAMPLE`] sequences of the
//! first shard, taken evenly, so that all validators have the same.

use crate::{Dataset, Error};

/// Sequences that are counted.
const SAMPLE: u64 = 8192;
/// Byte values.
const BYTES: usize = 256;
/// Added to each count, in tenths.
const SMOOTHING: f32 = 0.1;

/// Statistics of a text.
pub struct Reference {
    /// Surprisal in nats: of byte b after byte a, at a x 256 + b, or of each token.
    surprisal: Vec<f32>,
    vocab: usize,
}

impl Reference {
    /// Counts a dataset's train text.
    ///
    /// # Errors
    /// As [`Dataset::tokens`].
    pub fn new(data: &Dataset) -> Result<Self, Error> {
        let vocab = data.manifest().vocab as usize;
        let mut made = Self { surprisal: Vec::new(), vocab };
        let mut counts = vec![0u32; if vocab <= BYTES { BYTES * BYTES } else { vocab }];
        let all = data.train_counts()[0];
        let stride = all.div_ceil(SAMPLE).max(1);
        for id in (0..all).step_by(stride as usize) {
            let Some(tokens) = data.tokens(id)? else { break };
            tokens.windows(2).for_each(|pair| counts[made.place(pair)] += 1);
        }
        for row in counts.chunks(vocab.max(BYTES)) {
            let total = row.iter().sum::<u32>() as f32 + row.len() as f32 * SMOOTHING;
            let surprisal = |count: &u32| -((*count as f32 + SMOOTHING) / total).ln();
            made.surprisal.extend(row.iter().map(surprisal));
        }
        Ok(made)
    }

    fn place(&self, pair: &[u32]) -> usize {
        match self.vocab {
            ..=BYTES => pair[0] as usize % BYTES * BYTES + pair[1] as usize % BYTES,
            vocab => pair[1] as usize % vocab,
        }
    }

    /// Mean surprisal of a sequence's targets, in nats per token; 0 for fewer than two tokens.
    #[must_use]
    pub fn surprisal(&self, tokens: &[u32]) -> f64 {
        let of = |pair: &[u32]| f64::from(self.surprisal[self.place(pair)]);
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
        let reference = Reference::new(&data).unwrap();
        let held_out = data.held_out().unwrap();
        let held_out: Vec<f64> = held_out.iter().map(|s| reference.surprisal(s)).collect();
        let mean = held_out.iter().sum::<f64>() / held_out.len() as f64;
        let noise: Vec<u32> = (0..65u32).map(|i| i * 97 % 251).collect();
        assert!(mean < data.unigram_entropy().unwrap(), "{mean}");
        assert!(reference.surprisal(&noise) > 1.5 * mean);
        assert_eq!(reference.surprisal(&[]), 0.0);
    }
}
