//! Fetches under way, each with the purpose it was started for.

use std::collections::BTreeMap;

use super::{Effect, Ticket};
use crate::protocol::{Hash, Hotkey};

/// Fetches a component waits for. `P` says what to do with the blob.
///
/// Tickets are unique over the components of one role because each starts at its own `base`.
#[derive(Debug)]
pub struct Fetches<P> {
    next: Ticket,
    pending: BTreeMap<Ticket, P>,
}

/// Tickets that one component may use before it would meet the next one's.
const SPAN: Ticket = 1 << 48;

impl<P> Fetches<P> {
    /// Fetches of the component with this number within its role.
    #[must_use]
    pub fn new(component: u16) -> Self {
        Self { next: Ticket::from(component) * SPAN, pending: BTreeMap::new() }
    }

    /// Starts a fetch.
    pub fn start(
        &mut self,
        purpose: P,
        hash: Hash,
        from: Vec<Hotkey>,
        max_bytes: usize,
        out: &mut Vec<Effect>,
    ) {
        let ticket = self.next;
        self.next += 1;
        self.pending.insert(ticket, purpose);
        out.push(Effect::Fetch { ticket, from, hash, max_bytes });
    }

    /// The purpose of a finished fetch, if it is one of ours and still wanted.
    pub fn finish(&mut self, ticket: Ticket) -> Option<P> {
        self.pending.remove(&ticket)
    }

    /// Forgets all fetches; their blobs will be ignored.
    pub fn clear(&mut self) {
        self.pending.clear();
    }

    /// Whether nothing is awaited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}
