//! Text as packed sequences: every sequence is full, and nothing overlaps.
//!
//! ```text
//! files (shards) -> documents -> tokens -> sequences of context + 1 tokens, in the cache
//! ```
//!
//! A sequence's first `context` tokens are inputs, its last `context` targets. [`DatasetManifest::hash`] names
//! the packed text, and a node whose text hashes otherwise does not take part. Shards are read when they are
//! first needed, from a folder or the Hugging Face hub, checked against the manifest,
//! tokenized with threads of their own, and kept packed in a cache, so that this is done once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use crate::Error;
use behind::Behind;
use manifest::{held_out, held_out_place, train_place};
use pack::{Packed, pack};

mod behind;
mod build;
mod documents;
mod hub;
mod manifest;
mod pack;
mod tokenizer;

pub use build::{Build, Step, train_tokenizer};
pub use hub::{Hub, Repository};
pub use manifest::{DatasetManifest, Shard};
pub use tokenizer::Tokenizer;

/// The embedded text, see `build.rs`.
static EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/text.zst"));
/// Greatest text that is kept in memory, in bytes.
const MAX_BYTES: usize = 256 << 20;
/// Most files of a folder.
const MAX_FILES: usize = 100_000;
/// Fewest sequences that can be trained on.
const FEWEST: u64 = 100;
/// Greatest description of a dataset, in bytes.
const MAX_FILE: u64 = 16 << 20;
/// The description of a dataset in its folder.
const FILE: &str = "dataset.json";
/// Its tokenizer there.
const TOKENIZER: &str = "tokenizer.json";

/// Where the shards of a dataset are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Origin {
    /// In a folder; one that is not absolute is seen from the description.
    Folder(PathBuf),
    /// On the Hugging Face hub.
    Hub(Repository),
}

/// A description of a dataset, as it lies on disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    origin: Origin,
    #[serde(flatten)]
    manifest: DatasetManifest,
}

/// Where a dataset's shards come from and go to.
#[derive(Clone, Debug)]
pub struct Places {
    /// Folder of packed shards.
    pub cache: PathBuf,
    /// The hub.
    pub hub: Hub,
}

/// A packed text.
#[derive(Debug)]
pub struct Dataset {
    manifest: DatasetManifest,
    tokenizer: Tokenizer,
    /// None: all of it is in memory.
    source: Option<(Origin, Places)>,
    /// Train sequences of each shard.
    counts: Vec<u64>,
    /// The number of the first of each, and one past the last.
    starts: Vec<u64>,
    shards: Vec<OnceLock<Packed>>,
    /// Held by who loads a shard.
    loads: Vec<Mutex<()>>,
    behind: Mutex<Behind>,
}

impl Dataset {
    /// The text inside this program.
    ///
    /// # Errors
    /// [`Error::Text`] when it is too short for the context.
    pub fn embedded(context: u32) -> Result<Self, Error> {
        let path = PathBuf::from("the embedded text");
        let text = zstd::bulk::decompress(EMBEDDED, MAX_BYTES)
            .map_err(|source| Error::Read { path: path.clone(), source })?;
        Self::of_text(text, context, &path)
    }

    /// A dataset that [`Build`] described: the description, or its folder. Else a text, whose bytes are tokens: a
    /// file, or all files of a folder in the order of their paths.
    ///
    /// # Errors
    /// [`Error::Read`] for what cannot be read, [`Error::Text`] for too little or too much, or a description that
    /// breaks a rule.
    pub fn open(path: &Path, context: u32, places: &Places) -> Result<Self, Error> {
        match description(path) {
            Some(file) => Self::described(&file, places),
            None => Self::of_text(Self::text(path)?, context, path),
        }
    }

    /// A dataset that [`Build`] described: the description, or its folder.
    ///
    /// # Errors
    /// As [`Dataset::open`]; [`Error::Text`] where there is no description.
    pub fn built(path: &Path, places: &Places) -> Result<Self, Error> {
        let missing = || {
            let problem = format!("has no {FILE}");
            Error::Text { path: path.to_owned(), problem }
        };
        Self::described(&description(path).ok_or_else(missing)?, places)
    }

    /// Reads a description.
    fn described(file: &Path, places: &Places) -> Result<Self, Error> {
        let read = |source| Error::Read { path: file.to_owned(), source };
        let bad = |problem: String| Error::Text { path: file.to_owned(), problem };
        if fs::metadata(file).map_err(read)?.len() > MAX_FILE {
            return Err(bad(format!("has more than {} MiB", MAX_FILE >> 20)));
        }
        let bytes = fs::read(file).map_err(read)?;
        let found: Description = serde_json::from_slice(&bytes)
            .map_err(|error| bad(format!("describes no dataset: {error}")))?;
        found.manifest.validate().map_err(|error| bad(format!("describes no dataset: {error}")))?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let tokenizer = match &found.manifest.tokenizer[..] {
            "bytes" => Tokenizer::bytes(),
            _ => Tokenizer::read(&folder.join(TOKENIZER))?,
        };
        if tokenizer.name() != found.manifest.tokenizer || tokenizer.vocab() != found.manifest.vocab
        {
            let problem = format!("wants the tokenizer {}", found.manifest.tokenizer);
            return Err(bad(format!("{problem}; {TOKENIZER} beside it is {}", tokenizer.name())));
        }
        let origin = match found.origin {
            Origin::Folder(origin) => Origin::Folder(folder.join(origin)),
            hub => hub,
        };
        Self::new(found.manifest, tokenizer, Some((origin, places.clone())), file)
    }

    /// The bytes of a file, or of all files of a folder in the order of their paths.
    ///
    /// # Errors
    /// [`Error::Read`] for what cannot be read, [`Error::Text`] for too much.
    pub fn text(path: &Path) -> Result<Vec<u8>, Error> {
        let mut text = Vec::new();
        for file in files(path)? {
            let read = |source| Error::Read { path: file.clone(), source };
            let size = fs::metadata(&file).map_err(read)?.len();
            if size > (MAX_BYTES - text.len()) as u64 {
                let problem = format!("holds more than {} MiB of text", MAX_BYTES >> 20);
                return Err(Error::Text { path: path.to_owned(), problem });
            }
            text.extend(fs::read(&file).map_err(read)?);
        }
        Ok(text)
    }

    fn of_text(text: Vec<u8>, context: u32, path: &Path) -> Result<Self, Error> {
        let (hash, bytes) = (*blake3::hash(&text).as_bytes(), text.len() as u64);
        let packed = Packed::bytes(text, context);
        let (sequences, name) = (packed.sequences(), "text".to_owned());
        if sequences < FEWEST {
            let needed = FEWEST * (u64::from(context) + 1);
            let problem = format!("holds {bytes} bytes; training needs at least {needed}");
            return Err(Error::Text { path: path.to_owned(), problem });
        }
        let shard = Shard { name, hash, bytes, sequences, packed: packed.hash() };
        let tokenizer = Tokenizer::bytes();
        let (vocab, field) = (tokenizer.vocab(), String::new());
        let tokenizer_name = tokenizer.name();
        let shards = vec![shard];
        let manifest = DatasetManifest { tokenizer: tokenizer_name, vocab, context, field, shards };
        let dataset = Self::new(manifest, tokenizer, None, path)?;
        let _ = dataset.shards[0].set(packed);
        Ok(dataset)
    }

    fn new(
        manifest: DatasetManifest,
        tokenizer: Tokenizer,
        source: Option<(Origin, Places)>,
        path: &Path,
    ) -> Result<Self, Error> {
        if manifest.shards[0].sequences < FEWEST {
            let problem = format!(
                "has {} sequences of {} tokens in its first shard; training needs at least {FEWEST}",
                manifest.shards[0].sequences,
                manifest.context + 1
            );
            return Err(Error::Text { path: path.to_owned(), problem });
        }
        let counts = manifest.train_sequences();
        let mut starts = vec![0];
        for count in &counts {
            starts.push(starts[starts.len() - 1] + count);
        }
        let count = manifest.shards.len();
        Ok(Self {
            manifest,
            tokenizer,
            source,
            counts,
            starts,
            shards: (0..count).map(|_| OnceLock::new()).collect(),
            loads: (0..count).map(|_| Mutex::default()).collect(),
            behind: Mutex::default(),
        })
    }

    /// What nodes must agree on.
    #[must_use]
    pub fn manifest(&self) -> &DatasetManifest {
        &self.manifest
    }

    /// What made tokens of the text.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Sequences that heads draw from, shard by shard.
    #[must_use]
    pub fn train_counts(&self) -> &[u64] {
        &self.counts
    }

    /// Sequences that heads draw from.
    #[must_use]
    pub fn train_sequences(&self) -> u64 {
        self.starts[self.shards.len()]
    }

    /// The `context + 1` tokens of a train sequence, which is waited for; none for an id beyond them.
    ///
    /// # Errors
    /// When a shard that is not loaded cannot be had: as [`Dataset::fetch`].
    pub fn tokens(&self, id: u64) -> Result<Option<Vec<u32>>, Error> {
        let Some((shard, place)) = self.place(id) else { return Ok(None) };
        Ok(self.load(shard)?.sequence(place))
    }

    /// The same, and none as well where its shard is not loaded ([`Dataset::is_ready`]).
    #[must_use]
    pub fn at_hand(&self, id: u64) -> Option<Vec<u32>> {
        let (shard, place) = self.place(id)?;
        self.shards[shard].get()?.sequence(place)
    }

    /// The shard of a train sequence, and where it lies there.
    fn place(&self, id: u64) -> Option<(usize, u64)> {
        if id >= self.train_sequences() {
            return None;
        }
        let shard = self.starts.partition_point(|start| *start <= id) - 1;
        let sequences = self.manifest.shards[shard].sequences;
        Some((shard, train_place(id - self.starts[shard], shard == 0, sequences)))
    }

    /// The sequences that nobody trains on, `context + 1` tokens each.
    ///
    /// # Errors
    /// When a shard that is not loaded cannot be had: as [`Dataset::fetch`].
    pub fn held_out(&self) -> Result<Vec<Vec<u32>>, Error> {
        let first = self.load(0)?;
        let places = (0..held_out(self.manifest.shards[0].sequences)).map(held_out_place);
        Ok(places.filter_map(|place| first.sequence(place)).collect())
    }

    /// Makes sure that all shards are in the cache; `tell` learns of each.
    ///
    /// # Errors
    /// What the first shard fails with that cannot be had.
    pub fn fetch(&self, mut tell: impl FnMut(Step<'_>)) -> Result<(), Error> {
        (0..self.shards.len()).try_for_each(|shard| self.load_telling(shard, &mut tell).map(drop))
    }

    /// A shard, from memory, the cache, or where it comes from.
    fn load(&self, shard: usize) -> Result<&Packed, Error> {
        self.load_telling(shard, &mut |_| {})
    }

    fn load_telling(&self, shard: usize, tell: &mut dyn FnMut(Step<'_>)) -> Result<&Packed, Error> {
        if let Some(packed) = self.shards[shard].get() {
            return Ok(packed);
        }
        let _mine = self.loads[shard].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(packed) = self.shards[shard].get() {
            return Ok(packed);
        }
        let (origin, places) = self.source.as_ref().expect("a text in memory is loaded");
        let from = build::From { origin, places, tokenizer: &self.tokenizer };
        let expected = &self.manifest.shards[shard];
        let path = places.packed(&expected.hash, &self.manifest);
        let is_it = |packed: &Packed| {
            packed.hash() == expected.packed && packed.sequences() == expected.sequences
        };
        let packed = match Packed::open(&path, self.manifest.context, self.manifest.vocab) {
            Ok(packed) if is_it(&packed) => packed,
            // Not there, or not what it should be: made again.
            found => {
                if found.is_ok() {
                    let _ = fs::remove_file(&path);
                }
                let (name, manifest) = (&expected.name, &self.manifest);
                let wanted = build::Wanted { name, manifest, expected: Some(expected) };
                let (found, packed) = from.shard(wanted, tell)?;
                if found != *expected {
                    let problem = "is not what the dataset's description says".into();
                    let _ = fs::remove_file(&path);
                    return Err(Error::Text { path: PathBuf::from(&expected.name), problem });
                }
                packed
            }
        };
        Ok(self.shards[shard].get_or_init(|| packed))
    }

    /// Entropy of the held-out targets' own token frequencies, in nats per token: the loss of the best model
    /// that ignores context.
    ///
    /// # Errors
    /// As [`Dataset::held_out`].
    pub fn unigram_entropy(&self) -> Result<f64, Error> {
        let mut counts = vec![0u64; self.manifest.vocab as usize];
        for sequence in self.held_out()? {
            sequence[1..].iter().for_each(|token| counts[*token as usize] += 1);
        }
        let total = counts.iter().sum::<u64>() as f64;
        let share = |count: &u64| *count as f64 / total;
        let seen = counts.iter().filter(|count| **count > 0);
        Ok(seen.map(|count| -share(count) * share(count).ln()).sum())
    }
}

impl Places {
    /// Where a shard lies packed: by its bytes and by all that they are packed with.
    fn packed(&self, hash: &[u8; 32], manifest: &DatasetManifest) -> PathBuf {
        // Changes with whatever changes what is packed.
        let mut hasher = blake3::Hasher::new_derive_key("iota 2026 packed shard 1");
        hasher.update(hash).update(&manifest.context.to_le_bytes());
        hasher.update(manifest.tokenizer.as_bytes()).update(&[0]).update(manifest.field.as_bytes());
        self.cache.join(format!("{}.tokens", hasher.finalize()))
    }

    /// Where a file of the hub is put until it is packed.
    fn part(&self, from: &Repository, name: &str) -> PathBuf {
        let id = blake3::hash(format!("{from}\0{name}").as_bytes());
        self.cache.join(format!("{id}.part"))
    }
}

/// The description of a dataset that a path means, if it does.
fn description(path: &Path) -> Option<PathBuf> {
    if path.file_name().is_some_and(|name| name == FILE) {
        return Some(path.to_owned());
    }
    let file = path.join(FILE);
    file.is_file().then_some(file)
}

/// A file, or all files below a folder in the order of their paths.
fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    collect(path, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(read)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(read)? {
        let entry = entry.map_err(read)?;
        // Links are skipped: a folder may contain itself.
        let kind = entry.file_type().map_err(read)?;
        if kind.is_dir() {
            collect(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
        if files.len() > MAX_FILES {
            let problem = format!("holds more than {MAX_FILES} files");
            return Err(Error::Text { path: path.to_owned(), problem });
        }
    }
    Ok(())
}

/// Hashes as people write them.
mod hex32 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(hash: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(blake3::Hash::from_bytes(*hash).to_hex().as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        blake3::Hash::from_hex(text).map(|hash| *hash.as_bytes()).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
