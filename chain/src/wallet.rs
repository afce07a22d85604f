//! btcli's wallet files, unencrypted.
//!
//! ```text
//! PATH/NAME/coldkey            private, mode 0600
//! PATH/NAME/coldkeypub.txt
//! PATH/NAME/hotkeys/HOTKEY     private, mode 0600
//! PATH/NAME/hotkeys/HOTKEYpub.txt
//! ```
//!
//! JSON with string values, as btwallet writes and reads it. Files are written to the side and
//! renamed, so that a crash leaves the old file or the new one. Encrypted files are recognised and
//! refused: decryption is not part of this version.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::key::{Keypair, to_ss58};

/// Prefixes of encrypted key files.
const ENCRYPTED: [&[u8]; 3] = [b"$NACL", b"gAAAAA", b"$ANSIBLE_VAULT"];
/// Longest key file.
const MAX_BYTES: u64 = 64 << 10;

/// Why a wallet cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalletError {
    /// Cannot be read or written.
    #[error("cannot access {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not a key file.
    #[error("{path} is not a wallet key file: {problem}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never its content.
        problem: String,
    },
    /// Encrypted.
    #[error("{path} is encrypted; this version reads only unencrypted key files")]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// Already there; keys are never overwritten.
    #[error("{path} exists already")]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

/// A wallet: a coldkey and its hotkeys, in a folder.
#[derive(Clone, Debug)]
pub struct Wallet {
    folder: PathBuf,
}

/// A key file's content.
#[derive(Serialize, Deserialize)]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ss58_address: Option<String>,
}

impl Wallet {
    /// The wallet of this name under a path such as `~/.bittensor/wallets`.
    #[must_use]
    pub fn new(path: &Path, name: &str) -> Self {
        Self { folder: path.join(name) }
    }

    /// The coldkey's file.
    #[must_use]
    pub fn coldkey_path(&self) -> PathBuf {
        self.folder.join("coldkey")
    }

    /// A hotkey's file.
    #[must_use]
    pub fn hotkey_path(&self, hotkey: &str) -> PathBuf {
        self.folder.join("hotkeys").join(hotkey)
    }

    /// Writes the coldkey of a 32-byte seed.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn create_coldkey(&self, seed: &[u8; 32]) -> Result<Keypair, WalletError> {
        self.create(&self.coldkey_path(), &self.folder.join("coldkeypub.txt"), seed)
    }

    /// Writes the hotkey of a 32-byte seed.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn create_hotkey(&self, hotkey: &str, seed: &[u8; 32]) -> Result<Keypair, WalletError> {
        let public = self.hotkey_path(&format!("{hotkey}pub.txt"));
        self.create(&self.hotkey_path(hotkey), &public, seed)
    }

    fn create(&self, path: &Path, public: &Path, seed: &[u8; 32]) -> Result<Keypair, WalletError> {
        if path.exists() {
            return Err(WalletError::Exists { path: path.to_owned() });
        }
        let key = Keypair::from_seed(seed);
        let hex_public = format!("0x{}", hex::encode(key.public()));
        let shown = || KeyFile {
            account_id: Some(hex_public.clone()),
            public_key: Some(hex_public.clone()),
            private_key: None,
            secret_phrase: None,
            secret_seed: None,
            ss58_address: Some(key.ss58()),
        };
        let private = KeyFile {
            private_key: Some(format!("0x{}", hex::encode(key.secret())).into()),
            secret_seed: Some(format!("0x{}", hex::encode(seed)).into()),
            ..shown()
        };
        write(path, &private, 0o600)?;
        write(public, &shown(), 0o644)?;
        Ok(key)
    }

    /// Reads the coldkey.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn coldkey(&self) -> Result<Keypair, WalletError> {
        read(&self.coldkey_path())
    }

    /// Reads a hotkey.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn hotkey(&self, hotkey: &str) -> Result<Keypair, WalletError> {
        read(&self.hotkey_path(hotkey))
    }
}

fn write(path: &Path, content: &KeyFile, mode: u32) -> Result<(), WalletError> {
    use std::os::unix::fs::OpenOptionsExt;
    let io = |source| WalletError::Io { path: path.to_owned(), source };
    let json = serde_json::to_string(content).map_err(|error| io(error.into()))?;
    let json = Zeroizing::new(json);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io)?;
    }
    let aside = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(mode).open(&aside).map_err(io)?;
    file.write_all(json.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(&aside, path).map_err(io)
}

fn read(path: &Path) -> Result<Keypair, WalletError> {
    let io = |source| WalletError::Io { path: path.to_owned(), source };
    let corrupt =
        |problem: &str| WalletError::Corrupt { path: path.to_owned(), problem: problem.to_owned() };
    if fs::metadata(path).map_err(io)?.len() > MAX_BYTES {
        return Err(corrupt("it is too large"));
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(io)?);
    if ENCRYPTED.iter().any(|prefix| bytes.starts_with(prefix)) {
        return Err(WalletError::Encrypted { path: path.to_owned() });
    }
    let file: KeyFile = serde_json::from_slice(&bytes).map_err(|error| corrupt(&place(&error)))?;
    let key = match (&file.secret_phrase, &file.secret_seed) {
        (Some(secret), _) | (None, Some(secret)) => {
            Keypair::from_uri(secret).map_err(|_| corrupt("its secret is not valid"))?
        }
        (None, None) => return Err(corrupt("it holds no secret phrase or seed")),
    };
    let stated = file.ss58_address.as_deref();
    if stated.is_some_and(|stated| stated != to_ss58(&key.public())) {
        return Err(corrupt("its address does not belong to its secret"));
    }
    Ok(key)
}

/// Where JSON breaks, without quoting it: the text may be a secret.
fn place(error: &serde_json::Error) -> String {
    format!("JSON is broken at line {}, column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_round_trip_through_files_that_others_cannot_read() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = Wallet::new(folder.path(), "alice");
        let cold = wallet.create_coldkey(&[1; 32]).unwrap();
        let hot = wallet.create_hotkey("default", &[2; 32]).unwrap();
        assert_eq!(wallet.coldkey().unwrap().public(), cold.public());
        assert_eq!(wallet.hotkey("default").unwrap().public(), hot.public());
        let mode = fs::metadata(wallet.coldkey_path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(matches!(wallet.create_coldkey(&[3; 32]), Err(WalletError::Exists { .. })));
        let public = fs::read_to_string(wallet.hotkey_path("defaultpub.txt")).unwrap();
        assert!(public.contains(&hot.ss58()) && !public.contains("secret"));
    }

    #[test]
    fn corrupt_and_encrypted_files_are_named_without_quoting_them() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = Wallet::new(folder.path(), "bob");
        wallet.create_coldkey(&[1; 32]).unwrap();
        let path = wallet.coldkey_path();
        let cases = [
            ("{\"secretSeed\": 0xabcdef", "JSON is broken at line 1"),
            ("{}", "it holds no secret phrase or seed"),
            ("{\"secretSeed\": \"0xabc\"}", "its secret is not valid"),
            ("$NACLxyz", "is encrypted"),
        ];
        for (content, expected) in cases {
            fs::write(&path, content).unwrap();
            let text = wallet.coldkey().unwrap_err().to_string();
            assert!(text.contains(expected) && text.contains("coldkey"), "{text}");
            assert!(!text.contains("abc"), "{text}");
        }
        let swapped = fs::read_to_string({
            fs::remove_file(&path).unwrap();
            wallet.create_coldkey(&[1; 32]).unwrap();
            &path
        });
        let other = Keypair::from_seed(&[9; 32]).ss58();
        let text = swapped.unwrap().replace(&Keypair::from_seed(&[1; 32]).ss58(), &other);
        fs::write(&path, text).unwrap();
        assert!(wallet.coldkey().unwrap_err().to_string().contains("does not belong"));
    }
}
