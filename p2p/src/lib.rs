//! Exchange bounded messages with authenticated peers.
//!
//! Payload-agnostic: bodies are bytes. Three ways to exchange them, over libp2p (TCP with noise and
//! yamux, or QUIC):
//! - **requests**: one body to one peer, answered by one body;
//! - **gossip**: one body to everybody, signed by its author, checked before it is forwarded;
//! - **blobs**: content by its BLAKE3 hash, in chunks, so a cut transfer goes on where it stopped.
//!
//! # Identity
//!
//! Peers are addressed by hotkey. A node knows another's address from the chain, without its
//! PeerId; it dials, the handshake proves the PeerId, and then both sides prove with a [`binding`]
//! statement, signed by the hotkey, that this PeerId acts for it on this network until an expiry.
//! Before that, and once its hotkey is no longer registered, a peer gets identify, ping and the
//! binding itself: streams of everything else wait unread. When a hotkey binds a second PeerId (a
//! restart), the newest statement stands and the older connection is closed.
//!
//! # Attacks considered
//!
//! - a statement signed for another PeerId, network or time: refused, the connection is closed;
//! - a peer that connects and proves nothing: closed after [`limits::BIND_GRACE`];
//! - forged, foreign or oversized gossip: not forwarded, and who sent it loses score until it is
//!   not heard any more; repeated, stale or too frequent gossip: not forwarded;
//! - oversized requests, replies and blobs: cut off by their length prefix before they are read;
//! - blobs of other content, or in crumbs: refused, so that a fetch ends in bounded time;
//! - floods: every queue is bounded ([`limits`]), every hotkey has a rate and a number of requests
//!   in flight, which it keeps over reconnections.
//!
//! Not provided: anonymity, secrecy of gossip, NAT traversal, discovery beyond the addresses that
//! the caller dials, delivery of gossip to who is away.

pub mod binding;
pub mod limits;

mod admission;
mod blobs;
mod bucket;
mod codec;
mod config;
mod engine;
mod event;
#[cfg(test)]
mod fake;
mod gate;
mod gossip;
mod handle;
mod listen;
mod presence;
mod registry;
mod swarm;
mod targets;

pub use config::{Authority, Config, Network, Verdict};
pub use engine::spawn;
pub use event::{Event, ReplyTo};
pub use handle::{FetchError, Handle, PublishError, RequestError};
pub use targets::{Address, Transport};

/// A sr25519 public key: who a peer acts for.
pub type Hotkey = [u8; 32];
/// A BLAKE3 digest: what a blob is named by.
pub type Hash = [u8; 32];

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another program listens there.
    #[error("port {port} is in use")]
    PortInUse {
        /// The port.
        port: u16,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// libp2p refused its configuration.
    #[error("cannot set up the transport: {0}")]
    Setup(String),
}
