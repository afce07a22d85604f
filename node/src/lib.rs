//! Run a subnet role from the command line.

pub mod protocol;
pub mod report;
