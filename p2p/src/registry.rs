//! Which PeerId acts for which hotkey: the newest valid binding of each.

use std::collections::HashMap;

use libp2p::PeerId;

use crate::Hotkey;

/// The bindings of connected peers: a hotkey has one peer, a peer one hotkey.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    by_peer: HashMap<PeerId, (Hotkey, u64)>,
    by_hotkey: HashMap<Hotkey, PeerId>,
}

/// What a new binding changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// The hotkey was not there.
    New,
    /// It was bound to this peer already.
    Known,
    /// It was bound to another peer by an older statement, which is replaced.
    Replaced(PeerId),
    /// It is bound to another peer by a newer statement; nothing changed.
    Outdated,
}

impl Registry {
    /// Binds a peer to a hotkey by a statement that expires then (unix seconds).
    pub(crate) fn bind(&mut self, peer: PeerId, hotkey: Hotkey, expiry: u64) -> Bound {
        let standing = self.by_hotkey.get(&hotkey).copied();
        let other = standing.filter(|standing| *standing != peer);
        // Two processes may sign within one second; then the later connection is the later process.
        if other.is_some_and(|other| self.by_peer.get(&other).is_some_and(|(_, at)| *at > expiry)) {
            return Bound::Outdated;
        }
        self.unbind(&peer);
        if let Some(other) = other {
            self.by_peer.remove(&other);
        }
        self.by_peer.insert(peer, (hotkey, expiry));
        self.by_hotkey.insert(hotkey, peer);
        match (standing, other) {
            (_, Some(other)) => Bound::Replaced(other),
            (Some(_), None) => Bound::Known,
            (None, None) => Bound::New,
        }
    }

    /// Forgets a peer; whether it was bound.
    pub(crate) fn unbind(&mut self, peer: &PeerId) -> bool {
        let Some((hotkey, _)) = self.by_peer.remove(peer) else { return false };
        self.by_hotkey.remove(&hotkey);
        true
    }

    /// The hotkey of a peer.
    pub(crate) fn hotkey(&self, peer: &PeerId) -> Option<Hotkey> {
        self.by_peer.get(peer).map(|(hotkey, _)| *hotkey)
    }

    /// The peer of a hotkey.
    pub(crate) fn peer(&self, hotkey: &Hotkey) -> Option<PeerId> {
        self.by_hotkey.get(hotkey).copied()
    }

    /// All bound hotkeys with their peers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Hotkey, &PeerId)> {
        self.by_hotkey.iter()
    }

    /// Peers whose statement is void at that time (unix seconds).
    pub(crate) fn expired(&self, now: u64) -> Vec<PeerId> {
        let void = self.by_peer.iter().filter(|(_, (_, expiry))| *expiry <= now);
        void.map(|(peer, _)| *peer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_newest_binding_of_a_hotkey_stands() {
        let (mut registry, a, b) = (Registry::default(), PeerId::random(), PeerId::random());
        assert_eq!(registry.bind(a, [1; 32], 10), Bound::New);
        assert_eq!(registry.bind(a, [1; 32], 11), Bound::Known);
        assert_eq!(registry.bind(b, [1; 32], 10), Bound::Outdated);
        assert_eq!((registry.hotkey(&a), registry.hotkey(&b)), (Some([1; 32]), None));
        assert_eq!(registry.bind(b, [1; 32], 11), Bound::Replaced(a));
        assert_eq!((registry.hotkey(&a), registry.peer(&[1; 32])), (None, Some(b)));
        assert!(!registry.unbind(&a), "the old connection's end changes nothing");
        assert!(registry.expired(10).is_empty());
        assert_eq!(registry.expired(11), vec![b]);
        assert!(registry.unbind(&b));
        assert_eq!(registry.iter().count(), 0);
    }

    #[test]
    fn a_peer_acts_for_one_hotkey() {
        let (mut registry, a) = (Registry::default(), PeerId::random());
        registry.bind(a, [1; 32], 1);
        assert_eq!(registry.bind(a, [2; 32], 1), Bound::New);
        assert_eq!(registry.peer(&[1; 32]), None);
    }

    proptest! {
        #[test]
        fn peers_and_hotkeys_stay_one_to_one(
            steps in prop::collection::vec((0usize..4, 0u8..4, 0u64..5, any::<bool>()), 0..60)
        ) {
            let peers: Vec<PeerId> = (0..4).map(|_| PeerId::random()).collect();
            let mut registry = Registry::default();
            for (peer, hotkey, expiry, binds) in steps {
                let (peer, hotkey) = (peers[peer], [hotkey; 32]);
                if binds {
                    let bound = registry.bind(peer, hotkey, expiry);
                    prop_assert_eq!(registry.peer(&hotkey) == Some(peer), bound != Bound::Outdated);
                } else {
                    registry.unbind(&peer);
                    prop_assert_eq!(registry.hotkey(&peer), None);
                }
                prop_assert_eq!(registry.by_peer.len(), registry.by_hotkey.len());
                for (hotkey, peer) in registry.iter() {
                    prop_assert_eq!(registry.hotkey(peer), Some(*hotkey));
                }
            }
        }
    }
}
