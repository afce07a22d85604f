//! `iota eval`, `iota generate` and `iota export`: what is done with a trained model.

use std::path::PathBuf;

use clap::Args;

/// What `iota eval` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  iota eval checkpoints/epoch-5                        text that a demo holds out
  iota eval checkpoints/epoch-5 --data book.txt        all of a text")]
pub struct EvalArgs {
    /// Folder with the model's stages, as a validator writes them
    #[arg(value_name = "CHECKPOINT", value_hint = clap::ValueHint::DirPath)]
    pub checkpoint: PathBuf,
    /// Text to measure on, all of it, a file or a folder; without it, what a run on the text that comes
    /// with the program's sources holds out
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub data: Option<PathBuf>,
    /// The `tokenizer.json` of its run, or `bytes` [default: bytes, if it knows about as many tokens]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub tokenizer: Option<PathBuf>,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `iota generate` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  iota generate checkpoints/epoch-5 'fn main() {'
  iota generate checkpoints/epoch-5 'fn' --tokens 400 --temperature 0.7 --seed 3")]
pub struct GenerateArgs {
    /// Folder with the model's stages, as a validator writes them
    #[arg(value_name = "CHECKPOINT", value_hint = clap::ValueHint::DirPath)]
    pub checkpoint: PathBuf,
    /// Text that the model goes on from
    #[arg(value_name = "PROMPT", default_value = "\n", allow_hyphen_values = true)]
    pub prompt: String,
    /// The `tokenizer.json` of its run, or `bytes` [default: bytes, if it knows about as many tokens]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub tokenizer: Option<PathBuf>,
    /// How many tokens to draw
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub tokens: usize,
    /// 0 takes the likeliest token each time, 1 draws as likely as the model says
    #[arg(long, value_name = "T", default_value_t = 0.8)]
    pub temperature: f32,
    /// Draw from the N likeliest tokens only; 0 = from all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub top_k: usize,
    /// Draw from the likeliest tokens that together have this probability
    #[arg(long, value_name = "P", default_value_t = 0.95)]
    pub top_p: f32,
    /// What draws follow from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// What `iota export` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example:
  iota export checkpoints/epoch-5 --hf my-model

In Python, then:
  AutoModelForCausalLM.from_pretrained(\"my-model\", trust_remote_code=True)")]
pub struct ExportArgs {
    /// Folder with the model's stages, as a validator writes them
    #[arg(value_name = "CHECKPOINT", value_hint = clap::ValueHint::DirPath)]
    pub checkpoint: PathBuf,
    /// Folder to write for Hugging Face `transformers`; must be empty or new
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub hf: PathBuf,
    /// The `tokenizer.json` of its run, or `bytes` [default: bytes, if it knows about as many tokens]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub tokenizer: Option<PathBuf>,
}
