//! Read and write the chain through typed calls.
//!
//! Everything is encoded and decoded by name and type against the chain's own metadata, so renamed
//! indices and newtype wrappers across runtime versions change nothing here. At connect time the
//! chain is checked against what we rely on (`iota-metadata`).
//!
//! - [`Client`]: connection, finalized blocks in order, metagraph, balances;
//! - [`Client::submit`]: sign, send, wait for finality, explain a refusal;
//! - [`wallet`]: btcli's wallet files; [`Keypair`]: an sr25519 key that never prints itself.
//!
//! ```no_run
#![doc = include_str!("../examples/watch_blocks.rs")]
//! ```

mod admin;
mod amount;
mod block;
mod call;
mod children;
mod client;
mod courier;
mod error;
mod fee;
#[cfg(test)]
mod golden;
mod head;
mod history;
mod key;
mod link;
mod neurons;
mod nonces;
mod outbox;
mod pow;
mod remedy;
mod stake;
mod storage;
mod submit;
mod subnets;
mod value;
pub mod wallet;
mod weights;

pub use admin::AdminError;
pub use amount::{Alpha, ParseRaoError, Rao};
pub use block::{BlockView, CommittedFields, Drand, Pulse};
pub use call::{Argument, Call, Field, Hyperparameter};
pub use children::{Family, Relative};
pub use client::{BlockStream, Client};
pub use courier::Inclusion;
pub use error::{ConnectError, ReadError, SubmitError};
pub use history::{Holder, Moment};
pub use key::{KeyError, Keypair, from_ss58, to_ss58};
pub use link::metadata;
pub use neurons::Neuron;
pub use pow::{MAX_AGE as MAX_WORK_AGE, Puzzle, Solution};
pub use stake::{Quote, Stake};
pub use subnets::Subnet;
pub use weights::{
    Committed, Refusal, Regime, Reveal, SetWeights, WeightRules, Weights, WeightsError,
};

/// A sr25519 public key.
pub type Hotkey = [u8; 32];
/// A block or extrinsic hash.
pub type Hash = [u8; 32];
