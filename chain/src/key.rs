//! Keys that sign extrinsics and statements.

use std::fmt;

use sp_core::crypto::{AccountId32, Ss58Codec};
use sp_core::{Pair, sr25519};
use subxt::PolkadotConfig;
use subxt::utils::MultiSignature;

/// An sr25519 key pair. Its secret is never shown.
#[derive(Clone)]
pub struct Keypair(sr25519::Pair);

/// Why text or bytes are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not a mnemonic, seed or derivation path.
    #[error("not a secret phrase, seed or path such as //Alice")]
    Secret,
    /// Not an SS58 address.
    #[error("not an SS58 address")]
    Address,
}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keypair({})", self.ss58())
    }
}

impl Keypair {
    /// The key of a 32-byte seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(sr25519::Pair::from_seed(seed))
    }

    /// The key of a mnemonic, a 0x-seed or a development path such as `//Alice`.
    ///
    /// # Errors
    /// [`KeyError::Secret`]; the text itself is not repeated.
    pub fn from_uri(uri: &str) -> Result<Self, KeyError> {
        sr25519::Pair::from_string(uri, None).map(Self).map_err(|_| KeyError::Secret)
    }

    /// The key of an expanded secret, 64 bytes, as wallet files hold it.
    pub(crate) fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        sr25519::Pair::from_seed_slice(secret).map(Self).map_err(|_| KeyError::Secret)
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.public().0
    }

    /// The public key as an address.
    #[must_use]
    pub fn ss58(&self) -> String {
        to_ss58(&self.public())
    }

    /// A signature of a message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).0
    }

    /// Whether a signature is this public key's.
    #[must_use]
    pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = sr25519::Signature::from_raw(*signature);
        sr25519::Pair::verify(&signature, message, &sr25519::Public::from_raw(*public))
    }

    /// The expanded secret key, 64 bytes, as wallet files hold it.
    pub(crate) fn secret(&self) -> [u8; 64] {
        self.0.as_ref().secret.to_bytes()
    }
}

impl subxt::tx::Signer<PolkadotConfig> for Keypair {
    fn account_id(&self) -> subxt::utils::AccountId32 {
        subxt::utils::AccountId32(self.public())
    }

    fn sign(&self, payload: &[u8]) -> MultiSignature {
        MultiSignature::Sr25519(Keypair::sign(self, payload))
    }
}

/// An address: SS58 with the generic prefix 42, as Bittensor uses.
#[must_use]
pub fn to_ss58(public: &[u8; 32]) -> String {
    AccountId32::new(*public).to_ss58check()
}

/// The public key of an address.
///
/// # Errors
/// [`KeyError::Address`].
pub fn from_ss58(text: &str) -> Result<[u8; 32], KeyError> {
    AccountId32::from_ss58check(text).map(Into::into).map_err(|_| KeyError::Address)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the Bittensor wallet publishes for the all-"abandon" phrase.
    #[test]
    fn a_known_phrase_gives_its_known_address() {
        let phrase = format!("{}about", "abandon ".repeat(11));
        let key = Keypair::from_uri(&phrase).unwrap();
        assert_eq!(key.ss58(), "5EPCUjPxiHAcNooYipQFWr9NmmXJKpNG5RhcntXwbtUySrgH");
        assert_eq!(from_ss58(&key.ss58()), Ok(key.public()));
        assert!(hex::encode(key.secret()).starts_with("2ec306fc"));
    }

    #[test]
    fn secrets_are_not_shown_and_bad_ones_not_repeated() {
        let key = Keypair::from_uri("//Alice").unwrap();
        assert_eq!(format!("{key:?}"), format!("Keypair({})", key.ss58()));
        assert_eq!(Keypair::from_uri("my secret").unwrap_err(), KeyError::Secret);
        let signature = key.sign(b"x");
        assert!(Keypair::verify(&key.public(), b"x", &signature));
        assert!(!Keypair::verify(&key.public(), b"y", &signature));
    }
}
