//! `iota weights`: set, commit, reveal.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use codec::{Decode, Encode};
use iota_chain::{Committed, Keypair, Regime, SubmitError, WeightRules, Weights, WeightsError};
use serde_json::json;

use super::order::{Effect, Order, refused};
use crate::cli::{ChainArgs, SignArgs, WeightArgs, WeightsCommand};
use crate::error::{Context, Error, Result};

/// Most bytes of what is kept between commit and reveal: more than 4096 weights need.
const MAX_KEPT: usize = 1 << 16;

pub(super) async fn run(command: WeightsCommand) -> Result<()> {
    match command {
        WeightsCommand::Set { weights, chain, sign } => set(&weights, &chain, &sign).await,
        WeightsCommand::Commit { weights, keep, chain, sign } => {
            commit(&weights, &keep, &chain, &sign).await
        }
        WeightsCommand::Reveal { keep, chain, sign } => reveal(&keep, &chain, &sign).await,
    }
}

async fn set(typed: &WeightArgs, chain: &ChainArgs, sign: &SignArgs) -> Result<()> {
    const WHAT: &str = "cannot set weights";
    let ballot = Ballot::open(typed, chain, sign, WHAT).await?;
    let regime = ballot.rules.regime();
    ballot.check(regime)?;
    if regime == Regime::Hashed {
        return Err(explain(WHAT, WeightsError::Regime(regime)));
    }
    let Ballot { order, hotkey, weights, .. } = ballot;
    let effect = effect(&weights, regime);
    let Some(effect) = order.agreed(&hotkey, effect, None)? else { return Ok(()) };
    let set = order.client.set_weights(&hotkey, &weights).await;
    let set = set.map_err(|error| explain(WHAT, error))?;
    let more = json!({
        "reveal_block": set.reveal.map(|reveal| reveal.block),
        "round": set.reveal.and_then(|reveal| reveal.round),
    });
    order.done(effect, set.at, &more)
}

async fn commit(typed: &WeightArgs, keep: &Path, chain: &ChainArgs, sign: &SignArgs) -> Result<()> {
    const WHAT: &str = "cannot commit to weights";
    let ballot = Ballot::open(typed, chain, sign, WHAT).await?;
    ballot.check(Regime::Hashed)?;
    if ballot.rules.regime() == Regime::Plain {
        return Err(explain(WHAT, WeightsError::Regime(Regime::Plain)));
    }
    let Ballot { order, hotkey, weights, .. } = ballot;
    let effect = effect(&weights, Regime::Hashed);
    let Some(effect) = order.agreed(&hotkey, effect, None)? else { return Ok(()) };
    let write = |committed: &Committed| write(keep, &committed.encode());
    let done = order.client.commit_weights(&hotkey, &weights, write).await;
    let (at, committed) = done.map_err(|error| {
        let is_refused = matches!(
            error,
            WeightsError::Submit(SubmitError::Rejected { .. } | SubmitError::Failed { .. })
        );
        // What the chain has not taken need not be shown. Otherwise it may have.
        if is_refused && let Err(error) = std::fs::remove_file(keep) {
            tracing::debug!(%error, "the commit's file stays");
        }
        explain(WHAT, error)
    })?;
    order.done(effect, at, &json!({ "reveal_block": committed.reveal_block }))
}

/// Weights that were typed, and what the chain asks of them.
struct Ballot {
    what: &'static str,
    order: Order,
    hotkey: Keypair,
    weights: Weights,
    rules: WeightRules,
}

impl Ballot {
    async fn open(
        typed: &WeightArgs,
        chain: &ChainArgs,
        sign: &SignArgs,
        what: &'static str,
    ) -> Result<Self> {
        let weights = weights(typed, chain.netuid)?;
        let order = Order::open(chain, sign).await?;
        let hotkey = order.hotkey()?;
        let account = hotkey.public();
        let rules = order.client.weight_rules(weights.netuid, weights.mechanism, &account);
        let rules = rules.await.or_user(what)?;
        Ok(Self { what, order, hotkey, weights, rules })
    }

    /// The chain's own checks, before anything is signed.
    fn check(&self, regime: Regime) -> Result<()> {
        let passed = self.rules.check(&self.weights, regime);
        passed.map_err(|refusal| explain(self.what, WeightsError::Refused(refusal)))
    }
}

async fn reveal(keep: &Path, chain: &ChainArgs, sign: &SignArgs) -> Result<()> {
    const WHAT: &str = "cannot show the weights";
    let committed = read(keep)?;
    let order = Order::open(chain, sign).await?;
    let hotkey = order.hotkey()?;
    let effect = effect(&committed.weights, Regime::Plain);
    let Some(effect) = order.agreed(&hotkey, effect, None)? else { return Ok(()) };
    let at = order.client.reveal_weights(&hotkey, &committed).await;
    let at = at.map_err(|error| explain(WHAT, error))?;
    order.done(effect, at, &json!({}))
}

/// Weights in the chain's scale: the greatest is 65535.
fn weights(typed: &WeightArgs, netuid: u16) -> Result<Weights> {
    let WeightArgs { uids, weights, version_key, mechanism } = typed;
    let greatest = weights.iter().copied().fold(0.0, f64::max);
    let is_share = |weight: &f64| weight.is_finite() && *weight >= 0.0;
    if uids.len() != weights.len() || !weights.iter().all(is_share) || greatest <= 0.0 {
        return Err(Error::argument("every uid needs a weight, and one of them more than 0")
            .hint("pass for example `--uids 3,4 --weights 0.25,0.75`"));
    }
    let scale = f64::from(u16::MAX) / greatest;
    let values = weights.iter().map(|weight| (weight * scale).round() as u16).collect();
    let (uids, version_key, mechanism) = (uids.clone(), *version_key, *mechanism);
    Ok(Weights { netuid, mechanism, uids, values, version_key })
}

fn effect(weights: &Weights, regime: Regime) -> Effect {
    let Weights { netuid, mechanism, uids, values, .. } = weights;
    let text = format!("sets {} weights in subnet {netuid}, {regime}", uids.len());
    let regime = match regime {
        Regime::Plain => "plain",
        Regime::Timelocked => "timelocked",
        Regime::Hashed => "hashed",
    };
    let object = json!({
        "netuid": netuid,
        "mechanism": mechanism,
        "uids": uids,
        "values": values,
        "regime": regime,
    });
    Effect::new(text, object)
}

fn explain(what: &str, error: WeightsError) -> Error {
    match error {
        WeightsError::Submit(error) => refused(what, &error),
        WeightsError::Regime(Regime::Hashed) => {
            Error::user(format!("{what}: the chain hides weights by hash only"))
                .hint("use `iota weights commit`, and `iota weights reveal` in the next epoch")
        }
        WeightsError::Regime(regime) => {
            Error::user(format!("{what}: the subnet takes weights {regime}"))
                .hint("use `iota weights set`")
        }
        other => Error::user(format!("{what}: {other}")),
    }
}

/// Writes a new file that only its owner reads, whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let exists = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            io::Error::new(error.kind(), format!("{} exists already", path.display()))
        }
        _ => error,
    };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
    let mut file = file.map_err(exists)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        // Fails where there is a file, which may be of another commit.
        .and_then(|()| std::fs::hard_link(&part, path));
    std::fs::remove_file(&part)?;
    written.map_err(exists)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn read(path: &Path) -> Result<Committed> {
    let what = format!("cannot read {}", path.display());
    let hint = "pass the `--keep` that `iota weights commit` wrote";
    let bytes = std::fs::read(path).or_argument(&what).map_err(|error| error.hint(hint))?;
    let decoded = (bytes.len() <= MAX_KEPT).then(|| Committed::decode(&mut &bytes[..]).ok());
    decoded.flatten().ok_or_else(|| Error::argument(format!("{what}: it is no commit")).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(weights: &[f64]) -> WeightArgs {
        let uids = (0..weights.len() as u16).collect();
        WeightArgs { uids, weights: weights.to_vec(), version_key: None, mechanism: 0 }
    }

    #[test]
    fn weights_are_scaled_to_the_greatest() {
        assert_eq!(weights(&typed(&[0.25, 0.75, 0.0]), 9).unwrap().values, [21_845, 65_535, 0]);
        for wrong in [&[][..], &[0.0], &[-1.0, 1.0], &[f64::NAN], &[f64::INFINITY]] {
            weights(&typed(wrong), 9).unwrap_err();
        }
    }

    #[test]
    fn what_must_be_shown_is_written_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("commit");
        let committed = Committed {
            weights: weights(&typed(&[1.0]), 9).unwrap(),
            version_key: 3,
            salt: vec![1, 2],
            reveal_block: 77,
        };
        write(&path, &committed.encode()).unwrap();
        assert_eq!(read(&path).unwrap(), committed);
        write(&path, &[]).unwrap_err();
        std::fs::write(&path, b"x").unwrap();
        read(&path).unwrap_err();
    }
}
