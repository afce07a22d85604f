//! Rules about a single file.

use super::{File, Problem};

/// A source file may be this long.
const MAX_LINES: usize = 800;
/// A file of tests may be this long.
const MAX_TEST_LINES: usize = 1200;

/// Text that no file may hold, and why. Split so that this file does not hold it either.
const FORBIDDEN: [(&str, &str, &str); 3] = [
    ("/wo", "rk/", "names a path of one machine"),
    ("/ro", "ot/", "names a path of one machine"),
    ("/home", "/", "names a path of one machine"),
];

/// Text that no Rust source may hold, and what to do instead.
const FORBIDDEN_IN_RUST: [(&str, &str, &str); 5] = [
    ("TO", "DO", "finish it, or open an issue"),
    ("FIX", "ME", "finish it, or open an issue"),
    ("#[ig", "nore", "a test that does not run is deleted"),
    ("#[al", "low(", "use `#[expect(.., reason = \"..\")]`"),
    ("#![al", "low(", "use `#![expect(.., reason = \"..\")]`"),
];

/// The problems of one file.
pub(super) fn check(file: &File) -> Vec<Problem> {
    let mut found = Vec::new();
    found.extend(size(file));
    found.extend(module_file(file));
    found.extend(header(file));
    found.extend(ascii(file));
    found.extend(words(file));
    found.extend(whitespace(file));
    found
}

fn problem(file: &File, line: Option<usize>, what: impl Into<String>) -> Problem {
    Problem { path: file.path.clone(), line, what: what.into() }
}

fn size(file: &File) -> Option<Problem> {
    let max = if file.is_test() { MAX_TEST_LINES } else { MAX_LINES };
    let lines = file.text.lines().count();
    (file.is_rust() && lines > max)
        .then(|| problem(file, None, format!("has {lines} lines, at most {max}; split it")))
}

fn module_file(file: &File) -> Option<Problem> {
    file.path
        .ends_with("/mod.rs")
        .then(|| problem(file, None, "is a mod.rs; use name.rs beside name/"))
}

fn header(file: &File) -> Option<Problem> {
    (file.is_rust() && !file.text.starts_with("//!"))
        .then(|| problem(file, Some(1), "does not open with a `//!` header"))
}

/// Source is ASCII, so that what one sees is what is there; string literals escape the rest.
fn ascii(file: &File) -> Option<Problem> {
    if !file.is_rust() {
        return None;
    }
    let line = file.text.lines().position(|line| !line.is_ascii())?;
    Some(problem(file, Some(line + 1), "holds a character that is not ASCII"))
}

fn words(file: &File) -> Vec<Problem> {
    let mut found = Vec::new();
    let rust: &[_] = if file.is_rust() { &FORBIDDEN_IN_RUST } else { &[] };
    for (a, b, why) in FORBIDDEN.iter().chain(rust) {
        let word = format!("{a}{b}");
        for (index, line) in file.text.lines().enumerate() {
            if line.contains(&word) {
                found.push(problem(file, Some(index + 1), format!("`{word}`: {why}")));
            }
        }
    }
    found
}

fn whitespace(file: &File) -> Option<Problem> {
    let line = file.text.lines().position(|line| line.ends_with([' ', '\t', '\r']))?;
    Some(problem(file, Some(line + 1), "ends with white space"))
}
