//! How a demo ended: the last JSON object, or a table for people.

use std::time::Duration;

use crate::demo::tally::Tally;
use crate::demo::view;
use crate::report::{MinerSummary, Summary};

/// What the summary takes from elsewhere than the tally.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Epochs of the run.
    pub epochs: u32,
    /// First block of epoch 0.
    pub start_block: u32,
    /// How much smaller than full-width bf16 a stage cut's code is.
    pub compression: f64,
    /// Time since the run's start.
    pub now: Duration,
}

/// The summary of a run.
pub fn summarise(tally: &Tally, frame: Frame) -> Summary {
    let first = tally.evals.first_key_value().map(|(_, eval)| *eval);
    let last = tally.evals.last_key_value().map(|(_, eval)| *eval);
    let mut miners: Vec<MinerSummary> = tally
        .miners
        .iter()
        .map(|(hotkey, miner)| MinerSummary {
            hotkey: hotkey.clone(),
            stage: miner.stage.unwrap_or_default(),
            tokens: miner.tokens,
            incentive: miner.incentive,
            emission: miner.emission,
            hostile: miner.hostile,
        })
        .collect();
    miners.sort_by(|a, b| (a.stage, &a.hotkey).cmp(&(b.stage, &b.hotkey)));
    Summary {
        epochs: frame.epochs.min(tally.epoch),
        blocks: tally.block.saturating_sub(frame.start_block),
        loss_first: first.map_or(f64::NAN, |eval| eval.0),
        loss_last: last.map_or(f64::NAN, |eval| eval.0),
        unigram: first.map_or(f64::NAN, |eval| eval.1),
        tokens: tally.tokens,
        tokens_per_s: tally.mean_rate(frame.now),
        compression: frame.compression,
        merges: tally.merges().0,
        weights_set: tally.weights_set(),
        miners,
    }
}

/// The summary for people.
pub fn text(summary: &Summary, tally: &Tally) -> Vec<String> {
    let change = 100.0 * (1.0 - summary.loss_last / summary.loss_first);
    let plural = if summary.epochs == 1 { "" } else { "s" };
    let mut lines = vec![
        String::new(),
        format!("{} epoch{plural} in {} blocks", summary.epochs, summary.blocks),
        format!(
            "held-out loss {:.3} -> {:.3} ({change:.0} % lower), unigram entropy {:.3}",
            summary.loss_first, summary.loss_last, summary.unigram
        ),
        format!(
            "{} tokens through whole pathways, {:.0} per second, cuts {:.0}x smaller than bf16",
            summary.tokens, summary.tokens_per_s, summary.compression
        ),
        format!("{} stage merges, {} weight sets", summary.merges, summary.weights_set),
        String::new(),
    ];
    lines.extend(view::miners(tally));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    fn tally() -> Tally {
        let mut tally = Tally::new([
            ("5B".into(), "miner-1".into(), false),
            ("5A".into(), "miner-2".into(), true),
        ]);
        let stages = vec![vec!["5B".to_owned()], vec!["5A".to_owned()]];
        let path = vec!["5B".to_owned(), "5A".to_owned()];
        let block =
            |number, epoch, phase: &str| Report::Block { number, epoch, phase: phase.into() };
        let eval = |epoch, loss| Report::Eval { epoch, loss, unigram: 3.0 };
        let head = "5B".to_owned();
        for (second, report) in [
            (0, block(16, 0, "train")),
            (1, Report::Plan { epoch: 0, beacon: String::new(), plan: String::new(), stages }),
            (2, eval(0, 6.0)),
            (3, Report::Microbatch { epoch: 0, head, k: 0, loss: 5.0, tokens: 512, path }),
            (4, block(40, 0, "commit")),
            (5, eval(1, 3.0)),
            (6, block(60, 1, "train")),
        ] {
            tally.apply("validator-1", Duration::from_secs(second), &report);
        }
        tally
    }

    fn summary() -> Summary {
        let now = Duration::from_secs(6);
        summarise(&tally(), Frame { epochs: 4, start_block: 16, compression: 32.0, now })
    }

    #[test]
    fn the_last_object_has_the_promised_fields() {
        assert_eq!(
            Report::Summary(summary()).to_line(),
            concat!(
                r#"{"event":"summary","epochs":1,"blocks":44,"loss_first":6.0,"loss_last":3.0,"#,
                r#""unigram":3.0,"tokens":512,"tokens_per_s":128.0,"compression":32.0,"#,
                r#""merges":0,"weights_set":0,"miners":["#,
                r#"{"hotkey":"5B","stage":0,"tokens":512,"incentive":0.0,"emission":0,"#,
                r#""hostile":false},"#,
                r#"{"hotkey":"5A","stage":1,"tokens":512,"incentive":0.0,"emission":0,"#,
                r#""hostile":true}]}"#
            )
        );
    }

    #[test]
    fn people_get_the_same_numbers_in_words() {
        let lines = text(&summary(), &tally());
        assert_eq!(lines[2], "held-out loss 6.000 -> 3.000 (50 % lower), unigram entropy 3.000");
        assert_eq!(lines[4], "0 stage merges, 0 weight sets");
    }
}
