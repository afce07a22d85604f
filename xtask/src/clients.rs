//! Other programs with which tests compare us, clients of the chain and PyTorch: Python packages, each
//! in a virtual environment of its own, and an npm package.
//!
//! Pinned in `clients/`, kept in the user's cache under the hash of the pins, so a second run needs
//! no network. Tests find them through [`VARIABLE`]; for what cannot be installed the reason is
//! printed and its tests say so and pass.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::say;

/// Where tests find the folder in which each client has its own.
pub(crate) const VARIABLE: &str = "IOTA_TEST_CLIENTS";
/// The pins, relative to the workspace's root.
const PINS: &str = "xtask/clients";
/// The Python environments: each is pinned in a file of its name.
const PYTHON: [&str; 5] = ["wallet", "sdk10", "sdk11", "btcli9", TORCH];
/// The one with PyTorch, which is large.
const TORCH: &str = "transformers";
/// The npm package's folder.
const NPM: &str = "polkadot";
/// What marks a folder as complete.
const READY: &str = "ready";

/// The folder with the clients, made as far as possible; none without a home.
pub(crate) fn folder(root: &Path) -> Option<PathBuf> {
    let Some(cache) = cache() else {
        say("clients: there is no home directory; tests that compare with them are skipped");
        return None;
    };
    let pins = root.join(PINS);
    let folder = cache.join(format!("iota/clients-{:016x}", hash(&pins)));
    let report = |name: &str, made: Result<(), String>| {
        if let Err(reason) = made {
            say(&format!("clients: {name}: {reason}; tests that compare with it are skipped"));
        }
    };
    for name in PYTHON {
        report(name, python(&pins.join(format!("{name}.txt")), &folder.join(name)));
    }
    report(NPM, npm(&pins.join(NPM), &folder.join(NPM)));
    Some(folder)
}

/// The folder of the Python environment with PyTorch, made if it is missing.
///
/// # Errors
/// Why there is none.
pub(crate) fn torch(root: &Path) -> Result<PathBuf, String> {
    let pins = root.join(PINS);
    let cache = cache().ok_or("there is no home directory")?;
    let folder = cache.join(format!("iota/clients-{:016x}", hash(&pins))).join(TORCH);
    if !folder.join(READY).exists() {
        say("installing PyTorch, once, some minutes");
    }
    python(&pins.join(format!("{TORCH}.txt")), &folder)?;
    Ok(folder)
}

/// The CUDA compiler, from PyPI, made if it is missing; what `CUDA_HOME` names. A toolkit that is named or
/// installed already is used as it is.
///
/// # Errors
/// Why there is none.
pub(crate) fn cuda(root: &Path) -> Result<Option<PathBuf>, String> {
    let is_there = |nvcc: &str| Command::new(nvcc).arg("--version").output().is_ok();
    let is_named = ["CUDA_HOME", "NVCC"].iter().any(|name| std::env::var_os(name).is_some());
    if is_named || is_there("nvcc") {
        return Ok(None);
    }
    let pins = root.join("xtask/cuda.txt");
    let cache = cache().ok_or("there is no home directory")?;
    let mut hasher = DefaultHasher::new();
    std::fs::read(&pins).map_err(|error| error.to_string())?.hash(&mut hasher);
    let folder = cache.join(format!("iota/cuda-{:016x}", hasher.finish()));
    python(&pins, &folder)?;
    toolkit(&folder, "bin/nvcc").map(Some)
}

/// `LD_LIBRARY_PATH` with the folder of cuBLAS, which PyTorch brings along, before all others.
///
/// # Errors
/// Why there is none.
pub(crate) fn cublas(root: &Path) -> Result<OsString, String> {
    let own = toolkit(&torch(root)?, "lib/libcublas.so.13")?.join("lib");
    let given = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let others = std::env::split_paths(&given).filter(|path| !path.as_os_str().is_empty());
    std::env::join_paths(std::iter::once(own).chain(others)).map_err(|error| error.to_string())
}

/// Where an environment has its part of CUDA, which is to hold a file.
fn toolkit(folder: &Path, file: &str) -> Result<PathBuf, String> {
    let packages = folder.join("lib");
    let versions = std::fs::read_dir(&packages).map_err(|error| error.to_string())?;
    let mut homes = versions.flatten().map(|entry| entry.path().join("site-packages/nvidia/cu13"));
    let home = homes.find(|home| home.join(file).exists());
    home.ok_or_else(|| format!("no {file} in {}", packages.display()))
}

/// A virtual environment with the packages of a requirements file.
fn python(requirements: &Path, folder: &Path) -> Result<(), String> {
    fresh(folder, || {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(Command::new(folder.join("bin/python")).args(install).arg(requirements))
    })
}

/// A folder with the packages of a lock file.
fn npm(pins: &Path, folder: &Path) -> Result<(), String> {
    fresh(folder, || {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(pins.join(file), folder.join(file)).map_err(|error| error.to_string())?;
        }
        let install = ["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"];
        run(Command::new("npm").args(install).current_dir(folder))
    })
}

/// Makes a folder unless a former run has completed it. What an interrupted run left is of no use.
fn fresh(folder: &Path, make: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    if folder.join(READY).exists() {
        return Ok(());
    }
    drop(std::fs::remove_dir_all(folder));
    make()?;
    std::fs::write(folder.join(READY), "").map_err(|error| error.to_string())
}

/// One number for all pins.
fn hash(pins: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    let lock = pins.join(NPM).join("package-lock.json");
    let files = PYTHON.iter().map(|name| pins.join(format!("{name}.txt"))).chain([lock]);
    for file in files {
        std::fs::read(file).unwrap_or_default().hash(&mut hasher);
    }
    hasher.finish()
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
