//! A token bucket: a rate with room for bursts, as a pure function of the times it is asked at.

use std::time::{Duration, Instant};

/// Refills at `per_second` up to `burst` tokens.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    per_second: u32,
    burst: u32,
    tokens: f64,
    at: Option<Instant>,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second, burst, tokens: f64::from(burst), at: None }
    }

    /// Takes one token, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let since = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = Some(now);
        let refilled = self.tokens + since.as_secs_f64() * f64::from(self.per_second);
        self.tokens = refilled.min(f64::from(self.burst));
        let has = self.tokens >= 1.0;
        if has {
            self.tokens -= 1.0;
        }
        has
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate() {
        let (mut bucket, start) = (Bucket::new(10, 5), Instant::now());
        let passed = (0..20).filter(|_| bucket.take(start)).count();
        assert_eq!(passed, 5);
        assert!(!bucket.take(start + Duration::from_millis(50)));
        assert!(bucket.take(start + Duration::from_millis(150)));
        let later = start + Duration::from_secs(60);
        assert_eq!((0..20).filter(|_| bucket.take(later)).count(), 5, "no more than the burst");
    }
}
