//! The live view: a tally as lines of text.
//!
//! Pure: the caller says how wide the terminal is and draws the lines. Without a terminal
//! [`progress`] gives one line per phase instead.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

use crate::demo::tally::{Miner, Tally};

/// What the view knows beside the tally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// The first block of epoch 0.
    pub start_block: u32,
    /// The block after which the run should be over.
    pub end_block: u32,
    /// The number of epochs.
    pub epochs: u32,
}

impl Course {
    /// How much of the run is done, in `[0, 1]`.
    fn done(&self, block: u32) -> f64 {
        let span = self.end_block.saturating_sub(self.start_block).max(1);
        let past = block.saturating_sub(self.start_block).min(span);
        f64::from(past) / f64::from(span)
    }
}

/// Widest chart, in characters.
const MAX_WIDTH: usize = 100;
/// Rows that the chart takes at most.
const CHART_ROWS: usize = 6;
/// Lines beside chart and miners.
const OTHER_ROWS: usize = 7;

/// The whole view for a terminal of that size.
pub fn frame(
    tally: &Tally,
    course: &Course,
    now: Duration,
    (columns, rows): (usize, usize),
) -> Vec<String> {
    let columns = columns.min(MAX_WIDTH);
    let mut lines = vec![String::new(), head(tally, course, now, columns)];
    lines.push(losses(tally));
    let room = rows.saturating_sub(OTHER_ROWS + tally.miners.len());
    lines.extend(tally.curve.draw(columns, room.min(CHART_ROWS), f64::from(course.end_block)));
    lines.push(work(tally, now));
    lines.push(String::new());
    lines.extend(miners(tally));
    lines
}

/// One line for a log: where the run is.
pub fn progress(tally: &Tally, course: &Course, now: Duration) -> String {
    let losses = losses(tally);
    format!("block {}: {}; {losses}; {}", tally.block, place(tally, course), work(tally, now))
}

/// The epoch and phase in words.
fn place(tally: &Tally, course: &Course) -> String {
    if tally.phase.is_empty() || tally.phase == "wait" {
        return "waiting for the first epoch".into();
    }
    if tally.epoch >= course.epochs {
        return "waiting for the last weights to be paid".into();
    }
    format!("epoch {} of {}, {}", tally.epoch + 1, course.epochs, tally.phase)
}

fn head(tally: &Tally, course: &Course, now: Duration, columns: usize) -> String {
    let place = place(tally, course);
    let seconds = now.as_secs();
    let text = format!("block {}  {place}  {:02}:{:02}  ", tally.block, seconds / 60, seconds % 60);
    let width = columns.saturating_sub(text.len() + 2).min(40);
    if width < 8 {
        return text;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of at most 40 characters"
    )]
    let filled = (course.done(tally.block) * width as f64).round() as usize;
    format!("{text}[{}{}]", "#".repeat(filled), ".".repeat(width - filled))
}

fn losses(tally: &Tally) -> String {
    let training = tally.loss().map_or("-".into(), |loss| format!("{loss:.3}"));
    let mut held_out = tally.evals.values();
    let held_out = match (held_out.next(), held_out.next_back()) {
        (None, _) => "-".into(),
        (Some((first, unigram)), None) => format!("{first:.3} (unigram {unigram:.3})"),
        (Some((first, unigram)), Some((last, _))) => {
            format!("{first:.3} -> {last:.3} (unigram {unigram:.3})")
        }
    };
    format!("loss: training {training}, held-out {held_out}")
}

fn work(tally: &Tally, now: Duration) -> String {
    let (merges, disputed) = tally.merges();
    let disputed = if disputed > 0 { format!(" ({disputed} disputed)") } else { String::new() };
    format!(
        "{} tokens/s, {} tokens, {merges} merges{disputed}, {} weight sets",
        short(tally.rate(now)),
        short_count(tally.tokens),
        tally.weights_set()
    )
}

/// The table of miners, by stage and name.
pub fn miners(tally: &Tally) -> Vec<String> {
    let mut table = table(&["miner", "stage", "tokens", "credit", "audits", "incentive", "paid"]);
    let mut rows: Vec<&Miner> = tally.miners.values().collect();
    rows.sort_by(|a, b| (a.stage, &a.name).cmp(&(b.stage, &b.name)));
    for miner in rows {
        let credit = if miner.failed.is_empty() { miner.credit } else { Some(0.0) };
        let audits = miner.passed.len() + miner.failed.len();
        table.add_row([
            if miner.hostile { format!("{} (hostile)", miner.name) } else { miner.name.clone() },
            miner.stage.map_or("-".into(), |stage| stage.to_string()),
            short_count(miner.tokens),
            credit.map_or("-".into(), |credit| format!("{credit:.2}")),
            if audits == 0 { "-".into() } else { format!("{}/{audits}", miner.passed.len()) },
            format!("{:.3}", miner.incentive),
            format!("{:.3}", alpha(miner.emission)),
        ]);
    }
    align(&mut table);
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// An empty table without lines.
pub fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(columns.iter().copied());
    table
}

/// Numbers to the right: all columns but the first. Call it when all rows are there.
pub fn align(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
}

/// Rao as whole units.
#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
pub fn alpha(rao: u64) -> f64 {
    rao as f64 / 1e9
}

/// A count with three significant digits.
#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn short_count(count: u64) -> String {
    if count < 1000 { count.to_string() } else { short(count as f64) }
}

fn short(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{:.2}G", v / 1e9),
        v if v >= 1e6 => format!("{:.2}M", v / 1e6),
        v if v >= 1e3 => format!("{:.1}k", v / 1e3),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Incentive, Report};

    const COURSE: Course = Course { start_block: 100, end_block: 300, epochs: 4 };

    /// A recorded run, cut short in its second epoch.
    const RECORDED: &str = include_str!("recorded.jsonl");

    fn recorded() -> Tally {
        let miners = [("5A", "miner-1", false), ("5B", "miner-2", false), ("5C", "miner-3", true)];
        let mut tally = Tally::new(miners.map(|(k, n, h)| (k.into(), n.into(), h)));
        for (second, line) in (1..).zip(RECORDED.lines()) {
            let report = Report::parse(line).unwrap_or_else(|| panic!("no report: {line}"));
            tally.apply("validator-1", Duration::from_secs(second), &report);
        }
        let paid = Incentive { hotkey: "5A".into(), incentive: 0.5, emission: 1_500_000_000 };
        let read = Report::Incentives { block: 160, miners: vec![paid] };
        tally.apply("demo", Duration::from_secs(20), &read);
        tally
    }

    #[test]
    fn the_frame_of_a_recorded_run() {
        let lines = frame(&recorded(), &COURSE, Duration::from_secs(14), (80, 40));
        let plain: Vec<&str> =
            lines.iter().map(String::as_str).filter(|line| line.is_ascii()).collect();
        assert_eq!(
            plain,
            [
                "",
                "block 150  epoch 2 of 4, train  00:14  [##########.............................]",
                "loss: training 5.910, held-out 6.000 -> 5.500 (unigram 3.500)",
                "38 tokens/s, 600 tokens, 1 merges, 1 weight sets",
                "",
                "miner              stage  tokens  credit  audits  incentive   paid",
                "miner-1                0     600    1.00     1/1      0.500  1.500",
                "miner-2                1     300       -       -      0.000  0.000",
                "miner-3 (hostile)      1     300    0.00     0/1      0.000  0.000",
            ]
        );
        assert_eq!(lines.len() - plain.len(), CHART_ROWS);
    }

    #[test]
    fn a_small_terminal_loses_the_chart_and_keeps_the_numbers() {
        let lines = frame(&recorded(), &COURSE, Duration::from_secs(14), (40, 10));
        assert!(lines.iter().all(|line| line.is_ascii()));
        assert!(lines.iter().any(|line| line.starts_with("miner-3")));
    }

    #[test]
    fn a_log_gets_one_line_per_phase() {
        assert_eq!(
            progress(&recorded(), &COURSE, Duration::from_secs(14)),
            "block 150: epoch 2 of 4, train; loss: training 5.910, held-out 6.000 -> 5.500 \
             (unigram 3.500); 38 tokens/s, 600 tokens, 1 merges, 1 weight sets"
        );
    }

    #[test]
    fn an_empty_tally_is_shown_without_numbers() {
        let lines = frame(&Tally::default(), &COURSE, Duration::ZERO, (80, 24));
        assert!(lines[1].starts_with("block 0  waiting for the first epoch"), "{lines:?}");
        assert_eq!(lines[2], "loss: training -, held-out -");
    }
}
