//! A run on a dataset of several shards whose tokens are byte pairs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use iota::report::Report;
use iota_trainer::{Build, Dataset, Hub, Origin, Places, Tokenizer, train_tokenizer};

use crate::honest::check;
use crate::scene::{CONTEXT, Scene};

/// The embedded text as six files, and a tokenizer learnt from the first.
fn dataset(folder: &Path) -> Dataset {
    let text = Dataset::embedded(4096).unwrap();
    let files = folder.join("files");
    fs::create_dir(&files).unwrap();
    for file in 0..6 {
        let sequences = (file * 20..(file + 1) * 20).map(|id| text.tokens(id).unwrap().unwrap());
        let line = |tokens: Vec<u32>| {
            let text: String = tokens.iter().map(|token| *token as u8 as char).collect();
            format!("{}\n", serde_json::json!({ "text": text }))
        };
        let lines: String = sequences.map(line).collect();
        fs::write(files.join(format!("{file}.jsonl")), lines).unwrap();
    }
    let tokenizer = folder.join("bpe.json");
    train_tokenizer(&files, "text", 400, &tokenizer, |_| {}).unwrap();
    let hub = Hub::new("http://127.0.0.1:1", None);
    let places = Places { cache: folder.join("cache"), hub };
    let build = Build {
        origin: Origin::Folder(files.clone()),
        prefix: String::new(),
        most: 6,
        tokenizer: Tokenizer::read(&tokenizer).unwrap(),
        context: CONTEXT,
        field: "text".into(),
    };
    build.run(&places, &files, Some(&tokenizer), |_| {}).unwrap();
    Dataset::built(&files, &places).unwrap()
}

#[test]
fn a_run_on_shards_of_byte_pairs_learns_and_accuses_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let data = Arc::new(dataset(folder.path()));
    // As on a node that has fetched it all: a simulation's time does not wait.
    data.fetch(|_| {}).unwrap();
    assert_eq!(data.manifest().shards.len(), 6);
    let play = Scene { data: Some(Arc::clone(&data)), ..Scene::new(21, 3) }.play();
    assert_eq!(play.manifest.model.vocab, 448, "400 tokens, and room");
    check(&play, 3);
    // Each of the two heads draws from a shard or two of the six in an epoch.
    let counts = data.train_counts();
    let shard = |id: u64| {
        let mut end = 0;
        let passed = counts.iter().take_while(|count| {
            end += **count;
            end <= id
        });
        passed.count()
    };
    for epoch in 0..3 {
        let mut seen = BTreeSet::new();
        for report in play.reports() {
            if let Report::Draw { epoch: of, ids, .. } = report {
                seen.extend(ids.iter().filter(|_| *of == epoch).map(|id| shard(*id)));
            }
        }
        assert!((1..=4).contains(&seen.len()), "epoch {epoch}: {seen:?}");
    }
}
