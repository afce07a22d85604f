//! What hides weights until others can no longer copy them.

use codec::Encode;
use iota_timelock::ENTROPY_BYTES;
use sp_crypto_hashing::blake2_256;

use super::Weights;
use super::rules::Hiding;
use crate::{Hash, Hotkey};

/// Storage indices of a subnet's mechanisms lie this far apart (`GLOBAL_MAX_SUBNET_COUNT`).
pub(crate) const MECHANISM_STRIDE: u16 = 4096;

/// The index under which the chain stores a mechanism's weights (`NetUidStorageIndex`).
pub(crate) fn storage_index(netuid: u16, mechanism: u8) -> u16 {
    netuid.saturating_add(MECHANISM_STRIDE.saturating_mul(mechanism.into()))
}

/// The ciphertext that the chain opens in the round, or why there is none.
pub(super) fn timelocked(
    weights: &Weights,
    version_key: u64,
    hotkey: &Hotkey,
    hiding: &Hiding,
    round: u64,
) -> Result<Vec<u8>, iota_timelock::Error> {
    // The hotkey is inside, so that nobody gets paid for another's ciphertext.
    let message = (hotkey.as_slice(), &weights.uids, &weights.values, version_key).encode();
    let mut entropy = [0; ENTROPY_BYTES];
    rand::fill(&mut entropy);
    iota_timelock::encrypt(&hiding.beacon, round, &message, &entropy)
}

/// The hash that commits to weights: BLAKE2b-256 of what a reveal shows, and who shows it.
pub(super) fn hashed(weights: &Weights, version_key: u64, hotkey: &Hotkey, salt: &[u16]) -> Hash {
    let index = storage_index(weights.netuid, weights.mechanism);
    blake2_256(&(hotkey, index, &weights.uids, &weights.values, salt, version_key).encode())
}
