//! Real nodes on loopback sockets, with real sr25519 keys.

mod bind;
mod blobs;
mod exchange;
mod gossip;
mod mesh;
mod raw;
mod restart;
mod world;
