//! The text that a node trains on: `--data`, or what is inside the program.

use std::path::Path;

use iota_trainer::Dataset;

use crate::error::{Context, Result};
use crate::settings;

/// Opens the text in sequences of `context` tokens.
///
/// # Errors
/// If it cannot be read, or is too short or too long.
pub fn open(data: Option<&Path>, context: u32) -> Result<Dataset> {
    let Some(path) = data else {
        return Dataset::embedded(context).or_user("cannot use the embedded text");
    };
    settings::check_data(Some(path))?;
    let hint = "name a text file or a folder of text files";
    Dataset::open(path, context)
        .or_argument("cannot use `--data`")
        .map_err(|error| error.hint(hint))
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
        assert!(text.ends_with("hint: name a text file or a folder of text files"), "{text}");
    }
}
