//! Log lines to stderr, as `-v` and `RUST_LOG` ask.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::env;

/// Starts the log. Without `-v` and without the variable only warnings are written; each `-v` adds
/// a level for our own crates, the third one for all.
pub fn start(verbosity: u8) {
    let default = match verbosity {
        0 => "warn",
        1 => "warn,iota=info,iota_chain=info,iota_p2p=info,iota_trainer=info,iota_localnet=info",
        2 => {
            "info,iota=debug,iota_chain=debug,iota_p2p=debug,iota_trainer=debug,iota_localnet=debug"
        }
        _ => "trace",
    };
    let filter = match std::env::var(env::LOG) {
        Ok(wanted) if verbosity == 0 => EnvFilter::new(wanted),
        _ => EnvFilter::new(default),
    };
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    // Only a second call can fail, and then the first one's log goes on.
    drop(started);
}
