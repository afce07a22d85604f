//! Text as packed sequences: bytes are tokens, every sequence is full, and nothing overlaps.
//!
//! A sequence is `context + 1` tokens: the first `context` are inputs, the last `context` targets.
//! The held-out text is every [`HELD_OUT_EVERY`]-th sequence, up to [`HELD_OUT`] of them; the rest
//! is what heads draw from. [`DatasetManifest::hash`] names the packed text, and a node whose text
//! hashes otherwise does not take part.

use std::fs;
use std::path::{Path, PathBuf};

use codec::{Decode, Encode};

use crate::Error;

/// The embedded text, see `build.rs`.
static EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/text.zst"));
/// Greatest text, in bytes.
const MAX_BYTES: usize = 256 << 20;
/// Most files of a folder.
const MAX_FILES: usize = 100_000;
/// One sequence in this many is held out.
const HELD_OUT_EVERY: usize = 50;
/// Sequences held out at most.
const HELD_OUT: usize = 128;
/// Bytes per shard of the manifest.
const SHARD_BYTES: usize = 1 << 20;

/// One shard of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Shard {
    /// BLAKE3 of its bytes.
    pub hash: [u8; 32],
    /// Its length in bytes.
    pub bytes: u64,
}

/// What nodes agree on about the text.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DatasetManifest {
    /// The tokenizer; only `bytes` so far.
    pub tokenizer: String,
    /// Inputs per sequence.
    pub context: u32,
    /// Shards in order.
    pub shards: Vec<Shard>,
    /// Sequences that heads draw from.
    pub train_sequences: u64,
    /// Sequences that nobody trains on.
    pub held_out_sequences: u64,
}

impl DatasetManifest {
    /// BLAKE3 of the SCALE encoding.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.encode()).as_bytes()
    }
}

/// A packed text.
#[derive(Clone, Debug)]
pub struct Dataset {
    text: Vec<u8>,
    context: usize,
    train: Vec<u32>,
    held_out: Vec<u32>,
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
        Self::new(text, context, &path)
    }

    /// A file, or all files of a folder in the order of their paths.
    ///
    /// # Errors
    /// [`Error::Read`] for what cannot be read, [`Error::Text`] for too little or too much.
    pub fn open(path: &Path, context: u32) -> Result<Self, Error> {
        Self::new(Self::text(path)?, context, path)
    }

    /// The bytes of a file, or of all files of a folder in the order of their paths.
    ///
    /// # Errors
    /// [`Error::Read`] for what cannot be read, [`Error::Text`] for too much.
    pub fn text(path: &Path) -> Result<Vec<u8>, Error> {
        let mut files = Vec::new();
        collect(path, &mut files)?;
        files.sort();
        let mut text = Vec::new();
        for file in &files {
            let read = |source| Error::Read { path: file.clone(), source };
            let size = fs::metadata(file).map_err(read)?.len();
            if size > (MAX_BYTES - text.len()) as u64 {
                let problem = format!("holds more than {} MiB of text", MAX_BYTES >> 20);
                return Err(Error::Text { path: path.to_owned(), problem });
            }
            text.extend(fs::read(file).map_err(read)?);
        }
        Ok(text)
    }

    fn new(text: Vec<u8>, context: u32, path: &Path) -> Result<Self, Error> {
        let context = context as usize;
        let sequences = text.len() / (context + 1);
        if sequences < 2 * HELD_OUT_EVERY {
            let problem = format!(
                "holds {} bytes; training needs at least {}",
                text.len(),
                2 * HELD_OUT_EVERY * (context + 1)
            );
            return Err(Error::Text { path: path.to_owned(), problem });
        }
        let is_held_out = |index: usize| {
            index.is_multiple_of(HELD_OUT_EVERY) && index / HELD_OUT_EVERY < HELD_OUT
        };
        let (held_out, train): (Vec<usize>, Vec<usize>) =
            (0..sequences).partition(|index| is_held_out(*index));
        let narrow = |ids: Vec<usize>| ids.into_iter().map(|id| id as u32).collect();
        Ok(Self { text, context, train: narrow(train), held_out: narrow(held_out) })
    }

    /// What nodes must agree on.
    #[must_use]
    pub fn manifest(&self) -> DatasetManifest {
        let shard = |bytes: &[u8]| Shard {
            hash: *blake3::hash(bytes).as_bytes(),
            bytes: bytes.len() as u64,
        };
        DatasetManifest {
            tokenizer: "bytes".into(),
            context: self.context as u32,
            shards: self.text.chunks(SHARD_BYTES).map(shard).collect(),
            train_sequences: self.train.len() as u64,
            held_out_sequences: self.held_out.len() as u64,
        }
    }

    /// Sequences that heads draw from.
    #[must_use]
    pub fn train_sequences(&self) -> u64 {
        self.train.len() as u64
    }

    /// The `context + 1` tokens of a train sequence; none for an id beyond them.
    #[must_use]
    pub fn tokens(&self, id: u64) -> Option<Vec<u32>> {
        let index = *self.train.get(usize::try_from(id).ok()?)?;
        Some(self.sequence(index))
    }

    /// The sequences that nobody trains on, `context + 1` tokens each.
    pub fn held_out(&self) -> impl Iterator<Item = Vec<u32>> {
        self.held_out.iter().map(|index| self.sequence(*index))
    }

    fn sequence(&self, index: u32) -> Vec<u32> {
        let length = self.context + 1;
        let start = index as usize * length;
        self.text[start..start + length].iter().map(|byte| u32::from(*byte)).collect()
    }

    /// Entropy of the held-out targets' own byte frequencies, in nats per byte: the loss of the
    /// best model that ignores context.
    #[must_use]
    pub fn unigram_entropy(&self) -> f64 {
        let mut counts = [0u64; 256];
        for sequence in self.held_out() {
            sequence[1..].iter().for_each(|token| counts[*token as usize] += 1);
        }
        let total = counts.iter().sum::<u64>() as f64;
        let share = |count: &u64| *count as f64 / total;
        counts
            .iter()
            .filter(|count| **count > 0)
            .map(|count| -share(count) * share(count).ln())
            .sum()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_text_is_packed_without_overlap_and_hashes_alike() {
        let data = Dataset::embedded(64).unwrap();
        assert!(data.train_sequences() > 10_000 && data.held_out().count() >= 64);
        assert_eq!(data.manifest().hash(), Dataset::embedded(64).unwrap().manifest().hash());
        assert_ne!(data.manifest().hash(), Dataset::embedded(32).unwrap().manifest().hash());
        let held_out: Vec<u32> = data.held_out.clone();
        assert!(held_out.iter().all(|id| !data.train.contains(id)));
        assert_eq!(data.tokens(0).unwrap().len(), 65);
        assert!(data.tokens(data.train_sequences()).is_none() && data.tokens(u64::MAX).is_none());
        let entropy = data.unigram_entropy();
        assert!((2.5..4.5).contains(&entropy), "{entropy}");
    }

    #[test]
    fn a_folder_is_read_in_the_order_of_its_paths() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("b/x.txt"), vec![b'2'; 1000]).unwrap();
        fs::write(folder.path().join("a.txt"), vec![b'1'; 1000]).unwrap();
        let data = Dataset::open(folder.path(), 9).unwrap();
        assert_eq!(data.text[..1000], vec![b'1'; 1000]);
        assert_eq!(data.text[1000..], vec![b'2'; 1000]);
    }

    #[test]
    fn missing_and_short_texts_are_named() {
        let missing = Dataset::open(Path::new("/no/such/file"), 64).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read /no/such/file");
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "short").unwrap();
        let short = Dataset::open(file.path(), 64).unwrap_err().to_string();
        assert!(short.contains("holds 5 bytes"), "{short}");
    }
}
