//! Which nonce an account's next extrinsic takes, while several are under way.
//!
//! A pool takes an account's extrinsics in the order of their nonces, so a nonce that nothing used
//! holds up all later ones: it must be taken again before any new one. Pure: what the chain says
//! comes in.

use std::collections::BTreeSet;

/// One account's nonces.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    /// The first that was never taken.
    next: u64,
    /// Taken by extrinsics whose fate is open.
    open: BTreeSet<u64>,
    /// Given back, and below `next`.
    free: BTreeSet<u64>,
}

impl Nonces {
    /// Takes a nonce, where `on_chain` is the first one that neither the chain nor the node's pool
    /// knows to be used.
    pub(crate) fn take(&mut self, on_chain: u64) -> u64 {
        if self.open.is_empty() {
            // Nothing of ours is under way, so the chain knows best.
            self.next = on_chain;
            self.free.clear();
        }
        self.next = self.next.max(on_chain);
        self.free.retain(|nonce| *nonce >= on_chain);
        let nonce = self.free.pop_first().unwrap_or_else(|| {
            self.next = self.next.saturating_add(1);
            self.next - 1
        });
        self.open.insert(nonce);
        nonce
    }

    /// The extrinsic is on the chain, or another one took its nonce.
    pub(crate) fn used(&mut self, nonce: u64) {
        self.open.remove(&nonce);
    }

    /// The extrinsic will never be on the chain.
    pub(crate) fn give_back(&mut self, nonce: u64) {
        if self.open.remove(&nonce) {
            self.free.insert(nonce);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extrinsics_under_way_take_one_nonce_after_the_other() {
        let mut nonces = Nonces::default();
        // The node's pool may know of them or not.
        assert_eq!([nonces.take(5), nonces.take(5), nonces.take(7)], [5, 6, 7]);
        nonces.used(5);
        assert_eq!(nonces.take(6), 8);
    }

    #[test]
    fn a_nonce_that_nothing_used_is_the_next_one() {
        let mut nonces = Nonces::default();
        let taken = [(); 4].map(|()| nonces.take(0));
        assert_eq!(taken, [0, 1, 2, 3]);
        nonces.give_back(2);
        nonces.give_back(1);
        assert_eq!([nonces.take(1), nonces.take(1), nonces.take(1)], [1, 2, 4]);
    }

    #[test]
    fn what_another_program_used_meanwhile_is_skipped() {
        let mut nonces = Nonces::default();
        assert_eq!((nonces.take(3), nonces.take(3)), (3, 4));
        nonces.give_back(3);
        // The chain has gone past the free one.
        assert_eq!(nonces.take(9), 9);
    }

    #[test]
    fn with_nothing_under_way_the_chain_knows_best() {
        let mut nonces = Nonces::default();
        assert_eq!((nonces.take(3), nonces.take(3)), (3, 4));
        nonces.used(3);
        nonces.give_back(4);
        assert_eq!(nonces.take(4), 4);
        nonces.give_back(4);
        // A chain that lost its newest blocks.
        assert_eq!(nonces.take(2), 2);
    }
}
