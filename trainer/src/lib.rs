//! Train one stage of a model and produce updates that others can check.
//!
//! ```text
//! text -> Dataset -> tokens -> Stage (head) -> code -> Stage (body) -> code -> Stage (tail) -> loss
//!                                     <- gradient of the code <-        <- gradient <-
//! ```
//!
//! A [`Stage`] owns flat f32 master parameters. Codes and their gradients cross stages as the wire
//! bytes of [`code`]; what one stage sends is exactly what the next one computes with, so anyone
//! with the same bytes and parameters repeats every step. On one machine the result is the same bit
//! for bit, whatever the number of threads: sums are split in parts of fixed sizes.
//!
//! What this crate does not do: choose text, talk to peers, merge.

mod adam;
#[doc(hidden)]
pub mod bench;
mod block;
mod buffer;
mod checkpoint;
pub mod code;
mod config;
mod cpu;
mod data;
mod device;
mod engine;
mod eval;
mod export;
#[cfg_attr(
    not(any(test, feature = "cuda")),
    expect(dead_code, reason = "without CUDA a plan only counts what the engine would take")
)]
mod gpu;
mod model;
mod muon;
mod ops;
mod plan;
mod pool;
mod reference;
mod stage;
pub mod study;
mod whole;

pub use checkpoint::Checkpoint;
pub use code::{code_values, scrambled_code, zeroed_code};
pub use config::{AdamConfig, CutConfig, ModelConfig, Precision, StageConfig};
pub use data::{
    Build, Dataset, DatasetManifest, Hub, Origin, Places, Repository, Shard, Step, Tokenizer,
    train_tokenizer,
};
pub use device::Device;
pub use eval::{Ablation, held_out_loss};
pub use export::{needs_code, to_hugging_face};
pub use plan::StagePlan;
pub use reference::Reference;
pub use stage::{Flight, Input, Options, Stage, StepInfo, TailOutput, snapshot_params};

pub use whole::{Sampling, Whole};

/// Why the trainer refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting breaks a rule.
    #[error("invalid configuration: {0}")]
    Config(String),
    /// Input of the wrong length, token out of range, or bytes that are no code.
    #[error("invalid input: {0}")]
    Input(String),
    /// Parameters at an earlier step that are no longer kept.
    #[error("parameters of step {version} are gone (kept: {oldest} to {newest})")]
    Version {
        /// Step asked for.
        version: u32,
        /// Oldest step kept.
        oldest: u32,
        /// The present step.
        newest: u32,
    },
    /// A gradient or parameter became NaN or infinite.
    #[error("training diverged: {0} is not finite")]
    Diverged(&'static str),
    /// A device that refuses, or fails.
    #[error("{device}: {problem}")]
    Device {
        /// Which one.
        device: String,
        /// What it says.
        problem: String,
    },
    /// Text that cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which file or folder.
        path: std::path::PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file that cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// Which file.
        path: std::path::PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The Hugging Face hub does not give what is asked for.
    #[error("{address}: {problem}")]
    Hub {
        /// What was asked for.
        address: String,
        /// Why it is not had.
        problem: String,
    },
    /// Too little text, or too much; a file that is not what it should be.
    #[error("{path} {problem}")]
    Text {
        /// Which file or folder.
        path: std::path::PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// Uses this many threads for all tensor work of the process; the first call counts.
///
/// Results do not depend on it. A miner that shares a machine with others uses one.
pub fn use_threads(threads: usize) {
    // Fails only when a pool exists already, which then stays.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build_global();
}
