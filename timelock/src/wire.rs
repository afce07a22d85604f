//! The layout of a ciphertext: what `ark-serialize` 0.4 makes of the chain's own types. Lengths are
//! u64 in little-endian.

use crate::Error;

/// Most bytes of a ciphertext, as the chain bounds a commit (`MAX_CRV3_COMMIT_SIZE_BYTES`).
pub const MAX_CIPHERTEXT_BYTES: usize = 5_000;
/// Names the cipher of the body.
const SUITE: &[u8] = b"AES_GCM_";
/// Bytes of U, of V and W each, and of the nonce.
const U_BYTES: usize = 96;
const HASH_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// A ciphertext in its parts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Parts {
    /// `r * P`.
    pub(crate) u: [u8; U_BYTES],
    /// sigma, masked with the pairing.
    pub(crate) v: [u8; HASH_BYTES],
    /// The body's key, masked with sigma.
    pub(crate) w: [u8; HASH_BYTES],
    /// The message under the body's key, with its tag.
    pub(crate) body: Vec<u8>,
    /// The body's nonce.
    pub(crate) nonce: [u8; NONCE_BYTES],
}

impl Parts {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let inner = [list(&self.body), list(&self.nonce)].concat();
        [&self.u[..], &list(&self.v), &list(&self.w), &list(&inner), &list(SUITE)].concat()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::parse(bytes).ok_or(Error::Malformed)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_CIPHERTEXT_BYTES {
            return None;
        }
        let (u, rest) = bytes.split_first_chunk()?;
        let (v, rest) = split(rest)?;
        let (w, rest) = split(rest)?;
        let (inner, rest) = split(rest)?;
        let (suite, rest) = split(rest)?;
        let (body, nonce) = split(inner)?;
        let (nonce, end) = split(nonce)?;
        let whole = suite == SUITE && rest.is_empty() && end.is_empty();
        whole.then_some(())?;
        Some(Self {
            u: *u,
            v: v.try_into().ok()?,
            w: w.try_into().ok()?,
            body: body.to_vec(),
            nonce: nonce.try_into().ok()?,
        })
    }
}

/// Bytes after their length.
fn list(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat()
}

/// The bytes of a list, and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    rest.split_at_checked(length)
}
