//! Tokens in sequences of a fixed length, in memory or in a file.
//!
//! ```text
//! magic [8] | BLAKE3 of what follows [32] | context u32 | bytes per token u32 | sequences u64 | tokens
//! ```
//!
//! A token takes 1, 2 or 4 little-endian bytes, as few as the vocabulary allows; a sequence is `context + 1`
//! tokens. Documents follow one another, and what does not fill a sequence at the end is left out.

use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::LazyLock;

use memmap2::Mmap;
use rayon::prelude::*;

use super::documents::Documents;
use super::tokenizer::Tokenizer;
use crate::Error;

/// First bytes of a file.
const MAGIC: &[u8; 8] = b"iotapak1";
/// Where what is hashed begins, and the tokens.
const HASHED: usize = 40;
const HEADER: usize = 56;
/// Documents, and bytes of them, that are tokenized at a time.
const AT_A_TIME: (usize, usize) = (1024, 16 << 20);

/// Tokenizing leaves half of the machine to training.
static THREADS: LazyLock<Option<rayon::ThreadPool>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let builder = rayon::ThreadPoolBuilder::new().num_threads(cores.div_ceil(2));
    builder.thread_name(|index| format!("iota-tokens-{index}")).build().ok()
});

/// Sequences of one shard.
#[derive(Debug)]
pub(crate) struct Packed {
    store: Store,
    context: usize,
    width: usize,
}

#[derive(Debug)]
enum Store {
    Memory(Vec<u8>),
    File(Mmap),
}

/// Bytes per token.
fn width(vocab: u32) -> usize {
    match vocab {
        ..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

impl Packed {
    /// Bytes as tokens.
    pub(crate) fn bytes(text: Vec<u8>, context: u32) -> Self {
        Self { store: Store::Memory(text), context: context as usize, width: 1 }
    }

    fn data(&self) -> &[u8] {
        match &self.store {
            Store::Memory(text) => text,
            Store::File(map) => &map[HEADER..],
        }
    }

    /// How many sequences there are.
    pub(crate) fn sequences(&self) -> u64 {
        (self.data().len() / (self.width * (self.context + 1))) as u64
    }

    /// BLAKE3 of what a file of these sequences holds behind it.
    pub(crate) fn hash(&self) -> [u8; 32] {
        match &self.store {
            Store::File(map) => map[MAGIC.len()..HASHED].try_into().expect("a hash has 32 bytes"),
            Store::Memory(text) => {
                let len = self.sequences() as usize * (self.context + 1) * self.width;
                let mut hasher = blake3::Hasher::new();
                hasher.update(&numbers(self.context as u32, self.width, self.sequences()));
                *hasher.update(&text[..len]).finalize().as_bytes()
            }
        }
    }

    /// A sequence; none beyond the last.
    pub(crate) fn sequence(&self, index: u64) -> Option<Vec<u32>> {
        let len = (self.context + 1) * self.width;
        let start = usize::try_from(index).ok()?.checked_mul(len)?;
        let bytes = self.data().get(start..start.checked_add(len)?)?;
        let token =
            |bytes: &[u8]| bytes.iter().rev().fold(0, |token, byte| token << 8 | u32::from(*byte));
        Some(bytes.chunks(self.width).map(token).collect())
    }

    /// Maps a file and checks all of it; what is damaged or of another kind is an error.
    pub(crate) fn open(path: &Path, context: u32, vocab: u32) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let bad = |problem: &str| Error::Text { path: path.to_owned(), problem: problem.into() };
        let file = File::open(path).map_err(read)?;
        // SAFETY: the file is private to this program, which replaces such files and never changes one.
        let map = unsafe { Mmap::map(&file) }.map_err(read)?;
        let width = width(vocab);
        let (Some(header), Some(data)) = (map.get(..HEADER), map.get(HEADER..)) else {
            return Err(bad("is cut off"));
        };
        let sequences = data.len() / (width * (context as usize + 1));
        let is_whole = data.len() == sequences * width * (context as usize + 1);
        let expected = numbers(context, width, sequences as u64);
        if !is_whole || header[..MAGIC.len()] != MAGIC[..] || header[HASHED..] != expected {
            return Err(bad("holds no sequences of this kind"));
        }
        let found = blake3::hash(&map[HASHED..]);
        if header[MAGIC.len()..HASHED] != found.as_bytes()[..] {
            return Err(bad("is damaged"));
        }
        Ok(Self { store: Store::File(map), context: context as usize, width })
    }
}

/// What stands in a file before its tokens.
fn numbers(context: u32, width: usize, sequences: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&context.to_le_bytes());
    bytes[4..8].copy_from_slice(&(width as u32).to_le_bytes());
    bytes[8..].copy_from_slice(&sequences.to_le_bytes());
    bytes
}

/// Tokenizes documents into a file: aside first, then renamed. Tells the bytes read after each batch.
/// Who calls holds the lock of the shard.
///
/// # Errors
/// What `documents` and the tokenizer fail with, [`Error::Text`] for more than `most` sequences,
/// [`Error::Write`] for what the system refuses.
pub(crate) fn pack(
    path: &Path,
    documents: Documents,
    tokenizer: &Tokenizer,
    (context, most): (u32, u64),
    mut tell: impl FnMut(u64),
) -> Result<(), Error> {
    let write = |source| Error::Write { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(write)?;
    // What a kill left there is overwritten, and an error leaves nothing.
    let aside = tempfile::TempPath::try_from_path(path.with_extension("new")).map_err(write)?;
    let file = File::options().create(true).truncate(true).read(true).write(true).open(&aside);
    let file = file.map_err(write)?;
    let width = width(tokenizer.vocab());
    let mut out = BufWriter::with_capacity(1 << 20, file);
    out.write_all(&[0; HEADER]).map_err(write)?;
    let mut tokens = 0u64;
    let mut documents = documents.fuse();
    loop {
        let batch = batch(&mut documents)?;
        if batch.is_empty() {
            break;
        }
        let encode = || batch.par_iter().map(|text| tokenizer.encode(text)).collect();
        let encoded: Result<Vec<Vec<u32>>, Error> = match &*THREADS {
            Some(threads) => threads.install(encode),
            None => encode(),
        };
        let encoded = encoded?;
        for token in encoded.iter().flatten() {
            out.write_all(&token.to_le_bytes()[..width]).map_err(write)?;
        }
        tokens += encoded.iter().map(|tokens| tokens.len() as u64).sum::<u64>();
        // A few bytes may unpack to a disk full of text.
        if tokens / (u64::from(context) + 1) > most {
            let problem = format!("would fill more than {most} sequences");
            return Err(Error::Text { path: path.to_owned(), problem });
        }
        tell(batch.iter().map(|text| text.len() as u64).sum());
    }
    let mut file = out.into_inner().map_err(|error| write(error.into_error()))?;
    let length = u64::from(context) + 1;
    let sequences = tokens / length;
    let size = HEADER as u64 + sequences * length * width as u64;
    let numbers = numbers(context, width, sequences);
    let mut end = || -> std::io::Result<()> {
        let handle = &mut file;
        handle.set_len(size)?;
        handle.seek(SeekFrom::Start(HASHED as u64))?;
        handle.write_all(&numbers)?;
        let mut hasher = blake3::Hasher::new();
        handle.seek(SeekFrom::Start(HASHED as u64))?;
        hasher.update_reader(&mut *handle)?;
        handle.seek(SeekFrom::Start(0))?;
        handle.write_all(MAGIC)?;
        handle.write_all(hasher.finalize().as_bytes())?;
        handle.sync_all()
    };
    end().map_err(write)?;
    aside.persist(path).map_err(|error| write(error.error))
}

/// The next documents, as many as are tokenized at a time; none at the end.
fn batch(
    documents: &mut impl Iterator<Item = Result<Vec<u8>, Error>>,
) -> Result<Vec<Vec<u8>>, Error> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < AT_A_TIME.0 && bytes < AT_A_TIME.1 {
        let Some(text) = documents.next() else { break };
        let text = text?;
        bytes += text.len();
        batch.push(text);
    }
    Ok(batch)
}
