//! The content of a key file, once it is open.

use serde::{Deserialize, Serialize};
use sp_core::{Pair, sr25519};
use zeroize::Zeroizing;

use crate::key::{KeyError, Keypair, to_ss58};

/// `cryptoType` of sr25519; files without one are of this type.
const SR25519: u8 = 1;

/// What a key follows from. Never shown; wiped from memory when dropped.
#[derive(Clone)]
pub enum Secret {
    /// A BIP-39 phrase of English words.
    Phrase(Zeroizing<String>),
    /// A 32-byte seed.
    Seed(Zeroizing<[u8; 32]>),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl From<[u8; 32]> for Secret {
    fn from(seed: [u8; 32]) -> Self {
        Self::Seed(Zeroizing::new(seed))
    }
}

impl Secret {
    /// A new phrase of twelve words.
    #[must_use]
    pub fn generate() -> Self {
        let (_, phrase, _) = sr25519::Pair::generate_with_phrase(None);
        Self::Phrase(Zeroizing::new(phrase))
    }

    /// Reads a phrase, or a seed as 64 digits of hex with or without `0x`.
    ///
    /// # Errors
    /// [`KeyError::Secret`]; the text is not repeated.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if let Ok(seed) = hex::decode(text.strip_prefix("0x").unwrap_or(text)) {
            let seed = Zeroizing::new(seed);
            let seed = <[u8; 32]>::try_from(&seed[..]).map_err(|_| KeyError::Secret)?;
            return Ok(seed.into());
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let phrase = Self::Phrase(Zeroizing::new(words.join(" ")));
        phrase.key().map(|_| phrase.clone())
    }

    /// The words, where it is made of words.
    #[must_use]
    pub fn phrase(&self) -> Option<&str> {
        match self {
            Self::Phrase(phrase) => Some(phrase),
            Self::Seed(_) => None,
        }
    }

    /// The key.
    ///
    /// # Errors
    /// [`KeyError::Secret`] for words that are no phrase.
    pub fn key(&self) -> Result<Keypair, KeyError> {
        Ok(Keypair::from_seed(&*self.seed()?))
    }

    fn seed(&self) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        match self {
            Self::Seed(seed) => Ok(seed.clone()),
            Self::Phrase(phrase) => {
                let found = sr25519::Pair::from_phrase(phrase, None);
                found.map(|(_, seed)| Zeroizing::new(seed)).map_err(|_| KeyError::Secret)
            }
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    private_key: Option<Zeroizing<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_phrase: Option<Zeroizing<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_seed: Option<Zeroizing<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", alias = " ss58Address")]
    ss58_address: Option<String>,
    // Read, never written: the parser of bittensor-wallet 4.0 takes no numbers.
    #[serde(default, skip_serializing)]
    crypto_type: Option<u8>,
}

impl KeyFile {
    fn of(key: &Keypair) -> Self {
        let public = format!("0x{}", hex::encode(key.public()));
        Self {
            account_id: Some(public.clone()),
            public_key: Some(public),
            ss58_address: Some(key.ss58()),
            ..Self::default()
        }
    }

    fn json(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).expect("a key file holds only strings"))
    }
}

/// The content of a key's private file.
pub(super) fn private(key: &Keypair, secret: &Secret) -> Zeroizing<Vec<u8>> {
    let hex = |bytes: &[u8]| Zeroizing::new(format!("0x{}", hex::encode(bytes)));
    let file = KeyFile {
        private_key: Some(hex(&key.secret())),
        secret_seed: secret.seed().ok().map(|seed| hex(&*seed)),
        secret_phrase: secret.phrase().map(|phrase| phrase.to_owned().into()),
        ..KeyFile::of(key)
    };
    file.json()
}

/// The content of a key's public file.
pub(super) fn public(key: &Keypair) -> Zeroizing<Vec<u8>> {
    KeyFile::of(key).json()
}

/// The key of a private file's content; else what is wrong with it, never quoting it.
pub(super) fn read(bytes: &[u8]) -> Result<Keypair, String> {
    let invalid = |_| "its secret is not valid".to_owned();
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text")?;
    if !text.trim_start().starts_with('{') {
        // A bare phrase or seed, as some tools keep it.
        return Secret::parse(text).and_then(|secret| secret.key()).map_err(invalid);
    }
    let file: KeyFile = serde_json::from_str(text).map_err(|error| place(&error))?;
    if file.crypto_type.is_some_and(|kind| kind != SR25519) {
        return Err("it holds no sr25519 key, and hotkeys and coldkeys must be that".into());
    }
    let key = match (&file.secret_phrase, &file.secret_seed, &file.private_key) {
        (Some(secret), _, _) | (None, Some(secret), _) => {
            Secret::parse(secret).and_then(|secret| secret.key()).map_err(invalid)?
        }
        (None, None, Some(private)) => {
            let bytes = hex::decode(private.strip_prefix("0x").unwrap_or(private));
            let bytes = Zeroizing::new(bytes.map_err(|_| invalid(KeyError::Secret))?);
            Keypair::from_secret(&bytes).map_err(invalid)?
        }
        (None, None, None) => return Err("it holds no secret phrase, seed or key".into()),
    };
    let stated = file.ss58_address.as_deref();
    if stated.is_some_and(|stated| stated != to_ss58(&key.public())) {
        return Err("its address does not belong to its secret".into());
    }
    Ok(key)
}

/// Where JSON breaks, without quoting it: the text may be a secret.
fn place(error: &serde_json::Error) -> String {
    format!("JSON is broken at line {}, column {}", error.line(), error.column())
}
