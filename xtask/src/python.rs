//! Python packages that tests compare us with, in a virtual environment of their own.
//!
//! Pinned in `python/requirements.txt`, kept in the user's cache under the hash of that file, so a
//! second run needs no network. Tests that need it read the interpreter's path from
//! [`VARIABLE`]; without Python or registry they say so and pass.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::say;

/// Where tests find the interpreter.
pub(crate) const VARIABLE: &str = "IOTA_TEST_PYTHON";
/// What is installed, relative to the workspace's root.
const REQUIREMENTS: &str = "xtask/python/requirements.txt";

/// The interpreter of the environment, made if it is missing; none with the reason printed.
pub(crate) fn interpreter(root: &Path) -> Option<PathBuf> {
    match prepare(root) {
        Ok(python) => Some(python),
        Err(reason) => {
            say(&format!("python: {reason}; tests that compare with it are skipped"));
            None
        }
    }
}

fn prepare(root: &Path) -> Result<PathBuf, String> {
    let requirements = root.join(REQUIREMENTS);
    let text = std::fs::read(&requirements).map_err(|error| error.to_string())?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let cache = cache().ok_or("there is no home directory")?;
    let folder = cache.join(format!("iota/python-{:016x}", hasher.finish()));
    let python = folder.join("bin/python");
    let ready = folder.join("ready");
    if ready.exists() {
        return Ok(python);
    }
    // What an interrupted run left is of no use.
    drop(std::fs::remove_dir_all(&folder));
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let install =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    run(Command::new(&python).args(install).arg(&requirements))?;
    std::fs::write(&ready, "").map_err(|error| error.to_string())?;
    Ok(python)
}

fn cache() -> Option<PathBuf> {
    let given = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    given.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
}

fn run(command: &mut Command) -> Result<(), String> {
    let shown = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{shown}` ended with {status}")),
        Err(error) => Err(format!("cannot start `{shown}`: {error}")),
    }
}
