//! The documents in a file: lines of JSON, rows of a Parquet table, or the file as it is; `.zst` of the first
//! and the last.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use parquet::basic::Type as Physical;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescPtr;

use crate::Error;

/// Greatest text that is a file, and greatest record of one that has many, in bytes.
const MAX_TEXT: u64 = 256 << 20;
const MAX_DOCUMENT: u64 = 64 << 20;
/// Rows of a table that are read at a time.
const ROWS: usize = 256;

/// Documents, one after the other.
pub(crate) type Documents = Box<dyn Iterator<Item = Result<Vec<u8>, Error>> + Send>;

/// How a file holds documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// It is one.
    Text,
    /// One JSON object on each line.
    Lines,
    /// A Parquet table.
    Table,
}

/// What a name says of its file, and whether that is compressed; none for other files.
fn form(name: &str) -> Option<(Form, bool)> {
    let lower = name.to_ascii_lowercase();
    let (plain, compressed) = match lower.strip_suffix(".zst") {
        Some(plain) => (plain, true),
        None => (&lower[..], false),
    };
    match plain.rsplit_once('.')?.1 {
        "jsonl" | "ndjson" => Some((Form::Lines, compressed)),
        "parquet" if !compressed => Some((Form::Table, false)),
        "txt" | "text" | "md" => Some((Form::Text, compressed)),
        _ => None,
    }
}

/// Whether a file of this name holds documents that can be read.
pub(crate) fn is_known(name: &str) -> bool {
    form(name).is_some()
}

/// Opens a file whose form its name tells; `field` of each record is the text.
///
/// # Errors
/// [`Error::Read`] for what cannot be read, [`Error::Text`] for a file of no known form or without the field.
pub(crate) fn documents(path: &Path, name: &str, field: &str) -> Result<Documents, Error> {
    let bad = |problem: String| Error::Text { path: path.to_owned(), problem };
    let Some((form, compressed)) = form(name) else {
        return Err(bad("is no .parquet, .jsonl, .txt or .md, nor .zst of the last three".into()));
    };
    let read = |source| Error::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(read)?;
    if form == Form::Table {
        return Ok(Box::new(Table::open(file, path, field)?));
    }
    let plain: Box<dyn Read + Send> =
        if compressed { Box::new(zstd::Decoder::new(file).map_err(read)?) } else { Box::new(file) };
    if form == Form::Lines {
        let (reader, field) = (BufReader::new(plain), field.to_owned());
        return Ok(Box::new(Lines { reader, path: path.to_owned(), field, line: 0 }));
    }
    let mut text = Vec::new();
    plain.take(MAX_TEXT + 1).read_to_end(&mut text).map_err(read)?;
    if text.len() as u64 > MAX_TEXT {
        return Err(bad(format!("holds more than {} MiB of text", MAX_TEXT >> 20)));
    }
    Ok(Box::new(std::iter::once(Ok(text))))
}

/// Documents on lines.
struct Lines<R> {
    reader: BufReader<R>,
    path: PathBuf,
    field: String,
    line: u64,
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut line = Vec::new();
            self.line += 1;
            let limited = self.reader.by_ref().take(MAX_DOCUMENT + 1).read_until(b'\n', &mut line);
            match limited {
                Err(source) => {
                    return Some(Err(Error::Read { path: self.path.clone(), source }));
                }
                Ok(0) => return None,
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) => {
                    // None: a record without a text.
                    if let Some(text) = self.text(&line).transpose() {
                        return Some(text);
                    }
                }
            }
        }
    }
}

impl<R> Lines<R> {
    fn text(&self, line: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let bad = |problem: String| Error::Text {
            path: self.path.clone(),
            problem: format!("line {}: {problem}", self.line),
        };
        if line.len() as u64 > MAX_DOCUMENT {
            return Err(bad(format!("more than {} MiB", MAX_DOCUMENT >> 20)));
        }
        let record: serde_json::Value =
            serde_json::from_slice(line).map_err(|error| bad(error.to_string()))?;
        match record.get(&self.field) {
            Some(serde_json::Value::String(text)) => Ok(Some(text.clone().into_bytes())),
            Some(serde_json::Value::Null) => Ok(None),
            _ => Err(bad(format!("no text in the field `{}`", self.field))),
        }
    }
}

/// The texts of a table; rows without one are left out.
struct Table {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    column: usize,
    /// The group of rows that comes next.
    group: usize,
    rows: Option<ColumnReaderImpl<ByteArrayType>>,
    read: std::vec::IntoIter<ByteArray>,
}

impl Table {
    fn open(file: File, path: &Path, field: &str) -> Result<Self, Error> {
        let path = path.to_owned();
        let bad = |problem: String| Error::Text { path: path.clone(), problem };
        let reader = SerializedFileReader::new(file);
        let reader = reader.map_err(|error| bad(format!("is no table: {error}")))?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let is_text = |column: &ColumnDescPtr| {
            column.path().string() == field
                && column.physical_type() == Physical::BYTE_ARRAY
                && column.max_rep_level() == 0
        };
        let Some(column) = schema.columns().iter().position(is_text) else {
            return Err(bad(format!("has no column of texts called `{field}`")));
        };
        Ok(Self { path, reader, column, group: 0, rows: None, read: Vec::new().into_iter() })
    }

    /// Reads on; false at the end.
    fn more(&mut self) -> Result<bool, ParquetError> {
        if let Some(rows) = &mut self.rows {
            let (mut defined, mut texts) = (Vec::new(), Vec::new());
            let (records, ..) = rows.read_records(ROWS, Some(&mut defined), None, &mut texts)?;
            self.read = texts.into_iter();
            if records == 0 {
                self.rows = None;
            }
            return Ok(true);
        }
        if self.group == self.reader.num_row_groups() {
            return Ok(false);
        }
        let group = self.reader.get_row_group(self.group)?;
        self.group += 1;
        match group.get_column_reader(self.column)? {
            ColumnReader::ByteArrayColumnReader(rows) => self.rows = Some(rows),
            _ => return Err(ParquetError::General("a column of another type".into())),
        }
        Ok(true)
    }
}

impl Iterator for Table {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let bad = |problem| Some(Err(Error::Text { path: self.path.clone(), problem }));
            if let Some(text) = self.read.next() {
                if text.len() as u64 > MAX_DOCUMENT {
                    return bad(format!("has a text of more than {} MiB", MAX_DOCUMENT >> 20));
                }
                return Some(Ok(text.data().to_vec()));
            }
            // The library promises errors, and panics on some damage.
            let more = catch_unwind(AssertUnwindSafe(|| self.more()));
            let problem = match more {
                Ok(Ok(true)) => continue,
                Ok(Ok(false)) => return None,
                Ok(Err(ParquetError::NYI(what))) => {
                    format!("is compressed otherwise than with snappy or zstd: {what}")
                }
                Ok(Err(error)) => format!("is damaged: {error}"),
                Err(_) => "is damaged".into(),
            };
            (self.group, self.rows) = (self.reader.num_row_groups(), None);
            return Some(Err(Error::Text { path: self.path.clone(), problem }));
        }
    }
}
