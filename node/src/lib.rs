//! Run a subnet role from the command line.

pub mod cli;
pub mod commands;
pub mod demo;
pub mod dev;
pub mod env;
pub mod error;
pub mod outfit;
pub mod preset;
pub mod printer;
pub mod progress;
pub mod protocol;
pub mod report;
pub mod roles;
pub mod settings;
pub mod shell;
pub mod shutdown;
pub mod telemetry;
pub mod text;
pub mod wire;
