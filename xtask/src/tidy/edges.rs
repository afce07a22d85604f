//! The direction of crate dependencies: metadata <- chain <- node, and no edge between siblings.

use super::{File, Problem};

/// Each crate's folder and the crates of ours that its code may depend on. Tests may add edges, so
/// `[dev-dependencies]` are not looked at.
const EDGES: [(&str, &[&str]); 8] = [
    ("metadata", &[]),
    ("chain", &["iota-metadata", "iota-timelock"]),
    ("p2p", &[]),
    ("trainer", &[]),
    ("timelock", &[]),
    ("localnet", &["iota-timelock"]),
    ("node", &["iota-chain", "iota-localnet", "iota-metadata", "iota-p2p", "iota-trainer"]),
    ("xtask", &[]),
];

/// Edges that the table does not allow, and crates that it does not know.
pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let mut found = Vec::new();
    for file in files {
        let Some(folder) = file.path.strip_suffix("/Cargo.toml") else {
            continue;
        };
        let allowed = EDGES.iter().find(|(name, _)| *name == folder);
        let Some((_, allowed)) = allowed else {
            found.push(Problem {
                path: file.path.clone(),
                line: None,
                what: "is a crate that tidy does not know; add it to EDGES".into(),
            });
            continue;
        };
        for (line, name) in dependencies(&file.text) {
            if !allowed.contains(&name.as_str()) {
                found.push(Problem {
                    path: file.path.clone(),
                    line: Some(line),
                    what: format!("must not depend on `{name}`"),
                });
            }
        }
    }
    found
}

/// The crates of ours under `[dependencies]` and `[build-dependencies]`, with their lines.
fn dependencies(manifest: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            inside = section.contains("dependencies") && !section.contains("dev-dependencies");
        } else if inside && line.starts_with("iota") {
            let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            found.push((index + 1, line[..end.unwrap_or(line.len())].to_owned()));
        }
    }
    found
}
