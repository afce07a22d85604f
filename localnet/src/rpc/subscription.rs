//! Following the chain: each subscriber has a cursor and reads block after block at its own pace.
//! One that falls behind what the chain keeps goes on with the newest block.

use crate::{api::Api, chain::StoredBlock, runtime::BlockNumber};
use jsonrpsee::{
    core::to_json_raw_value,
    server::{DisconnectError, SubscriptionSink},
};
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::watch;

use crate::service::Head;

/// Sends one notification; waits while the connection's buffer is full.
pub(super) async fn send(
    sink: &SubscriptionSink,
    message: &impl Serialize,
) -> Result<(), DisconnectError> {
    let message = to_json_raw_value(message).expect("node types are valid JSON");
    sink.send(message).await
}

/// A place in the chain that moves on with it.
pub(super) struct Cursor {
    api: Arc<Api>,
    heads: watch::Receiver<Head>,
    /// Height of the next block to look at.
    next: BlockNumber,
}

impl Cursor {
    /// Starts with the newest of the blocks that `heads` tells of.
    pub(super) fn new(api: Arc<Api>, mut heads: watch::Receiver<Head>) -> Self {
        let next = heads.borrow_and_update().number;
        Self { api, heads, next }
    }

    /// The next block, in order. None when the subscriber or the chain has gone.
    pub(super) async fn next(&mut self, sink: &SubscriptionSink) -> Option<Arc<StoredBlock>> {
        loop {
            let newest = self.heads.borrow_and_update().number;
            if self.next > newest.saturating_add(1) {
                // The chain went back to a snapshot.
                self.next = newest;
            }
            if self.next <= newest {
                let number = self.next;
                let block =
                    self.api.read(move |chain| chain.block_at(number).cloned()).await.ok()?;
                if let Some(block) = block {
                    self.next += 1;
                    return Some(block);
                }
                self.next = newest;
                continue;
            }
            tokio::select! {
                changed = self.heads.changed() => changed.ok()?,
                () = sink.closed() => return None,
            }
        }
    }
}
