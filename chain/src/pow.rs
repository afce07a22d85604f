//! Registration by work: a nonce whose seal is below the subnet's target, for a recent block.
//!
//! Seal of the `pow_register` call (Bittensor SDK 11, `bittensor-core`): `keccak256(sha256(tag, netuid,
//! block, hotkey, coldkey, nonce))`, numbers in little endian. It is right where, as a number in little
//! endian, it is at most `(2^256 - 1) / difficulty`. Chains that have no such call refuse it.

use sp_core::U256;
use sp_crypto_hashing::{keccak_256, sha2_256};

use crate::client::Client;
use crate::error::ReadError;
use crate::storage::Storage;
use crate::{Hash, Hotkey};

const TAG: &[u8] = b"subtensor-pow-register-v1";
/// Bytes before the nonce.
const PREFIX: usize = TAG.len() + 2 + 3 * 32;
/// Blocks after which work for a block is refused.
pub const MAX_AGE: u32 = 5;

/// What is to be solved.
#[derive(Clone, Debug)]
pub struct Puzzle {
    /// The subnet.
    pub netuid: u16,
    /// The block that the work is for.
    pub number: u32,
    /// Hashes that are tried on average until one is right.
    pub difficulty: u64,
    prefix: [u8; PREFIX],
    target: U256,
}

/// A nonce, and the seal that it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solution {
    /// The nonce.
    pub nonce: u64,
    /// Its seal.
    pub seal: Hash,
}

impl Puzzle {
    /// The puzzle of a block.
    #[must_use]
    pub fn new(
        netuid: u16,
        (number, block): (u32, Hash),
        (hotkey, coldkey): (&Hotkey, &Hotkey),
        difficulty: u64,
    ) -> Self {
        let mut prefix = [0; PREFIX];
        let parts = [TAG, &netuid.to_le_bytes(), &block, hotkey, coldkey].concat();
        prefix.copy_from_slice(&parts);
        let target = U256::MAX / U256::from(difficulty.max(1));
        Self { netuid, number, difficulty, prefix, target }
    }

    /// The seal of a nonce.
    #[must_use]
    pub fn seal(&self, nonce: u64) -> Hash {
        let mut bytes = [0; PREFIX + 8];
        bytes[..PREFIX].copy_from_slice(&self.prefix);
        bytes[PREFIX..].copy_from_slice(&nonce.to_le_bytes());
        keccak_256(&sha2_256(&bytes))
    }

    /// The first of some nonces that solves it.
    #[must_use]
    pub fn search(&self, nonces: std::ops::Range<u64>) -> Option<Solution> {
        let mut tried = nonces.map(|nonce| Solution { nonce, seal: self.seal(nonce) });
        tried.find(|found| U256::from_little_endian(&found.seal) <= self.target)
    }
}

impl Client {
    /// The puzzle of the newest block for a registration on a subnet; none where the chain has no
    /// registration by work.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn puzzle(
        &self,
        netuid: u16,
        hotkey: &Hotkey,
        coldkey: &Hotkey,
    ) -> Result<Option<Puzzle>, ReadError> {
        const WHAT: &str = "the difficulty";
        let at = self.latest().await?;
        let pallet = at.metadata_ref().pallet_by_name("SubtensorModule");
        if pallet.is_none_or(|pallet| pallet.call_variant_by_name("pow_register").is_none()) {
            return Ok(None);
        }
        let of = Storage::new(&at, "SubtensorModule", WHAT);
        let (difficulty, least, most) = tokio::try_join!(
            of.get::<_, u64>("Difficulty", (netuid,)),
            of.get::<_, u64>("MinDifficulty", (netuid,)),
            of.get::<_, u64>("MaxDifficulty", (netuid,)),
        )?;
        let newest = self.best().await?;
        let block = self.block_hash(newest).await?;
        // As the SDK does: the bounds hold whatever has been set.
        let difficulty = difficulty.unwrap_or(u64::MAX).min(most.unwrap_or(u64::MAX));
        let difficulty = difficulty.max(least.unwrap_or(0));
        Ok(Some(Puzzle::new(netuid, (newest, block), (hotkey, coldkey), difficulty)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn puzzle(difficulty: u64) -> Puzzle {
        Puzzle::new(1, (9, [1; 32]), (&[2; 32], &[3; 32]), difficulty)
    }

    /// From the tests of the Bittensor SDK 11.
    #[test]
    fn seals_are_the_sdks() {
        let seal = hex::encode(puzzle(1).seal(0));
        assert_eq!(seal, "7cdaced691a70795a7656ad9b76ef2c16b961686a14a790bcb22eed6226ef103");
        let seal = hex::encode(puzzle(1).seal(1));
        assert!(seal.starts_with("c2291b63") && seal.ends_with("f466"), "{seal}");
    }

    #[test]
    fn the_difficulty_is_the_number_of_nonces_that_are_tried_on_average() {
        let puzzle = puzzle(64);
        let solved = (0..64 * 64).filter(|nonce| puzzle.search(*nonce..nonce + 1).is_some());
        let solved = solved.count();
        assert!((32..128).contains(&solved), "{solved}");
        assert_eq!(puzzle.search(0..0), None);
        let found = puzzle.search(0..u64::MAX).unwrap();
        assert_eq!(found.seal, puzzle.seal(found.nonce));
        assert!(U256::from_little_endian(&found.seal).checked_mul(64.into()).is_some());
    }
}
