//! Packs the embedded text, and compiles kernels where the feature `cuda` asks for them.
//!
//! The text: sources and documentation of well-known crates.
//! They lie in the cargo registry of every machine that builds this, at the versions of Cargo.lock,
//! so the text is real, the same everywhere, and never downloaded for its own sake. Where the
//! registry is elsewhere (vendored builds), this workspace's own sources stand in, with a warning.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// Crates to pack, by name; all are direct or near dependencies. Each gives at most [`PER_CRATE`].
const CRATES: [&str; 6] = ["clap_builder", "futures-util", "hyper", "rayon", "regex", "tokio"];
/// Bytes taken of one crate.
const PER_CRATE: usize = 600 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let workspace = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("..");
    let lock = fs::read_to_string(workspace.join("Cargo.lock"))?;
    let mut text = Vec::new();
    for name in CRATES {
        match version(&lock, name).and_then(|version| locate(name, &version)) {
            Some(folder) => pack(&folder, PER_CRATE, &mut text)?,
            None => println!("cargo::warning=no sources of `{name}` in the cargo registry"),
        }
    }
    if text.is_empty() {
        println!("cargo::warning=the embedded text is this workspace's own source");
        for folder in ["trainer", "node", "chain", "p2p"] {
            pack(&workspace.join(folder).join("src"), PER_CRATE, &mut text)?;
        }
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("text.zst");
    fs::write(out, zstd::bulk::compress(&text, 15)?)?;
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../Cargo.lock");
    if std::env::var_os("CARGO_FEATURE_CUDA").is_some() {
        compile_kernels()?;
    }
    Ok(())
}

/// GPUs that kernels are compiled for; later ones compile them when they load them.
const GPUS: [&str; 3] = ["80", "89", "90"];

/// Compiles the kernels with nvcc: `$NVCC`, that of `$CUDA_HOME`, or the one on the path.
fn compile_kernels() -> Result<(), Box<dyn Error>> {
    let home = std::env::var_os("CUDA_HOME").map(|home| PathBuf::from(home).join("bin/nvcc"));
    let nvcc = std::env::var_os("NVCC").map(PathBuf::from).or(home);
    let nvcc = nvcc.unwrap_or_else(|| "nvcc".into());
    let sources = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("src/gpu");
    for variable in ["NVCC", "CUDA_HOME"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let mut names: Vec<PathBuf> = fs::read_dir(&sources)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, Box<dyn Error>>>()?;
    names.retain(|path| path.extension().is_some_and(|extension| extension == "cu"));
    names.sort();
    for source in names.iter().chain([&sources.join("common.cuh")]) {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let unit: String =
        names.iter().map(|path| format!("#include \"{}\"\n", path.display())).collect();
    fs::write(out.join("kernels.cu"), unit)?;
    let mut command = std::process::Command::new(&nvcc);
    command.args(["-std=c++17", "-O3", "--fatbin"]);
    for gpu in GPUS {
        command.args(["-gencode", &format!("arch=compute_{gpu},code=sm_{gpu}")]);
    }
    let newest = GPUS[GPUS.len() - 1];
    command.args(["-gencode", &format!("arch=compute_{newest},code=compute_{newest}")]);
    command.arg("-o").arg(out.join("kernels.fatbin")).arg(out.join("kernels.cu"));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{}` failed: {status}", nvcc.display()).into()),
        Err(error) => Err(format!(
            "the feature `cuda` needs nvcc, and `{}` does not run: {error}. Set CUDA_HOME to a CUDA 13 toolkit",
            nvcc.display()
        )
        .into()),
    }
}

/// The newest version of a crate in Cargo.lock.
fn version(lock: &str, name: &str) -> Option<String> {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let (_, rest) = lock.rsplit_once(&entry)?;
    rest.split('"').next().map(str::to_owned)
}

/// The unpacked source of a crate in the cargo registry.
fn locate(name: &str, version: &str) -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let default = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let registries = home.or(default)?.join("registry/src");
    let mut found: Vec<PathBuf> = fs::read_dir(registries)
        .ok()?
        .flatten()
        .map(|registry| registry.path().join(format!("{name}-{version}")))
        .filter(|folder| folder.is_dir())
        .collect();
    found.sort();
    found.into_iter().next()
}

/// Appends a folder's text files in the order of their paths, up to a limit.
fn pack(folder: &Path, limit: usize, text: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    let end = text.len() + limit;
    for file in files {
        text.extend(fs::read(file)?);
        if text.len() >= end {
            text.truncate(end);
            break;
        }
    }
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_text = path.extension().is_some_and(|kind| kind == "rs" || kind == "md");
        if path.is_dir() {
            collect(&path, files)?;
        } else if is_text {
            files.push(path);
        }
    }
    Ok(())
}
