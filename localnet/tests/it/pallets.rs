//! The Subtensor pallets through signed extrinsics: a subnet from its registration to its pay.

mod commit_reveal;
mod hyperparameters;
mod market;
mod neurons;
mod properties;
mod subnet;
mod timelock;
