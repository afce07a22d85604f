//! What the application holds of a node.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libp2p::PeerId;
use tokio::sync::{mpsc, oneshot, watch};

use crate::blobs::Blobs;
use crate::engine::Command;
use crate::targets::Address;
use crate::{Hash, Hotkey, limits};

mod fetch;

/// Why a request has no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No connection to that hotkey, or it was lost before the reply.
    #[error("peer is not connected")]
    NotConnected,
    /// The body exceeds the limit.
    #[error("request of {bytes} bytes exceeds the limit of {}", limits::MAX_REQUEST_BYTES)]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// No reply in time.
    #[error("no reply in time")]
    Timeout,
    /// The peer closed the stream or refused.
    #[error("peer did not answer: {0}")]
    Failed(String),
    /// The node is shut down.
    #[error("node is not available")]
    Unavailable,
}

/// Why a blob was not fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The peer could not be asked.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The peer does not have it.
    #[error("peer does not have the blob")]
    NotFound,
    /// It is larger than the caller accepts.
    #[error("blob of {bytes} bytes exceeds the {limit} accepted")]
    TooLarge {
        /// Its length as the peer states it.
        bytes: u64,
        /// What the caller accepts.
        limit: usize,
    },
    /// The bytes are not what the hash names.
    #[error("peer served other bytes than the hash names")]
    Mismatch,
}

/// Why gossip was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The body exceeds the limit.
    #[error("gossip of {bytes} bytes exceeds the limit of {}", limits::MAX_GOSSIP_BYTES)]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// The node is shut down, or has too much to do.
    #[error("node is not available")]
    Unavailable,
}

/// A running node. Clones share it; it stops when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) peers: watch::Receiver<Vec<Hotkey>>,
    pub(crate) blobs: Arc<Mutex<Blobs>>,
    pub(crate) peer_id: PeerId,
    pub(crate) address: SocketAddr,
}

impl Handle {
    /// The node's libp2p identity.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Where the node listens, with TCP and with QUIC.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// The port of TCP and QUIC.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Stays connected to an address from now on, dialling it again with growing pauses.
    pub async fn dial(&self, address: impl Into<Address>) {
        // Fails only when the node is shut down; so below.
        let _ = self.commands.send(Command::Dial(address.into())).await;
    }

    /// Ends the connection that was dialled there, and dials it no more.
    pub async fn forget(&self, address: impl Into<Address>) {
        let _ = self.commands.send(Command::Forget(address.into())).await;
    }

    /// Hotkeys with a bound connection, in order.
    #[must_use]
    pub fn peers(&self) -> Vec<Hotkey> {
        self.peers.borrow().clone()
    }

    /// Checks all bound hotkeys against the registry of the chain again.
    pub async fn refresh(&self) {
        let _ = self.commands.send(Command::Refresh).await;
    }

    /// Stops the node and waits until its sockets are closed.
    pub async fn shutdown(&self) {
        let _ = self.commands.send(Command::Stop).await;
        self.commands.closed().await;
    }

    /// Sends a body to a hotkey and waits for its reply, at most [`limits::REQUEST_TIMEOUT`].
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn request(
        &self,
        to: &Hotkey,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<Vec<u8>, RequestError> {
        if body.len() > limits::MAX_REQUEST_BYTES {
            return Err(RequestError::TooLarge { bytes: body.len() });
        }
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Request { to: *to, body, reply }, answer, timeout).await
    }

    async fn ask(
        &self,
        command: Command,
        answer: oneshot::Receiver<Result<Vec<u8>, RequestError>>,
        timeout: Duration,
    ) -> Result<Vec<u8>, RequestError> {
        let asked = async {
            self.commands.send(command).await.map_err(|_| RequestError::Unavailable)?;
            answer.await.map_err(|_| RequestError::Unavailable)?
        };
        tokio::time::timeout(timeout, asked).await.map_err(|_| RequestError::Timeout)?
    }

    /// Signs a body and gossips it to all bound peers, or to the first who come.
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn try_publish(&self, body: Vec<u8>) -> Result<(), PublishError> {
        if body.len() > limits::MAX_GOSSIP_BYTES {
            return Err(PublishError::TooLarge { bytes: body.len() });
        }
        self.commands.try_send(Command::Publish(body)).map_err(|_| PublishError::Unavailable)
    }

    /// Like [`Handle::try_publish`], for what may be lost.
    pub fn publish(&self, body: Vec<u8>) {
        if let Err(error) = self.try_publish(body) {
            tracing::warn!(%error, "gossip dropped");
        }
    }

    /// Serves a blob under a tag until tags up to it are forgotten, or until newer ones need the
    /// room ([`limits::MAX_STORE_BYTES`]). The caller names its hash.
    pub fn provide(&self, hash: Hash, bytes: Arc<[u8]>, tag: u64) {
        self.store().provide(hash, bytes, tag);
    }

    /// Stops serving blobs with a tag below this one.
    pub fn forget_before(&self, tag: u64) {
        self.store().forget_before(tag);
    }

    /// A blob that this node serves itself.
    #[must_use]
    pub fn local(&self, hash: &Hash) -> Option<Arc<[u8]>> {
        self.store().get(hash)
    }

    fn store(&self) -> std::sync::MutexGuard<'_, Blobs> {
        // The store is consistent between any two of its operations.
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
