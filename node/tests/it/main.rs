//! The binary as users meet it: whole processes, their output and their exit codes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chain;
mod cli;
mod clients;
mod data;
mod demo;
mod history;
mod localnet;
mod model;
mod orders;
mod python;
mod support;
mod wallet;
