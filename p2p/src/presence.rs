//! Who the application believes to be connected, and what it must still be told.
//!
//! The application's queue may be full when a peer comes or goes. What it was told is compared with
//! what is, so that nothing is lost and nothing is queued twice.

use std::collections::HashMap;

use libp2p::PeerId;

use crate::Hotkey;
use crate::registry::Registry;

/// What the application was told.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    told: HashMap<Hotkey, PeerId>,
}

/// Something to tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The hotkey is bound to that peer.
    Up(Hotkey, PeerId),
    /// It is not bound to the peer it was any more.
    Down(Hotkey),
}

impl Presence {
    /// What differs now. A hotkey that changed its peer goes down first, and up the next time.
    pub(crate) fn changes(&self, registry: &Registry) -> Vec<Change> {
        let left = self.told.iter().filter(|(hotkey, peer)| registry.peer(hotkey) != Some(**peer));
        let came = registry.iter().filter(|(hotkey, _)| !self.told.contains_key(*hotkey));
        left.map(|(hotkey, _)| Change::Down(*hotkey))
            .chain(came.map(|(hotkey, peer)| Change::Up(*hotkey, *peer)))
            .collect()
    }

    /// The application was told.
    pub(crate) fn told(&mut self, change: Change) {
        match change {
            Change::Up(hotkey, peer) => self.told.insert(hotkey, peer),
            Change::Down(hotkey) => self.told.remove(&hotkey),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_told_is_told_later_and_nothing_twice() {
        let (mut presence, mut registry) = (Presence::default(), Registry::default());
        let (a, b) = (PeerId::random(), PeerId::random());
        registry.bind(a, [1; 32], 1);
        let up = Change::Up([1; 32], a);
        assert_eq!(presence.changes(&registry), vec![up]);
        assert_eq!(presence.changes(&registry), vec![up], "not told yet");
        presence.told(up);
        assert!(presence.changes(&registry).is_empty());
        registry.bind(b, [1; 32], 2);
        assert_eq!(presence.changes(&registry), vec![Change::Down([1; 32])]);
        presence.told(Change::Down([1; 32]));
        assert_eq!(presence.changes(&registry), vec![Change::Up([1; 32], b)]);
    }
}
