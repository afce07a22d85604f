//! Fetching a blob: chunk by chunk, each on a stream of its own, resumed where it was cut.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{FetchError, Handle, RequestError};
use crate::engine::Command;
use crate::{Hash, Hotkey, limits};

/// What has arrived of a blob; pure, so that a peer's lies are tested without one.
#[derive(Debug)]
pub(super) struct Transfer {
    hash: Hash,
    limit: usize,
    total: Option<u64>,
    bytes: Vec<u8>,
}

impl Transfer {
    pub(super) fn new(hash: Hash, limit: usize) -> Self {
        Self { hash, limit, total: None, bytes: Vec::new() }
    }

    /// Where the next chunk begins.
    fn offset(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Takes the reply for the next chunk: the total length, then a full chunk, or all that is
    /// left. Shorter ones are refused, so that the number of replies is bounded by the length.
    pub(super) fn take(&mut self, reply: &[u8]) -> Result<Option<Arc<[u8]>>, FetchError> {
        let Some((total, chunk)) = reply.split_first_chunk::<8>() else {
            return Err(if reply.is_empty() { FetchError::NotFound } else { FetchError::Mismatch });
        };
        let total = u64::from_be_bytes(*total);
        if total > self.limit as u64 {
            return Err(FetchError::TooLarge { bytes: total, limit: self.limit });
        }
        let left = total.saturating_sub(self.offset());
        let is_whole = chunk.len() as u64 == left.min(limits::MAX_CHUNK_BYTES as u64);
        if *self.total.get_or_insert(total) != total || !is_whole {
            return Err(FetchError::Mismatch);
        }
        self.bytes.extend(chunk);
        if self.offset() < total {
            return Ok(None);
        }
        if blake3::hash(&self.bytes).as_bytes() != &self.hash {
            return Err(FetchError::Mismatch);
        }
        Ok(Some(std::mem::take(&mut self.bytes).into()))
    }
}

impl Handle {
    /// Fetches a blob from a peer, chunk by chunk, and checks it against its hash. What has arrived
    /// is kept when a chunk fails or the connection is lost; the rest is asked for once the peer is
    /// back, [`limits::MAX_INTERRUPTIONS`] times. `timeout` is for one chunk, and for one return.
    ///
    /// # Errors
    /// [`FetchError`]; [`RequestError::NotConnected`] at once when the peer is not there at first.
    pub async fn fetch(
        &self,
        from: &Hotkey,
        hash: Hash,
        max_bytes: usize,
        timeout: Duration,
    ) -> Result<Arc<[u8]>, FetchError> {
        let mut transfer = Transfer::new(hash, max_bytes);
        let mut interruptions = 0;
        loop {
            let (reply, answer) = oneshot::channel();
            let command = Command::Chunk { from: *from, hash, offset: transfer.offset(), reply };
            match self.ask(command, answer, timeout).await {
                Ok(reply) => {
                    if let Some(bytes) = transfer.take(&reply)? {
                        return Ok(bytes);
                    }
                }
                Err(RequestError::NotConnected) if transfer.total.is_none() => {
                    return Err(RequestError::NotConnected.into());
                }
                Err(error) => {
                    interruptions += 1;
                    if interruptions > limits::MAX_INTERRUPTIONS {
                        return Err(error.into());
                    }
                    tracing::debug!(%error, offset = transfer.offset(), "blob interrupted");
                    self.returned(from, timeout).await?;
                }
            }
        }
    }

    /// Waits until a peer is bound (again).
    async fn returned(&self, hotkey: &Hotkey, timeout: Duration) -> Result<(), RequestError> {
        let mut peers = self.peers.clone();
        let is_back = peers.wait_for(|peers| peers.binary_search(hotkey).is_ok());
        match tokio::time::timeout(timeout, is_back).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(RequestError::Unavailable),
            Err(_) => Err(RequestError::NotConnected),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHUNK: usize = limits::MAX_CHUNK_BYTES;

    fn reply(total: usize, chunk: &[u8]) -> Vec<u8> {
        [&(total as u64).to_be_bytes(), chunk].concat()
    }

    fn transfer(bytes: &[u8], limit: usize) -> Transfer {
        Transfer::new(*blake3::hash(bytes).as_bytes(), limit)
    }

    #[test]
    fn chunks_make_the_blob() {
        let bytes: Vec<u8> = (0..2 * CHUNK + 5).map(|i| (i % 251) as u8).collect();
        let mut transfer = transfer(&bytes, bytes.len());
        let mut whole = None;
        for chunk in bytes.chunks(CHUNK) {
            assert!(whole.is_none());
            whole = transfer.take(&reply(bytes.len(), chunk)).unwrap();
        }
        assert_eq!(whole.unwrap().as_ref(), bytes);
        let mut empty = Transfer::new(*blake3::hash(&[]).as_bytes(), 0);
        assert_eq!(empty.take(&reply(0, &[])).unwrap().unwrap().len(), 0);
    }

    #[test]
    fn lies_about_length_and_content_end_the_transfer() {
        let bytes = vec![7; CHUNK + 5];
        let total = bytes.len();
        let start = || {
            let mut transfer = transfer(&bytes, total);
            assert_eq!(transfer.take(&reply(total, &bytes[..CHUNK])), Ok(None));
            transfer
        };
        let second: [(&str, Vec<u8>); 5] = [
            ("other content", reply(total, &[8; 5])),
            ("too little", reply(total, &[7; 4])),
            ("too much", reply(total, &[7; 6])),
            ("another total", reply(total - 1, &[7; 4])),
            ("no length", vec![1, 2, 3]),
        ];
        for (lie, reply) in second {
            assert_eq!(start().take(&reply), Err(FetchError::Mismatch), "{lie}");
        }
        assert_eq!(start().take(&[]), Err(FetchError::NotFound));
        let refused = transfer(&bytes, total - 1).take(&reply(total, &bytes[..CHUNK]));
        assert_eq!(refused, Err(FetchError::TooLarge { bytes: total as u64, limit: total - 1 }));
    }

    proptest! {
        #[test]
        fn no_reply_makes_it_exceed_its_limit(
            replies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..8),
            limit in 0usize..64,
        ) {
            let mut transfer = Transfer::new([0; 32], limit);
            for reply in replies {
                // Nobody finds bytes with that hash.
                prop_assert!(!matches!(transfer.take(&reply), Ok(Some(_))));
                prop_assert!(transfer.bytes.len() <= limit);
            }
        }
    }
}
