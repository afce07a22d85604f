//! Where a microbatch goes next: SWARM's choice of the least expected completion time.
//!
//! A sender knows of each replica of the next stage what it reported (its queue, its mean service
//! time), what it measured (the time until a gradient came back), and how many microbatches it has
//! in flight there. Credit bounds the latter, so back-pressure travels up the pipeline and no queue
//! grows without limit. A replica that times out is avoided for a while that doubles each time, and
//! then tried again. A refusal says that its queue is full, so it looks busy until it reports
//! otherwise. A little seeded exploration keeps measurements fresh.
//!
//! A receiver may lie about its queue; then its gradients come late, the measured round trip grows
//! and its credit stays used. What is neither returned nor timed out is written off after a while,
//! so that no credit leaks.

use std::collections::{BTreeMap, VecDeque};

use super::choose::Stream;
use super::{Hash, Hotkey};

/// Domain of exploration.
const DOMAIN: &str = "iota 2025 routing exploration";
/// One choice in this many goes to a random replica.
const EXPLORE_ONE_IN: u64 = 16;
/// Weight of the newest sample in a mean, as a shift: 1/4.
const SHIFT: u32 = 2;
/// Doublings of the penalty at most.
const MAX_FAILURES: u32 = 6;
/// Penalties after which a microbatch that nobody accounted for gives its credit back.
const LOST_AFTER_PENALTIES: u64 = 16;
/// Greatest service time believed, in milliseconds: an hour.
const MAX_SERVICE_MS: u32 = 3_600_000;

/// The limits of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoutingRule {
    /// Microbatches in flight per replica at most.
    pub credit: u32,
    /// How long a replica is avoided after its first time-out, in milliseconds.
    pub penalty_ms: u64,
}

/// What is known of one replica.
#[derive(Clone, Debug, Default)]
struct Peer {
    /// Reported, counted down as gradients return.
    queue: u32,
    /// Reported.
    service_ms: u32,
    /// Measured mean until the gradient is back; 0 = never yet.
    round_trip_ms: u32,
    /// When each microbatch in flight was sent, oldest first; at most the credit.
    sent_at: VecDeque<u64>,
    failures: u32,
    avoid_until: u64,
}

/// Chooses replicas of the next stage.
pub struct Router {
    rule: RoutingRule,
    stream: Stream,
    peers: BTreeMap<Hotkey, Peer>,
}

impl Router {
    /// A router that knows nothing yet.
    #[must_use]
    pub fn new(rule: RoutingRule, seed: &Hash, me: &Hotkey) -> Self {
        Self { rule, stream: Stream::new(DOMAIN, &[seed, me]), peers: BTreeMap::new() }
    }

    /// The best of the candidates that has credit and is not avoided; else the one whose penalty
    /// ends first; none if all are at their credit.
    pub fn choose(&mut self, candidates: &[Hotkey], now_ms: u64) -> Option<Hotkey> {
        let lost = now_ms.saturating_sub(self.rule.penalty_ms.saturating_mul(LOST_AFTER_PENALTIES));
        // Per candidate: the end of its penalty, and how it compares with others.
        let mut free: Vec<(Hotkey, u64, (u64, usize))> = Vec::new();
        for hotkey in candidates {
            let peer = self.peers.entry(*hotkey).or_default();
            while peer.sent_at.front().is_some_and(|sent| *sent < lost) {
                peer.sent_at.pop_front();
            }
            if peer.sent_at.len() < self.rule.credit as usize {
                free.push((*hotkey, peer.avoid_until, (peer.expected_ms(), peer.sent_at.len())));
            }
        }
        let good: Vec<_> =
            free.iter().filter(|(_, avoid_until, _)| *avoid_until <= now_ms).collect();
        let Some(best) = good.iter().map(|(_, _, cost)| *cost).min() else {
            return free.iter().min_by_key(|(_, avoid_until, _)| *avoid_until).map(|free| free.0);
        };
        let explores = self.stream.below(EXPLORE_ONE_IN) == 0;
        let chosen: Vec<Hotkey> = good
            .iter()
            .filter(|(_, _, cost)| explores || *cost == best)
            .map(|(hotkey, _, _)| *hotkey)
            .collect();
        Some(chosen[self.stream.below(chosen.len() as u64) as usize])
    }

    /// A microbatch was sent.
    pub fn sent(&mut self, to: Hotkey, now_ms: u64) {
        let peer = self.peers.entry(to).or_default();
        peer.sent_at.push_back(now_ms);
        peer.queue = peer.queue.saturating_add(1);
    }

    /// It was taken, with the receiver's own account of its queue.
    pub fn accepted(&mut self, by: Hotkey, queue: u16, service_ms: u32) {
        let peer = self.peers.entry(by).or_default();
        peer.queue = u32::from(queue);
        peer.service_ms = service_ms.min(MAX_SERVICE_MS);
    }

    /// It was not taken.
    pub fn refused(&mut self, by: Hotkey) {
        // It was the last one sent, in the usual case; another's time would distort the mean.
        let credit = self.rule.credit;
        let peer = self.peers.entry(by).or_default();
        peer.sent_at.pop_back();
        peer.queue = peer.queue.max(credit);
        peer.service_ms = peer.service_ms.max(1);
    }

    /// Its gradient came back.
    pub fn returned(&mut self, from: Hotkey, now_ms: u64) {
        self.land(from, Some(now_ms));
        let peer = self.peers.entry(from).or_default();
        peer.failures = 0;
        peer.avoid_until = 0;
    }

    /// Nothing came in time.
    pub fn timed_out(&mut self, from: Hotkey, now_ms: u64) {
        self.land(from, None);
        let penalty = self.rule.penalty_ms;
        let peer = self.peers.entry(from).or_default();
        peer.avoid_until = now_ms.saturating_add(penalty << peer.failures);
        peer.failures = (peer.failures + 1).min(MAX_FAILURES);
    }

    fn land(&mut self, from: Hotkey, at: Option<u64>) {
        let peer = self.peers.entry(from).or_default();
        peer.queue = peer.queue.saturating_sub(1);
        let Some(sent) = peer.sent_at.pop_front() else { return };
        if let Some(now) = at {
            let sample = u32::try_from(now.saturating_sub(sent)).unwrap_or(u32::MAX).max(1);
            let old = peer.round_trip_ms;
            peer.round_trip_ms =
                if old == 0 { sample } else { old - (old >> SHIFT) + (sample >> SHIFT) };
        }
    }
}

impl Peer {
    /// When a microbatch sent now would be back.
    fn expected_ms(&self) -> u64 {
        let waiting = u64::from(self.queue).max(self.sent_at.len() as u64);
        waiting * u64::from(self.service_ms) + u64::from(self.round_trip_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: Hotkey = [1; 32];
    const B: Hotkey = [2; 32];

    fn router() -> Router {
        Router::new(RoutingRule { credit: 4, penalty_ms: 1000 }, &[3; 32], &[4; 32])
    }

    proptest! {
        #[test]
        fn credit_is_never_exceeded(events in prop::collection::vec((0u8..4, any::<bool>()), 0..200)) {
            let mut router = router();
            let mut flying: Vec<Hotkey> = Vec::new();
            for (now, (event, which)) in events.into_iter().enumerate() {
                let now = now as u64 * 10;
                if event < 2 {
                    if let Some(to) = router.choose(&[A, B], now) {
                        router.sent(to, now);
                        flying.push(to);
                    }
                } else if !flying.is_empty() {
                    let from = flying.remove(0);
                    if which { router.returned(from, now) } else { router.timed_out(from, now) }
                }
                for peer in [A, B] {
                    prop_assert!(flying.iter().filter(|hotkey| **hotkey == peer).count() <= 4);
                }
            }
        }
    }

    #[test]
    fn the_faster_replica_gets_more() {
        let mut router = router();
        let (mut counts, mut busy) = ([0u32; 2], Vec::new());
        for now in 0..4000u64 {
            busy.retain(|(peer, until)| {
                if *until > now {
                    return true;
                }
                router.returned(*peer, now);
                false
            });
            if now % 10 == 0
                && let Some(to) = router.choose(&[A, B], now)
            {
                let (index, service) = if to == A { (0, 10) } else { (1, 60) };
                let ahead = busy.iter().filter(|(peer, _)| *peer == to).count() as u64;
                router.sent(to, now);
                router.accepted(to, ahead as u16 + 1, service as u32);
                busy.push((to, now + (ahead + 1) * service));
                counts[index] += 1;
            }
        }
        assert!(counts[0] > 3 * counts[1] && counts[1] > 0, "{counts:?}");
    }

    #[test]
    fn a_dead_replica_is_avoided_and_tried_again_later() {
        let mut router = router();
        router.sent(A, 0);
        router.timed_out(A, 100);
        assert!((0..50).all(|_| router.choose(&[A, B], 500) == Some(B)));
        assert_eq!(router.choose(&[A], 500), Some(A), "better than nobody");
        let later: Vec<_> = (0..50).filter_map(|_| router.choose(&[A, B], 1200)).collect();
        assert!(later.contains(&A));
    }

    #[test]
    fn nobody_is_chosen_when_all_credit_is_used_until_it_is_written_off() {
        let mut router = router();
        for _ in 0..4 {
            router.sent(A, 0);
        }
        assert_eq!(router.choose(&[A], 10_000), None);
        assert_eq!(router.choose(&[A], 20_000), Some(A), "nothing came of them");
    }

    #[test]
    fn a_refusal_sends_the_next_ones_elsewhere() {
        let mut router = router();
        for (peer, back) in [(A, 100), (B, 130)] {
            router.sent(peer, 0);
            router.accepted(peer, 1, 20);
            router.returned(peer, back);
        }
        router.sent(A, 130);
        router.refused(A);
        let chosen: Vec<_> = (0..60).filter_map(|_| router.choose(&[A, B], 130)).collect();
        assert!(chosen.iter().filter(|peer| **peer == B).count() > 45);
        assert!(chosen.contains(&A), "but it is looked at again");
    }

    #[test]
    fn unknown_replicas_share_the_first_microbatches() {
        let mut router = router();
        for _ in 0..8 {
            let to = router.choose(&[A, B], 0).unwrap();
            router.sent(to, 0);
        }
        assert_eq!(router.choose(&[A, B], 0), None, "each got its credit");
    }
}
