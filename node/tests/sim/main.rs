//! Whole subnets in one process: the roles, the trainer and the chain are the real ones, the
//! network and the clock are simulated from a seed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chain;
mod faults;
mod honest;
mod hostile;
mod network;
mod scene;
mod shards;
mod trace;
mod world;
