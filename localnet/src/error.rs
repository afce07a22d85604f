//! Why a dev chain does not start.

use std::{io, net::SocketAddr, path::PathBuf};

/// A start that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another program listens there.
    #[error("address {address} is already in use")]
    AddressInUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The thread that owns the chain cannot be started.
    #[error("cannot start the chain's thread")]
    Thread(#[source] io::Error),
    /// A setting without meaning.
    #[error("block time must be at least 1 ms")]
    ZeroBlockTime,
    /// The chain's file cannot be used.
    #[error("cannot use {path}: {cause}", path = .path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// Another process has the chain's file.
    #[error("{path} is in use by another process", path = .path.display())]
    DataInUse {
        /// The file.
        path: PathBuf,
    },
    /// The file holds a chain of other settings.
    #[error(
        "{path} holds a chain of other settings, or of another version of this program",
        path = .path.display()
    )]
    OtherChain {
        /// The file.
        path: PathBuf,
    },
    /// The runtime refuses the settings of its first state.
    #[error("cannot build the genesis state: {0}")]
    Genesis(String),
}
