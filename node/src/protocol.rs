//! The protocol as pure functions and sans-IO state: what every node computes alike.
//!
//! Nothing here knows tokio, sockets, the chain client or the trainer. Whatever nodes must agree
//! on is integers or fixed point.

/// A sr25519 public key: who acts on the subnet.
pub type Hotkey = [u8; 32];
/// A 32-byte digest (BLAKE3 for content, BLAKE2b-256 for the manifest).
pub type Hash = [u8; 32];

pub mod audit;
pub mod bounded;
pub mod butterfly;
pub mod choose;
pub mod clasp;
pub mod clock;
pub mod commitment;
pub mod delta;
pub mod draw;
pub mod manifest;
pub mod members;
pub mod outer;
pub mod plan;
pub mod receipts;
pub mod routing;
pub mod scores;
pub mod seed;
