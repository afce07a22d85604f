//! A whole subnet on one machine, as a user would start it by hand.
//!
//! The demo is a parent process: it starts a chain, sets it up through signed extrinsics, starts
//! miners and validators as processes of the same binary, and reads what they report. It takes no
//! part in the protocol; the roles do not know that they run in a demo.

pub mod cast;
pub mod chart;
pub mod children;
pub mod pace;
pub mod play;
pub mod scratch;
pub mod setup;
pub mod show;
pub mod summary;
pub mod tally;
pub mod view;
