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

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

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
        #[serde(deserialize_with = "null_as_nan")]
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
        #[serde(deserialize_with = "null_as_nan")]
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
        #[serde(deserialize_with = "null_as_nan")]
        effect: f64,
        /// The credit multiplier, in `[0, 1]`.
        #[serde(deserialize_with = "null_as_nan")]
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
        #[serde(deserialize_with = "null_as_nan")]
        loss: f64,
        /// The unigram entropy of the same text.
        #[serde(deserialize_with = "null_as_nan")]
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
    },
    /// A node fetched a stage's state from its peers.
    Resync {
        /// The epoch that starts from the state.
        epoch: u32,
        /// The stage.
        stage: u16,
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
    pub incentive: f64,
    /// What it is paid per epoch, in alpha rao.
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
    #[serde(deserialize_with = "null_as_nan")]
    pub loss_first: f64,
    /// Held-out loss after the last merge.
    #[serde(deserialize_with = "null_as_nan")]
    pub loss_last: f64,
    /// Unigram entropy of the held-out text.
    #[serde(deserialize_with = "null_as_nan")]
    pub unigram: f64,
    /// Tokens that went through whole pathways.
    pub tokens: u64,
    /// The same per second of the train phases.
    #[serde(deserialize_with = "null_as_nan")]
    pub tokens_per_s: f64,
    /// Bytes per token at full-width bf16 over the bytes that a stage cut carries.
    #[serde(deserialize_with = "null_as_nan")]
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

/// Reads `null`, as which JSON carries a number that is not finite, as NaN.
fn null_as_nan<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready {
                role,
                hotkey,
                peer_id,
                port,
            } => {
                write!(f, "{role} {hotkey} listens on port {port} as {peer_id}")
            }
            Self::Block {
                number,
                epoch,
                phase,
            } => {
                write!(f, "block {number}: epoch {epoch}, {phase}")
            }
            Self::Plan {
                epoch,
                plan,
                stages,
                ..
            } => {
                let sizes: Vec<String> = stages.iter().map(|s| s.len().to_string()).collect();
                write!(
                    f,
                    "plan of epoch {epoch}: {} replicas per stage, hash {plan}",
                    sizes.join("+")
                )
            }
            Self::Draw { epoch, k, ids, .. } => {
                write!(
                    f,
                    "epoch {epoch}: drew microbatch {k} ({} sequences)",
                    ids.len()
                )
            }
            Self::Microbatch {
                epoch,
                k,
                loss,
                tokens,
                ..
            } => {
                write!(
                    f,
                    "epoch {epoch}: microbatch {k} done, loss {loss:.4} over {tokens} tokens"
                )
            }
            Self::Step {
                stage,
                step,
                grad_norm,
            } => {
                write!(
                    f,
                    "stage {stage}: step {step}, gradient norm {grad_norm:.3}"
                )
            }
            Self::Committed {
                epoch,
                tokens,
                steps,
                ..
            } => {
                write!(
                    f,
                    "epoch {epoch}: committed {tokens} tokens in {steps} steps"
                )
            }
            Self::Audit {
                epoch,
                miner,
                passed: true,
                windows,
                ..
            } => {
                write!(
                    f,
                    "epoch {epoch}: {miner} passed the audit of {windows} windows"
                )
            }
            Self::Audit {
                epoch,
                miner,
                reason,
                ..
            } => {
                write!(f, "epoch {epoch}: {miner} failed the audit: {reason}")
            }
            Self::Clasp {
                epoch,
                miner,
                effect,
                multiplier,
                flagged,
            } => {
                let flag = if *flagged { ", flagged" } else { "" };
                write!(
                    f,
                    "epoch {epoch}: {miner} has effect {effect:+.4} and credit {multiplier:.2}{flag}"
                )
            }
            Self::Merge {
                epoch,
                stage,
                contributors,
                shards,
                lost,
                agreed,
                ..
            } => {
                let verdict = if *agreed { "agreed" } else { "disputed" };
                write!(
                    f,
                    "epoch {epoch}: stage {stage} merged from {contributors}, {shards} shards \
                     ({lost} lost), {verdict}"
                )
            }
            Self::Eval {
                epoch,
                loss,
                unigram,
            } => {
                write!(
                    f,
                    "model of epoch {epoch}: held-out loss {loss:.4} (unigram {unigram:.4})"
                )
            }
            Self::Weights {
                epoch, uids, block, ..
            } => {
                write!(
                    f,
                    "epoch {epoch}: weights for {} uids in block {block}",
                    uids.len()
                )
            }
            Self::Resync { epoch, stage } => {
                write!(f, "fetched the state of stage {stage} at epoch {epoch}")
            }
            Self::Warning { text } => write!(f, "warning: {text}"),
            Self::Error { text } => write!(f, "error: {text}"),
            Self::Setup { step } => write!(f, "{step}"),
            Self::Incentives { block, miners } => {
                write!(f, "block {block}: incentives of {} miners", miners.len())
            }
            Self::Summary(s) => write!(
                f,
                "{} epochs, held-out loss {:.4} -> {:.4}, {} tokens, {} merges, {} weight sets",
                s.epochs, s.loss_first, s.loss_last, s.tokens, s.merges, s.weights_set
            ),
        }
    }
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
        let report = Report::Draw {
            epoch: 0,
            head: String::new(),
            k: 0,
            ids: vec![u64::MAX - 1],
        };
        assert_eq!(Report::parse(&report.to_line()), Some(report));
    }

    #[test]
    fn a_loss_that_is_not_finite_survives_the_line() {
        let line = Report::Eval {
            epoch: 1,
            loss: f64::INFINITY,
            unigram: 3.0,
        }
        .to_line();
        let Some(Report::Eval { loss, unigram, .. }) = Report::parse(&line) else {
            panic!("not read back: {line}");
        };
        assert!(loss.is_nan());
        assert_eq!(unigram, 3.0);
    }

    #[test]
    fn an_unknown_event_is_skipped_and_not_an_error() {
        assert_eq!(
            Report::parse(r#"{"event":"from_a_later_version","x":1}"#),
            None
        );
        assert_eq!(Report::parse("not json"), None);
    }
}
