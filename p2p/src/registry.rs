//! Which PeerId acts for which hotkey: the newest valid binding of each.

use std::collections::HashMap;

use libp2p::PeerId;

use crate::Hotkey;

/// The bindings of connected peers.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    by_peer: HashMap<PeerId, Hotkey>,
    by_hotkey: HashMap<Hotkey, PeerId>,
}

/// What a new binding changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// The hotkey was not there.
    New,
    /// It was bound to this peer already.
    Known,
    /// It was bound to another peer, which is replaced.
    Replaced(PeerId),
}

impl Registry {
    /// Binds a peer to a hotkey.
    pub(crate) fn bind(&mut self, peer: PeerId, hotkey: Hotkey) -> Bound {
        if self.by_hotkey.get(&hotkey) == Some(&peer) {
            return Bound::Known;
        }
        self.unbind(&peer);
        self.by_peer.insert(peer, hotkey);
        match self.by_hotkey.insert(hotkey, peer) {
            Some(old) => {
                self.by_peer.remove(&old);
                Bound::Replaced(old)
            }
            None => Bound::New,
        }
    }

    /// Forgets a peer; the hotkey it was bound to.
    pub(crate) fn unbind(&mut self, peer: &PeerId) -> Option<Hotkey> {
        let hotkey = self.by_peer.remove(peer)?;
        if self.by_hotkey.get(&hotkey) == Some(peer) {
            self.by_hotkey.remove(&hotkey);
        }
        Some(hotkey)
    }

    /// The hotkey of a peer.
    pub(crate) fn hotkey(&self, peer: &PeerId) -> Option<Hotkey> {
        self.by_peer.get(peer).copied()
    }

    /// The peer of a hotkey.
    pub(crate) fn peer(&self, hotkey: &Hotkey) -> Option<PeerId> {
        self.by_hotkey.get(hotkey).copied()
    }

    /// All bound hotkeys with their peers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Hotkey, &PeerId)> {
        self.by_hotkey.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_binding_of_a_hotkey_stands() {
        let (mut registry, a, b) = (Registry::default(), PeerId::random(), PeerId::random());
        assert_eq!(registry.bind(a, [1; 32]), Bound::New);
        assert_eq!(registry.bind(a, [1; 32]), Bound::Known);
        assert_eq!(registry.bind(b, [1; 32]), Bound::Replaced(a));
        assert_eq!((registry.hotkey(&a), registry.peer(&[1; 32])), (None, Some(b)));
        assert_eq!(registry.unbind(&a), None, "the old connection's end changes nothing");
        assert_eq!(registry.unbind(&b), Some([1; 32]));
        assert_eq!(registry.iter().count(), 0);
    }

    #[test]
    fn a_peer_acts_for_one_hotkey() {
        let (mut registry, a) = (Registry::default(), PeerId::random());
        registry.bind(a, [1; 32]);
        assert_eq!(registry.bind(a, [2; 32]), Bound::New);
        assert_eq!(registry.peer(&[1; 32]), None);
    }
}
