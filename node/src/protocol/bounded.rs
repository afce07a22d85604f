//! Bounded SCALE decoding: the one door through which peers' bytes become protocol types.
//!
//! A decoder here looks at the length before it looks at the content, refuses trailing bytes and
//! never allocates by a length it has read (the SCALE crate grows vectors as elements arrive).
//! Element counts are checked by the type's own `decode` function.

use codec::{Decode, DecodeAll};

/// Why bytes are not the value they claim to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More bytes than the type can ever need.
    #[error("{bytes} bytes exceed the limit of {limit}")]
    TooLong {
        /// Bytes received.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not SCALE of this type, or bytes are left over.
    #[error("malformed encoding")]
    Malformed,
    /// A list holds more elements than the protocol allows.
    #[error("{count} {what} exceed the limit of {limit}")]
    TooMany {
        /// What is counted, in the plural.
        what: &'static str,
        /// Elements received.
        count: usize,
        /// Elements allowed.
        limit: usize,
    },
}

/// Decodes a whole value from at most `limit` bytes.
///
/// # Errors
/// `TooLong` before anything is read, `Malformed` for anything but exactly one value.
pub fn decode<T: Decode>(bytes: &[u8], limit: usize) -> Result<T, DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLong { bytes: bytes.len(), limit });
    }
    T::decode_all(&mut &bytes[..]).map_err(|_| DecodeError::Malformed)
}

/// Refuses a list longer than the protocol allows.
///
/// # Errors
/// `TooMany` with the plural noun `what`.
pub fn at_most(what: &'static str, count: usize, limit: usize) -> Result<(), DecodeError> {
    if count > limit {
        return Err(DecodeError::TooMany { what, count, limit });
    }
    Ok(())
}
