//! The connection: one endpoint of several at a time, another when it is lost.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::Deserialize;
use subxt::backend::LegacyBackend;
use subxt::rpcs::{RpcClient, rpc_params};
use subxt::{OnlineClient, PolkadotConfig};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::Hash;
use crate::error::{ConnectError, ReadError};

/// Time to reach one endpoint again.
const REDIAL: Duration = Duration::from_secs(20);

/// The version in an argument of `Metadata_metadata_at_version`.
const VERSION_15: &str = "0x0f000000";

/// What a node says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    is_syncing: bool,
}

/// One connection to one endpoint.
#[derive(Clone)]
pub(crate) struct Connection {
    /// For typed reads.
    pub(crate) online: OnlineClient<PolkadotConfig>,
    /// For plain requests.
    pub(crate) rpc: RpcClient,
    /// Which of the endpoints.
    endpoint: usize,
    /// How many connections there were before it.
    age: u64,
}

/// The endpoints of one chain, of which one is connected.
pub(crate) struct Link {
    urls: Vec<String>,
    genesis: Hash,
    current: RwLock<Connection>,
    /// One dials; the others wait and use what it found.
    dialling: Mutex<()>,
}

impl Link {
    /// Connects to the first endpoint that answers as a chain that we know how to use.
    ///
    /// # Errors
    /// What was wrong with the last endpoint.
    pub(crate) async fn new(urls: &[String], within: Duration) -> Result<Self, ConnectError> {
        let mut failed = ConnectError::Url(String::new());
        for (endpoint, url) in urls.iter().enumerate() {
            match dial(url, within).await {
                Ok((online, rpc)) => {
                    let genesis = online.genesis_hash().0;
                    let current = Connection { online, rpc, endpoint, age: 0 };
                    let (urls, current) = (urls.to_vec(), RwLock::new(current));
                    return Ok(Self { urls, genesis, current, dialling: Mutex::default() });
                }
                Err(error) => {
                    tracing::debug!(%error, "endpoint not used");
                    failed = error;
                }
            }
        }
        Err(failed)
    }

    /// The connection in use.
    pub(crate) fn current(&self) -> Connection {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The endpoint in use.
    pub(crate) fn url(&self) -> &str {
        self.urls.get(self.current().endpoint).map_or("", String::as_str)
    }

    /// Changes with every new connection.
    pub(crate) fn age(&self) -> u64 {
        self.current().age
    }

    /// Hash of block 0, the same at all endpoints.
    pub(crate) fn genesis(&self) -> Hash {
        self.genesis
    }

    /// Replaces a connection that failed, unless somebody has. One that still answers is kept;
    /// else the next endpoint that serves the same chain is taken, the present one last.
    ///
    /// # Errors
    /// [`ReadError::OtherChain`] when every endpoint serves another chain.
    pub(crate) async fn replace(&self, failed: &Connection) -> Result<(), ReadError> {
        let _one = self.dialling.lock().await;
        let current = self.current();
        if current.age != failed.age || answers(&current).await {
            return Ok(());
        }
        let (mut lost, mut other) = (None, None);
        for step in 1..=self.urls.len() {
            let endpoint = (current.endpoint + step) % self.urls.len();
            let url = &self.urls[endpoint];
            match dial(url, REDIAL).await {
                Ok((online, _)) if online.genesis_hash().0 != self.genesis => {
                    other = Some(ReadError::OtherChain { url: url.clone() });
                }
                Ok((online, rpc)) => {
                    let age = current.age + 1;
                    let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                    *current = Connection { online, rpc, endpoint, age };
                    return Ok(());
                }
                Err(error) => {
                    let reason = error.to_string();
                    lost = Some(ReadError::Rpc { what: "the chain", reason });
                }
            }
        }
        // An endpoint that is merely out of reach may come back with the right chain.
        Err(lost.or(other).unwrap_or(ReadError::Timeout { what: "the chain" }))
    }
}

/// Whether a URL is a websocket's.
fn check(url: &str) -> Result<(), ConnectError> {
    let is_websocket = url.starts_with("ws://") || url.starts_with("wss://");
    if is_websocket { Ok(()) } else { Err(ConnectError::Url(url.to_owned())) }
}

async fn answers(connection: &Connection) -> bool {
    matches!(timeout(REDIAL, connection.online.at_current_block()).await, Ok(Ok(_)))
}

/// Connects to an endpoint and checks what the chain there has.
async fn dial(
    url: &str,
    within: Duration,
) -> Result<(OnlineClient<PolkadotConfig>, RpcClient), ConnectError> {
    check(url)?;
    let refused = |reason: String| ConnectError::Refused { url: url.to_owned(), reason };
    let late = |_| ConnectError::Timeout { url: url.to_owned(), within };
    let rpc = timeout(within, RpcClient::from_insecure_url(url))
        .await
        .map_err(late)?
        .map_err(|error| refused(deepest(&error)))?;
    // Every node has these methods, also one behind a balancer that lacks the newer ones.
    let backend = LegacyBackend::builder().build(rpc.clone());
    let online = timeout(within, OnlineClient::from_backend(Arc::new(backend)))
        .await
        .map_err(late)?
        .map_err(|error| refused(deepest(&error)))?;
    let at = timeout(within, online.at_current_block())
        .await
        .map_err(late)?
        .map_err(|error| refused(deepest(&error)))?;
    let health = rpc.request::<Health>("system_health", rpc_params![]);
    // Who does not say is believed to be up to date.
    if matches!(timeout(within, health).await, Ok(Ok(Health { is_syncing: true }))) {
        return Err(ConnectError::Syncing { url: url.to_owned(), block: at.block_number() });
    }
    let report = iota_metadata::check(at.metadata_ref());
    if report.is_fatal() {
        let report = report.to_string();
        return Err(ConnectError::Incompatible { url: url.to_owned(), report });
    }
    Ok((online, rpc))
}

/// A chain's metadata of version 15, as its runtime answers it in hex. Nothing is expected of the chain
/// but that it answers.
///
/// # Errors
/// [`ConnectError`].
pub async fn metadata(url: &str, within: Duration) -> Result<Vec<u8>, ConnectError> {
    check(url)?;
    let refused = |error: subxt::rpcs::Error| ConnectError::Refused {
        url: url.to_owned(),
        reason: deepest(&error),
    };
    let read = async {
        let rpc = RpcClient::from_insecure_url(url).await?;
        let params = rpc_params!["Metadata_metadata_at_version", VERSION_15];
        rpc.request::<String>("state_call", params).await
    };
    let late = |_| ConnectError::Timeout { url: url.to_owned(), within };
    let text = timeout(within, read).await.map_err(late)?.map_err(refused)?;
    Ok(text.into_bytes())
}

/// The innermost cause: libraries wrap "connection refused" several times, some in words only.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().trim_start_matches("RPC error: client error: ").to_owned()
}
