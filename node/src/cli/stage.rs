//! `iota stage`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::preset::Preset;

/// The verbs of `iota stage`.
#[derive(Clone, Debug, Subcommand)]
pub enum StageCommand {
    /// Show what each stage of a model costs: parameters, memory, work, bytes on the wire
    Plan(StagePlanArgs),
}

/// What `iota stage plan` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  iota stage plan --manifest run.toml
  iota stage plan --preset 15b --in-flight 2 --recompute
  iota stage plan --preset 100m --device cpu")]
pub struct StagePlanArgs {
    /// A run's manifest
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    #[arg(required_unless_present = "preset", conflicts_with = "preset")]
    pub manifest: Option<PathBuf>,
    /// A model that is known by its size
    #[arg(long, value_name = "NAME")]
    pub preset: Option<Preset>,
    /// What is to compute it [default: a GPU, where it has kernels for the model]
    #[arg(long, value_enum, value_name = "KIND")]
    pub device: Option<DeviceKind>,
    /// Microbatches in flight [default: as many as a stage of the run holds]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub in_flight: Option<u64>,
    /// Compute activations again instead of keeping them
    #[arg(long)]
    pub recompute: bool,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Kinds of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceKind {
    /// The machine's cores
    Cpu,
    /// A GPU of NVIDIA
    Cuda,
}
