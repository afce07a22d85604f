//! Rules of the repository that no compiler checks, as one fast pass over the tracked files.
//!
//! Each rule is a function from a file (or all of them) to problems; `cargo test` runs them over
//! the repository, and each has a test that sees it fail.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

mod edges;
mod rules;
#[cfg(test)]
mod tests;

/// One tracked text file.
pub(crate) struct File {
    /// Its path from the root, with `/` between parts.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
}

impl File {
    /// Whether this is Rust source.
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether this holds nothing but tests.
    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }
}

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The file.
    pub(crate) path: String,
    /// The line, from 1, where the rule is about a line.
    pub(crate) line: Option<usize>,
    /// What is wrong and what to do.
    pub(crate) what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.what),
            None => write!(f, "{}: {}", self.path, self.what),
        }
    }
}

/// All problems of the repository.
///
/// # Errors
/// If git cannot list the files or one cannot be read.
pub(crate) fn problems(root: &Path) -> Result<Vec<Problem>> {
    let files = tracked(root)?;
    let mut found: Vec<Problem> = files.iter().flat_map(rules::check).collect();
    found.extend(edges::check(&files));
    Ok(found)
}

/// The tracked text files that are there; a file that is no UTF-8 is data and not ours to judge.
fn tracked(root: &Path) -> Result<Vec<File>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached"])
        .current_dir(root)
        .output()
        .context("cannot run git")?;
    ensure!(output.status.success(), "git ls-files failed");
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut files = Vec::new();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let path: PathBuf = root.join(name);
        // Deleted and not yet committed.
        if !path.is_file() {
            continue;
        }
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {name}"))?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(File { path: name.to_owned(), text });
        }
    }
    Ok(files)
}
