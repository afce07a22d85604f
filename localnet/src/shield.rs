//! The key with which clients hide an extrinsic until it is in a block, and the opening of what they
//! hid.
//!
//! On the real chain each block author announces a key and the next ones open with theirs. Here one
//! key, drawn from the seed, lasts as long as the chain: there is nobody to hide from, but clients
//! that insist on hiding work as they are.
//!
//! Bytes: `twox_128(key)`, length of the capsule as u16 LE, capsule of ML-KEM-768 (FIPS 203), nonce of
//! 24 bytes, XChaCha20-Poly1305 of the signed extrinsic under the shared secret.

use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce, aead::Aead};
use codec::Encode;
use ml_kem::{Decapsulate, DecapsulationKey, FromSeed, KeyExport, MlKem768, Seed};
use sp_io::hashing::{blake2_256, twox_128};

/// Bytes of a key's hash.
const HASH_BYTES: usize = 16;
/// Bytes of a nonce.
const NONCE_BYTES: usize = 24;

/// A hidden extrinsic, in its parts.
pub(crate) struct Hidden<'a> {
    /// `twox_128` of the key it was hidden with.
    pub key_hash: [u8; HASH_BYTES],
    capsule: &'a [u8],
    nonce: [u8; NONCE_BYTES],
    body: &'a [u8],
}

impl<'a> Hidden<'a> {
    /// Takes the parts apart; `None` if they are not all there.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (key_hash, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (capsule, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        let (nonce, body) = rest.split_first_chunk()?;
        Some(Self { key_hash: *key_hash, capsule, nonce: *nonce, body })
    }
}

/// The chain's pair of keys.
pub(crate) struct Shield {
    secret: DecapsulationKey<MlKem768>,
    public: Vec<u8>,
}

impl Shield {
    /// The pair of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let part = |tag: u8| (b"shield", seed, tag).using_encoded(blake2_256);
        let mut seed = Seed::default();
        seed[..32].copy_from_slice(&part(0));
        seed[32..].copy_from_slice(&part(1));
        let (secret, public) = MlKem768::from_seed(&seed);
        Self { secret, public: public.to_bytes().to_vec() }
    }

    /// The public key.
    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    /// The extrinsic in a hidden one; `None` if it was hidden with another key or is damaged.
    pub(crate) fn open(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let hidden = Hidden::parse(bytes)?;
        if hidden.key_hash != twox_128(&self.public) {
            return None;
        }
        let shared = self.secret.decapsulate_slice(hidden.capsule).ok()?;
        let cipher = XChaCha20Poly1305::new_from_slice(&shared).ok()?;
        cipher.decrypt(&XNonce::from(hidden.nonce), hidden.body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `hello`, hidden by `bittensor_drand.encrypt_mlkem768` 1.3.0 (PyPI) for the key of seed 0.
    const HELLO: &str = include_str!("../tests/fixtures/shielded_hello.hex");

    #[test]
    fn opens_what_the_python_package_hid() {
        let bytes = hex::decode(HELLO.trim()).unwrap();
        assert_eq!(Shield::new(0).open(&bytes).as_deref(), Some(b"hello".as_slice()));
        assert_eq!(Shield::new(1).open(&bytes), None);
    }

    #[test]
    fn refuses_what_is_damaged_or_short() {
        let bytes = hex::decode(HELLO.trim()).unwrap();
        let shield = Shield::new(0);
        for length in 0..bytes.len() {
            assert_eq!(shield.open(&bytes[..length]), None, "{length} bytes");
        }
        for place in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert_eq!(shield.open(&damaged), None, "byte {place}");
        }
    }
}
