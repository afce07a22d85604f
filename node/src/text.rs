//! The text that a node trains on: `--data`, or what is inside the program.

use std::path::{Path, PathBuf};

use iota_trainer::{Dataset, Hub, Places, Tokenizer};

use crate::error::{Context, Result};
use crate::{env, settings};

/// The hub's address.
const HUB: &str = "https://huggingface.co";

/// What stands for the tokenizer of bytes.
pub const BYTES: &str = "bytes";

/// Where shards come from and go to: the hub and the cache that the environment names.
#[must_use]
pub fn places() -> Places {
    let read = |name| std::env::var(name).ok().filter(|text: &String| !text.is_empty());
    let home = std::env::home_dir().unwrap_or_else(|| PathBuf::from("."));
    let cache = read(env::CACHE_HOME).map_or_else(|| home.join(".cache"), PathBuf::from);
    let endpoint = read(env::HF_ENDPOINT);
    let hub = Hub::new(endpoint.as_deref().unwrap_or(HUB), read(env::HF_TOKEN));
    Places { cache: cache.join("iota/data"), hub }
}

/// Opens the text, in sequences of `context` tokens unless it is a dataset that has its own.
///
/// # Errors
/// If it cannot be read, or is too short or too long.
pub fn open(data: Option<&Path>, context: u32) -> Result<Dataset> {
    let Some(path) = data else {
        return Dataset::embedded(context).or_user("cannot use the embedded text");
    };
    settings::check_data(Some(path))?;
    let hint = "name a text file, a folder of them, or what `iota data build` wrote";
    // Who trains cannot do without it.
    let Places { cache, hub } = places();
    let places = Places { cache, hub: hub.patient() };
    Dataset::open(path, context, &places)
        .or_argument("cannot use `--data`")
        .map_err(|error| error.hint(hint))
}

/// A `tokenizer.json`, or that of bytes, which is called so.
///
/// # Errors
/// If the file is none.
pub fn tokenizer(file: Option<&Path>) -> Result<Tokenizer> {
    let Some(file) = file.filter(|file| *file != Path::new(BYTES)) else {
        return Ok(Tokenizer::bytes());
    };
    Tokenizer::read(file)
        .or_argument("cannot use `--tokenizer`")
        .map_err(|error| error.hint("name a `tokenizer.json`, as `iota tokenizer train` writes it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_path_there_is_text_inside_the_program() {
        assert!(open(None, 64).unwrap().train_sequences() > 1000);
    }

    #[test]
    fn too_little_text_is_an_argument_error_that_says_how_much_is_needed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "too short").unwrap();
        let text = open(Some(file.path()), 64).unwrap_err().to_string();
        assert!(text.contains("holds 9 bytes; training needs at least"), "{text}");
        assert!(
            text.ends_with(
                "hint: name a text file, a folder of them, or what `iota data build` wrote"
            ),
            "{text}"
        );
    }
}
