//! What the audience sees of a demo: JSON lines, a live view, or a line per phase.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::demo::summary;
use crate::demo::tally::Tally;
use crate::demo::view::{self, Course};
use crate::error::Result;
use crate::printer::{Printer, Screen};
use crate::report::{Report, Summary};

/// The name under which the demo itself reports.
pub const DEMO: &str = "demo";

/// A report with the process that made it, as `--json` writes it.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    report: &'a Report,
    from: &'a str,
}

/// The tally and where it is shown.
#[derive(Debug)]
pub struct Show {
    printer: Printer,
    screen: Option<Screen>,
    /// Everything that was reported, counted.
    pub tally: Tally,
    /// Known when the run begins; before that there is no view.
    course: Option<Course>,
    begin: Instant,
    shown_phase: String,
}

impl Show {
    /// A show of these miners; the run has not begun.
    pub fn new(printer: Printer, tally: Tally) -> Self {
        let (screen, begin) = (printer.screen(), Instant::now());
        Self { printer, screen, tally, course: None, begin, shown_phase: String::new() }
    }

    /// Time since the run began.
    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// The run begins.
    pub fn begin(&mut self, course: Course) {
        self.begin = Instant::now();
        self.course = Some(course);
    }

    /// Takes in what a process reported and shows it.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn report(&mut self, from: &str, report: &Report) -> Result<()> {
        let now = self.elapsed();
        self.tally.apply(from, now, report);
        match (self.printer, report) {
            (Printer::Json, _) => self.printer.object(&Line { report, from })?,
            (Printer::Text, Report::Warning { .. } | Report::Error { .. }) => {
                self.note(&format!("{from}: {report}"))?;
            }
            (Printer::Text, Report::Setup { .. } | Report::Listening { .. }) => {
                self.note(&report.to_string())?;
            }
            (Printer::Text, Report::Block { .. }) => self.phase(now)?,
            (Printer::Text, _) => {}
        }
        Ok(())
    }

    /// Redraws the live view, where there is one.
    ///
    /// # Errors
    /// If the terminal cannot be written.
    pub fn draw(&mut self) -> Result<()> {
        let now = self.elapsed();
        if let (Some(screen), Some(course)) = (&mut self.screen, &self.course) {
            screen.draw(&view::frame(&self.tally, course, now, screen.size()))?;
        }
        Ok(())
    }

    /// Shows how the run ended.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn end(&mut self, summary: Summary) -> Result<()> {
        if let Some(screen) = &mut self.screen {
            screen.draw(&[])?;
        }
        match self.printer {
            Printer::Json => self.printer.report(&Report::Summary(summary))?,
            Printer::Text => {
                for line in summary::text(&summary, &self.tally) {
                    self.printer.line(line)?;
                }
            }
        }
        Ok(())
    }

    /// A line above the view, or in the log.
    fn note(&mut self, text: &str) -> Result<()> {
        let now = self.elapsed();
        match (&mut self.screen, &self.course) {
            (Some(screen), Some(course)) => {
                let frame = view::frame(&self.tally, course, now, screen.size());
                screen.note(text, &frame)?;
            }
            _ => self.printer.note(text)?,
        }
        Ok(())
    }

    /// Without a terminal: a line whenever the phase changes.
    fn phase(&mut self, now: Duration) -> Result<()> {
        let Some(course) = &self.course else { return Ok(()) };
        if self.screen.is_some() || self.tally.phase == self.shown_phase {
            return Ok(());
        }
        self.tally.phase.clone_into(&mut self.shown_phase);
        self.printer.note(view::progress(&self.tally, course, now))?;
        Ok(())
    }
}
