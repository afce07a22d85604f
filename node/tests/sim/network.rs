//! What happens between nodes, and when: a queue of happenings in virtual time, and a network that
//! delays and loses messages as a seed decides.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use iota::protocol::Hash;
use iota::roles::{Event, Millis, Ticket};
use iota::wire::Reply;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What the network does to messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    /// Least and greatest delay of a message, in milliseconds.
    pub(crate) delay_ms: (u64, u64),
    /// Requests and replies lost, in thousandths.
    pub(crate) lost: u32,
    /// Gossip lost on its way to one node, in thousandths.
    pub(crate) gossip_lost: u32,
    /// Attempts at a blob that fail, in thousandths.
    pub(crate) blobs_lost: u32,
}

impl Faults {
    /// A network between continents on a good day.
    pub(crate) const NONE: Self =
        Self { delay_ms: (5, 60), lost: 0, gossip_lost: 0, blobs_lost: 0 };
    /// A bad day.
    pub(crate) const MANY: Self =
        Self { delay_ms: (5, 400), lost: 20, gossip_lost: 50, blobs_lost: 50 };
}

/// Index of a node.
pub(crate) type Place = usize;

/// Something that happens at a time.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The chain seals a block.
    Seal,
    /// An event reaches a node, if it still is the same process.
    Arrives(Place, u32, Event),
    /// A request reaches a node.
    Asked { from: Place, to: Place, call: u64, body: Vec<u8> },
    /// A request gets this answer, or none.
    Answered { call: u64, body: Option<Reply> },
    /// A node asks the next of its peers for a blob.
    Fetch { node: Place, life: u32, ticket: Ticket, from: Vec<Place>, hash: Hash, max: usize },
    /// A node has time again.
    Wakes(Place, u32),
    /// A node's clock ticks.
    Ticks(Place, u32),
}

struct Entry {
    at: Millis,
    order: u64,
    what: Happening,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// The queue of what is to happen, and the dice.
pub(crate) struct Network {
    queue: BinaryHeap<Reverse<Entry>>,
    order: u64,
    rng: ChaCha8Rng,
    faults: Faults,
}

impl Network {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { queue: BinaryHeap::new(), order: 0, rng, faults }
    }

    /// Lets something happen at a time; what is scheduled first happens first.
    pub(crate) fn at(&mut self, at: Millis, what: Happening) {
        self.order += 1;
        self.queue.push(Reverse(Entry { at, order: self.order, what }));
    }

    /// What happens next.
    pub(crate) fn next(&mut self) -> Option<(Millis, Happening)> {
        self.queue.pop().map(|Reverse(entry)| (entry.at, entry.what))
    }

    /// How long one message takes.
    pub(crate) fn delay(&mut self) -> Millis {
        let (least, greatest) = self.faults.delay_ms;
        self.rng.random_range(least..=greatest)
    }

    /// Whether a request or a reply is lost.
    pub(crate) fn loses(&mut self) -> bool {
        self.roll(self.faults.lost)
    }

    /// Whether gossip is lost on its way to one node.
    pub(crate) fn loses_gossip(&mut self) -> bool {
        self.roll(self.faults.gossip_lost)
    }

    /// Whether an attempt at a blob fails.
    pub(crate) fn loses_blob(&mut self) -> bool {
        self.roll(self.faults.blobs_lost)
    }

    fn roll(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.rng.random_range(0..1000) < per_mille
    }
}
