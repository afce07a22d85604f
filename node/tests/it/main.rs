//! The binary as users meet it: whole processes, their output and their exit codes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cli;
mod clients;
mod demo;
mod localnet;
mod python;
mod support;
mod wallet;
