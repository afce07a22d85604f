//! How much each hotkey may ask and say: rates, and what may be in flight.

use std::collections::HashMap;
use std::time::Instant;

use crate::bucket::Bucket;
use crate::{Hotkey, limits};

/// What hotkeys have used of their allowance. One entry for each hotkey that was ever bound or
/// heard while registered, until [`Admission::retain`].
#[derive(Debug, Default)]
pub(crate) struct Admission {
    askers: HashMap<Hotkey, Asker>,
    authors: HashMap<Hotkey, Bucket>,
    bytes: usize,
}

#[derive(Debug)]
struct Asker {
    rate: Bucket,
    in_flight: usize,
}

impl Admission {
    /// Whether a hotkey may ask something of that many bytes now; it then counts until
    /// [`Admission::done`].
    pub(crate) fn ask(&mut self, from: Hotkey, bytes: usize, now: Instant) -> bool {
        let asker = self.askers.entry(from).or_insert_with(|| Asker {
            rate: Bucket::new(limits::REQUESTS_PER_SECOND, limits::REQUEST_BURST),
            in_flight: 0,
        });
        let fits = asker.in_flight < limits::MAX_IN_FLIGHT
            && self.bytes.saturating_add(bytes) <= limits::MAX_IN_FLIGHT_BYTES;
        let admitted = asker.rate.take(now) && fits;
        if admitted {
            asker.in_flight += 1;
            self.bytes += bytes;
        }
        admitted
    }

    /// Something that was admitted is answered, or never will be.
    pub(crate) fn done(&mut self, from: &Hotkey, bytes: usize) {
        if let Some(asker) = self.askers.get_mut(from) {
            asker.in_flight = asker.in_flight.saturating_sub(1);
        }
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Whether an author may be heard now.
    pub(crate) fn say(&mut self, author: Hotkey, now: Instant) -> bool {
        let rate = || Bucket::new(limits::GOSSIP_PER_SECOND, limits::GOSSIP_BURST);
        self.authors.entry(author).or_insert_with(rate).take(now)
    }

    /// Forgets hotkeys, except those with something in flight.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Hotkey) -> bool) {
        self.askers.retain(|hotkey, asker| asker.in_flight > 0 || keep(hotkey));
        self.authors.retain(|hotkey, _| keep(hotkey));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn requests_in_flight_are_limited_for_each_hotkey() {
        let (mut admission, now) = (Admission::default(), Instant::now());
        let admitted = (0..2 * limits::MAX_IN_FLIGHT).filter(|_| admission.ask([1; 32], 1, now));
        assert_eq!(admitted.count(), limits::MAX_IN_FLIGHT);
        assert!(admission.ask([2; 32], 1, now), "another hotkey has its own");
        admission.done(&[1; 32], 1);
        assert!(admission.ask([1; 32], 1, now));
        assert!(!admission.ask([1; 32], 1, now));
    }

    #[test]
    fn bytes_in_flight_are_limited_for_all_together() {
        let (mut admission, now) = (Admission::default(), Instant::now());
        assert!(admission.ask([1; 32], limits::MAX_IN_FLIGHT_BYTES, now));
        assert!(!admission.ask([2; 32], 1, now));
        admission.done(&[1; 32], limits::MAX_IN_FLIGHT_BYTES);
        assert!(admission.ask([2; 32], 1, now));
    }

    #[test]
    fn request_and_gossip_rates_are_limited() {
        let (mut admission, now) = (Admission::default(), Instant::now());
        let mut asked = 0;
        while admission.ask([1; 32], 0, now) {
            admission.done(&[1; 32], 0);
            asked += 1;
        }
        assert_eq!(asked, limits::REQUEST_BURST);
        let said = (0..10_000).filter(|_| admission.say([1; 32], now)).count();
        assert_eq!(said, limits::GOSSIP_BURST as usize);
        let later = now + Duration::from_secs(1);
        let said = (0..10_000).filter(|_| admission.say([1; 32], later)).count();
        assert_eq!(said, limits::GOSSIP_PER_SECOND as usize);
        admission.retain(|_| false);
        assert!(admission.askers.is_empty() && admission.authors.is_empty());
    }
}
