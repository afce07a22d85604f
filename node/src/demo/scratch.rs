//! The demo's folder: wallets, manifest, logs and states.

use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};

/// A folder that goes away with the demo, unless the user wants to keep it.
#[derive(Debug)]
pub struct Scratch {
    root: PathBuf,
    /// Removes the folder when dropped.
    _temporary: Option<tempfile::TempDir>,
}

impl Scratch {
    /// The folder that the user named, or a temporary one.
    ///
    /// # Errors
    /// If it cannot be made, or the named one holds something.
    pub fn new(keep: Option<&Path>) -> Result<Self> {
        let (root, temporary) = match keep {
            Some(path) => (kept(path)?, None),
            None => {
                let folder = tempfile::Builder::new().prefix("iota-demo-").tempdir();
                let folder = folder
                    .or_argument("cannot make a temporary folder")
                    .map_err(|error| error.hint("name a folder with `--keep DIR`"))?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        let scratch = Self { root, _temporary: temporary };
        for folder in [scratch.wallets(), scratch.logs(), scratch.states()] {
            std::fs::create_dir(&folder)
                .or_argument(format!("cannot make the folder {}", folder.display()))?;
        }
        Ok(scratch)
    }

    /// The folder of wallets.
    pub fn wallets(&self) -> PathBuf {
        self.root.join("wallets")
    }

    /// The folder of log files.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The folder that holds one state folder per role.
    pub fn states(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The folder that holds one folder of checkpoints per validator.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// The run's manifest.
    pub fn manifest(&self) -> PathBuf {
        self.root.join("manifest.toml")
    }
}

/// The named folder, made if it is not there.
fn kept(path: &Path) -> Result<PathBuf> {
    let shown = path.display();
    std::fs::create_dir_all(path)
        .or_argument(format!("cannot make the folder of `--keep {shown}`"))
        .map_err(|error| error.hint("name a folder that you may write to"))?;
    let mut entries =
        std::fs::read_dir(path).or_argument(format!("cannot read `--keep {shown}`"))?;
    if entries.next().is_some() {
        return Err(Error::argument(format!("`--keep {shown}` is not empty"))
            .hint("name a new folder, or remove what is in it"));
    }
    // Children run with paths below it, and must find them from wherever they are.
    path.canonicalize().or_argument(format!("cannot resolve `--keep {shown}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_folder_goes_away_and_a_kept_one_stays() {
        let temporary = Scratch::new(None).unwrap();
        let root = temporary.root.clone();
        assert!(root.join("wallets").is_dir());
        drop(temporary);
        assert!(!root.exists());

        let parent = tempfile::tempdir().unwrap();
        let named = parent.path().join("a/b");
        drop(Scratch::new(Some(&named)).unwrap());
        assert!(named.join("logs").is_dir());
    }

    #[test]
    fn a_folder_that_holds_something_is_not_written_to() {
        let parent = tempfile::tempdir().unwrap();
        std::fs::write(parent.path().join("precious"), "x").unwrap();
        let error = Scratch::new(Some(parent.path())).unwrap_err();
        assert!(error.to_string().contains("is not empty"), "{error}");
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
    }
}
