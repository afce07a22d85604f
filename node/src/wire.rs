//! What peers say to one another: SCALE messages with bounded fields.
//!
//! Three channels carry them. *Requests* move one microbatch hop by hop and are answered at once
//! with an acknowledgement that reports the receiver's queue; the work itself answers later, with
//! a request the other way. *Gossip* spreads small facts that many nodes need. *Blobs* (logs,
//! snapshots, shards, states) are content-addressed and travel on their own streams; a message
//! only ever names them by hash.
//!
//! Every decoder refuses trailing bytes and anything above [`MAX_REQUEST_BYTES`] or
//! [`MAX_GOSSIP_BYTES`]; SCALE allocates no more than the bytes that are there.

use codec::{Decode, DecodeAll, Encode};

use crate::protocol::draw::MicrobatchId;
use crate::protocol::members::SignedHeartbeat;
use crate::protocol::{Hash, Hotkey};

/// Largest request body: a microbatch code of the largest preset with room for its header.
pub const MAX_REQUEST_BYTES: usize = 4 << 20;
/// Largest gossip body.
pub const MAX_GOSSIP_BYTES: usize = 16 << 10;

/// A request from one hop of a pathway to its neighbour.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// The code of a microbatch, for the next stage.
    Forward {
        /// Which microbatch.
        mb: MicrobatchId,
        /// The bottleneck code as wire bytes.
        code: Vec<u8>,
        /// The hops so far, head first: for people and dashboards; logs decide who did what.
        path: Vec<Hotkey>,
    },
    /// The gradient of a code, for the stage that sent that code.
    Backward {
        /// Which microbatch.
        mb: MicrobatchId,
        /// The gradient as wire bytes.
        grad: Vec<u8>,
    },
}

/// The immediate answer to a [`Request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Reply {
    /// Taken; the work will be answered by a request the other way.
    Accepted {
        /// Microbatches waiting at the receiver, this one included.
        queue: u16,
        /// The receiver's mean time for one forward and backward, in milliseconds.
        service_ms: u32,
    },
    /// The receiver's queue is full; try another replica.
    Busy,
    /// The receiver cannot use this: another epoch, another stage, an unknown microbatch.
    Refused,
}

/// A small signed fact for everybody.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Gossip {
    /// A node announces itself for an epoch.
    Heartbeat(SignedHeartbeat),
    /// A reducer announces the result of a butterfly shard.
    Reduced(Reduced),
}

/// One reducer's result for one butterfly shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Reduced {
    /// Epoch of the merge.
    pub epoch: u32,
    /// Stage that merges.
    pub stage: u16,
    /// Index of the shard in the stage's schedule.
    pub shard: u32,
    /// BLAKE3 of the merged shard's canonical bytes.
    pub hash: Hash,
}

/// Why bytes from a peer are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Longer than its channel allows.
    #[error("message of {bytes} bytes exceeds the limit of {limit}")]
    TooLong {
        /// Bytes received.
        bytes: usize,
        /// The channel's limit.
        limit: usize,
    },
    /// Not the SCALE encoding of a message, or followed by other bytes.
    #[error("malformed message")]
    Malformed,
}

/// Decodes a whole message within a limit.
///
/// # Errors
/// [`WireError`] when the bytes are too many, malformed or followed by others.
pub fn decode<M: Decode>(bytes: &[u8], limit: usize) -> Result<M, WireError> {
    if bytes.len() > limit {
        return Err(WireError::TooLong { bytes: bytes.len(), limit });
    }
    M::decode_all(&mut &bytes[..]).map_err(|_| WireError::Malformed)
}
