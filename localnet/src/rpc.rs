//! JSON-RPC over websocket and HTTP on one port: the methods that subxt, polkadot-api, the Bittensor
//! SDKs and polkadot-js ask of a node, old and new, and `dev_*` for what only a dev chain can do.
//!
//! Each group of methods is a file with a `register` function. Answers have the shapes and error codes of a substrate node.
//!
//! Limits: the constants below. Requests beyond them get an error; connections beyond theirs are
//! refused. A subscriber that does not read is waited for, one message at a time, without a queue
//! of its own.

use crate::{api::Api, error::Error};
use faults::Faulty;
use jsonrpsee::{
    RpcModule,
    core::middleware::RpcServiceBuilder,
    server::{
        BatchRequestConfig, RandomStringIdProvider, RegisterMethodError, Server, ServerConfig,
        ServerHandle,
    },
};
use std::{
    io,
    net::{SocketAddr, TcpListener},
};

mod author;
mod chain;
mod chain_head;
mod dev;
mod error;
mod faults;
mod state;
mod subscription;
mod system;
mod transaction;

pub use faults::Faults;
pub(crate) use faults::SharedFaults;

/// Connections at one time.
const MAX_CONNECTIONS: u32 = 512;
/// Subscriptions of one connection.
const MAX_SUBSCRIPTIONS: u32 = 1_024;
/// Bytes of one request: the largest extrinsic in hex, and some.
const MAX_REQUEST_BYTES: u32 = 24 * 1024 * 1024;
/// Bytes of one answer.
const MAX_RESPONSE_BYTES: u32 = 64 * 1024 * 1024;
/// Requests in one batch.
const MAX_BATCH: u32 = 256;
/// Messages that wait to be written to one connection.
const MESSAGE_BUFFER: u32 = 256;

/// Characters of a subscription's name, as on a substrate node.
const ID_CHARACTERS: usize = 16;

/// Takes the address. Returns it with the port that port 0 stood for.
pub(crate) fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => Error::AddressInUse { address },
        _ => Error::Listen { address, source },
    };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Starts to answer on a socket; runs until the handle says stop.
pub(crate) fn serve(listener: TcpListener, api: Api) -> io::Result<ServerHandle> {
    let config = ServerConfig::builder()
        .max_connections(MAX_CONNECTIONS)
        .max_subscriptions_per_connection(MAX_SUBSCRIPTIONS)
        .max_request_body_size(MAX_REQUEST_BYTES)
        .max_response_body_size(MAX_RESPONSE_BYTES)
        .set_batch_request_config(BatchRequestConfig::Limit(MAX_BATCH))
        .set_message_buffer_capacity(MESSAGE_BUFFER)
        .set_id_provider(RandomStringIdProvider::new(ID_CHARACTERS))
        .build();
    let faults = api.faults().clone();
    let middleware = RpcServiceBuilder::new()
        .layer_fn(move |service| Faulty { service, faults: faults.clone() });
    let server = Server::builder()
        .set_config(config)
        .set_rpc_middleware(middleware)
        .build_from_tcp(listener)?;
    let module = module(api).expect("method names are distinct");
    Ok(server.start(module))
}

/// All methods.
fn module(api: Api) -> Result<RpcModule<Api>, RegisterMethodError> {
    let mut module = RpcModule::new(api);
    author::register(&mut module)?;
    chain::register(&mut module)?;
    chain_head::register(&mut module)?;
    dev::register(&mut module)?;
    state::register(&mut module)?;
    system::register(&mut module)?;
    transaction::register(&mut module)?;
    let mut methods: Vec<&str> = module.method_names().chain(["rpc_methods"]).collect();
    methods.sort_unstable();
    let methods = serde_json::json!({ "methods": methods });
    module.register_method("rpc_methods", move |_, _, _| methods.clone())?;
    Ok(module)
}
