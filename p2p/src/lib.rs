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
//! PeerId; it dials, the noise handshake proves the PeerId, and then both sides prove with a
//! [`binding`] statement, signed by the hotkey, that this PeerId acts for it on this network until
//! an expiry. Nothing but that exchange is served to a peer before it is bound, or once its hotkey
//! is no longer registered. When a hotkey binds a second PeerId (a restart), the newest stands.
//!
//! # Attacks considered
//!
//! - a statement signed for another PeerId, network or time: refused, the connection is closed;
//! - forged, foreign, oversized or too frequent gossip: not forwarded, and the sender loses score;
//! - oversized requests, replies and blobs: cut off by their length prefix before they are read;
//! - floods: every queue is bounded ([`limits`]), every peer has a rate.
//!
//! Not provided: anonymity, NAT traversal, discovery beyond the addresses that the caller dials.

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
