//! A stage as the node uses it: what it learns, sends, repeats and refuses.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod causality;
mod checkpoint;
mod determinism;
mod exported;
mod gradient;
mod hub;
mod learning;
mod peers;
mod pipeline;
mod replay;
mod settings;
mod snapshot;
mod threads;
