//! Text to tokens and back: bytes, or a `tokenizer.json` of Hugging Face.

use std::fs;
use std::path::Path;

use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, TokenizerBuilder};

use crate::Error;

/// Greatest file that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// Tokens that end a document, of which a tokenizer has one or none.
const ENDS: [&str; 5] = ["<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|eot_id|>"];
/// Bytes of text that are tokenized at a time: what a tokenizer keeps of them is many times larger.
const PIECE: usize = 1 << 20;
/// What ends a document where tokens are bytes: no text has it.
const END_BYTE: u32 = 0;

/// How a text becomes tokens.
#[derive(Clone, Default)]
pub struct Tokenizer {
    /// None: every byte is a token.
    inner: Option<Box<Inner>>,
}

#[derive(Clone)]
struct Inner {
    model: tokenizers::Tokenizer,
    hash: blake3::Hash,
    end: Option<u32>,
}

impl Tokenizer {
    /// Every byte is a token.
    #[must_use]
    pub fn bytes() -> Self {
        Self::default()
    }

    /// Reads a `tokenizer.json`. What it says of truncation, padding and special tokens at the ends is not
    /// followed: sequences are packed.
    ///
    /// # Errors
    /// [`Error::Read`] for what cannot be read, [`Error::Text`] for a file that is no tokenizer.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let bad = |problem: String| Error::Text { path: path.to_owned(), problem };
        if fs::metadata(path).map_err(read)?.len() > MAX_BYTES {
            return Err(bad(format!("has more than {} MiB", MAX_BYTES >> 20)));
        }
        Self::parse(&fs::read(path).map_err(read)?).map_err(|error| bad(format!("is {error}")))
    }

    /// A tokenizer from the bytes of a `tokenizer.json`.
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let model = tokenizers::Tokenizer::from_bytes(bytes);
        let mut model = model.map_err(|error| format!("no tokenizer: {error}"))?;
        model.with_truncation(None).map_err(|error| format!("no tokenizer: {error}"))?;
        model.with_padding(None);
        let draws = |model: &ModelWrapper| match model {
            ModelWrapper::BPE(pairs) => pairs.dropout.is_some_and(|share| share > 0.0),
            _ => false,
        };
        if draws(model.get_model()) {
            return Err("a tokenizer that draws lots (`dropout`): no two nodes would agree".into());
        }
        let end = ENDS.iter().find_map(|token| model.token_to_id(token));
        let hash = blake3::hash(bytes);
        Ok(Self { inner: Some(Box::new(Inner { model, hash, end })) })
    }

    /// What a manifest calls it: `bytes`, or `blake3:` and the hash of its file.
    #[must_use]
    pub fn name(&self) -> String {
        self.inner.as_ref().map_or("bytes".into(), |inner| format!("blake3:{}", inner.hash))
    }

    /// Ids are below it.
    #[must_use]
    pub fn vocab(&self) -> u32 {
        let Some(inner) = &self.inner else { return 256 };
        let ids = inner.model.get_vocab(true).into_values();
        ids.max().map_or(0, |id| id.saturating_add(1))
    }

    /// The tokens of a document, with the one that ends it, if there is one.
    ///
    /// # Errors
    /// [`Error::Input`] for a text that the tokenizer cannot take.
    pub fn encode(&self, text: &[u8]) -> Result<Vec<u32>, Error> {
        let mut tokens = self.encode_open(text)?;
        tokens.extend(self.end());
        Ok(tokens)
    }

    /// The tokens of a text that does not end.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_open(&self, text: &[u8]) -> Result<Vec<u32>, Error> {
        let Some(inner) = &self.inner else {
            return Ok(text.iter().copied().map(u32::from).collect());
        };
        let mut tokens = Vec::new();
        for piece in pieces(text) {
            let piece = String::from_utf8_lossy(piece);
            let encoding = inner.model.encode_fast(piece.as_ref(), false);
            let encoding =
                encoding.map_err(|error| Error::Input(format!("the tokenizer: {error}")))?;
            tokens.extend(encoding.get_ids());
        }
        Ok(tokens)
    }

    /// The token that ends a document.
    #[must_use]
    pub fn end(&self) -> Option<u32> {
        self.inner.as_ref().map_or(Some(END_BYTE), |inner| inner.end)
    }

    /// The bytes of some tokens; ids that do not exist are nothing.
    #[must_use]
    pub fn decode(&self, tokens: &[u32]) -> Vec<u8> {
        match &self.inner {
            None => tokens.iter().map(|token| *token as u8).collect(),
            Some(inner) => inner.model.decode(tokens, false).unwrap_or_default().into_bytes(),
        }
    }

    /// How that is written, and its id; none where tokens are bytes.
    #[must_use]
    pub fn end_token(&self) -> Option<(String, u32)> {
        let inner = self.inner.as_ref()?;
        Some((inner.model.id_to_token(inner.end?)?, inner.end?))
    }

    /// Learns byte pairs (BPE on bytes, as GPT-2 has them) from documents, and returns the
    /// `tokenizer.json` of at most `vocab` tokens, `<|endoftext|>` among them.
    ///
    /// # Errors
    /// [`Error::Input`] for fewer tokens than bytes, or documents nothing can be learnt from; what `documents`
    /// fail with.
    pub fn train(
        vocab: u32,
        documents: impl Iterator<Item = Result<Vec<u8>, Error>> + Send,
    ) -> Result<String, Error> {
        if vocab < 257 {
            return Err(Error::Input("a vocabulary of byte pairs has 257 tokens or more".into()));
        }
        let failed = |error: tokenizers::Error| Error::Input(format!("the tokenizer: {error}"));
        let mut alphabet: Vec<char> = ByteLevel::alphabet().into_iter().collect();
        alphabet.sort_unstable();
        let mut trainer = BpeTrainerBuilder::new()
            .show_progress(false)
            .vocab_size(vocab as usize)
            .initial_alphabet(alphabet.into_iter().collect())
            .special_tokens(vec![AddedToken::from(ENDS[0], true)])
            .build();
        let bytes = ByteLevel::new(false, true, true);
        let mut model = TokenizerBuilder::default()
            .with_model(BPE::default())
            .with_normalizer(None::<tokenizers::normalizers::NFC>)
            .with_pre_tokenizer(Some(bytes))
            .with_post_processor(Some(ByteLevel::default().trim_offsets(false)))
            .with_decoder(Some(bytes))
            .build()
            .map_err(failed)?;
        let mut problem = None;
        let texts = documents.map_while(|document| match document {
            Ok(document) => Some(String::from_utf8_lossy(&document).into_owned()),
            Err(error) => {
                problem = Some(error);
                None
            }
        });
        model.train(&mut trainer, texts).map_err(failed)?;
        if let Some(problem) = problem {
            return Err(problem);
        }
        model.to_string(true).map_err(failed)
    }
}

/// A text in pieces of bounded size, cut behind a line where there is one: the same ones everywhere.
fn pieces(mut text: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while text.len() > PIECE {
        let lines = text[..PIECE].iter().rposition(|byte| *byte == b'\n');
        // Else before a character begins.
        let is_start = |at: &usize| text[*at] & 0xc0 != 0x80;
        let end = lines.map_or_else(|| (1..=PIECE).rev().find(is_start), |line| Some(line + 1));
        let (piece, rest) = text.split_at(end.unwrap_or(PIECE));
        pieces.push(piece);
        text = rest;
    }
    pieces.push(text);
    pieces
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trained(vocab: u32) -> Tokenizer {
        let text = "the cat sat on the mat, and the cat saw the other cat\n".repeat(50);
        let documents = [text.into_bytes(), "h\u{e9}llo w\u{f6}rld".repeat(20).into_bytes()];
        let file = Tokenizer::train(vocab, documents.into_iter().map(Ok)).unwrap();
        Tokenizer::parse(file.as_bytes()).unwrap()
    }

    #[test]
    fn trained_byte_pairs_are_shorter_and_give_any_text_back() {
        let tokenizer = trained(280);
        let text = "the cat, \u{1f600} h\u{e9}llo \r\n\t\0 fn main() {}".as_bytes();
        let tokens = tokenizer.encode_open(text).unwrap();
        assert!(tokens.len() < text.len(), "{} tokens", tokens.len());
        assert_eq!(tokenizer.decode(&tokens), text);
        assert!(tokens.iter().all(|token| *token < tokenizer.vocab()));
        assert_eq!(tokenizer.vocab(), 280);
    }

    #[test]
    fn long_texts_are_cut_behind_lines_or_between_characters_and_nothing_is_lost() {
        for text in ["\u{20ac}".repeat(PIECE), "line\n".repeat(PIECE), "x".repeat(3 * PIECE + 5)] {
            let pieces = pieces(text.as_bytes());
            assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.len() <= PIECE));
            assert!(pieces.iter().all(|piece| std::str::from_utf8(piece).is_ok()));
            assert_eq!(pieces.concat(), text.as_bytes());
        }
        assert!(pieces(&[0x80; 2 * PIECE]).len() >= 2);
    }

    #[test]
    fn a_tokenizer_that_draws_lots_is_refused() {
        let file = Tokenizer::train(260, std::iter::once(Ok(b"abab".to_vec()))).unwrap();
        let file = file.replace("\"dropout\": null", "\"dropout\": 0.1");
        assert!(Tokenizer::parse(file.as_bytes()).unwrap_err().contains("draws lots"));
    }

    #[test]
    fn documents_end_with_the_token_for_it() {
        let tokenizer = trained(280);
        let (open, whole) =
            (tokenizer.encode_open(b"cat").unwrap(), tokenizer.encode(b"cat").unwrap());
        assert_eq!(whole[..open.len()], open);
        assert_eq!(tokenizer.decode(&whole[open.len()..]), b"<|endoftext|>");
        assert_eq!(Tokenizer::bytes().encode(b"a").unwrap(), [97, 0]);
    }

    #[test]
    fn the_same_text_trains_the_same_tokenizer() {
        assert_eq!(trained(285).name(), trained(285).name());
        assert_ne!(trained(285).name(), trained(280).name());
        assert_eq!(Tokenizer::bytes().name(), "bytes");
    }

    #[test]
    fn what_is_no_tokenizer_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "{}").unwrap();
        let error = Tokenizer::read(file.path()).unwrap_err().to_string();
        assert!(error.contains("is no tokenizer"), "{error}");
        assert!(Tokenizer::train(256, std::iter::empty()).is_err());
    }
}
