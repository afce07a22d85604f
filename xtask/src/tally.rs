//! Counting passed and failed checks, also from the output of test runners.

use std::fmt;

/// How many checks passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Checks that passed.
    pub(crate) passed: u64,
    /// Checks that failed.
    pub(crate) failed: u64,
}

impl Tally {
    /// The tally of a single check.
    pub(crate) fn of_one(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed) }
    }

    /// Adds another tally to this one.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Counts what one line of a runner's output says: the last line of each binary under
    /// `cargo test` (`test result: ok. 3 passed; 0 failed; ..`) or nextest's closing line
    /// (`Summary [  1.2s] 9 tests run: 8 passed (1 slow), 1 failed, 0 skipped`).
    pub(crate) fn read_line(&mut self, line: &str) {
        let line = line.trim_start();
        let is_result = line.starts_with("test result:")
            || (line.starts_with("Summary [") && line.contains("run:"));
        if is_result {
            self.passed += number_before(line, " passed");
            self.failed += number_before(line, " failed") + number_before(line, " timed out");
        }
    }
}

/// The number that stands right before `word`, or 0.
fn number_before(line: &str, word: &str) -> u64 {
    let Some(end) = line.find(word) else { return 0 };
    let digits = line[..end].rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.read_line(line);
        }
        tally
    }

    #[test]
    fn sums_the_result_lines_of_all_binaries() {
        let tally = read(&[
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ]);
        assert_eq!(tally, Tally { passed: 13, failed: 2 });
    }

    #[test]
    fn reads_the_summary_of_nextest() {
        let tally = read(&[
            "     Summary [   4.5s] 9 tests run: 7 passed (1 slow), 1 failed, 1 timed out, 0 skipped",
        ]);
        assert_eq!(tally, Tally { passed: 7, failed: 2 });
    }

    #[test]
    fn text_that_a_test_prints_is_not_counted() {
        assert_eq!(read(&["we saw 5 passed cars"]), Tally::default());
    }
}
