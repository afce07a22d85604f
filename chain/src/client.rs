//! The connection, and finalized blocks in order.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use subxt::PolkadotConfig;
use subxt::client::OnlineClientAtBlock;
use tokio::time::timeout;

use crate::courier::Courier;
use crate::error::{ConnectError, ReadError};
use crate::link::{Connection, Link};
use crate::storage::Storage;
use crate::{Hash, Hotkey};

/// A client at a block.
pub(crate) type AtBlock = OnlineClientAtBlock<PolkadotConfig>;

/// Time for one read.
const READ: Duration = Duration::from_secs(20);
/// Pause before a lost subscription is made anew.
const RETRY: Duration = Duration::from_millis(500);
/// Without a finalized block for this long, the connection is looked at.
const SILENCE: Duration = Duration::from_secs(60);
/// Attempts before a lost connection is given up.
const ATTEMPTS: u32 = 20;

/// How a node says that it has pruned a state.
const DISCARDED: &str = "State already discarded";

/// A connection to a chain. Clones share it.
#[derive(Clone)]
pub struct Client {
    pub(crate) link: Arc<Link>,
    pub(crate) courier: Arc<Courier>,
}

/// Finalized blocks, each once and in order.
pub struct BlockStream {
    client: Client,
    next: u64,
    finalized: u64,
    blocks: Option<subxt::client::Blocks<PolkadotConfig>>,
}

/// The height of a block.
pub(crate) fn height(at: &AtBlock) -> u32 {
    u32::try_from(at.block_number()).unwrap_or(u32::MAX)
}

/// Runs a read with a time-out.
pub(crate) async fn rpc<T, E: std::fmt::Display>(
    what: &'static str,
    read: impl Future<Output = Result<T, E>>,
) -> Result<T, ReadError> {
    match timeout(READ, read).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(failed(what, error.to_string())),
        Err(_) => Err(ReadError::Timeout { what }),
    }
}

fn failed(what: &'static str, reason: String) -> ReadError {
    if reason.contains(DISCARDED) {
        ReadError::Pruned { what }
    } else {
        ReadError::Rpc { what, reason }
    }
}

impl Client {
    /// Connects to a ws:// or wss:// endpoint and checks the chain.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(url: &str, within: Duration) -> Result<Self, ConnectError> {
        Self::connect_any(&[url.to_owned()], within).await
    }

    /// Connects to the first of several endpoints of one chain that answers; when it is lost, the
    /// next one takes its place.
    ///
    /// # Errors
    /// [`ConnectError`] of the last endpoint, when none answers.
    pub async fn connect_any(urls: &[String], within: Duration) -> Result<Self, ConnectError> {
        let link = Arc::new(Link::new(urls, within).await?);
        Ok(Self { link, courier: Arc::default() })
    }

    /// The endpoint in use.
    #[must_use]
    pub fn url(&self) -> &str {
        self.link.url()
    }

    /// Hash of block 0.
    #[must_use]
    pub fn genesis_hash(&self) -> Hash {
        self.link.genesis()
    }

    /// Pauses after a failure, and makes a lost connection anew, for all clones. That no endpoint
    /// answers is no error here: who retries finds out.
    ///
    /// # Errors
    /// [`ReadError::OtherChain`].
    pub(crate) async fn recover(&self, failed: &Connection) -> Result<(), ReadError> {
        tokio::time::sleep(RETRY).await;
        let Err(error) = self.link.replace(failed).await else { return Ok(()) };
        tracing::debug!(%error, "chain not reached");
        if matches!(error, ReadError::OtherChain { .. }) { Err(error) } else { Ok(()) }
    }

    /// Reads, again over a new connection where one was lost.
    ///
    /// # Errors
    /// [`ReadError`] when the connection stays lost, or what is wrong with the answer.
    pub(crate) async fn persistently<T, F: Future<Output = Result<T, ReadError>>>(
        &self,
        read: impl Fn() -> F,
    ) -> Result<T, ReadError> {
        for _ in 0..ATTEMPTS {
            let connection = self.link.current();
            match read().await {
                Err(error @ (ReadError::Rpc { .. } | ReadError::Timeout { .. })) => {
                    tracing::debug!(%error, "not read");
                    self.recover(&connection).await?;
                }
                done => return done,
            }
        }
        read().await
    }

    pub(crate) async fn at(&self, hash: Hash) -> Result<AtBlock, ReadError> {
        rpc("a block", self.link.current().online.at_block(subxt::utils::H256(hash))).await
    }

    pub(crate) async fn latest(&self) -> Result<AtBlock, ReadError> {
        rpc("the finalized block", self.link.current().online.at_current_block()).await
    }

    /// The hotkey of a subnet's owner, who publishes runs there.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn subnet_owner_hotkey(&self, netuid: u16) -> Result<Option<Hotkey>, ReadError> {
        let at = self.latest().await?;
        let of = Storage::new(&at, "SubtensorModule", "the subnet's owner");
        let owner: Option<Hotkey> = of.get("SubnetOwnerHotkey", (netuid,)).await?;
        // Where there is no subnet, the entry has its default.
        Ok(owner.filter(|owner| *owner != Hotkey::default()))
    }

    /// Finalized blocks from a height on (the current one if none is given), without gaps.
    ///
    /// # Errors
    /// [`ReadError`] when the chain does not answer.
    pub async fn finalized_blocks(&self, from: Option<u32>) -> Result<BlockStream, ReadError> {
        let (finalized, _) = self.finalized().await?;
        Ok(BlockStream::new(self.clone(), from.unwrap_or(finalized)))
    }
}

impl BlockStream {
    /// The blocks from a height on.
    pub(crate) fn new(client: Client, from: u32) -> Self {
        Self { client, next: u64::from(from), finalized: 0, blocks: None }
    }

    /// Number and hash of the next finalized block. Waits for it; a lost connection is made anew.
    ///
    /// # Errors
    /// [`ReadError`] when the connection stays lost, or leads to another chain.
    pub async fn next(&mut self) -> Result<(u32, Hash), ReadError> {
        let mut failures = 0;
        loop {
            let connection = self.client.link.current();
            match timeout(SILENCE, self.advance()).await {
                Ok(Ok(found)) => return Ok(found),
                // Perhaps there was no block: a connection that answers is kept.
                Err(_) => tracing::debug!("no finalized block for long"),
                Ok(Err(error)) if failures >= ATTEMPTS => return Err(error),
                Ok(Err(error)) => {
                    failures += 1;
                    tracing::debug!(%error, "block subscription lost");
                }
            }
            self.blocks = None;
            self.client.recover(&connection).await?;
        }
    }

    async fn advance(&mut self) -> Result<(u32, Hash), ReadError> {
        const WHAT: &str = "finalized blocks";
        // What was finalized before we subscribed, or skipped since, is read by number.
        while self.next > self.finalized {
            let Some(blocks) = &mut self.blocks else {
                self.blocks =
                    Some(rpc(WHAT, self.client.link.current().online.stream_blocks()).await?);
                // The subscription may tell of later blocks alone.
                let (finalized, _) = self.client.finalized().await?;
                self.finalized = self.finalized.max(finalized.into());
                continue;
            };
            let ended = || ReadError::Rpc { what: WHAT, reason: "the subscription ended".into() };
            let block = blocks.next().await.ok_or_else(ended)?;
            let block = block.map_err(|e| ReadError::Rpc { what: WHAT, reason: e.to_string() })?;
            self.finalized = self.finalized.max(block.number());
        }
        let number = u32::try_from(self.next).unwrap_or(u32::MAX);
        let hash = self.client.block_hash(number).await?;
        self.next += 1;
        Ok((number, hash))
    }
}
