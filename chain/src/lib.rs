//! Read and write the chain through typed calls.
