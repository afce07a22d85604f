//! Build, check and test the workspace.

fn main() {}
