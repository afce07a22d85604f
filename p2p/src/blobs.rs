//! The blobs this node serves, by hash, until their epoch is forgotten or room is needed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::Hash;

/// A bounded store of content-addressed bytes.
#[derive(Debug)]
pub(crate) struct Blobs {
    limit: usize,
    bytes: usize,
    by_hash: HashMap<Hash, (u64, Arc<[u8]>)>,
    by_tag: BTreeMap<u64, Vec<Hash>>,
}

impl Blobs {
    /// A store that holds `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, bytes: 0, by_hash: HashMap::new(), by_tag: BTreeMap::new() }
    }

    /// Serves a blob under a tag. A known one moves to the newer tag. When there is no room, the
    /// oldest tags go first; a blob that is older than what is held is not taken then.
    pub(crate) fn provide(&mut self, hash: Hash, bytes: Arc<[u8]>, tag: u64) {
        if let Some((known, _)) = self.by_hash.get_mut(&hash) {
            if *known < tag {
                *known = tag;
                self.by_tag.entry(tag).or_default().push(hash);
            }
            return;
        }
        if bytes.len() > self.limit {
            return;
        }
        while self.bytes + bytes.len() > self.limit {
            if self.by_tag.first_key_value().is_none_or(|(oldest, _)| *oldest > tag) {
                return;
            }
            self.forget_oldest();
        }
        self.bytes += bytes.len();
        self.by_hash.insert(hash, (tag, bytes));
        self.by_tag.entry(tag).or_default().push(hash);
    }

    /// The blob, if it is served.
    pub(crate) fn get(&self, hash: &Hash) -> Option<Arc<[u8]>> {
        self.by_hash.get(hash).map(|(_, bytes)| Arc::clone(bytes))
    }

    /// Stops serving blobs whose tag is below this one.
    pub(crate) fn forget_before(&mut self, tag: u64) {
        while self.by_tag.first_key_value().is_some_and(|(old, _)| *old < tag) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((old, hashes)) = self.by_tag.pop_first() else { return };
        for hash in hashes {
            // A blob that moved to a newer tag stays.
            if self.by_hash.get(&hash).is_some_and(|(tag, _)| *tag == old)
                && let Some((_, bytes)) = self.by_hash.remove(&hash)
            {
                self.bytes -= bytes.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blob(len: usize) -> Arc<[u8]> {
        vec![0; len].into()
    }

    #[test]
    fn old_tags_are_forgotten_and_renewed_blobs_stay() {
        let mut blobs = Blobs::new(1000);
        blobs.provide([1; 32], blob(10), 1);
        blobs.provide([2; 32], blob(10), 1);
        blobs.provide([2; 32], blob(10), 2);
        blobs.forget_before(2);
        assert!(blobs.get(&[1; 32]).is_none() && blobs.get(&[2; 32]).is_some());
        assert_eq!(blobs.bytes, 10);
    }

    #[test]
    fn the_limit_holds_by_dropping_the_oldest() {
        let mut blobs = Blobs::new(100);
        for tag in 0..20u8 {
            blobs.provide([tag; 32], blob(30), u64::from(tag));
            assert!(blobs.bytes <= 100);
        }
        assert!(blobs.get(&[19; 32]).is_some() && blobs.get(&[0; 32]).is_none());
        blobs.provide([99; 32], blob(101), 99);
        assert!(blobs.get(&[99; 32]).is_none(), "larger than the store");
        blobs.provide([98; 32], blob(90), 1);
        assert!(blobs.get(&[98; 32]).is_none(), "older than what would have to go");
        blobs.provide([97; 32], blob(90), u64::MAX);
        blobs.provide([96; 32], blob(90), u64::MAX);
        assert!(blobs.get(&[96; 32]).is_some(), "the newest of the newest tag");
    }

    proptest! {
        #[test]
        fn the_books_agree_with_what_is_held(
            steps in prop::collection::vec((0u8..12, 0usize..60, 0u64..6, any::<bool>()), 0..80)
        ) {
            let mut blobs = Blobs::new(100);
            for (name, len, tag, forgets) in steps {
                if forgets {
                    blobs.forget_before(tag);
                    prop_assert!(blobs.by_hash.values().all(|(held, _)| *held >= tag));
                } else {
                    // One name has one content, as with real hashes.
                    blobs.provide([name; 32], blob(len.min(usize::from(name) * 5)), tag);
                }
                let held: usize = blobs.by_hash.values().map(|(_, bytes)| bytes.len()).sum();
                prop_assert_eq!(held, blobs.bytes);
                prop_assert!(blobs.bytes <= 100);
                for (hash, (tag, _)) in &blobs.by_hash {
                    prop_assert!(blobs.by_tag[tag].contains(hash), "else it is never forgotten");
                }
            }
        }
    }
}
