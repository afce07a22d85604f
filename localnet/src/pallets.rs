//! The pallets that give the dev chain Subtensor's interface.

pub mod aura;
pub mod subtensor;
