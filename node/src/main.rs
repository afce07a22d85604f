//! Entry point of the `iota` binary.

fn main() {}
