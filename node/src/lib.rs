//! Run a subnet role from the command line.
