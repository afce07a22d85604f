//! Datasets from files of all forms, whole and damaged, and from their cache.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;

fn places(cache: &Path) -> Places {
    Places { cache: cache.to_owned(), hub: Hub::new("http://127.0.0.1:1", None) }
}

fn build(origin: &Path, tokenizer: Tokenizer) -> Build {
    let (prefix, field) = (String::new(), "text".into());
    let origin = Origin::Folder(origin.to_owned());
    Build { origin, prefix, most: 100, tokenizer, context: 8, field }
}

#[test]
fn the_embedded_text_is_packed_without_overlap_and_hashes_alike() {
    let data = Dataset::embedded(64).unwrap();
    assert!(data.train_sequences() > 10_000 && data.held_out().unwrap().len() >= 64);
    assert_eq!(data.manifest().hash(), Dataset::embedded(64).unwrap().manifest().hash());
    assert_ne!(data.manifest().hash(), Dataset::embedded(32).unwrap().manifest().hash());
    assert_eq!(data.tokens(0).unwrap().unwrap().len(), 65);
    let beyond = [data.train_sequences(), u64::MAX];
    assert!(beyond.into_iter().all(|id| data.tokens(id).unwrap().is_none()));
    let entropy = data.unigram_entropy().unwrap();
    assert!((2.5..4.5).contains(&entropy), "{entropy}");
}

#[test]
fn a_folder_of_plain_text_is_read_in_the_order_of_its_paths() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("b")).unwrap();
    fs::write(folder.path().join("b/x.txt"), vec![b'2'; 1000]).unwrap();
    fs::write(folder.path().join("a.txt"), vec![b'1'; 1000]).unwrap();
    let data = Dataset::open(folder.path(), 9, &places(folder.path())).unwrap();
    // The first sequence of fifty is held out.
    assert_eq!(data.tokens(0).unwrap().unwrap(), [u32::from(b'1'); 10]);
    assert_eq!(data.tokens(195).unwrap().unwrap(), [u32::from(b'2'); 10]);
    assert_eq!(data.held_out().unwrap().len(), 4);
}

#[test]
fn missing_and_short_texts_are_named() {
    let cache = tempfile::tempdir().unwrap();
    let missing = Dataset::open(Path::new("/no/such/file"), 64, &places(cache.path())).unwrap_err();
    assert_eq!(missing.to_string(), "cannot read /no/such/file");
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "short").unwrap();
    let short = Dataset::open(file.path(), 64, &places(cache.path())).unwrap_err().to_string();
    assert!(short.contains("holds 5 bytes"), "{short}");
}

/// A folder with documents in all forms: `fox N jumps` for N from 0 on.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = |number: usize| format!("fox {number} jumps");
    let line = |number: usize| format!("{{\"id\": {number}, \"text\": \"{}\"}}\n\n", text(number));
    let lines: String = (0..200).map(line).collect();
    fs::write(folder.path().join("a.jsonl"), &lines).unwrap();
    let zst = zstd::bulk::compress((200..300).map(line).collect::<String>().as_bytes(), 3).unwrap();
    fs::write(folder.path().join("b.jsonl.zst"), zst).unwrap();
    let texts: Vec<String> = (300..400).map(text).collect();
    write_table(&folder.path().join("c.parquet"), &texts);
    fs::write(folder.path().join("d.md"), text(400)).unwrap();
    fs::write(folder.path().join("ignored.bin"), [0; 10]).unwrap();
    folder
}

fn write_table(path: &Path, texts: &[String]) {
    use parquet::data_type::{ByteArray, ByteArrayType};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    let schema = "message m { required int64 id; optional binary text (UTF8); }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let snappy = parquet::basic::Compression::SNAPPY;
    let properties = Arc::new(WriterProperties::builder().set_compression(snappy).build());
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, properties).unwrap();
    // Two groups of rows; every row without a text is left out.
    for half in texts.chunks(texts.len().div_ceil(2)) {
        let mut group = writer.next_row_group().unwrap();
        let mut ids = group.next_column().unwrap().unwrap();
        let numbers: Vec<i64> = (0..half.len() as i64 + 1).collect();
        ids.typed::<parquet::data_type::Int64Type>().write_batch(&numbers, None, None).unwrap();
        ids.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let values: Vec<ByteArray> = half.iter().map(|text| text.as_str().into()).collect();
        let mut levels = vec![1; half.len()];
        levels.insert(1, 0);
        column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
}

/// All bytes of a dataset, held out or not, shard by shard.
fn text(data: &Dataset) -> String {
    let mut text = Vec::new();
    for shard in 0..data.shards.len() {
        let packed = data.load(shard).unwrap();
        (0..packed.sequences()).for_each(|at| text.extend(packed.sequence(at).unwrap()));
    }
    text.into_iter().map(|token| token as u8 as char).collect()
}

#[test]
fn documents_of_all_forms_become_sequences() {
    let (folder, cache) = (folder(), tempfile::tempdir().unwrap());
    let places = places(cache.path());
    let mut steps = Vec::new();
    let tell = |step: Step<'_>| steps.push(format!("{step:?}"));
    let tokenizer = Tokenizer::bytes();
    let made = build(folder.path(), tokenizer).run(&places, folder.path(), None, tell).unwrap();
    let names: Vec<&str> = made.shards.iter().map(|shard| &shard.name[..]).collect();
    assert_eq!(names, ["a.jsonl", "b.jsonl.zst", "c.parquet", "d.md"]);
    assert!(steps.iter().any(|step| step.starts_with("Done { name: \"c.parquet\"")), "{steps:?}");
    let data = Dataset::open(folder.path(), 8, &places).unwrap();
    assert_eq!(*data.manifest(), made);
    let text = text(&data);
    assert!(text.starts_with("fox 0 jumps\0fox 1 jumps\0"), "{text:?}");
    for number in [100, 198, 200, 298, 300, 349, 351, 398] {
        assert!(text.contains(&format!("fox {number} jumps\0")), "{number}");
    }
    // What does not fill a sequence of nine is left out: one of `fox 400 jumps` and its end.
    assert!(text.ends_with("fox 400 j"), "{text:?}");
    let total: u64 = made.shards.iter().map(|shard| shard.sequences).sum();
    assert_eq!(data.train_sequences() + data.held_out().unwrap().len() as u64, total);
}

#[test]
fn a_moved_folder_is_the_same_dataset_and_a_changed_file_is_not() {
    let (folder, cache) = (folder(), tempfile::tempdir().unwrap());
    let made = build(folder.path(), Tokenizer::bytes())
        .run(&places(cache.path()), folder.path(), None, |_| {})
        .unwrap();
    let moved = tempfile::tempdir().unwrap();
    let new = moved.path().join("new");
    fs::rename(folder.path(), &new).unwrap();
    let other = tempfile::tempdir().unwrap();
    let data = Dataset::open(&new, 8, &places(other.path())).unwrap();
    assert_eq!(data.manifest().hash(), made.hash());
    data.fetch(|_| {}).unwrap();
    // Not in this cache yet, and no longer what it was.
    fs::write(new.join("a.jsonl"), "{\"text\": \"wolf\"}\n").unwrap();
    let third = tempfile::tempdir().unwrap();
    let data = Dataset::open(&new, 8, &places(third.path())).unwrap();
    let error = data.tokens(0).unwrap_err().to_string();
    assert!(error.contains("a.jsonl is another file"), "{error}");
    // Packed before: still good.
    let data = Dataset::open(&new.join(FILE), 8, &places(other.path())).unwrap();
    assert!(data.tokens(0).unwrap().is_some());
}

#[test]
fn a_damaged_cache_is_made_again() {
    let (folder, cache) = (folder(), tempfile::tempdir().unwrap());
    let places = places(cache.path());
    let made = build(folder.path(), Tokenizer::bytes()).run(&places, folder.path(), None, |_| {});
    let path = places.packed(&made.as_ref().unwrap().shards[0].hash, made.as_ref().unwrap());
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    flipped[60] ^= 1;
    // Whole, but of another text.
    let other = b"{\"text\": \"wolf wolf wolf wolf\"}\n".repeat(100);
    fs::write(folder.path().join("z.jsonl"), other).unwrap();
    let out = tempfile::tempdir().unwrap();
    let more =
        build(folder.path(), Tokenizer::bytes()).run(&places, out.path(), None, |_| {}).unwrap();
    let foreign = fs::read(places.packed(&more.shards[4].hash, &more)).unwrap();
    for bad in [&flipped[..], &foreign, &good[..good.len() - 9], &good[..20], &[]] {
        fs::write(&path, bad).unwrap();
        let data = Dataset::open(folder.path(), 8, &places).unwrap();
        assert!(data.tokens(0).unwrap().is_some());
        assert_eq!(fs::read(&path).unwrap(), good);
    }
}

#[test]
fn a_dataset_of_byte_pairs_keeps_its_tokenizer_beside_it() {
    let (folder, cache) = (folder(), tempfile::tempdir().unwrap());
    let places = places(cache.path());
    let documents =
        documents::documents(&folder.path().join("a.jsonl"), "a.jsonl", "text").unwrap();
    let file = cache.path().join("bpe.json");
    fs::write(&file, Tokenizer::train(300, documents).unwrap()).unwrap();
    let tokenizer = Tokenizer::read(&file).unwrap();
    let out = tempfile::tempdir().unwrap();
    build(folder.path(), tokenizer.clone()).run(&places, out.path(), Some(&file), |_| {}).unwrap();
    let data = Dataset::open(out.path(), 8, &places).unwrap();
    let first = data.held_out().unwrap()[0].clone();
    let text = String::from_utf8(data.tokenizer().decode(&first)).unwrap();
    assert!(text.starts_with("fox 0 jumps<|endoftext|>fox"), "{text}");
    fs::write(out.path().join(TOKENIZER), Tokenizer::train(290, std::iter::empty()).unwrap())
        .unwrap();
    let error = Dataset::open(out.path(), 8, &places).unwrap_err().to_string();
    assert!(error.contains("wants the tokenizer blake3:"), "{error}");
}

#[test]
fn shards_are_loaded_in_the_background() {
    let (folder, cache) = (folder(), tempfile::tempdir().unwrap());
    let places = places(cache.path());
    let _ = build(folder.path(), Tokenizer::bytes()).run(&places, folder.path(), None, |_| {});
    let data = Arc::new(Dataset::open(folder.path(), 8, &places).unwrap());
    let last = data.train_sequences() - 1;
    // Loading goes on behind; waiting for it takes the same locks.
    let _ = data.is_ready(&[last, 0, u64::MAX]);
    assert!(data.tokens(last).unwrap().is_some() && data.tokens(0).unwrap().is_some());
    assert!(data.is_ready(&[last, 0, u64::MAX]));
    assert_eq!(data.take_failure(), None);
}

#[test]
fn what_cannot_be_loaded_in_the_background_is_told_once() {
    let (folder, cache) = (folder(), tempfile::tempdir().unwrap());
    let _ = build(folder.path(), Tokenizer::bytes()).run(
        &places(cache.path()),
        folder.path(),
        None,
        |_| {},
    );
    fs::write(folder.path().join("a.jsonl"), "other").unwrap();
    let empty = tempfile::tempdir().unwrap();
    let data = Arc::new(Dataset::open(folder.path(), 8, &places(empty.path())).unwrap());
    let start = Instant::now();
    let failure = loop {
        assert!(!data.is_ready(&[0]) && start.elapsed() < Duration::from_secs(60));
        if let Some(failure) = data.take_failure() {
            break failure;
        }
        std::thread::yield_now();
    };
    assert!(failure.contains("a.jsonl is another file"), "{failure}");
    assert_eq!(data.take_failure(), None);
}

#[test]
fn files_that_are_not_what_they_are_called_are_named_with_their_fault() {
    let cases = [
        ("x.jsonl", "{\"text\": null}\n{\"text\": 1}\n", "line 2: no text in the field `text`"),
        ("x.jsonl", "\n{\"text\": \"a\"}\n{\n", "line 3: EOF"),
        ("x.parquet", "PAR1 no", "is no table"),
        ("x.jsonl.zst", "{}", "cannot read"),
    ];
    for (name, text, expected) in cases {
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(folder.path().join(name), text).unwrap();
        let made = build(folder.path(), Tokenizer::bytes());
        let error = made.run(&places(cache.path()), folder.path(), None, |_| {}).unwrap_err();
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert!(error.to_string().contains(name), "{error}");
        let left = fs::read_dir(cache.path()).unwrap().map(|entry| entry.unwrap().path());
        let left: Vec<PathBuf> =
            left.filter(|path| path.extension() != Some("lock".as_ref())).collect();
        assert!(left.is_empty(), "nothing is left behind: {left:?}");
    }
    for (files, expected) in [
        (vec![("README.md", "about")], "has 0 files that can be read"),
        (vec![("a.txt", "short"), ("b.txt", "short")], "has no file that fills 100 sequences"),
        (vec![("50%.txt", "text")], "is no name for a shard"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let made = build(folder.path(), Tokenizer::bytes());
        let error = made.run(&places(folder.path()), folder.path(), None, |_| {}).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn what_unpacks_to_more_than_described_is_refused() {
    let (folder, cache) = (folder(), tempfile::tempdir().unwrap());
    let places = places(cache.path());
    build(folder.path(), Tokenizer::bytes()).run(&places, folder.path(), None, |_| {}).unwrap();
    let file = folder.path().join(FILE);
    let text = fs::read_to_string(&file).unwrap();
    let count = Dataset::built(folder.path(), &places).unwrap().manifest().shards[0].sequences;
    fs::write(&file, text.replace(&format!("\"sequences\": {count}"), "\"sequences\": 100"))
        .unwrap();
    let other = tempfile::tempdir().unwrap();
    let places = Places { cache: other.path().to_owned(), ..places };
    let error = Dataset::built(folder.path(), &places).unwrap().tokens(0).unwrap_err().to_string();
    assert!(error.contains("would fill more than 100 sequences"), "{error}");
}
