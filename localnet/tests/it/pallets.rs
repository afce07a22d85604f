//! The Subtensor pallets through signed extrinsics: a subnet from its registration to its pay.

mod children;
mod commit_reveal;
mod hyperparameters;
mod market;
mod mechanisms;
mod neurons;
mod properties;
mod subnet;
mod timelock;
mod work;
