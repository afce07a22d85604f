//! Run a one-process development chain.
//!
//! A FRAME runtime with the pallets of a Subtensor chain, compiled natively, in a small node: a pool
//! of extrinsics, sealing on demand, instantly or by the clock, immediate finality, state in memory
//! or on disk, JSON-RPC on one port over websocket and HTTP. Virtual time and seeded randomness make runs
//! repeatable.
//!
//! - [`Chain`] is the chain alone: synchronous, without sockets, for tests and simulations.
//! - [`spawn`] serves one to clients. The program and the tests start it alike.
//!
//! Not here: consensus, peers, wasm, upgrades of the runtime.

pub mod accounts;
mod api;
mod banner;
pub mod chain;
mod config;
mod error;
pub mod pallets;
mod producer;
mod rpc;
pub mod runtime;
mod service;
mod shield;
mod signing;
mod store;

pub use api::{Api, ApiError, Handle};
pub use banner::banner;
pub use chain::{CallError, Chain, Included, PoolError, SealError, SealedBlock, StateError};
pub use config::{BASE_TIME_MS, BLOCK_TIME_MS, Config, DEFAULT_PORT};
pub use error::Error;
pub use producer::Sealing;
pub use rpc::Faults;
pub use runtime::{Runtime, RuntimeCall};
pub use service::{Head, Status, Stopped};
pub use signing::{sign, signed, signed_for};

use store::Store;

/// Starts a chain and serves it until the handle is stopped or dropped.
///
/// # Errors
/// If the address cannot be listened on or the settings make no chain.
pub async fn spawn(config: Config) -> Result<(Api, Handle), Error> {
    let (listener, address) = rpc::bind(config.listen)?;
    let sealing = config.sealing;
    let (chain, store) = tokio::task::spawn_blocking(move || open(&config))
        .await
        .map_err(|panic| Error::Genesis(panic.to_string()))??;
    let service = service::start(chain, store, sealing).map_err(Error::Thread)?;
    let mailbox = service.mailbox;
    let producer = tokio::spawn(producer::run(mailbox.clone(), service.sealing));
    let api = Api::new(mailbox.clone(), service.heads, address);
    let server =
        rpc::serve(listener, api.clone()).map_err(|source| Error::Listen { address, source })?;
    let faults = api.faults().clone();
    Ok((api, Handle::new(mailbox, faults, server, producer, service.thread)))
}

/// The chain of the settings: a new one, or the one that is on disk.
fn open(config: &Config) -> Result<(Chain, Option<Store>), Error> {
    let chain = Chain::new(config)?;
    match &config.data {
        None => Ok((chain, None)),
        Some(folder) => Store::open(folder, chain).map(|(store, chain)| (chain, Some(store))),
    }
}
