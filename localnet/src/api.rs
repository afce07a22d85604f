//! Handles to a running dev chain: [`Api`] to use it from the same process, [`Handle`] to end it.

use crate::{
    chain::{Chain, PoolError, SealError, SealedBlock},
    producer::Sealing,
    rpc::{Faults, SharedFaults},
    runtime::{AccountId, Balance, BlockNumber, Hash},
    service::{Head, Heads, Mailbox, Status, Stopped},
};
use jsonrpsee::server::ServerHandle;
use std::{net::SocketAddr, thread};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

/// Blocks sealed in one go before others are served.
const SHARE: u32 = 16;

/// Why the chain did not do what it was asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// It has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// An extrinsic was refused.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// No block was sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Access to a running chain. Clones share it.
#[derive(Clone)]
pub struct Api {
    mailbox: Mailbox,
    heads: Heads,
    faults: SharedFaults,
    address: SocketAddr,
}

impl Api {
    /// Joins the parts.
    pub(crate) fn new(mailbox: Mailbox, heads: Heads, address: SocketAddr) -> Self {
        Self { mailbox, heads, faults: SharedFaults::default(), address }
    }

    pub(crate) fn faults(&self) -> &SharedFaults {
        &self.faults
    }

    /// Lets things go wrong from now on; the default takes all faults back.
    ///
    /// # Errors
    /// If the chain has stopped.
    pub async fn set_faults(&self, faults: Faults) -> Result<(), Stopped> {
        let hold = faults.hold_finality;
        self.faults.set(faults);
        self.mailbox.ask(move |engine| engine.hold_finality(hold)).await
    }

    /// Where JSON-RPC is served.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The address as a websocket URL.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// The newest block, which is final unless finality is held.
    pub fn head(&self) -> Head {
        *self.heads.newest.borrow()
    }

    /// The newest final block.
    pub fn finalized(&self) -> Head {
        *self.heads.finalized.borrow()
    }

    /// The newest final block as it changes.
    pub fn finalized_heads(&self) -> watch::Receiver<Head> {
        self.heads.finalized.clone()
    }

    /// The newest block as it changes. Blocks sealed in between are skipped, and can be read by
    /// their height.
    pub fn heads(&self) -> watch::Receiver<Head> {
        self.heads.newest.clone()
    }

    /// Waits until the chain has reached a height.
    ///
    /// # Errors
    /// If the chain stops before.
    pub async fn reached(&self, number: BlockNumber) -> Result<Head, ApiError> {
        let mut heads = self.heads();
        let head = heads.wait_for(|head| head.number >= number).await.map_err(|_| Stopped)?;
        Ok(*head)
    }

    /// Waits until the chain has ended.
    pub async fn ended(&self) {
        let mut heads = self.heads();
        while heads.changed().await.is_ok() {}
    }

    /// Seals `count` blocks; others are served in between. Returns the newest block.
    ///
    /// # Errors
    /// If a block cannot be sealed.
    pub async fn seal(&self, count: u32) -> Result<Head, ApiError> {
        let mut left = count;
        while left > 0 {
            let share = left.min(SHARE);
            self.mailbox.ask(move |engine| engine.seal_many(share)).await??;
            left -= share;
        }
        Ok(self.head())
    }

    /// Puts a signed extrinsic into the pool. Returns its hash.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn submit(&self, extrinsic: Vec<u8>) -> Result<Hash, ApiError> {
        Ok(self.mailbox.ask(move |engine| engine.submit(extrinsic)).await??)
    }

    /// As [`Self::submit`], and reports what becomes of the extrinsic.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn submit_and_watch(
        &self,
        extrinsic: Vec<u8>,
    ) -> Result<mpsc::Receiver<Status>, ApiError> {
        Ok(self.mailbox.ask(move |engine| engine.submit_and_watch(extrinsic)).await??)
    }

    /// Seals a block in which `account` gets `rao` out of nothing.
    ///
    /// # Errors
    /// If the runtime refuses the amount.
    pub async fn fund(&self, account: AccountId, rao: Balance) -> Result<SealedBlock, ApiError> {
        Ok(self.mailbox.ask(move |engine| engine.fund(&account, rao)).await??)
    }

    /// Seals blocks up to and with the one of that height. Returns the newest block.
    ///
    /// # Errors
    /// If a block cannot be sealed.
    pub async fn warp(&self, number: BlockNumber) -> Result<Head, ApiError> {
        self.seal(number.saturating_sub(self.head().number)).await
    }

    /// Seals a block that writes a value (none: removes it) under any key.
    ///
    /// # Errors
    /// If no block can be sealed.
    pub async fn set_storage(
        &self,
        key: Vec<u8>,
        value: Option<Vec<u8>>,
    ) -> Result<SealedBlock, ApiError> {
        Ok(self.mailbox.ask(move |engine| engine.set_storage(&key, value.as_deref())).await??)
    }

    /// Seals a block with a pulse of the public beacon: a round and its signature (48 bytes).
    ///
    /// # Errors
    /// If the signature is not the beacon's of that round, or the round is not a new one.
    pub async fn pulse(&self, round: u64, signature: Vec<u8>) -> Result<SealedBlock, ApiError> {
        Ok(self.mailbox.ask(move |engine| engine.pulse(round, &signature)).await??)
    }

    /// Keeps the chain as it is, pool included, to go back to. Returns the snapshot's number.
    ///
    /// # Errors
    /// If the chain has stopped.
    pub async fn snapshot(&self) -> Result<u32, Stopped> {
        self.mailbox.ask(|engine| engine.snapshot()).await
    }

    /// Goes back to a snapshot, which stays; later ones go. False where it is not kept.
    ///
    /// # Errors
    /// If the chain has stopped.
    pub async fn revert(&self, snapshot: u32) -> Result<bool, Stopped> {
        self.mailbox.ask(move |engine| engine.revert(snapshot)).await
    }

    /// Changes when blocks are sealed.
    ///
    /// # Errors
    /// If the chain has stopped.
    pub async fn set_sealing(&self, sealing: Sealing) -> Result<(), ApiError> {
        Ok(self.mailbox.ask(move |engine| engine.set_sealing(sealing)).await?)
    }

    /// Reads from the chain, between two blocks.
    ///
    /// # Errors
    /// If the chain has stopped.
    pub async fn read<R: Send + 'static>(
        &self,
        reader: impl FnOnce(&Chain) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        self.mailbox.ask(move |engine| reader(engine.chain())).await
    }
}

/// Keeps a chain running. Dropping it stops the server and the sealing by the clock; the chain
/// itself ends with the last [`Api`].
pub struct Handle {
    mailbox: Mailbox,
    faults: SharedFaults,
    server: ServerHandle,
    producer: JoinHandle<()>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Handle {
    /// Joins the parts.
    pub(crate) fn new(
        mailbox: Mailbox,
        faults: SharedFaults,
        server: ServerHandle,
        producer: JoinHandle<()>,
        thread: thread::JoinHandle<()>,
    ) -> Self {
        Self { mailbox, faults, server, producer, thread: Some(thread) }
    }

    /// Stops the server, then the chain, and waits until both have ended.
    pub async fn stop(mut self) {
        // An error says that it has stopped before.
        let _ = self.server.stop();
        self.faults.end();
        self.server.clone().stopped().await;
        let _ = self.mailbox.ask(|engine| engine.stop()).await;
        self.producer.abort();
        if let Some(thread) = self.thread.take() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// Waits until the server has ended.
    pub async fn stopped(&self) {
        self.server.clone().stopped().await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.server.stop();
        self.producer.abort();
    }
}
