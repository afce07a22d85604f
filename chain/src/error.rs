//! Why the chain could not be reached, read or written. One enum per task.

use std::time::Duration;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Not a ws:// or wss:// address.
    #[error("`{0}` is not a ws:// or wss:// address")]
    Url(String),
    /// Nobody answers in time.
    #[error("no answer from {url} within {} s", .within.as_secs())]
    Timeout {
        /// The endpoint.
        url: String,
        /// How long was waited.
        within: Duration,
    },
    /// The endpoint refuses, or is no chain.
    #[error("cannot connect to {url}: {reason}")]
    Refused {
        /// The endpoint.
        url: String,
        /// What it says.
        reason: String,
    },
    /// The node is behind the chain.
    #[error("the node at {url} is still syncing, at block {block}")]
    Syncing {
        /// The endpoint.
        url: String,
        /// The newest block it has.
        block: u64,
    },
    /// The chain lacks what we rely on.
    #[error("the chain at {url} lacks what this program relies on:\n{report}")]
    Incompatible {
        /// The endpoint.
        url: String,
        /// Each gap with what it disables.
        report: String,
    },
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The connection failed, or the node refused.
    #[error("cannot read {what}: {reason}")]
    Rpc {
        /// What was read.
        what: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer to {what} in time")]
    Timeout {
        /// What was read.
        what: &'static str,
    },
    /// The node no longer has the state of that block.
    #[error(
        "cannot read {what}: the node has discarded the state of that block; use an archive node"
    )]
    Pruned {
        /// What was read.
        what: &'static str,
    },
    /// The connection was lost, and where the chain was there is another one now.
    #[error("{url} serves another chain than before")]
    OtherChain {
        /// The endpoint.
        url: String,
    },
    /// The chain answered with something else than its metadata promises, or too much.
    #[error("{what} has an unexpected form: {reason}")]
    Form {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl ReadError {
    /// An answer of another form than expected.
    pub(crate) fn form(what: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Form { what, reason: reason.to_string() }
    }
}

/// Why an extrinsic has no effect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The call does not exist on this chain, or takes other arguments.
    #[error("the chain does not know this call: {0}")]
    Encode(String),
    /// The pool did not take it.
    #[error("{name}: {remedy}")]
    Rejected {
        /// The reason's name.
        name: String,
        /// What to do.
        remedy: String,
    },
    /// It was included and failed.
    #[error("{name}: {remedy}")]
    Failed {
        /// The error's name, as the pallet declares it.
        name: String,
        /// What to do.
        remedy: String,
    },
    /// A finalized block has it, but what came of it there could not be read.
    #[error(
        "block {block} has it, but whether it succeeded could not be read: look before you send it again"
    )]
    Unseen {
        /// The block's height.
        block: u32,
    },
    /// The connection failed; whether it was included is unknown.
    #[error("connection lost while submitting: {0}")]
    Connection(String),
    /// No block took it in its era, twice.
    #[error("no block took it while it was valid; the chain may be full, or offer a tip")]
    Lapsed,
    /// Not finalized in time; it may still be included until its era ends.
    #[error("not finalized within {} s", .0.as_secs())]
    Timeout(Duration),
}
