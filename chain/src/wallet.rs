//! btcli's wallet files, read and written.
//!
//! ```text
//! PATH/NAME/coldkey            private, mode 0600
//! PATH/NAME/coldkeypub.txt
//! PATH/NAME/hotkeys/HOTKEY     private, mode 0600
//! PATH/NAME/hotkeys/HOTKEYpub.txt
//! ```
//!
//! JSON with string values, as btwallet writes and reads it, in the clear or under a [`Password`].
//! Files are written to the side and renamed, so that a crash leaves the old file or the new one.
//! Secrets are wiped from memory when they are dropped, and no error quotes one.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::key::Keypair;

mod keyfile;
mod password;
mod sealed;
#[cfg(test)]
mod tests;

pub use keyfile::Secret;
pub use password::Password;

use sealed::Closed;

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
    /// Under a password, and none was given.
    #[error("{path} is encrypted")]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// Under another password, or changed since it was written.
    #[error("the password does not open {path}")]
    WrongPassword {
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

/// A key to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewKey<'a> {
    /// What the key follows from.
    pub secret: &'a Secret,
    /// What the file is sealed with; none leaves it readable to whoever can read the file.
    pub password: Option<&'a Password>,
    /// Whether a key that is there may be replaced.
    pub overwrite: bool,
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

    /// Writes the coldkey of a 32-byte seed, in the clear.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn create_coldkey(&self, seed: &[u8; 32]) -> Result<Keypair, WalletError> {
        self.write_coldkey(NewKey { secret: &(*seed).into(), password: None, overwrite: false })
    }

    /// Writes the hotkey of a 32-byte seed, in the clear.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn create_hotkey(&self, hotkey: &str, seed: &[u8; 32]) -> Result<Keypair, WalletError> {
        let key = NewKey { secret: &(*seed).into(), password: None, overwrite: false };
        self.write_hotkey(hotkey, key)
    }

    /// Writes a coldkey and its public file.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn write_coldkey(&self, key: NewKey<'_>) -> Result<Keypair, WalletError> {
        create(&self.coldkey_path(), &self.folder.join("coldkeypub.txt"), key)
    }

    /// Writes a hotkey and its public file.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn write_hotkey(&self, hotkey: &str, key: NewKey<'_>) -> Result<Keypair, WalletError> {
        let public = self.hotkey_path(&format!("{hotkey}pub.txt"));
        create(&self.hotkey_path(hotkey), &public, key)
    }

    /// Reads the coldkey.
    ///
    /// # Errors
    /// [`WalletError::Encrypted`] when a password is needed and none is given.
    pub fn coldkey(&self, password: Option<&Password>) -> Result<Keypair, WalletError> {
        read(&self.coldkey_path(), password)
    }

    /// Reads a hotkey.
    ///
    /// # Errors
    /// As [`Wallet::coldkey`].
    pub fn hotkey(
        &self,
        hotkey: &str,
        password: Option<&Password>,
    ) -> Result<Keypair, WalletError> {
        read(&self.hotkey_path(hotkey), password)
    }
}

fn create(path: &Path, public: &Path, new: NewKey<'_>) -> Result<Keypair, WalletError> {
    if path.exists() && !new.overwrite {
        return Err(WalletError::Exists { path: path.to_owned() });
    }
    let corrupt = |problem: &str| corrupt(path, problem);
    let key = new.secret.key().map_err(|_| corrupt("the secret is not valid"))?;
    let private = keyfile::private(&key, new.secret);
    let content = match new.password {
        None => private,
        Some(password) => {
            let sealed = sealed::seal(&private, password.text());
            Zeroizing::new(sealed.map_err(|_| corrupt("it cannot be encrypted"))?)
        }
    };
    write(path, &content, 0o600)?;
    write(public, &keyfile::public(&key), 0o644)?;
    Ok(key)
}

fn corrupt(path: &Path, problem: &str) -> WalletError {
    WalletError::Corrupt { path: path.to_owned(), problem: problem.to_owned() }
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), WalletError> {
    use std::os::unix::fs::OpenOptionsExt;
    let io = |source| WalletError::Io { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io)?;
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    // Left over from a crash, perhaps with another mode.
    let _ = fs::remove_file(&aside);
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(&aside).map_err(io)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(&aside, path).map_err(io)
}

fn read(path: &Path, password: Option<&Password>) -> Result<Keypair, WalletError> {
    let io = |source| WalletError::Io { path: path.to_owned(), source };
    if fs::metadata(path).map_err(io)?.len() > MAX_BYTES {
        return Err(corrupt(path, "it is too large"));
    }
    let mut bytes = Zeroizing::new(fs::read(path).map_err(io)?);
    if sealed::is_sealed(&bytes) {
        let encrypted = || WalletError::Encrypted { path: path.to_owned() };
        let password = password.ok_or_else(encrypted)?;
        bytes = sealed::open(&bytes, password.text()).map_err(|closed| match closed {
            Closed::Password => WalletError::WrongPassword { path: path.to_owned() },
            Closed::Form => corrupt(path, "its encryption is of no known form"),
        })?;
    }
    keyfile::read(&bytes).map_err(|problem| corrupt(path, &problem))
}
