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
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_window_passes_more_than_burst_and_rate(
            steps in prop::collection::vec((0u64..400, 1u32..30), 1..60),
            per_second in 1u32..40,
            burst in 1u32..40,
        ) {
            let (mut bucket, start) = (Bucket::new(per_second, burst), Instant::now());
            let mut now = start;
            let mut passed = 0u32;
            for (pause, asks) in steps {
                now += Duration::from_millis(pause);
                passed += (0..asks).filter(|_| bucket.take(now)).count() as u32;
                let most = f64::from(burst) + (now - start).as_secs_f64() * f64::from(per_second);
                prop_assert!(f64::from(passed) <= most + 1e-6, "{} of {}", passed, most);
            }
            // Time that seems to go back gives nothing.
            while bucket.take(now) {}
            prop_assert!(!bucket.take(start));
        }
    }

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
