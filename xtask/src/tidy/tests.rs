//! The repository is tidy, and every rule is seen to fail.

use std::path::Path;

use super::*;

fn file(path: &str, text: &str) -> File {
    File { path: path.into(), text: text.into() }
}

/// What the rules say about one file of the given content.
fn verdict(path: &str, text: &str) -> Vec<String> {
    let mut found = rules::check(&file(path, text));
    found.extend(edges::check(&[file(path, text)]));
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn the_repository_is_tidy() {
    let root = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("..");
    let found: Vec<String> = problems(&root).unwrap().iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn a_clean_file_has_no_problem() {
    assert_eq!(verdict("node/src/a.rs", "//! Does a thing.\n"), [""; 0]);
}

#[test]
fn a_long_file_is_named_and_tests_may_be_longer() {
    let text = format!("//! Long.\n{}", "// line\n".repeat(900));
    assert_eq!(
        verdict("node/src/a.rs", &text),
        ["node/src/a.rs: has 901 lines, at most 800; split it"]
    );
    assert_eq!(verdict("node/src/a/tests.rs", &text), [""; 0]);
}

#[test]
fn a_missing_header_is_named() {
    assert_eq!(
        verdict("node/src/a.rs", "fn main() {}\n"),
        ["node/src/a.rs:1: does not open with a `//!` header"]
    );
}

#[test]
fn a_module_file_and_foreign_text_are_named() {
    assert_eq!(
        verdict("node/src/a/mod.rs", "//! A.\n"),
        ["node/src/a/mod.rs: is a mod.rs; use name.rs beside name/"]
    );
    assert_eq!(
        verdict("node/src/a.rs", "//! A.\n// caf\u{e9}\n"),
        ["node/src/a.rs:2: holds a character that is not ASCII"]
    );
    assert_eq!(verdict("a.md", "text \n"), ["a.md:1: ends with white space"]);
}

#[test]
fn a_path_of_one_machine_is_named_in_any_file() {
    let text = ["see /ro", "ot/notes\n"].concat();
    assert_eq!(verdict("a.md", &text).len(), 1);
}

#[test]
fn an_edge_between_siblings_is_named() {
    let text = "[package]\nname = \"iota-p2p\"\n\n[dependencies]\niota-chain.workspace = true\n";
    assert_eq!(
        verdict("p2p/Cargo.toml", text),
        ["p2p/Cargo.toml:5: must not depend on `iota-chain`"]
    );
    let dev = "[dev-dependencies]\niota-chain.workspace = true\n";
    assert_eq!(verdict("p2p/Cargo.toml", dev), [""; 0]);
}

#[test]
fn an_unknown_crate_is_named() {
    assert_eq!(verdict("extra/Cargo.toml", "[package]\n").len(), 1);
}
