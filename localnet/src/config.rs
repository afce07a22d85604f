//! Settings of a dev chain.

use crate::producer::Sealing;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

/// Unix time of block 0, in milliseconds: the start of 2025, UTC. Fixed, because the chain's time
/// is virtual: block `n` is at `base_time_ms + n * block_time_ms`, however fast it was sealed.
pub const BASE_TIME_MS: u64 = 1_735_689_600_000;
/// Time between blocks where none is given, in milliseconds.
pub const BLOCK_TIME_MS: u64 = 500;
/// Port that clients try first, as on the real chain.
pub const DEFAULT_PORT: u16 = 9944;

/// What a dev chain is started with. Equal settings and equal extrinsics give equal blocks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Source of all randomness on the chain.
    pub seed: u64,
    /// Virtual time between blocks, in milliseconds; at least 1.
    pub block_time_ms: u64,
    /// Unix time of block 0, in milliseconds.
    pub base_time_ms: u64,
    /// Whether the beacon is the public one, quicknet: its pulses are not made here but brought, by
    /// [`crate::Api::pulse`].
    pub quicknet: bool,
    /// When blocks are sealed.
    pub sealing: Sealing,
    /// Where JSON-RPC is served; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Accounts that hold a balance at genesis besides the dev accounts, and their rao.
    pub funded: Vec<([u8; 32], u64)>,
    /// Folder in which the chain is kept; none keeps it in memory. A chain of the same settings that
    /// is there goes on.
    pub data: Option<PathBuf>,
}

impl Config {
    /// Settings for tests: a free port, blocks on demand, seed 0.
    pub fn test() -> Self {
        Self {
            seed: 0,
            sealing: Sealing::Manual,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            ..Self::default()
        }
    }
}

impl Default for Config {
    /// A chain for a developer at a desk: the usual port, a block for every extrinsic.
    fn default() -> Self {
        Self {
            seed: 0,
            block_time_ms: BLOCK_TIME_MS,
            base_time_ms: BASE_TIME_MS,
            quicknet: false,
            sealing: Sealing::Instant,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            funded: Vec::new(),
            data: None,
        }
    }
}
