//! The signed extrinsics whose fate is open.
//!
//! An extrinsic is signed once and valid for an era. Until it is in a finalized block or its era is
//! over, its bytes may be sent any number of times, to any endpoint: its nonce lets it in once. So
//! it is sent again after a lost connection, and every few blocks, lest a pool has dropped it; and
//! only when its era has passed without it may the call be signed anew. Pure: blocks come in,
//! fates come out.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{Hash, Hotkey};

/// Blocks after which an extrinsic that is in none is sent again.
const RESEND: u32 = 8;

/// One signed extrinsic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// Its hash.
    pub(crate) hash: Hash,
    /// What is sent.
    pub(crate) bytes: Arc<[u8]>,
    /// Who signed it.
    pub(crate) account: Hotkey,
    /// The signer's nonce in it.
    pub(crate) nonce: u64,
    /// The first block too late for it.
    pub(crate) lapses: u32,
}

/// What became of an extrinsic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It has this place in the block.
    Included(usize),
    /// Its era passed without it.
    Lapsed,
}

/// The open extrinsics.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    open: HashMap<Hash, (Signed, u32)>,
}

impl Outbox {
    /// Adds an extrinsic, signed when `block` was the newest finalized one.
    pub(crate) fn add(&mut self, signed: Signed, block: u32) {
        self.open.insert(signed.hash, (signed, block));
    }

    /// Takes one out that nothing need be heard of.
    pub(crate) fn remove(&mut self, hash: &Hash) {
        self.open.remove(hash);
    }

    /// Whether nothing is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// A finalized block, with the hashes of its extrinsics in order: whose fate it decides.
    pub(crate) fn block(&mut self, number: u32, hashes: &[Hash]) -> Vec<(Signed, Fate)> {
        let mut decided = Vec::new();
        for (index, hash) in hashes.iter().enumerate() {
            if let Some((signed, _)) = self.open.remove(hash) {
                decided.push((signed, Fate::Included(index)));
            }
        }
        let lapsed = self.open.extract_if(|_, (signed, _)| number >= signed.lapses);
        decided.extend(lapsed.map(|(_, (signed, _))| (signed, Fate::Lapsed)));
        decided
    }

    /// What to send again after a block, in the order of nonces.
    pub(crate) fn due(&mut self, number: u32) -> Vec<Signed> {
        let mut due = Vec::new();
        for (signed, sent) in self.open.values_mut() {
            if number.saturating_sub(*sent) >= RESEND {
                *sent = number;
                due.push(signed.clone());
            }
        }
        due.sort_by_key(|signed| signed.nonce);
        due
    }

    /// Everything open, in the order of nonces.
    pub(crate) fn all(&self) -> Vec<Signed> {
        let mut all: Vec<Signed> = self.open.values().map(|(signed, _)| signed.clone()).collect();
        all.sort_by_key(|signed| signed.nonce);
        all
    }

    /// Gives everything up.
    pub(crate) fn clear(&mut self) -> Vec<Signed> {
        self.open.drain().map(|(_, (signed, _))| signed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(nonce: u8, lapses: u32) -> Signed {
        let bytes = Arc::from([nonce].as_slice());
        Signed { hash: [nonce; 32], bytes, account: [7; 32], nonce: nonce.into(), lapses }
    }

    #[test]
    fn a_block_decides_once_over_what_it_holds() {
        let mut outbox = Outbox::default();
        for nonce in 0..3 {
            outbox.add(signed(nonce, 100), 10);
        }
        let hashes = [[8; 32], [2; 32], [9; 32], [0; 32]];
        let decided = outbox.block(11, &hashes);
        let expected = [(signed(2, 100), Fate::Included(1)), (signed(0, 100), Fate::Included(3))];
        assert_eq!(decided, expected);
        assert_eq!(outbox.block(12, &hashes), []);
        assert_eq!(outbox.all(), [signed(1, 100)]);
    }

    #[test]
    fn what_is_in_no_block_is_sent_again_until_its_era_is_over() {
        let mut outbox = Outbox::default();
        outbox.add(signed(1, 40), 10);
        outbox.add(signed(0, 40), 10);
        let sent: Vec<u32> = (11..40).filter(|number| !outbox.due(*number).is_empty()).collect();
        assert_eq!(sent, [18, 26, 34]);
        assert_eq!(outbox.block(39, &[]), []);
        let mut lapsed = outbox.block(40, &[]);
        lapsed.sort_by_key(|(signed, _)| signed.nonce);
        assert_eq!(lapsed, [(signed(0, 40), Fate::Lapsed), (signed(1, 40), Fate::Lapsed)]);
        assert!(outbox.is_empty());
    }
}
