//! Declare the chain interface we rely on and check a chain against it.
