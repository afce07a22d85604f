//! How far a long command is, on stderr: a line redrawn in place on a terminal, else one now and then.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Commands shorter than this show nothing.
const QUIET: Duration = Duration::from_secs(1);
/// Time between two lines: on a terminal, and elsewhere.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(10)];

/// A line about how far something is.
#[derive(Debug)]
pub struct Progress {
    is_terminal: bool,
    next: Instant,
    shown: bool,
}

impl Progress {
    /// Something begins now.
    #[must_use]
    pub fn new() -> Self {
        let is_terminal = stderr().is_terminal();
        Self { is_terminal, next: Instant::now() + QUIET, shown: false }
    }

    /// Shows the line, if it is time for it.
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + PAUSES[usize::from(!self.is_terminal)];
        self.shown = true;
        let [before, after] = if self.is_terminal { ["\r\x1b[K", ""] } else { ["", "\n"] };
        // Progress is for people; a closed stderr is no error.
        let _ = write!(stderr(), "{before}{}{after}", line());
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Progress {
    /// What is written next begins on a line of its own.
    fn drop(&mut self) {
        if self.shown && self.is_terminal {
            let _ = writeln!(stderr());
        }
    }
}
