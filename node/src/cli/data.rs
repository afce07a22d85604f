//! `iota data` and `iota tokenizer`: from files to what a run trains on.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The verbs of `iota data`.
#[derive(Clone, Debug, Subcommand)]
pub enum DataCommand {
    /// Describe a dataset: read every file, hash it, make tokens of it, count its sequences
    Build(DataBuildArgs),
    /// Get all shards of a dataset ready, so that nothing is waited for later
    Fetch(DataArgs),
    /// Show what a dataset is made of
    Show(DataArgs),
}

/// What `iota data build` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  iota data build corpus/ --context 256
  iota data build corpus/ --tokenizer tokenizer.json --out my-data
  iota data build hf://datasets/HuggingFaceFW/fineweb/sample/10BT --tokenizer llama.json --out web

SOURCE is a folder, or a dataset of the Hugging Face hub. Each .parquet, .jsonl, .txt or .md file
in it (.zst of the last three) becomes a shard, but for README and LICENSE files. Nodes then take
the folder of `--out` as their `--data`. HF_TOKEN opens what is not public, HF_ENDPOINT names a
mirror; what was packed is kept in ~/.cache/iota/data.")]
pub struct DataBuildArgs {
    /// A folder, or `hf://datasets/OWNER/NAME[@REVISION][/FOLDER]`
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// Folder for the description and the tokenizer [default: SOURCE, if it is a folder]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// A `tokenizer.json`; without it, bytes are tokens
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub tokenizer: Option<PathBuf>,
    /// Tokens of a sequence that are inputs; the run's `model.context`
    #[arg(long, value_name = "N", default_value_t = 256)]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=1 << 20))]
    pub context: u32,
    /// Field of a record, or column of a table, that is the text
    #[arg(long, value_name = "NAME", default_value = "text")]
    pub field: String,
    /// Take the first N files only
    #[arg(long, value_name = "N")]
    pub shards: Option<usize>,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `iota data fetch` and `iota data show` take.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example:
  iota data fetch fineweb")]
pub struct DataArgs {
    /// What `iota data build` wrote
    #[arg(value_name = "DATASET", value_hint = clap::ValueHint::AnyPath)]
    pub dataset: PathBuf,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The verbs of `iota tokenizer`.
#[derive(Clone, Debug, Subcommand)]
pub enum TokenizerCommand {
    /// Learn byte pairs (BPE) from text, and write a `tokenizer.json`
    Train(TokenizerTrainArgs),
}

/// What `iota tokenizer train` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example:
  iota tokenizer train corpus/ --vocab 4096 --out tokenizer.json")]
pub struct TokenizerTrainArgs {
    /// Folder of .parquet, .jsonl, .txt and .md files (.zst of the last three)
    #[arg(value_name = "SOURCE", value_hint = clap::ValueHint::DirPath)]
    pub source: PathBuf,
    /// Tokens to learn, the 256 bytes and the end of documents among them
    #[arg(long, value_name = "N", default_value_t = 4096)]
    #[arg(value_parser = clap::value_parser!(u32).range(257..=1 << 20))]
    pub vocab: u32,
    /// File to write
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub out: PathBuf,
    /// Field of a record, or column of a table, that is the text
    #[arg(long, value_name = "NAME", default_value = "text")]
    pub field: String,
}
