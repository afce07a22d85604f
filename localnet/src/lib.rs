//! Run a one-process development chain.

pub mod pallets;
pub mod runtime;
