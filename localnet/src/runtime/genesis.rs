//! The first state of the dev chain.

use super::{AccountId, Balance, Runtime};
use frame_support::sp_runtime::BuildStorage;
use sp_core::storage::Storage;

/// What the first state holds.
#[derive(Clone, Debug)]
pub struct Genesis {
    /// Accounts and their free balances, in rao.
    pub balances: Vec<(AccountId, Balance)>,
    /// The account whose `Sudo.sudo` calls run as root.
    pub sudo: AccountId,
    /// Time between blocks, shown to clients as `Aura.SlotDuration`, in milliseconds.
    pub block_time_ms: u64,
    /// Unix time of block 0, in milliseconds. Fixed, so that runs of one seed agree.
    pub base_time_ms: u64,
    /// Public key with which extrinsics are hidden.
    pub shield_key: Vec<u8>,
    /// Seed of the drand pulses; none for those of the public beacon.
    pub drand_seed: Option<[u8; 32]>,
}

impl Genesis {
    /// Builds the state.
    ///
    /// # Errors
    /// A pallet's refusal of its part, as text.
    pub fn build(&self) -> Result<Storage, String> {
        let mut storage = frame_system::GenesisConfig::<Runtime>::default().build_storage()?;
        pallet_balances::GenesisConfig::<Runtime> {
            balances: self.balances.clone(),
            ..Default::default()
        }
        .assimilate_storage(&mut storage)?;
        pallet_sudo::GenesisConfig::<Runtime> { key: Some(self.sudo.clone()) }
            .assimilate_storage(&mut storage)?;
        crate::pallets::aura::GenesisConfig::<Runtime> {
            slot_duration_ms: self.block_time_ms,
            ..Default::default()
        }
        .assimilate_storage(&mut storage)?;
        crate::pallets::drand::GenesisConfig::<Runtime> {
            seed: self.drand_seed,
            genesis_time: u32::try_from(self.base_time_ms / 1000).unwrap_or(u32::MAX),
            period: u32::try_from(self.block_time_ms / 1000).map_or(3, |s| s.clamp(1, 3)),
            ..Default::default()
        }
        .assimilate_storage(&mut storage)?;
        crate::pallets::mev_shield::GenesisConfig::<Runtime> {
            key: self.shield_key.clone(),
            ..Default::default()
        }
        .assimilate_storage(&mut storage)?;
        // Reads the issuance, so it follows the balances.
        crate::pallets::subtensor::GenesisConfig::<Runtime>::default()
            .assimilate_storage(&mut storage)?;
        Ok(storage)
    }
}
