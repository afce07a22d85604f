//! Real nodes on loopback sockets, with real sr25519 keys.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bind;
mod blobs;
mod exchange;
mod gossip;
mod mesh;
mod raw;
mod restart;
mod world;
