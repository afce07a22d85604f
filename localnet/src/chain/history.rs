//! The blocks of the chain, newest [`BLOCKS_KEPT`], and block 0's header for ever.

use crate::runtime::{BlockNumber, Hash, Header};
use codec::{Decode, Encode};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// Blocks whose header and extrinsics stay readable.
pub const BLOCKS_KEPT: usize = 4_096;

/// One block.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct StoredBlock {
    /// Its header.
    pub header: Header,
    /// Hash of the header.
    pub hash: Hash,
    /// Its extrinsics as they were sent, with their length prefix; inherents first.
    pub extrinsics: Vec<Vec<u8>>,
}

/// The blocks.
#[derive(Clone)]
pub(super) struct History {
    /// Kept blocks, oldest first, without gaps.
    blocks: VecDeque<Arc<StoredBlock>>,
    /// Height of each kept block.
    heights: HashMap<Hash, BlockNumber>,
    /// Block 0.
    genesis: Arc<StoredBlock>,
}

impl History {
    /// Starts with block 0.
    pub(super) fn new(header: Header) -> Self {
        let hash = header.hash();
        let genesis = Arc::new(StoredBlock { header, hash, extrinsics: Vec::new() });
        let blocks = VecDeque::from([genesis.clone()]);
        Self { blocks, heights: HashMap::from([(hash, 0)]), genesis }
    }

    /// The blocks that were saved, which start with block 0; what is wrong with them.
    pub(super) fn restored(saved: Vec<StoredBlock>) -> Result<Self, &'static str> {
        let mut saved = saved.into_iter();
        let genesis = saved.next().filter(|block| block.header.number == 0).ok_or("no block 0")?;
        let mut history = Self::new(genesis.header);
        for block in saved {
            let head = history.head();
            let after_gap = head.header.number == 0;
            let follows = head.header.number.checked_add(1) == Some(block.header.number)
                && head.hash == block.header.parent_hash;
            if !(follows || after_gap) || block.header.hash() != block.hash {
                return Err("its blocks do not follow each other");
            }
            if !follows {
                history.blocks.clear();
                history.heights.clear();
            }
            history.push(block);
        }
        Ok(history)
    }

    /// The newest block.
    pub(super) fn head(&self) -> &Arc<StoredBlock> {
        self.blocks.back().unwrap_or(&self.genesis)
    }

    /// Block 0.
    pub(super) fn genesis(&self) -> &Arc<StoredBlock> {
        &self.genesis
    }

    /// The block of this height, if kept.
    pub(super) fn at(&self, number: BlockNumber) -> Option<&Arc<StoredBlock>> {
        let oldest = self.blocks.front()?.header.number;
        if number == 0 {
            return Some(&self.genesis);
        }
        self.blocks.get(usize::try_from(number.checked_sub(oldest)?).ok()?)
    }

    /// The block with this hash, if kept.
    pub(super) fn find(&self, hash: &Hash) -> Option<&Arc<StoredBlock>> {
        if *hash == self.genesis.hash {
            return Some(&self.genesis);
        }
        self.at(*self.heights.get(hash)?)
    }

    /// Adds the next block and forgets the oldest beyond the window.
    pub(super) fn push(&mut self, block: StoredBlock) {
        self.heights.insert(block.hash, block.header.number);
        self.blocks.push_back(Arc::new(block));
        while self.blocks.len() > BLOCKS_KEPT {
            if let Some(oldest) = self.blocks.pop_front() {
                self.heights.remove(&oldest.hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sp_runtime::traits::Header as _;

    fn header(number: BlockNumber) -> Header {
        Header::new(number, Hash::zero(), Hash::zero(), Hash::zero(), Default::default())
    }

    #[test]
    fn finds_kept_blocks_and_the_first_one() {
        let mut history = History::new(header(0));
        let last = BLOCKS_KEPT as BlockNumber + 10;
        for number in 1..=last {
            let hash = header(number).hash();
            history.push(StoredBlock { header: header(number), hash, extrinsics: Vec::new() });
        }
        assert_eq!(history.head().header.number, last);
        for number in [0, 11, last] {
            assert_eq!(history.at(number).unwrap().header.number, number);
            assert_eq!(history.find(&header(number).hash()).unwrap().header.number, number);
        }
        for number in [1, 10, last + 1] {
            assert!(history.at(number).is_none(), "{number}");
            assert!(history.find(&header(number).hash()).is_none(), "{number}");
        }
        assert_eq!(history.heights.len(), BLOCKS_KEPT);
    }
}
