//! From files to what a run trains on.

use std::fs;

use serde_json::Value;

use crate::support::Home;

/// A folder `corpus` with two files of lines.
fn corpus(home: &Home) {
    let folder = home.path().join("corpus");
    fs::create_dir(&folder).unwrap();
    for file in ["a", "b"] {
        let line =
            |number: usize| format!("{{\"text\": \"the {file} of line {number}, and more\"}}\n");
        let lines: String = (0..500).map(line).collect();
        fs::write(folder.join(format!("{file}.jsonl")), lines).unwrap();
    }
}

#[test]
fn files_become_a_tokenizer_and_a_dataset() {
    let home = Home::new();
    corpus(&home);
    let ran = home.run("tokenizer train corpus --vocab 300 --out bpe.json");
    assert_eq!((ran.code, ran.stdout.trim()), (Some(0), "wrote bpe.json: 300 tokens"), "{ran:?}");
    let again = home.run("tokenizer train corpus --vocab 300 --out bpe.json");
    assert!(again.code == Some(2) && again.stderr.contains("exists already"), "{again:?}");

    let ran = home.run("data build corpus --tokenizer bpe.json --context 16 --out set --json");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let made: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(made["shards"].as_array().unwrap().len(), 2);
    assert_eq!(made["vocab"], 300);
    let shown = home.run("data show set --json").stdout;
    assert_eq!(shown, ran.stdout);
    assert_eq!(home.run("data fetch set --json").stdout, ran.stdout);
    let text = home.run("data show set/dataset.json").stdout;
    assert!(text.contains("a.jsonl") && text.contains("sequences to train on"), "{text}");

    // Without the cache the files are read again, and must be what they were.
    fs::remove_dir_all(home.path().join(".cache")).unwrap();
    assert_eq!(home.run("data fetch set").code, Some(0));
    fs::remove_dir_all(home.path().join(".cache")).unwrap();
    fs::write(home.path().join("corpus/b.jsonl"), "{\"text\": \"other\"}").unwrap();
    let ran = home.run("data fetch set");
    assert!(ran.code == Some(1) && ran.stderr.contains("b.jsonl is another file"), "{ran:?}");
}

#[test]
fn what_cannot_be_a_dataset_is_said_with_what_can() {
    let home = Home::new();
    for (line, expected) in [
        ("data build nowhere", "pass a folder, or hf://datasets/"),
        ("data build hf://datasets/x --out y", "write hf://datasets/OWNER/NAME"),
        ("data build hf://datasets/x/y", "pass `--out`"),
        ("data show .", "has no dataset.json"),
        ("data build . --tokenizer none.json", "name a `tokenizer.json`"),
        ("data build .", "has 0 files that can be read"),
    ] {
        let ran = home.run(line);
        assert!(ran.code == Some(2) && ran.stderr.contains(expected), "{line}: {ran:?}");
    }
}
