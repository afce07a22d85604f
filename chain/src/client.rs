//! The connection, and finalized blocks in order.

use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use subxt::client::OnlineClientAtBlock;
use subxt::dynamic;
use subxt::ext::scale_decode::DecodeAsType;
use subxt::{OnlineClient, PolkadotConfig};
use tokio::time::timeout;

use crate::error::{ConnectError, ReadError};
use crate::submit::Nonces;
use crate::{Hash, Hotkey};

/// A client at a block.
pub(crate) type AtBlock = OnlineClientAtBlock<PolkadotConfig>;

/// Time for one read.
const READ: Duration = Duration::from_secs(20);
/// Pause before a lost subscription is made anew.
const RETRY: Duration = Duration::from_millis(500);
/// Attempts before a lost connection is given up.
const ATTEMPTS: u32 = 20;

/// A connection to a chain. Clones share it.
#[derive(Clone)]
pub struct Client {
    /// Replaced when a lost connection is made anew.
    online: Arc<RwLock<OnlineClient<PolkadotConfig>>>,
    pub(crate) nonces: Nonces,
    genesis: Hash,
    url: String,
}

/// Finalized blocks, each once and in order.
pub struct BlockStream {
    client: Client,
    next: u64,
    finalized: u64,
    blocks: Option<subxt::client::Blocks<PolkadotConfig>>,
}

/// Runs a read with a time-out.
pub(crate) async fn rpc<T, E: std::fmt::Display>(
    what: &'static str,
    read: impl Future<Output = Result<T, E>>,
) -> Result<T, ReadError> {
    match timeout(READ, read).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(ReadError::Rpc { what, reason: error.to_string() }),
        Err(_) => Err(ReadError::Timeout { what }),
    }
}

impl Client {
    /// Connects to a ws:// or wss:// endpoint and checks the chain.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(url: &str, within: Duration) -> Result<Self, ConnectError> {
        if !(url.starts_with("ws://") || url.starts_with("wss://")) {
            return Err(ConnectError::Url(url.to_owned()));
        }
        let online = dial(url, within).await?;
        let genesis = online.genesis_hash().0;
        let online = Arc::new(RwLock::new(online));
        Ok(Self { online, nonces: Nonces::default(), genesis, url: url.to_owned() })
    }

    /// The endpoint.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Hash of block 0.
    #[must_use]
    pub fn genesis_hash(&self) -> Hash {
        self.genesis
    }

    fn online(&self) -> OnlineClient<PolkadotConfig> {
        self.online.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a lost connection anew, for all clones. One that answers is kept.
    async fn redial(&self) -> Result<(), ReadError> {
        if self.latest().await.is_ok() {
            return Ok(());
        }
        let lost =
            |error: ConnectError| ReadError::Rpc { what: "the chain", reason: error.to_string() };
        let online = dial(&self.url, READ).await.map_err(lost)?;
        if online.genesis_hash().0 != self.genesis {
            return Err(ReadError::OtherChain { url: self.url.clone() });
        }
        *self.online.write().unwrap_or_else(PoisonError::into_inner) = online;
        Ok(())
    }

    pub(crate) async fn at(&self, hash: Hash) -> Result<AtBlock, ReadError> {
        rpc("a block", self.online().at_block(subxt::utils::H256(hash))).await
    }

    pub(crate) async fn latest(&self) -> Result<AtBlock, ReadError> {
        rpc("the finalized block", self.online().at_current_block()).await
    }

    /// Number and hash of the last finalized block.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn finalized(&self) -> Result<(u32, Hash), ReadError> {
        let at = self.latest().await?;
        Ok((u32::try_from(at.block_number()).unwrap_or(u32::MAX), at.block_hash().0))
    }

    /// Free balance in rao at the last finalized block.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn balance(&self, account: &Hotkey) -> Result<u64, ReadError> {
        #[derive(DecodeAsType)]
        #[decode_as_type(crate_path = "subxt::ext::scale_decode")]
        struct Account {
            data: Data,
        }
        #[derive(DecodeAsType)]
        #[decode_as_type(crate_path = "subxt::ext::scale_decode")]
        struct Data {
            free: u64,
        }
        let at = self.latest().await?;
        let address = dynamic::storage::<(Hotkey,), Account>("System", "Account");
        let found = rpc("the balance", at.storage().try_fetch(address, (*account,))).await?;
        let form = |error: &dyn std::fmt::Display| ReadError::Form {
            what: "the balance",
            reason: error.to_string(),
        };
        match found {
            Some(found) => Ok(found.decode().map_err(|error| form(&error))?.data.free),
            None => Ok(0),
        }
    }

    /// The hotkey of a subnet's owner, who publishes runs there.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn subnet_owner_hotkey(&self, netuid: u16) -> Result<Option<Hotkey>, ReadError> {
        const WHAT: &str = "the subnet's owner";
        let at = self.latest().await?;
        let address = dynamic::storage::<(u16,), Hotkey>("SubtensorModule", "SubnetOwnerHotkey");
        let found = rpc(WHAT, at.storage().try_fetch(address, (netuid,))).await?;
        let decode = |error: &dyn std::fmt::Display| ReadError::Form {
            what: WHAT,
            reason: error.to_string(),
        };
        let owner =
            found.map(|found| found.decode().map_err(|error| decode(&error))).transpose()?;
        // Where there is no subnet, the entry has its default.
        Ok(owner.filter(|owner| *owner != Hotkey::default()))
    }

    /// Finalized blocks from a height on (the current one if none is given), without gaps.
    ///
    /// # Errors
    /// [`ReadError`] when the chain does not answer.
    pub async fn finalized_blocks(&self, from: Option<u32>) -> Result<BlockStream, ReadError> {
        let (finalized, _) = self.finalized().await?;
        Ok(BlockStream {
            client: self.clone(),
            next: u64::from(from.unwrap_or(finalized)),
            finalized: u64::from(finalized),
            blocks: None,
        })
    }
}

impl BlockStream {
    /// Number and hash of the next finalized block. Waits for it; a lost connection is made anew.
    ///
    /// # Errors
    /// [`ReadError`] when the connection stays lost, or leads to another chain.
    pub async fn next(&mut self) -> Result<(u32, Hash), ReadError> {
        let mut failures = 0;
        loop {
            match self.advance().await {
                Ok(found) => return Ok(found),
                Err(error) if failures >= ATTEMPTS => return Err(error),
                Err(error) => {
                    failures += 1;
                    tracing::debug!(%error, "block subscription lost");
                    self.blocks = None;
                    tokio::time::sleep(RETRY).await;
                    match self.client.redial().await {
                        Err(other @ ReadError::OtherChain { .. }) => return Err(other),
                        Err(error) => tracing::debug!(%error, "chain not reached"),
                        Ok(()) => {}
                    }
                }
            }
        }
    }

    async fn advance(&mut self) -> Result<(u32, Hash), ReadError> {
        const WHAT: &str = "finalized blocks";
        // What was finalized before we subscribed, or skipped since, is read by number.
        while self.next > self.finalized {
            let blocks = match &mut self.blocks {
                Some(blocks) => blocks,
                None => self.blocks.insert(rpc(WHAT, self.client.online().stream_blocks()).await?),
            };
            let ended = || ReadError::Rpc { what: WHAT, reason: "the subscription ended".into() };
            let block = blocks.next().await.ok_or_else(ended)?;
            let block = block.map_err(|e| ReadError::Rpc { what: WHAT, reason: e.to_string() })?;
            self.finalized = self.finalized.max(block.number());
        }
        let at = rpc(WHAT, self.client.online().at_block(self.next)).await?;
        let found = (u32::try_from(self.next).unwrap_or(u32::MAX), at.block_hash().0);
        self.next += 1;
        Ok(found)
    }
}

/// Connects to an endpoint and checks what the chain there has.
async fn dial(url: &str, within: Duration) -> Result<OnlineClient<PolkadotConfig>, ConnectError> {
    let refused = |reason: String| ConnectError::Refused { url: url.to_owned(), reason };
    let late = || ConnectError::Timeout { url: url.to_owned(), within };
    let online = timeout(within, OnlineClient::<PolkadotConfig>::from_insecure_url(url))
        .await
        .map_err(|_| late())?
        .map_err(|error| refused(deepest(&error)))?;
    let at = timeout(within, online.at_current_block())
        .await
        .map_err(|_| late())?
        .map_err(|error| refused(deepest(&error)))?;
    let report = iota_metadata::check(at.metadata_ref());
    if report.is_fatal() {
        let report = report.to_string();
        return Err(ConnectError::Incompatible { url: url.to_owned(), report });
    }
    Ok(online)
}

/// The innermost cause: libraries wrap "connection refused" several times, some in words only.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().trim_start_matches("RPC error: client error: ").to_owned()
}
