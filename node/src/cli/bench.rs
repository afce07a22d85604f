//! `iota bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The verbs of `iota bench`.
#[derive(Clone, Debug, Subcommand)]
pub enum BenchCommand {
    /// Train a small model through cuts of several ratios, and without, on as many tokens
    Bottleneck(BottleneckArgs),
}

/// What `iota bench bottleneck` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  iota bench bottleneck                                  ratios 8 to 128, one seed
  iota bench bottleneck --ratios 32,128 --seeds 1,2,3 --plot loss.svg
  iota bench bottleneck --ratios 32 --d-model 512 --muon")]
pub struct BottleneckArgs {
    /// How many times smaller than bf16 codes are
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "8,16,32,64,128")]
    pub ratios: Vec<u32>,
    /// Seeds; losses are means over them
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1")]
    pub seeds: Vec<u8>,
    /// Width of the model
    #[arg(long, value_name = "N", default_value_t = 256)]
    #[arg(value_parser = clap::value_parser!(u32).range(32..=8192))]
    pub d_model: u32,
    /// Blocks of the model
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub layers: u32,
    /// Stages of the model, one more than cuts
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u16).range(2..=64))]
    pub stages: u16,
    /// Steps of 8 sequences of 256 bytes
    #[arg(long, value_name = "N", default_value_t = 600)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: u32,
    /// Learning rate, in millionths
    #[arg(long, value_name = "N", default_value_t = 3_000)]
    pub lr_micro: u32,
    /// Bits of each value of a code: 8, 4, 2 or 1
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub bits: u32,
    /// Dimensions in which stages embed the tokens again [default: those that no code reaches]
    #[arg(long, value_name = "N")]
    pub token_width: Option<u32>,
    /// Tokens that share these: the present one, and as many before it
    #[arg(long, value_name = "N", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=8))]
    pub token_span: u32,
    /// Leave out that dimensions cross a cut as they are
    #[arg(long)]
    pub no_residual: bool,
    /// Let matrices follow Muon instead of AdamW
    #[arg(long)]
    pub muon: bool,
    /// Draw the losses over the steps into an SVG file
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub plot: Option<PathBuf>,
    /// Write one JSON object per cut
    #[arg(long)]
    pub json: bool,
}
