//! The pallets that give the dev chain Subtensor's interface.

pub mod admin_utils;
pub mod aura;
pub mod commitments;
pub mod drand;
pub mod mev_shield;
pub mod subtensor;
pub mod swap;
