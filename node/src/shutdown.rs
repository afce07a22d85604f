//! What stops a process: SIGINT, SIGTERM, and, for children of another program, the end of stdin.
//!
//! All of them cancel one token; whoever runs something long waits for it. A second signal ends the
//! process at once, for the case that the ordered stop hangs.

use std::io::{self, Read};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code of a process that a second signal ended: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// A token that a signal cancels, and with `stop_on_stdin_close` the end of stdin as well.
///
/// The parent of a child started so holds the other end of its stdin: however the parent dies, the
/// pipe closes and the child stops. No process is left over.
///
/// # Errors
/// If a signal handler cannot be installed.
pub fn token(stop_on_stdin_close: bool) -> io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    // The task lives as long as the runtime: there is nothing to join before the process ends.
    drop(tokio::spawn(watch(interrupt, terminate, token.clone())));
    if stop_on_stdin_close {
        let token = token.clone();
        // A thread of its own, since a blocked read cannot be cancelled: it ends with the process.
        std::thread::Builder::new().name("stdin".into()).spawn(move || {
            wait_for_end(io::stdin().lock());
            token.cancel();
        })?;
    }
    Ok(token)
}

async fn watch(mut interrupt: Signal, mut terminate: Signal, token: CancellationToken) {
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if token.is_cancelled() {
            std::process::exit(INTERRUPTED);
        }
        token.cancel();
    }
}

/// Reads until the end and forgets what it reads.
fn wait_for_end(mut input: impl Read) {
    let mut buffer = [0_u8; 256];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
