//! What the application holds of a node.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libp2p::PeerId;
use tokio::sync::{mpsc, oneshot};

use crate::blobs::Blobs;
use crate::engine::Command;
use crate::{Hash, Hotkey, limits};

/// Why a request has no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No connection to that hotkey.
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
    /// The node is shut down, or has too much to do.
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

/// A running node. Clones share it; it stops when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) blobs: Arc<Mutex<Blobs>>,
    pub(crate) peer_id: PeerId,
    pub(crate) port: u16,
}

impl Handle {
    /// The node's libp2p identity.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// The port of TCP and QUIC.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stays connected to an address from now on.
    pub async fn dial(&self, address: SocketAddr) {
        // Fails only when the node is shut down.
        let _ = self.commands.send(Command::Dial(address)).await;
    }

    /// Hotkeys with a bound connection.
    pub async fn peers(&self) -> Vec<Hotkey> {
        let (reply, answer) = oneshot::channel();
        let _ = self.commands.send(Command::Peers(reply)).await;
        answer.await.unwrap_or_default()
    }

    /// Checks all bound hotkeys against the registry of the chain again.
    pub async fn refresh(&self) {
        let _ = self.commands.send(Command::Refresh).await;
    }

    /// Sends a body to a hotkey and waits for its reply.
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

    /// Signs a body and gossips it. Dropped when the node has too much to do.
    pub fn publish(&self, body: Vec<u8>) {
        if body.len() <= limits::MAX_GOSSIP_BYTES {
            let _ = self.commands.try_send(Command::Publish(body));
        }
    }

    /// Serves a blob under a tag until tags up to it are forgotten. The caller names its hash.
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

    /// Fetches a blob from a peer, chunk by chunk, and checks it against its hash. A chunk that
    /// fails is asked for again; what has arrived is kept.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch(
        &self,
        from: &Hotkey,
        hash: Hash,
        max_bytes: usize,
        timeout: Duration,
    ) -> Result<Arc<[u8]>, FetchError> {
        let mut bytes: Vec<u8> = Vec::new();
        let mut failures = 0;
        loop {
            let (reply, answer) = oneshot::channel();
            let command = Command::Chunk { from: *from, hash, offset: bytes.len() as u64, reply };
            let chunk = match self.ask(command, answer, timeout).await {
                Ok(chunk) => chunk,
                Err(RequestError::NotConnected) => return Err(RequestError::NotConnected.into()),
                Err(_) if failures + 1 < limits::MAX_CHUNK_RETRIES => {
                    failures += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            // An empty reply is "not found"; otherwise the total stands before the chunk.
            let Some((total, chunk)) = chunk.split_first_chunk::<8>() else {
                return Err(FetchError::NotFound);
            };
            let total = u64::from_be_bytes(*total);
            if total > max_bytes as u64 {
                return Err(FetchError::TooLarge { bytes: total, limit: max_bytes });
            }
            let left = total as usize - bytes.len().min(total as usize);
            if chunk.len() > left || (chunk.is_empty() && left > 0) {
                return Err(FetchError::Mismatch);
            }
            bytes.extend(chunk);
            if bytes.len() as u64 >= total {
                break;
            }
        }
        let fits = blake3::hash(&bytes).as_bytes() == &hash;
        if fits { Ok(bytes.into()) } else { Err(FetchError::Mismatch) }
    }
}
