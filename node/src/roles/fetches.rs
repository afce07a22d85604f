//! Fetches under way, each with the purpose it was started for.
//!
//! A peer that cannot be reached now may be reached a block later, so a fetch that failed is kept
//! and asked for again with [`Fetches::retry`]; only its owner's deadline ends it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Effect, Ticket};
use crate::protocol::{Hash, Hotkey};

/// Fetches a component waits for. `P` says what to do with the blob.
///
/// Tickets are unique over the components of one role because each starts at its own `base`.
#[derive(Debug)]
pub struct Fetches<P> {
    next: Ticket,
    pending: BTreeMap<Ticket, Pending<P>>,
}

#[derive(Debug)]
struct Pending<P> {
    purpose: P,
    hash: Hash,
    from: Vec<Hotkey>,
    max_bytes: usize,
    failed: bool,
    attempts: u32,
    /// Blocks since the start.
    waited: u32,
}

/// What an arrival was.
#[derive(Debug)]
pub enum Arrival<'a, P> {
    /// The blob of one of our fetches.
    Blob(P, &'a Arc<[u8]>),
    /// Nobody had what one of our fetches wants; it stays wanted.
    Failed,
    /// Not one of our fetches.
    Foreign,
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
        out.push(Effect::Fetch { ticket, from: from.clone(), hash, max_bytes });
        let (failed, attempts, waited) = (false, 1, 0);
        self.pending
            .insert(ticket, Pending { purpose, hash, from, max_bytes, failed, attempts, waited });
    }

    /// Takes what came of a fetch.
    pub fn arrived<'a>(&mut self, ticket: Ticket, bytes: Option<&'a Arc<[u8]>>) -> Arrival<'a, P> {
        match (self.pending.get_mut(&ticket), bytes) {
            (None, _) => Arrival::Foreign,
            (Some(pending), None) => {
                pending.failed = true;
                Arrival::Failed
            }
            (Some(_), Some(bytes)) => match self.pending.remove(&ticket) {
                Some(pending) => Arrival::Blob(pending.purpose, bytes),
                None => Arrival::Foreign,
            },
        }
    }

    /// Asks again for what failed; call once per block.
    pub fn retry(&mut self, out: &mut Vec<Effect>) {
        self.pending.values_mut().for_each(|pending| pending.waited += 1);
        for (ticket, pending) in self.pending.iter_mut().filter(|(_, pending)| pending.failed) {
            pending.failed = false;
            pending.attempts += 1;
            out.push(Effect::Fetch {
                ticket: *ticket,
                from: pending.from.clone(),
                hash: pending.hash,
                max_bytes: pending.max_bytes,
            });
        }
    }

    /// Gives up what failed this many times; what is still under way stays.
    pub fn give_up_failed(&mut self, attempts: u32) -> Vec<P> {
        self.give_up_if(|pending| pending.failed && pending.attempts >= attempts)
    }

    /// Gives up what was not served for so many blocks, and no longer asks for anything; call once per block,
    /// instead of [`Fetches::retry`].
    pub fn give_up_waiting(&mut self, blocks: u32) -> Vec<P> {
        self.pending.values_mut().for_each(|pending| pending.waited += 1);
        self.give_up_if(|pending| pending.waited >= blocks)
    }

    fn give_up_if(&mut self, is_over: impl Fn(&Pending<P>) -> bool) -> Vec<P> {
        let over: Vec<Ticket> =
            self.pending.iter().filter(|(_, p)| is_over(p)).map(|(ticket, _)| *ticket).collect();
        let given_up = over.into_iter().filter_map(|ticket| self.pending.remove(&ticket));
        given_up.map(|pending| pending.purpose).collect()
    }

    /// Gives everything up.
    pub fn give_up(&mut self) -> Vec<P> {
        std::mem::take(&mut self.pending).into_values().map(|pending| pending.purpose).collect()
    }

    /// Whether nothing is awaited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_fetch_is_asked_for_again_and_no_other() {
        let mut fetches = Fetches::new(1);
        let mut out = Vec::new();
        fetches.start("one", [1; 32], vec![[9; 32]], 10, &mut out);
        fetches.start("two", [2; 32], vec![[9; 32]], 10, &mut out);
        let tickets: Vec<Ticket> = out
            .drain(..)
            .map(|effect| match effect {
                Effect::Fetch { ticket, .. } => ticket,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(matches!(fetches.arrived(tickets[0], None), Arrival::Failed));
        fetches.retry(&mut out);
        let [Effect::Fetch { ticket, hash, .. }] = &out[..] else { panic!("{out:?}") };
        assert_eq!((*ticket, *hash), (tickets[0], [1; 32]));
        let blob: Arc<[u8]> = vec![7].into();
        assert!(matches!(fetches.arrived(tickets[0], Some(&blob)), Arrival::Blob("one", _)));
        assert!(matches!(fetches.arrived(tickets[0], Some(&blob)), Arrival::Foreign));
        assert!(matches!(fetches.arrived(tickets[1], None), Arrival::Failed));
        assert!(fetches.give_up_failed(2).is_empty());
        assert_eq!(fetches.give_up_failed(1), ["two"]);
        assert!(fetches.is_empty());
    }

    /// A peer that was asked a moment ago has withheld nothing yet.
    #[test]
    fn what_was_just_asked_for_is_waited_for() {
        let (mut fetches, mut out) = (Fetches::new(1), Vec::new());
        fetches.start("old", [1; 32], vec![[9; 32]], 10, &mut out);
        fetches.retry(&mut out);
        fetches.start("new", [2; 32], vec![[9; 32]], 10, &mut out);
        assert_eq!(fetches.give_up_waiting(2), ["old"]);
        assert_eq!(fetches.give_up_waiting(2), ["new"]);
    }
}
