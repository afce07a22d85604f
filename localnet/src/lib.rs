//! Run a one-process development chain.
