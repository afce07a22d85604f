//! Behaviour of the dev chain, seen from outside.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod blocks;
mod chain_head;
mod conformance;
mod dev;
mod interface;
mod pallets;
mod rpc;
