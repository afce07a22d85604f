//! Hide bytes until a round of a drand beacon.
//!
//! A beacon signs each round's number; its signature is the key to what was hidden for the round
//! (Boneh-Franklin identity-based encryption, "FullIdent", with AES-256-GCM around the message). The
//! wire format is that of Subtensor's timelocked weights, version 4: what the Bittensor SDKs hide
//! opens here, and what is hidden here opens on the chain.
//!
//! - [`encrypt`] hides, [`decrypt`] opens with a round's signature.
//! - [`PublicKey`] is a beacon's, [`PublicKey::quicknet`] the one that the SDKs use.
//! - [`SecretKey`] makes a beacon of one's own, for a development chain.

mod cipher;
mod curve;
mod wire;

pub use cipher::{ENTROPY_BYTES, decrypt, encrypt};
pub use curve::{PUBLIC_KEY_BYTES, PublicKey, SIGNATURE_BYTES, SecretKey, Signature};
pub use wire::MAX_CIPHERTEXT_BYTES;

/// Unix time of quicknet's round 1, in seconds.
pub const QUICKNET_GENESIS_S: u64 = 1_692_803_367;
/// Seconds between quicknet's rounds.
pub const QUICKNET_PERIOD_S: u64 = 3;

/// Why bytes do not open, or are no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not a point of the curve's group.
    #[error("the bytes are no {0} of BLS12-381")]
    NoPoint(&'static str),
    /// Not laid out as a ciphertext.
    #[error("the bytes are no timelocked ciphertext")]
    Malformed,
    /// Hidden for another round or beacon, or damaged.
    #[error("the signature does not open the ciphertext: another round, another beacon, or damage")]
    DoesNotOpen,
    /// The message is longer than a ciphertext may be.
    #[error("the message is too long to hide")]
    TooLong,
}
