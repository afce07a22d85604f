//! Describing a dataset: every file of a folder or of the hub becomes a shard.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use codec::{Decode, Encode};

use super::documents::{documents, is_known};
use super::manifest::{MAX_SEQUENCES, MAX_SHARDS, is_plain};
use super::{
    DatasetManifest, Description, FEWEST, FILE, MAX_FILES, Origin, Packed, Places, Repository,
    Shard, TOKENIZER, Tokenizer, files, pack,
};
use crate::Error;

/// How far a shard has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Being fetched: bytes so far, and of all.
    Fetch {
        /// The shard.
        name: &'a str,
        /// Bytes that are here.
        bytes: u64,
        /// Bytes there are.
        of: u64,
    },
    /// Being tokenized: bytes of text so far.
    Tokenize {
        /// The shard.
        name: &'a str,
        /// Bytes of documents.
        bytes: u64,
    },
    /// Packed.
    Done {
        /// The shard.
        name: &'a str,
        /// Sequences that came of it.
        sequences: u64,
    },
}

/// What a dataset is made of.
#[derive(Clone, Debug)]
pub struct Build {
    /// Where its files are.
    pub origin: Origin,
    /// Only files whose path begins with this.
    pub prefix: String,
    /// As many files at most.
    pub most: usize,
    /// What makes tokens of them.
    pub tokenizer: Tokenizer,
    /// Inputs per sequence.
    pub context: u32,
    /// Field or column that is the text.
    pub field: String,
}

impl Build {
    /// Reads and packs every file, and writes the description and the tokenizer (`tokenizer`: its file) to the
    /// folder `to`. Files that fill no sequence are left out.
    ///
    /// # Errors
    /// [`Error::Text`] for no files that can be read; what the first file fails with.
    pub fn run(
        self,
        places: &Places,
        to: &Path,
        tokenizer: Option<&Path>,
        mut tell: impl FnMut(Step<'_>),
    ) -> Result<DatasetManifest, Error> {
        let (origin, names) = self.names(places)?;
        let mut manifest = DatasetManifest {
            tokenizer: self.tokenizer.name(),
            vocab: self.tokenizer.vocab(),
            context: self.context,
            field: self.field.clone(),
            shards: Vec::new(),
        };
        let tokenizer = tokenizer.map(|file| {
            let read = |source| Error::Read { path: file.to_owned(), source };
            fs::read(file).map_err(read)
        });
        let tokenizer = tokenizer.transpose()?;
        let from = From { origin: &origin, places, tokenizer: &self.tokenizer };
        for name in &names {
            let wanted = Wanted { name, manifest: &manifest, expected: None };
            let (shard, _) = from.shard(wanted, &mut tell)?;
            if shard.sequences > 0 {
                manifest.shards.push(shard);
            }
        }
        // The first shard has what is held out.
        if let Some(first) = manifest.shards.iter().position(|shard| shard.sequences >= FEWEST) {
            let first = manifest.shards.remove(first);
            manifest.shards.insert(0, first);
        } else {
            let problem = format!(
                "has no file that fills {FEWEST} sequences of {} tokens; training needs one",
                self.context + 1
            );
            return Err(Error::Text { path: shown(&origin), problem });
        }
        manifest.validate()?;
        let write = |source| Error::Write { path: to.to_owned(), source };
        fs::create_dir_all(to).map_err(write)?;
        let kept = match &origin {
            Origin::Folder(folder) => Origin::Folder(seen_from(to, folder).map_err(write)?),
            Origin::Hub(commit) => Origin::Hub(commit.clone()),
        };
        if let Some(bytes) = tokenizer {
            crate::checkpoint::replace(&to.join(TOKENIZER), &bytes)?;
        }
        let description = Description { origin: kept, manifest: manifest.clone() };
        let text = serde_json::to_string_pretty(&description)
            .map_err(|error| Error::Input(error.to_string()))?;
        crate::checkpoint::replace(&to.join(FILE), (text + "\n").as_bytes())?;
        Ok(manifest)
    }

    /// The files, in the order of their paths; a revision of the hub becomes a commit.
    fn names(&self, places: &Places) -> Result<(Origin, Vec<String>), Error> {
        let (origin, mut names) = match &self.origin {
            Origin::Folder(folder) => {
                let name = |file: &PathBuf| {
                    let parts = file.strip_prefix(folder).ok()?.components();
                    let parts: Option<Vec<&str>> =
                        parts.map(|part| part.as_os_str().to_str()).collect();
                    parts.map(|parts| parts.join("/"))
                };
                let names = files(folder)?.iter().filter_map(name).collect();
                (self.origin.clone(), names)
            }
            Origin::Hub(repository) => {
                let (commit, names) = places.hub.files(repository)?;
                (Origin::Hub(commit), names)
            }
        };
        let prefix = self.prefix.trim_end_matches('/');
        let below = |name: &str| {
            let rest = name.strip_prefix(prefix);
            prefix.is_empty() || rest.is_some_and(|rest| rest.starts_with('/'))
        };
        names.retain(|name: &String| is_known(name) && below(name) && !is_about(name));
        if let Some(name) = names.iter().find(|name| !is_plain(name)) {
            let problem = format!("holds {name:?}, which is no name for a shard: rename it");
            return Err(Error::Text { path: shown(&origin), problem });
        }
        names.sort();
        names.truncate(self.most.min(MAX_FILES));
        let path = shown(&origin);
        if names.is_empty() || names.len() > MAX_SHARDS {
            let problem = format!(
                "has {} files that can be read (.parquet, .jsonl, .txt, .md; and .zst of the last \
                 three) below {:?}; a dataset has 1 to {MAX_SHARDS}",
                names.len(),
                self.prefix
            );
            return Err(Error::Text { path, problem });
        }
        Ok((origin, names))
    }
}

/// Whether a file tells of a dataset instead of being part of it.
fn is_about(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    ["readme", "license", "."].iter().any(|start| last.starts_with(start))
}

/// An origin, as people read it.
fn shown(origin: &Origin) -> PathBuf {
    match origin {
        Origin::Folder(folder) => folder.clone(),
        Origin::Hub(repository) => repository.to_string().into(),
    }
}

/// Learns byte pairs from all files of a folder, and writes the `tokenizer.json`; `tell` learns how many bytes
/// of text were read.
///
/// # Errors
/// As [`Tokenizer::train`]; what the first file fails with; [`Error::Write`].
pub fn train_tokenizer(
    folder: &Path,
    field: &str,
    vocab: u32,
    to: &Path,
    mut tell: impl FnMut(u64) + Send,
) -> Result<(), Error> {
    let known: Vec<PathBuf> =
        files(folder)?.into_iter().filter(|file| file.to_str().is_some_and(is_known)).collect();
    if known.is_empty() {
        let problem = "has no files that can be read (.parquet, .jsonl, .txt, .md)".into();
        return Err(Error::Text { path: folder.to_owned(), problem });
    }
    let mut bytes = 0;
    let all = known.into_iter().flat_map(|file| {
        let name = file.to_string_lossy().into_owned();
        match documents(&file, &name, field) {
            Ok(documents) => documents,
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    });
    let told = all.inspect(|document| {
        bytes += document.as_ref().map_or(0, |text| text.len() as u64);
        tell(bytes);
    });
    let made = Tokenizer::train(vocab, told)?;
    crate::checkpoint::replace(to, made.as_bytes())
}

/// A folder as it is seen from another: where it is that one, so that both can be moved.
fn seen_from(to: &Path, folder: &Path) -> std::io::Result<PathBuf> {
    let (to, folder) = (fs::canonicalize(to)?, fs::canonicalize(folder)?);
    Ok(if to == folder { PathBuf::from(".") } else { folder })
}

/// A file that is to become a shard.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    /// What it is packed for.
    pub(super) manifest: &'a DatasetManifest,
    /// The shard that it must become, unless it is described for the first time.
    pub(super) expected: Option<&'a Shard>,
}

impl Wanted<'_> {
    /// Opens a file that was packed for this.
    fn open(&self, path: &Path) -> Result<Packed, Error> {
        Packed::open(path, self.manifest.context, self.manifest.vocab)
    }

    fn fits(&self, hash: &[u8; 32]) -> bool {
        self.expected.is_none_or(|expected| expected.hash == *hash)
    }
}

/// What shards are made from.
pub(super) struct From<'a> {
    pub(super) origin: &'a Origin,
    pub(super) places: &'a Places,
    pub(super) tokenizer: &'a Tokenizer,
}

impl From<'_> {
    /// Fetches and packs a file, which is not looked into unless it has the hash that is expected.
    pub(super) fn shard(
        &self,
        wanted: Wanted<'_>,
        tell: &mut dyn FnMut(Step<'_>),
    ) -> Result<(Shard, Packed), Error> {
        let (shard, packed) = match self.origin {
            Origin::Folder(folder) => self.pack(&folder.join(wanted.name), wanted, tell),
            Origin::Hub(commit) => {
                let file = self.places.part(commit, wanted.name);
                // Other processes of this user may want the same file.
                let _lock = lock(&file)?;
                self.fetched(commit, &file, wanted, tell)
            }
        }?;
        tell(Step::Done { name: wanted.name, sequences: shard.sequences });
        Ok((shard, packed))
    }

    /// Packs a file of the hub, which is fetched unless it is known what it was and that is packed.
    fn fetched(
        &self,
        commit: &Repository,
        file: &Path,
        wanted: Wanted<'_>,
        tell: &mut dyn FnMut(Step<'_>),
    ) -> Result<(Shard, Packed), Error> {
        let note = file.with_extension("was");
        let was = fs::read(&note).ok().and_then(|bytes| Was::decode(&mut &bytes[..]).ok());
        if let Some(was) = was.filter(|was| wanted.fits(&was.hash))
            && let Ok(packed) = wanted.open(&self.places.packed(&was.hash, wanted.manifest))
        {
            return Ok((shard(wanted.name, was, &packed), packed));
        }
        let fetching = |bytes, of| tell(Step::Fetch { name: wanted.name, bytes, of });
        self.places.hub.download(commit, wanted.name, file, fetching)?;
        let made = self.pack(file, wanted, tell);
        if let Ok((shard, _)) = &made {
            let was = Was { hash: shard.hash, bytes: shard.bytes };
            crate::checkpoint::replace(&note, &was.encode())?;
        }
        if !matches!(&made, Err(Error::Write { .. })) {
            // What it became is kept; what is wrong is fetched again.
            let _ = fs::remove_file(file);
        }
        made
    }

    fn pack(
        &self,
        file: &Path,
        wanted: Wanted<'_>,
        tell: &mut dyn FnMut(Step<'_>),
    ) -> Result<(Shard, Packed), Error> {
        let Wanted { name, manifest, expected } = wanted;
        let read = |source| Error::Read { path: file.to_owned(), source };
        let mut hasher = blake3::Hasher::new();
        let open = File::open(file).map_err(read)?;
        hasher.update_reader(BufReader::with_capacity(1 << 20, open)).map_err(read)?;
        let was = Was { hash: *hasher.finalize().as_bytes(), bytes: hasher.count() };
        if !wanted.fits(&was.hash) {
            let problem = "is another file than the dataset's description says".into();
            return Err(Error::Text { path: name.into(), problem });
        }
        let path = self.places.packed(&was.hash, manifest);
        let _lock = lock(&path)?;
        if let Ok(packed) = wanted.open(&path) {
            return Ok((shard(name, was, &packed), packed));
        }
        let most = expected.map_or(MAX_SEQUENCES, |shard| shard.sequences);
        let mut read = 0;
        let tell = |more| {
            read += more;
            tell(Step::Tokenize { name, bytes: read });
        };
        let documents = documents(file, name, &manifest.field)?;
        pack(&path, documents, self.tokenizer, (manifest.context, most), tell)?;
        let packed = wanted.open(&path)?;
        Ok((shard(name, was, &packed), packed))
    }
}

/// What a file of the hub was, kept when the file is not.
#[derive(Encode, Decode)]
struct Was {
    hash: [u8; 32],
    bytes: u64,
}

fn shard(name: &str, was: Was, packed: &Packed) -> Shard {
    let Was { hash, bytes } = was;
    let (name, sequences) = (name.to_owned(), packed.sequences());
    Shard { name, hash, bytes, sequences, packed: packed.hash() }
}

/// Waits until no other process works on a file of the cache, and holds it until dropped.
fn lock(path: &Path) -> Result<File, Error> {
    let path = path.with_extension("lock");
    let write = |source| Error::Write { path: path.clone(), source };
    fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(write)?;
    let file = File::options().create(true).append(true).open(&path).map_err(write)?;
    file.lock().map_err(write)?;
    Ok(file)
}
