//! Seeded choices that every node makes alike: a stream of integers, shuffles and samples.
//!
//! The stream is BLAKE3 in extendable-output mode, keyed by a domain and a seed. Draws below a
//! bound reject the biased tail, so they are uniform; nothing depends on a random-number crate,
//! whose algorithms may change between versions.

use super::Hash;

/// An endless stream of uniform integers, a function of its domain and seed alone.
pub struct Stream(blake3::OutputReader);

impl Stream {
    /// Opens the stream of `domain` (a constant of the protocol) for `parts` (seed, then context).
    #[must_use]
    pub fn new(domain: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(domain);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize_xof())
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let mut bytes = [0u8; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A uniform integer in `0..bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        // The largest multiple of `bound` that fits: draws above it would favour small results.
        let limit = u64::MAX - u64::MAX % bound;
        loop {
            let draw = self.next_u64();
            if draw < limit {
                return draw % bound;
            }
        }
    }

    /// A uniform permutation in place (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }

    /// `count` distinct indices of `0..len`, ascending; all of them when `count >= len`.
    pub fn sample(&mut self, len: usize, count: usize) -> Vec<usize> {
        let mut indices: Vec<usize> = (0..len).collect();
        let count = count.min(len);
        for place in 0..count {
            let other = place + self.below((len - place) as u64) as usize;
            indices.swap(place, other);
        }
        indices.truncate(count);
        indices.sort_unstable();
        indices
    }
}

/// The hash of stored bytes: blobs, logs, indices and states are all named this way.
#[must_use]
pub fn content_hash(bytes: &[u8]) -> Hash {
    *blake3::hash(bytes).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_choices_and_other_seeds_do_not() {
        let draw = |seed: u8| {
            let mut stream = Stream::new("iota test", &[&[seed; 32]]);
            let mut items: Vec<u32> = (0..50).collect();
            stream.shuffle(&mut items);
            (items, stream.sample(100, 10))
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn parts_are_not_concatenated_ambiguously() {
        let mut a = Stream::new("iota test", &[b"ab", b"c"]);
        let mut b = Stream::new("iota test", &[b"a", b"bc"]);
        assert_ne!(a.next_u64(), b.next_u64());
    }

    #[test]
    fn draws_below_a_bound_are_in_range_and_even() {
        let mut stream = Stream::new("iota test", &[b"uniform"]);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[stream.below(7) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_500..10_500).contains(&count)), "{counts:?}");
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.below(1), 0);
    }

    #[test]
    fn samples_are_distinct_ascending_and_capped() {
        let mut stream = Stream::new("iota test", &[b"sample"]);
        let sample = stream.sample(20, 8);
        assert_eq!(sample.len(), 8);
        assert!(sample.windows(2).all(|pair| pair[0] < pair[1]) && sample[7] < 20);
        assert_eq!(stream.sample(3, 9), vec![0, 1, 2]);
        assert!(stream.sample(0, 4).is_empty());
    }
}
