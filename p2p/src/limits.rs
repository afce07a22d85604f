//! Every limit on what a peer can make this node hold, read or do.

use std::time::Duration;

/// Bytes of a request or its reply.
pub const MAX_REQUEST_BYTES: usize = 4 << 20;
/// Bytes of a gossip body.
pub const MAX_GOSSIP_BYTES: usize = 16 << 10;
/// Bytes around a gossip body: the envelope, and libp2p's own signature and names.
pub const GOSSIP_OVERHEAD_BYTES: usize = 1 << 10;
/// Bytes of one chunk of a blob; all but the last are this long.
pub const MAX_CHUNK_BYTES: usize = 1 << 20;
/// Bytes of a request for a chunk.
pub const MAX_CHUNK_REQUEST_BYTES: usize = 64;
/// Bytes around a chunk in its reply.
pub const CHUNK_OVERHEAD_BYTES: usize = 8;
/// Bytes of a binding statement on the wire.
pub const MAX_BIND_BYTES: usize = 1 << 10;
/// Bytes of all blobs that this node serves.
pub const MAX_STORE_BYTES: usize = 2 << 30;
/// Times that a transfer may be interrupted before it is given up.
pub const MAX_INTERRUPTIONS: u32 = 3;

/// Established connections, all peers together.
pub const MAX_CONNECTIONS: u32 = 1024;
/// Established connections of one peer; two nodes that dial each other at once have two.
pub const MAX_CONNECTIONS_PER_PEER: u32 = 4;
/// Connections in the making, each way.
pub const MAX_PENDING_CONNECTIONS: u32 = 256;
/// Peers that have dialled this node and have not proved a hotkey yet.
pub const MAX_UNBOUND: usize = 256;
/// Streams that wait unread on a connection until its peer has proved a hotkey.
pub const MAX_HELD_STREAMS: usize = 64;
/// Streams of one protocol on one connection, both ways together.
pub const MAX_STREAMS: usize = 256;
/// Streams of the bind protocol on one connection.
pub const MAX_BIND_STREAMS: usize = 4;
/// Addresses that are kept connected.
pub const MAX_TARGETS: usize = 4096;

/// Requests of one hotkey that wait for their replies here, chunks of blobs included.
pub const MAX_IN_FLIGHT: usize = 128;
/// Bytes of all requests that wait here for their replies, and of chunks on their way out.
pub const MAX_IN_FLIGHT_BYTES: usize = 1 << 30;
/// Requests that one hotkey may make per second, chunks of blobs included.
pub const REQUESTS_PER_SECOND: u32 = 500;
/// Requests that one hotkey may make at once after a pause.
pub const REQUEST_BURST: u32 = 2000;
/// Gossip messages that one author may publish per second.
pub const GOSSIP_PER_SECOND: u32 = 50;
/// Gossip messages that one author may publish at once after a pause.
pub const GOSSIP_BURST: u32 = 500;
/// Own gossip that waits for the first subscribed peer; beyond it the oldest is dropped.
pub const MAX_UNSENT_GOSSIP: usize = 64;

/// Events that wait for the application; above it gossip is dropped and requests are refused.
pub const EVENT_QUEUE: usize = 1024;
/// Commands that wait for the engine.
pub const COMMAND_QUEUE: usize = 1024;

/// How long a peer may stay without proving its hotkey.
pub const BIND_GRACE: Duration = Duration::from_secs(10);
/// Longest validity of a binding statement.
pub const MAX_BINDING: Duration = Duration::from_secs(24 * 3600);
/// Greatest difference between a gossip message's time and the own clock, either way.
pub const MAX_GOSSIP_AGE: Duration = Duration::from_secs(120);
/// How long gossip is remembered, so that it is taken once: longer than it could be valid.
pub const GOSSIP_MEMORY: Duration = Duration::from_secs(300);
/// Longest time for a request or a chunk, whatever the caller allows.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// Pause between two pings of a connection.
pub const PING_INTERVAL: Duration = Duration::from_secs(15);
/// Time to answer a ping before the connection counts as dead.
pub const PING_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause before an address is dialled again; doubles up to [`MAX_REDIAL`].
pub const MIN_REDIAL: Duration = Duration::from_millis(500);
/// See [`MIN_REDIAL`].
pub const MAX_REDIAL: Duration = Duration::from_secs(30);
