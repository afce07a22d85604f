//! Every limit on what a peer can make this node hold, read or do.

use std::time::Duration;

/// Bytes of a request or its reply.
pub const MAX_REQUEST_BYTES: usize = 4 << 20;
/// Bytes of a gossip body.
pub const MAX_GOSSIP_BYTES: usize = 16 << 10;
/// Bytes of one chunk of a blob.
pub const MAX_CHUNK_BYTES: usize = 1 << 20;
/// Bytes of the bind exchange.
pub const MAX_BIND_BYTES: usize = 1 << 10;
/// Bytes of all blobs that this node serves.
pub const MAX_STORE_BYTES: usize = 2 << 30;
/// Chunks asked for before a transfer is given up.
pub const MAX_CHUNK_RETRIES: u32 = 3;

/// Established connections, all peers together.
pub const MAX_CONNECTIONS: u32 = 1024;
/// Established connections of one peer.
pub const MAX_CONNECTIONS_PER_PEER: u32 = 8;
/// Connections in the making.
pub const MAX_PENDING_CONNECTIONS: u32 = 256;
/// Streams of one protocol on one connection.
pub const MAX_STREAMS: usize = 256;

/// Requests that one peer may make per second, and at once.
pub const REQUESTS_PER_SECOND: u32 = 500;
/// See [`REQUESTS_PER_SECOND`].
pub const REQUEST_BURST: u32 = 2000;
/// Gossip that one author may publish per second, and at once.
pub const GOSSIP_PER_SECOND: u32 = 50;
/// See [`GOSSIP_PER_SECOND`].
pub const GOSSIP_BURST: u32 = 500;

/// Events that wait for the application; above it gossip is dropped and requests are refused.
pub const EVENT_QUEUE: usize = 1024;
/// Commands that wait for the engine.
pub const COMMAND_QUEUE: usize = 1024;

/// How long a peer may stay without proving its hotkey.
pub const BIND_GRACE: Duration = Duration::from_secs(10);
/// Longest validity of a binding statement.
pub const MAX_BINDING: Duration = Duration::from_secs(24 * 3600);
/// Time for a request when the caller names none.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause before an address is dialled again; doubles up to [`MAX_REDIAL`].
pub const MIN_REDIAL: Duration = Duration::from_millis(500);
/// See [`MIN_REDIAL`].
pub const MAX_REDIAL: Duration = Duration::from_secs(30);
