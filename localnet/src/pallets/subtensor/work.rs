//! Registration by work: a seal below the subnet's target, for one of the last blocks.
//!
//! As of spec 461, whose metadata does not have the call: its index here is the one that is free
//! there. The difficulty stays as it was set.

use super::{
    Config, Difficulty, Error, MaxDifficulty, MinDifficulty, NetworkPowRegistrationAllowed,
    NetworksAdded, Pallet,
};
use codec::Encode;
use frame_support::{dispatch::DispatchResult, ensure};
use sp_core::{H256, U256};
use sp_io::hashing::{keccak_256, sha2_256};
use sp_runtime::SaturatedConversion;

const TAG: &[u8] = b"subtensor-pow-register-v1";
/// Blocks after which work for a block is refused.
const MAX_AGE: u64 = 5;

impl<T: Config> Pallet<T> {
    pub(super) fn do_pow_register(
        coldkey: &T::AccountId,
        hotkey: &T::AccountId,
        netuid: u16,
        block: u64,
        nonce: u64,
        work: &[u8],
    ) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        let allowed = NetworkPowRegistrationAllowed::<T>::get(netuid);
        ensure!(allowed, Error::<T>::SubNetRegistrationDisabled);
        let now = Self::now();
        let recent = block < now && now.saturating_sub(block) <= MAX_AGE;
        ensure!(recent, Error::<T>::InvalidWorkBlock);
        let seal = Self::seal((netuid, block), hotkey, coldkey, nonce);
        ensure!(seal == work, Error::<T>::InvalidSeal);
        let difficulty = Difficulty::<T>::get(netuid)
            .min(MaxDifficulty::<T>::get(netuid))
            .max(MinDifficulty::<T>::get(netuid));
        let target = U256::MAX / U256::from(difficulty.max(1));
        ensure!(U256::from_little_endian(&seal) <= target, Error::<T>::InvalidDifficulty);
        Self::take_place(coldkey, netuid, hotkey, || Ok(()))
    }

    fn seal(
        (netuid, block): (u16, u64),
        hotkey: &T::AccountId,
        coldkey: &T::AccountId,
        nonce: u64,
    ) -> [u8; 32] {
        let hash = frame_system::Pallet::<T>::block_hash::<
            frame_system::pallet_prelude::BlockNumberFor<T>,
        >(block.saturated_into());
        let hash = H256::from_slice(hash.as_ref());
        let bytes = (netuid, hash, hotkey, coldkey, nonce).encode();
        keccak_256(&sha2_256(&[TAG, &bytes].concat()))
    }
}
