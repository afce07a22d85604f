//! Reports as people read them: one short line each.

use std::fmt;

use super::Report;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { role, hotkey, peer_id, port, device } => {
                write!(
                    f,
                    "{role} {hotkey} listens on port {port} as {peer_id}, computes on {device}"
                )
            }
            Self::Block { number, epoch, phase } => {
                write!(f, "block {number}: epoch {epoch}, {phase}")
            }
            Self::Plan { epoch, plan, stages, .. } => {
                let sizes: Vec<String> = stages.iter().map(|s| s.len().to_string()).collect();
                write!(
                    f,
                    "plan of epoch {epoch}: {} replicas per stage, hash {plan}",
                    sizes.join("+")
                )
            }
            Self::Draw { epoch, k, ids, .. } => {
                write!(f, "epoch {epoch}: drew microbatch {k} ({} sequences)", ids.len())
            }
            Self::Microbatch { epoch, k, loss, tokens, .. } => {
                write!(f, "epoch {epoch}: microbatch {k} done, loss {loss:.4} over {tokens} tokens")
            }
            Self::Step { stage, step, grad_norm } => {
                write!(f, "stage {stage}: step {step}, gradient norm {grad_norm:.3}")
            }
            Self::Committed { epoch, tokens, steps, .. } => {
                write!(f, "epoch {epoch}: committed {tokens} tokens in {steps} steps")
            }
            Self::Audit { epoch, miner, passed: true, windows, .. } => {
                write!(f, "epoch {epoch}: {miner} passed the audit of {windows} windows")
            }
            Self::Audit { epoch, miner, reason, .. } => {
                write!(f, "epoch {epoch}: {miner} failed the audit: {reason}")
            }
            Self::Clasp { epoch, miner, effect, multiplier, flagged } => {
                let flag = if *flagged { ", flagged" } else { "" };
                write!(
                    f,
                    "epoch {epoch}: {miner} has effect {effect:+.4} and credit {multiplier:.2}{flag}"
                )
            }
            Self::Merge { epoch, stage, contributors, shards, lost, agreed, .. } => {
                let verdict = if *agreed { "agreed" } else { "disputed" };
                write!(
                    f,
                    "epoch {epoch}: stage {stage} merged from {contributors}, {shards} shards \
                     ({lost} lost), {verdict}"
                )
            }
            Self::Eval { epoch, loss, unigram } => {
                write!(f, "model of epoch {epoch}: held-out loss {loss:.4} (unigram {unigram:.4})")
            }
            Self::Weights { epoch, uids, block, .. } => {
                write!(f, "epoch {epoch}: weights for {} uids in block {block}", uids.len())
            }
            Self::Resync { epoch, stage } => {
                write!(f, "fetched the state of stage {stage} at epoch {epoch}")
            }
            Self::Checkpoint { epoch } => write!(f, "the model of epoch {epoch} is on disk"),
            Self::Warning { text } => write!(f, "warning: {text}"),
            Self::Error { text } => write!(f, "error: {text}"),
            Self::Listening { url, genesis } => write!(f, "chain {genesis} at {url}"),
            Self::Started { name, pid, log } => {
                write!(f, "{name} runs as process {pid}, log in {log}")
            }
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
