//! The roles as sans-IO state machines: events and time in, effects out.
//!
//! A role never touches a socket, a disk, a clock or a chain. Whoever drives it (the process shell
//! in `shell`, the simulated world of the tests) feeds [`Event`]s, calls `work` while there is nothing
//! else to do, and carries out the [`Effect`]s. Training itself is called directly: it is
//! deterministic and needs no IO.

use std::sync::Arc;

use crate::protocol::commitment::Commitment;
use crate::protocol::{Hash, Hotkey};
use crate::report::Report;
use crate::wire::{Gossip, Reduced, Reply, Request};

pub mod fetches;
pub mod ledger;
pub mod logs;
pub mod machine;
pub mod membership;
pub mod merge;
pub mod miner;
pub mod run;
pub mod text;
pub mod validator;

/// Monotonic time in milliseconds since the driver started.
pub type Millis = u64;

/// Matches a request with its reply, a fetch with its blob.
pub type Ticket = u64;

/// One registered neuron, as far as roles need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neuron {
    /// Position in the subnet.
    pub uid: u16,
    /// The hotkey registered there.
    pub hotkey: Hotkey,
    /// Stake weight in rao.
    pub stake: u64,
    /// Whether the chain lets it set weights.
    pub permit: bool,
}

/// A drand pulse as the chain stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Round of the beacon.
    pub round: u64,
    /// Its randomness.
    pub randomness: Hash,
}

/// The beacon whose pulses the chain stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drand {
    /// Unix time of round 1, in seconds.
    pub genesis_s: u64,
    /// Seconds between rounds.
    pub period_s: u64,
}

/// Everything a role needs of one finalized block.
#[derive(Clone, Debug)]
pub struct Block {
    /// Height.
    pub number: u32,
    /// Hash of the block.
    pub hash: Hash,
    /// The chain's own timestamp, in milliseconds of unix time.
    pub timestamp_ms: u64,
    /// The subnet's neurons after this block.
    pub neurons: Arc<Vec<Neuron>>,
    /// The latest commitment of each hotkey with the block that included it.
    pub commitments: Arc<Vec<(Hotkey, u32, Commitment)>>,
    /// The latest pulses stored, oldest first; empty where the chain stores none.
    pub pulses: Arc<Vec<Pulse>>,
    /// The beacon's schedule, where the chain stores pulses.
    pub drand: Option<Drand>,
}

/// What happens to a role.
#[derive(Clone, Debug)]
pub enum Event {
    /// A block was finalized. Every block comes, in order.
    Block(Block),
    /// A peer asks; must be answered by [`Effect::Reply`] with the same ticket.
    Request {
        /// Who asks, as the transport verified.
        from: Hotkey,
        /// Names the request in the reply.
        ticket: Ticket,
        /// What is asked.
        body: Request,
    },
    /// A peer answered, or did not (`None`).
    Reply {
        /// Of the [`Effect::Request`].
        ticket: Ticket,
        /// The answer.
        body: Option<Reply>,
    },
    /// A blob arrived and matches its hash, or could not be had (`None`).
    Fetched {
        /// Of the [`Effect::Fetch`].
        ticket: Ticket,
        /// Its content.
        bytes: Option<Arc<[u8]>>,
    },
    /// A verified author said something to everybody.
    Gossip {
        /// The author.
        from: Hotkey,
        /// What was said.
        body: Gossip,
    },
    /// Time passed; sent at least every [`TICK_MS`].
    Tick,
}

/// Longest time without an event, in milliseconds.
pub const TICK_MS: u64 = 100;

/// What a role wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Ask a peer; [`Event::Reply`] follows.
    Request {
        /// Whom.
        to: Hotkey,
        /// Names the request in the reply.
        ticket: Ticket,
        /// What.
        body: Request,
    },
    /// Answer a peer.
    Reply {
        /// Of the [`Event::Request`].
        ticket: Ticket,
        /// The answer.
        body: Reply,
    },
    /// Get a blob from the first peer that has it (the own store first); [`Event::Fetched`] follows.
    Fetch {
        /// Names the fetch in the event.
        ticket: Ticket,
        /// Peers to ask, in this order.
        from: Vec<Hotkey>,
        /// BLAKE3 of the blob.
        hash: Hash,
        /// Largest size accepted.
        max_bytes: usize,
    },
    /// Serve a blob to peers until its epoch is forgotten.
    Provide {
        /// BLAKE3 of the blob.
        hash: Hash,
        /// Its content.
        bytes: Arc<[u8]>,
        /// Epoch it belongs to.
        epoch: u32,
    },
    /// Stop serving blobs of epochs before this one.
    ForgetBefore(u32),
    /// Tell everybody.
    Gossip(Gossip),
    /// Put the own commitment on chain, replacing the last one.
    Commit(Commitment),
    /// Set weights on chain.
    SetWeights {
        /// Epoch they are computed from.
        epoch: u32,
        /// Neurons.
        uids: Vec<u16>,
        /// Their weights, max-upscaled.
        values: Vec<u16>,
    },
    /// Keep this, atomically, for a restart.
    Persist {
        /// Name of the record.
        name: &'static str,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// Keep the whole model as it stands at the start of an epoch, where the operator wants it.
    Checkpoint {
        /// That epoch.
        epoch: u32,
        /// Parameters by stage.
        stages: Vec<Vec<f32>>,
    },
    /// Tell the operator.
    Report(Report),
}

/// Signs what a role says beyond its connection (heartbeats).
pub trait Signer: Send + Sync {
    /// The public key.
    fn hotkey(&self) -> Hotkey;
    /// An sr25519 signature of the message.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// Announcements of reducers kept while the own merge has not begun.
const MAX_EARLY: usize = 1024;

/// Keeps an announcement for a merge that has not begun here.
fn remember(early: &mut Vec<(Hotkey, Reduced)>, from: Hotkey, said: Reduced) {
    if early.len() < MAX_EARLY && !early.contains(&(from, said)) {
        early.push((from, said));
    }
}

/// Values as little-endian bytes.
fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Serves bytes under their hash.
fn provide(hash: Hash, bytes: Vec<u8>, epoch: u32, out: &mut Vec<Effect>) {
    out.push(Effect::Provide { hash, bytes: bytes.into(), epoch });
}
