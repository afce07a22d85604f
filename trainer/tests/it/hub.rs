//! Datasets of the hub, from a server on this machine that speaks its routes and has its faults.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use iota_trainer::{Build, Dataset, Hub, Origin, Places, Repository, Step, Tokenizer};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TOKEN: &str = "hf_secret";

/// What goes wrong, once each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// An answer of 503, with the second after which to ask again.
    Busy,
    /// A body that breaks off in the middle.
    Broken,
}

#[derive(Default)]
struct Shared {
    files: BTreeMap<String, Vec<u8>>,
    faults: Vec<Fault>,
    /// Paths asked for, and the range, if one was.
    asked: Vec<String>,
    ignores_ranges: bool,
}

struct Server {
    address: String,
    shared: Arc<Mutex<Shared>>,
}

impl Server {
    fn start(files: &[(&str, String)], faults: &[Fault]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let files = files.iter().map(|(name, text)| ((*name).into(), text.clone().into_bytes()));
        let (files, faults) = (files.collect(), faults.to_vec());
        let shared = Arc::new(Mutex::new(Shared { files, faults, ..Shared::default() }));
        let serving = Arc::clone(&shared);
        // Ends with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(&stream, &mut serving.lock().unwrap());
            }
        });
        Self { address, shared }
    }

    fn places(&self, cache: &tempfile::TempDir, token: Option<&str>) -> Places {
        let hub = Hub::new(&self.address, token.map(str::to_owned));
        Places { cache: cache.path().to_owned(), hub }
    }

    fn asked(&self) -> Vec<String> {
        self.shared.lock().unwrap().asked.clone()
    }
}

/// One request of a connection.
fn answer(mut stream: &TcpStream, shared: &mut Shared) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let path = first.split(' ').nth(1).unwrap().to_owned();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        let found = headers.iter().find_map(|line| {
            line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name))
        });
        found.map(|(_, value)| value.to_owned())
    };
    let range = header("range");
    shared.asked.push(format!("{path} {}", range.clone().unwrap_or_default()));
    let mut send = |status: &str, headers: &str, body: &[u8], sent: usize| {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n"
        );
        // Who broke off hears no more.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..sent]));
    };
    if header("authorization").is_some_and(|value| value != format!("Bearer {TOKEN}")) {
        return send("401 Unauthorized", "", b"", 0);
    }
    if path == "/api/datasets/owner/texts/revision/main" {
        let files = shared.files.keys().map(|name| format!("{{\"rfilename\": \"{name}\"}}"));
        let files = files.collect::<Vec<_>>().join(",");
        let body =
            format!("{{\"sha\": \"{COMMIT}\", \"private\": false, \"siblings\": [{files}]}}");
        return send("200 OK", "", body.as_bytes(), body.len());
    }
    // Files are elsewhere, as on the hub.
    if let Some(name) = path.strip_prefix(&format!("/datasets/owner/texts/resolve/{COMMIT}/")) {
        return send("302 Found", &format!("location: /cdn/{name}\r\n"), b"", 0);
    }
    let file = path.strip_prefix("/cdn/").and_then(|name| shared.files.get(name));
    let Some(file) = file else { return send("404 Not Found", "", b"", 0) };
    let fault = (!shared.faults.is_empty()).then(|| shared.faults.remove(0));
    if fault == Some(Fault::Busy) {
        return send("503 Service Unavailable", "retry-after: 1\r\n", b"", 0);
    }
    let start = range.filter(|_| !shared.ignores_ranges).map(|range| {
        let range = range.strip_prefix("bytes=").unwrap().to_owned();
        range.split_once('-').unwrap().0.parse::<usize>().unwrap()
    });
    let all = file.len();
    let (status, headers, body) = match start {
        Some(start) if start >= all => {
            let headers = format!("content-range: bytes */{all}\r\n");
            return send("416 Range Not Satisfiable", &headers, b"", 0);
        }
        Some(start) => {
            let headers = format!("content-range: bytes {start}-{}/{all}\r\n", all - 1);
            ("206 Partial Content", headers, &file[start..])
        }
        None => ("200 OK", String::new(), &file[..]),
    };
    let sent = if fault == Some(Fault::Broken) { body.len() / 2 } else { body.len() };
    send(status, &headers, body, sent);
}

fn files_in(folder: &tempfile::TempDir) -> Vec<String> {
    let files = std::fs::read_dir(folder.path()).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

fn lines(first: usize, count: usize) -> String {
    let line = |number: usize| format!("{{\"text\": \"document {number} of the hub\"}}\n");
    (first..first + count).map(line).collect()
}

fn files() -> [(&'static str, String); 4] {
    [
        ("data/a.jsonl", lines(0, 200)),
        ("data/b.jsonl", lines(200, 300)),
        ("data/README.md", "about it".into()),
        ("database.txt", "not below data".into()),
    ]
}

fn build() -> Build {
    let repository = Repository { name: "owner/texts".into(), revision: "main".into() };
    let (prefix, field) = ("data".into(), "text".into());
    let origin = Origin::Hub(repository);
    Build { origin, prefix, most: 100, tokenizer: Tokenizer::bytes(), context: 16, field }
}

#[test]
fn a_dataset_of_the_hub_is_built_once_and_had_by_others_shard_by_shard() {
    let server = Server::start(&files(), &[Fault::Busy, Fault::Broken]);
    let (mine, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut steps = Vec::new();
    let places = server.places(&mine, Some(TOKEN));
    let tell = |step: Step<'_>| steps.push(format!("{step:?}"));
    let made = build().run(&places, out.path(), None, tell).unwrap();
    assert_eq!(made.shards.len(), 2, "{made:?}");
    assert!(steps.iter().any(|step| step.contains("Fetch")), "{steps:?}");
    let half = files()[0].1.len() / 2;
    let resumed = server.asked().iter().any(|asked| asked.contains(&format!("bytes={half}-")));
    assert!(resumed, "goes on where it broke off: {:?}", server.asked());

    // Another machine: nothing is asked for before it is needed, and then only that.
    let theirs = tempfile::tempdir().unwrap();
    let before = server.asked().len();
    let data = Dataset::built(out.path(), &server.places(&theirs, None)).unwrap();
    assert_eq!(data.manifest().hash(), made.hash());
    assert_eq!(server.asked().len(), before);
    let last = data.train_sequences() - 1;
    assert!(data.tokens(last).unwrap().is_some());
    let asked = server.asked()[before..].to_vec();
    assert!(asked.iter().all(|asked| asked.contains("b.jsonl")), "{asked:?}");
    assert!(asked.iter().any(|asked| asked.contains(COMMIT)), "a commit, no branch: {asked:?}");
    // Once more: from the cache.
    let before = server.asked().len();
    let again = Dataset::built(out.path(), &server.places(&theirs, None)).unwrap();
    assert_eq!(again.tokens(last).unwrap(), data.tokens(last).unwrap());
    assert_eq!(server.asked().len(), before);
    let kept = files_in(&theirs);
    let is = |end: &str| kept.iter().filter(|name| name.ends_with(end)).count();
    assert_eq!((is(".tokens"), is(".part")), (1, 0), "not kept twice: {kept:?}");

    // A build that was broken off goes on with what is packed.
    let before = server.asked().len();
    let again = build().run(&places, out.path(), None, |_| {}).unwrap();
    assert_eq!(again, made);
    assert!(server.asked()[before..].iter().all(|asked| !asked.contains("resolve")));
}

#[test]
fn what_is_left_of_another_file_is_fetched_anew() {
    let server = Server::start(&files(), &[Fault::Broken]);
    let (cache, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let places = server.places(&cache, None);
    let made = build().run(&places, out.path(), None, |_| {}).unwrap();
    let was = files_in(&cache).into_iter().filter(|name| name.ends_with(".was"));
    // As though both downloads had been broken off, with more there than there should be.
    for name in was {
        let note = cache.path().join(&name);
        std::fs::write(note.with_extension("part"), [0; 100_000]).unwrap();
        std::fs::remove_file(note).unwrap();
    }
    assert_eq!(build().run(&places, out.path(), None, |_| {}).unwrap(), made);
}

#[test]
fn a_server_that_knows_no_ranges_serves_as_well() {
    let server = Server::start(&files(), &[Fault::Broken]);
    server.shared.lock().unwrap().ignores_ranges = true;
    let (cache, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = build().run(&server.places(&cache, None), out.path(), None, |_| {}).unwrap();
    assert_eq!(made.shards[0].bytes, files()[0].1.len() as u64);
}

#[test]
fn a_file_that_is_not_the_one_described_is_refused() {
    let server = Server::start(&files(), &[]);
    let (mine, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    build().run(&server.places(&mine, None), out.path(), None, |_| {}).unwrap();
    server.shared.lock().unwrap().files.insert("data/a.jsonl".into(), lines(1, 200).into());
    let theirs = tempfile::tempdir().unwrap();
    let data = Dataset::built(out.path(), &server.places(&theirs, None)).unwrap();
    let error = data.tokens(0).unwrap_err().to_string();
    assert!(error.contains("data/a.jsonl is another file"), "{error}");
    let kept = files_in(&theirs);
    assert!(kept.iter().all(|name| name.ends_with(".lock")), "and not kept: {kept:?}");
}

#[test]
fn what_the_hub_refuses_is_said_without_the_token() {
    let server = Server::start(&files(), &[]);
    let (cache, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let places = server.places(&cache, Some("hf_wrong"));
    let error = build().run(&places, out.path(), None, |_| {}).unwrap_err().to_string();
    assert!(error.contains("401 Unauthorized") && error.contains("HF_TOKEN"), "{error}");
    assert!(error.contains("/api/datasets/owner/texts/revision/main"), "{error}");
    assert!(!error.contains("hf_wrong") && !format!("{places:?}").contains("hf_wrong"));
    let name = "owner/no-such".into();
    let missing = Repository { name, revision: "main".into() };
    let missing = Build { origin: Origin::Hub(missing), ..build() };
    let error = missing.run(&server.places(&cache, None), out.path(), None, |_| {}).unwrap_err();
    assert!(error.to_string().contains("404 Not Found"), "{error}");
    for (name, revision) in [("owner", "main"), ("../x", "main"), ("a/b", ".."), ("a/b?c", "d")] {
        let repository = Repository { name: name.into(), revision: revision.into() };
        let bad = Build { origin: Origin::Hub(repository), ..build() };
        let error = bad.run(&places, out.path(), None, |_| {}).unwrap_err().to_string();
        assert!(error.contains("is no dataset of the hub"), "{name}@{revision}: {error}");
    }
}
