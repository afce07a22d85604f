//! The one place that writes to stdout and stderr.
//!
//! stdout is the result, stderr is the rest: errors, notes and the live view. `--json` changes the
//! form of what stands on stdout and never the channel. A reader that goes away ends the command
//! with success ([`crate::error::Kind::Closed`]).

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use console::Term;
use serde::Serialize;

use crate::error::{Error, Kind};
use crate::report::Report;

/// How the result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Printer {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl Printer {
    /// The printer that `--json` asks for.
    pub fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }

    /// Writes a role's event.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn report(self, report: &Report) -> io::Result<()> {
        match self {
            Self::Text => self.line(report),
            Self::Json => self.line(report.to_line()),
        }
    }

    /// Writes one JSON object, whatever the form.
    ///
    /// # Errors
    /// If stdout cannot be written or the value is no JSON.
    pub fn object(self, value: &impl Serialize) -> io::Result<()> {
        self.line(serde_json::to_string(value)?)
    }

    /// Writes a line of the result.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn line(self, text: impl Display) -> io::Result<()> {
        // One write per line, so that lines of several threads do not mix.
        let mut out = io::stdout().lock();
        out.write_all(format!("{text}\n").as_bytes())?;
        out.flush()
    }

    /// Writes a line that is not part of the result.
    ///
    /// # Errors
    /// If stderr cannot be written.
    pub fn note(self, text: impl Display) -> io::Result<()> {
        io::stderr().lock().write_all(format!("{text}\n").as_bytes())
    }

    /// A view on stderr that is redrawn in place; `None` where stderr is no terminal, or where
    /// machines read us.
    pub fn screen(self) -> Option<Screen> {
        let is_wanted = self == Self::Text && io::stderr().is_terminal();
        is_wanted.then(|| Screen { term: Term::buffered_stderr(), lines: 0 })
    }
}

/// Writes why the command ended; silent where nobody is left to read it.
pub fn error(error: &Error) {
    if error.kind() != Kind::Closed {
        // There is no further place to complain.
        drop(Printer::Text.note(error));
    }
}

/// Writes what clap says: help and version to stdout, errors to stderr.
pub fn usage(error: &clap::Error) {
    drop(error.print());
}

/// Some lines at the bottom of a terminal that are redrawn in place.
#[derive(Debug)]
pub struct Screen {
    term: Term,
    lines: usize,
}

impl Screen {
    /// Columns and rows of the terminal.
    pub fn size(&self) -> (usize, usize) {
        let (rows, columns) = self.term.size();
        (columns.into(), rows.into())
    }

    /// Replaces what was drawn before.
    ///
    /// # Errors
    /// If the terminal cannot be written.
    pub fn draw(&mut self, frame: &[String]) -> io::Result<()> {
        self.term.clear_last_lines(self.lines)?;
        let (columns, rows) = self.size();
        // A frame that scrolls could not be cleared.
        let shown = frame.len().min(rows.saturating_sub(1));
        for line in &frame[..shown] {
            self.term.write_line(&console::truncate_str(line, columns, ""))?;
        }
        self.lines = shown;
        self.term.flush()
    }

    /// Writes a line above the view.
    ///
    /// # Errors
    /// If the terminal cannot be written.
    pub fn note(&mut self, text: &str, frame: &[String]) -> io::Result<()> {
        self.term.clear_last_lines(self.lines)?;
        self.lines = 0;
        self.term.write_line(text)?;
        self.draw(frame)
    }
}
