//! What a running role says to machines: one JSON object per line, tagged by `event`.
//!
//! `iota miner --json` and `iota validator --json` write these lines to stdout, and the demo, a
//! test or a user's script reads them back. The vocabulary is closed and only grows: a reader
//! skips an `event` it does not know. People who come here through a terminal see the same facts
//! through `Report`'s `Display`.
//!
//! Conventions: hotkeys are SS58 text, hashes are lower-case hex without a prefix, losses are nats
//! per token, amounts are rao, block numbers are the chain's. A number that is not finite is
//! written as `null` and read back as NaN.

use serde::{Deserialize, Deserializer, Serialize};

mod display;

/// One event of a role, as it stands on one line of its stdout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Report {
    /// The role has its chain connection and its socket, and waits for peers and blocks.
    Ready {
        /// `miner` or `validator`.
        role: String,
        /// Who it acts for.
        hotkey: String,
        /// Its libp2p identity.
        peer_id: String,
        /// The port it listens on.
        port: u16,
        /// Where it computes: `cpu`, or a GPU's number and name.
        device: String,
    },
    /// A finalized block was handled.
    Block {
        /// The block's number.
        number: u32,
        /// The epoch the block belongs to.
        epoch: u32,
        /// The phase the block belongs to (`train`, `commit`, `audit`, `merge`, `settle`), or
        /// `wait` before the run's first block.
        phase: String,
    },
    /// The plan of an epoch was computed.
    Plan {
        /// The epoch it is for.
        epoch: u32,
        /// The randomness it was drawn with.
        beacon: String,
        /// The hash of the plan; equal on all nodes.
        plan: String,
        /// The hotkeys of each stage, head first.
        stages: Vec<Vec<String>>,
    },
    /// A head drew a microbatch.
    Draw {
        /// The epoch of the draw.
        epoch: u32,
        /// The head miner that drew.
        head: String,
        /// The index of the microbatch in this head's order.
        k: u64,
        /// The ids of the packed sequences that it holds.
        ids: Vec<u64>,
    },
    /// A microbatch went forward and backward through all stages.
    Microbatch {
        /// The epoch of its draw.
        epoch: u32,
        /// The head that drew it.
        head: String,
        /// Its index in the head's order.
        k: u64,
        /// The tail's mean training loss over its targets.
        #[serde(deserialize_with = "number")]
        loss: f64,
        /// How many targets it holds.
        tokens: u64,
        /// The miner at each stage, head first.
        path: Vec<String>,
    },
    /// A miner made one optimizer step.
    Step {
        /// The stage it trains.
        stage: u16,
        /// How many steps it has made in this run.
        step: u64,
        /// The gradient's L2 norm before clipping.
        #[serde(deserialize_with = "number")]
        grad_norm: f64,
    },
    /// A miner's work commitment stands in a finalized block.
    Committed {
        /// The epoch committed.
        epoch: u32,
        /// The tokens in its log.
        tokens: u64,
        /// Its optimizer steps.
        steps: u64,
        /// The audit windows that its snapshots open.
        windows: u32,
    },
    /// A validator judged one miner's epoch by re-execution.
    Audit {
        /// The epoch judged.
        epoch: u32,
        /// The judging validator.
        validator: String,
        /// The judged miner.
        miner: String,
        /// The verdict.
        passed: bool,
        /// The number of windows that were re-executed.
        windows: u32,
        /// What failed and by how much; empty when it passed.
        reason: String,
    },
    /// A validator's CLASP estimate of one miner.
    Clasp {
        /// The last epoch of its records.
        epoch: u32,
        /// The estimated miner.
        miner: String,
        /// Its effect on the loss (positive is harmful).
        #[serde(deserialize_with = "number")]
        effect: f64,
        /// The credit multiplier, in `[0, 1]`.
        #[serde(deserialize_with = "number")]
        multiplier: f64,
        /// Whether the effect is large and significant in two consecutive windows.
        flagged: bool,
    },
    /// A stage's merged state of an epoch is known.
    Merge {
        /// The epoch merged.
        epoch: u32,
        /// The stage merged.
        stage: u16,
        /// The state root after the outer step.
        root: String,
        /// The number of contributors that entered.
        contributors: u32,
        /// The number of shards.
        shards: u32,
        /// Shards whose both reducers were gone: these keep their old values.
        lost: u32,
        /// Whether both reducers of every shard gave the same bytes.
        agreed: bool,
    },
    /// A validator evaluated the merged model on the held-out text.
    Eval {
        /// The epoch that starts from this model: 0 is the initial one, `e + 1` follows the merge
        /// of epoch `e`.
        epoch: u32,
        /// The held-out loss.
        #[serde(deserialize_with = "number")]
        loss: f64,
        /// The unigram entropy of the same text.
        #[serde(deserialize_with = "number")]
        unigram: f64,
    },
    /// A validator's weights stand in a finalized block.
    Weights {
        /// The epoch that they judge.
        epoch: u32,
        /// The weighted uids.
        uids: Vec<u16>,
        /// Their weights, in the chain's u16 scale.
        values: Vec<u16>,
        /// The block that includes the extrinsic.
        block: u32,
        /// Where the subnet hides weights: the block from which on the chain shows them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reveal_block: Option<u32>,
    },
    /// A node fetched a stage's state from its peers.
    Resync {
        /// The epoch that starts from the state.
        epoch: u32,
        /// The stage.
        stage: u16,
    },
    /// The whole model was written to disk.
    Checkpoint {
        /// The epoch that starts from it.
        epoch: u32,
    },
    /// Something an operator may want to look at; the role goes on.
    Warning {
        /// What happened, and what to do about it.
        text: String,
    },
    /// The role stops for this reason.
    Error {
        /// What happened, and what to do about it.
        text: String,
    },
    /// A local chain answers.
    Listening {
        /// Where, as a websocket URL.
        url: String,
        /// The hash of its genesis block.
        genesis: String,
    },
    /// The demo started a process.
    Started {
        /// Its name in the demo, such as `miner-3`.
        name: String,
        /// Its process id.
        pid: u32,
        /// The file that its stderr goes to.
        log: String,
    },
    /// The demo finished one step of the chain's set-up.
    Setup {
        /// The step, in words.
        step: String,
    },
    /// The demo read the metagraph.
    Incentives {
        /// The block it was read at.
        block: u32,
        /// The miners of the run, by uid.
        miners: Vec<Incentive>,
    },
    /// The last line of a demo.
    Summary(Summary),
}

/// What the chain pays one miner, as read from the metagraph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incentive {
    /// The miner.
    pub hotkey: String,
    /// Its share of the incentive, in `[0, 1]`.
    #[serde(deserialize_with = "number")]
    pub incentive: f64,
    /// What it was paid so far, in alpha rao.
    pub emission: u64,
}

/// How a demo ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Epochs trained and merged.
    pub epochs: u32,
    /// Blocks from the run's start to its end.
    pub blocks: u32,
    /// Held-out loss before the first merge.
    #[serde(deserialize_with = "number")]
    pub loss_first: f64,
    /// Held-out loss after the last merge.
    #[serde(deserialize_with = "number")]
    pub loss_last: f64,
    /// Unigram entropy of the held-out text.
    #[serde(deserialize_with = "number")]
    pub unigram: f64,
    /// Tokens that went through whole pathways.
    pub tokens: u64,
    /// The same per second of the train phases.
    #[serde(deserialize_with = "number")]
    pub tokens_per_s: f64,
    /// Bytes per token at full-width bf16 over the bytes that a stage cut carries.
    #[serde(deserialize_with = "number")]
    pub compression: f64,
    /// Stage merges, over all stages.
    pub merges: u32,
    /// Weight extrinsics in finalized blocks, over all validators.
    pub weights_set: u32,
    /// The miners, by stage and hotkey.
    pub miners: Vec<MinerSummary>,
}

/// One miner in the summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MinerSummary {
    /// Who it is.
    pub hotkey: String,
    /// The stage it served last.
    pub stage: u16,
    /// Tokens that went through it on whole pathways.
    pub tokens: u64,
    /// Its share of the incentive at the end, in `[0, 1]`.
    #[serde(deserialize_with = "number")]
    pub incentive: f64,
    /// What it was paid over the run, in alpha rao.
    pub emission: u64,
    /// Whether the demo told it to cheat.
    pub hostile: bool,
}

impl Report {
    /// The report of one stdout line; `None` for a line that is no report we know.
    pub fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// The line without its newline.
    ///
    /// # Panics
    /// Never: every field is a string, a number or a list of these.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("reports hold only strings, numbers and lists")
    }
}

/// Reads a number in any form that JSON readers hand on, and `null`, as which JSON carries a number
/// that is not finite, as NaN.
///
/// Plain `f64` would not do: once any crate of the build turns on serde_json's arbitrary precision,
/// the fields of a tagged enum arrive as that feature's own number type.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let number = Option::<serde_json::Number>::deserialize(from)?;
    Ok(number.and_then(|number| number.as_f64()).unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_carries_its_event_name_and_reads_back_equal() {
        let report = Report::Microbatch {
            epoch: 2,
            head: "5Head".into(),
            k: 7,
            loss: 5.25,
            tokens: 512,
            path: vec!["5Head".into(), "5Tail".into()],
        };
        let line = report.to_line();
        assert_eq!(
            line,
            r#"{"event":"microbatch","epoch":2,"head":"5Head","k":7,"loss":5.25,"tokens":512,"path":["5Head","5Tail"]}"#
        );
        assert_eq!(Report::parse(&line), Some(report));
    }

    #[test]
    fn sequence_ids_keep_all_64_bits() {
        let report = Report::Draw { epoch: 0, head: String::new(), k: 0, ids: vec![u64::MAX - 1] };
        assert_eq!(Report::parse(&report.to_line()), Some(report));
    }

    #[test]
    fn a_loss_that_is_not_finite_survives_the_line() {
        let line = Report::Eval { epoch: 1, loss: f64::INFINITY, unigram: 3.0 }.to_line();
        let Some(Report::Eval { loss, unigram, .. }) = Report::parse(&line) else {
            panic!("not read back: {line}");
        };
        assert!(loss.is_nan());
        assert_eq!(unigram, 3.0);
    }

    #[test]
    fn an_unknown_event_is_skipped_and_not_an_error() {
        assert_eq!(Report::parse(r#"{"event":"from_a_later_version","x":1}"#), None);
        assert_eq!(Report::parse("not json"), None);
    }
}
