//! The crate against a real dev chain, which runs in the test's process and seals on demand.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod blocks;
mod calls;
mod connect;
mod crowd;
mod hidden_weights;
mod net;
mod proxy;
mod publish;
mod submit;
mod wallets;
mod weights;
