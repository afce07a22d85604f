//! What is one call of the chain each: fund, warp, snapshot, revert, set-storage, pulse, state diff.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use iota_chain::Rao;
use jsonrpsee::rpc_params;
use serde::Deserialize;
use serde_json::{Deserializer, Value, json};
use sp_crypto_hashing::twox_128;

use super::Target;
use crate::cli::{FaultsArgs, SetStorageArgs, WarpArgs};
use crate::error::{Context, Error, Result};

/// Blocks sealed at one time: each share of a long warp is answered, and shown.
const SHARE: u32 = 250;

/// A block as the chain names it.
#[derive(Deserialize)]
struct Head {
    number: u32,
    hash: String,
}

/// A pulse as drand serves it.
#[derive(Deserialize)]
struct Pulse {
    round: u64,
    signature: String,
}

/// A storage entry that differs.
#[derive(Deserialize)]
struct Change {
    key: String,
    item: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

pub(super) async fn fund(target: &Target, account: &str, amount: Rao) -> Result<()> {
    // As text: a JSON reader may round large numbers.
    let params = rpc_params![account, amount.0.to_string()];
    let hash: String = target.dev.call("dev_fund", params).await?;
    let object = json!({ "account": account, "rao": amount.0, "hash": hash });
    target.print(&object, &format!("{account} has {amount} more"))
}

pub(super) async fn warp(target: &Target, args: &WarpArgs) -> Result<()> {
    let mut head: Head = target.dev.call("dev_seal", rpc_params![0]).await?;
    let from = head.number;
    let to = match (args.blocks, args.to) {
        (Some(blocks), _) => from.saturating_add(blocks),
        (None, Some(to)) => to,
        (None, None) => target.dev.call("dev_nextEpoch", rpc_params![args.netuid]).await?,
    };
    if to < from {
        return Err(Error::user(format!("the chain is at block {from} already"))
            .hint("pass a later block, or go back with `iota localnet revert`"));
    }
    let mut screen = target.printer.screen();
    while head.number < to {
        let share = SHARE.min(to - head.number);
        head = target.dev.call("dev_seal", rpc_params![share]).await?;
        if let Some(screen) = &mut screen {
            screen.draw(&[format!("block {} of {to}", head.number)])?;
        }
    }
    if let Some(screen) = &mut screen {
        screen.draw(&[])?;
    }
    let object = json!({ "number": head.number, "hash": head.hash });
    target.print(&object, &format!("block {}, {} later", head.number, head.number - from))
}

pub(super) async fn snapshot(target: &Target) -> Result<()> {
    let snapshot: u32 = target.dev.call("dev_snapshot", rpc_params![]).await?;
    target.print(&json!({ "snapshot": snapshot }), &format!("snapshot {snapshot}"))
}

pub(super) async fn revert(target: &Target, snapshot: u32) -> Result<()> {
    let head: Head = target.dev.call("dev_revert", rpc_params![snapshot]).await?;
    let object = json!({ "number": head.number, "hash": head.hash });
    target.print(&object, &format!("back at block {}", head.number))
}

pub(super) async fn set_storage(target: &Target, args: &SetStorageArgs) -> Result<()> {
    let key = key(&args.key)?;
    let hash: String = target.dev.call("dev_setStorage", rpc_params![&key, &args.value]).await?;
    let done = if args.remove { "removed" } else { "set" };
    target.print(&json!({ "key": key, "hash": hash }), &format!("{done} {key}"))
}

pub(super) async fn pulse(target: &Target, file: Option<&Path>) -> Result<()> {
    let source: Box<dyn Read + Send> = match file {
        Some(path) => {
            Box::new(File::open(path).or_argument(format!("cannot read {}", path.display()))?)
        }
        None => Box::new(std::io::stdin()),
    };
    for pulse in Deserializer::from_reader(source).into_iter::<Pulse>() {
        let Pulse { round, signature } = pulse
            .or_argument("cannot read the pulses")
            .map_err(|error| error.hint("drand's JSON has a `round` and a `signature`"))?;
        let params = rpc_params![round, format!("0x{signature}")];
        let hash: String = target.dev.call("dev_pulse", params).await?;
        target.print(&json!({ "round": round, "hash": hash }), &format!("round {round}"))?;
    }
    Ok(())
}

pub(super) async fn faults(target: &Target, args: &FaultsArgs) -> Result<()> {
    let FaultsArgs { lose, delay, hold_finality, .. } = args;
    let lose: BTreeMap<_, _> = lose.iter().cloned().collect();
    let any = !lose.is_empty() || *delay > 0 || *hold_finality;
    let faults = json!({ "lose": lose, "delay_ms": delay, "hold_finality": hold_finality });
    let set: Value = target.dev.call("dev_faults", rpc_params![faults]).await?;
    let text =
        if any { "these things go wrong from now on" } else { "nothing goes wrong any more" };
    target.print(&set, text)
}

pub(super) async fn state_diff(target: &Target, before: u32, after: Option<u32>) -> Result<()> {
    let params = match after {
        Some(after) => rpc_params![before, after],
        None => rpc_params![before],
    };
    let changes: Vec<Value> = target.dev.call("dev_stateDiff", params).await?;
    for value in changes {
        let change = Change::deserialize(&value)
            .map_err(|error| Error::user(format!("the chain answered in another form: {error}")))?;
        target.print(&value, &change.line())?;
    }
    Ok(())
}

impl Change {
    /// `Pallet.Item(rest of the key): before -> after`.
    fn line(&self) -> String {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
        let change = format!("{} -> {}", value(&self.before), value(&self.after));
        // The item's name is the first 32 bytes.
        match (&self.item, self.key.get(66..)) {
            (Some(item), Some("")) => format!("{item}: {change}"),
            (Some(item), Some(rest)) => format!("{item}(0x{rest}): {change}"),
            _ => format!("{}: {change}", self.key),
        }
    }
}

/// The key in hex of what was typed: hex, or `Pallet.Item`, or `Pallet.Item:0x..`.
fn key(typed: &str) -> Result<String> {
    if typed.starts_with("0x") {
        return Ok(typed.to_owned());
    }
    let (name, rest) = typed.split_once(':').unwrap_or((typed, ""));
    let rest = rest.strip_prefix("0x").unwrap_or(rest);
    match name.split_once('.') {
        Some((pallet, item)) if hex::decode(rest).is_ok() => {
            let name = [twox_128(pallet.as_bytes()), twox_128(item.as_bytes())].concat();
            Ok(format!("0x{}{rest}", hex::encode(name)))
        }
        _ => Err(Error::argument(format!("`{typed}` is no storage key"))
            .hint("pass hex, or `Pallet.Item`, or `Pallet.Item:0x..`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_hex_or_a_name_and_what_follows_it() {
        // From the real chain: System.Number.
        let number = "0x26aa394eea5630e07c48ae0c9558cef702a5c1b19ab7a04f536c519aca4983ac";
        assert_eq!(key("System.Number").unwrap(), number);
        assert_eq!(key("System.Number:0x0100").unwrap(), format!("{number}0100"));
        assert_eq!(key("0xabcd").unwrap(), "0xabcd");
        for wrong in ["System", "System.Number:xyz", "System.Number:0x123"] {
            key(wrong).unwrap_err();
        }
    }

    #[test]
    fn a_change_is_shown_by_its_name() {
        let name = "00".repeat(32);
        let change = |rest: &str, item: Option<&str>| Change {
            key: format!("0x{name}{rest}"),
            item: item.map(Into::into),
            before: None,
            after: Some("0x01".into()),
        };
        assert_eq!(change("", Some("A.B")).line(), "A.B: none -> 0x01");
        assert_eq!(change("0100", Some("A.B")).line(), "A.B(0x0100): none -> 0x01");
        assert_eq!(change("", None).line(), format!("0x{name}: none -> 0x01"));
    }
}
