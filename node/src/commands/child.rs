//! `iota child`: stake that is lent to other hotkeys.

use iota_chain::{Call, Family, Hotkey, Rao, Relative, from_ss58, to_ss58};
use serde_json::{Value, json};

use super::order::{Effect, Order};
use super::wallet::hotkey_account;
use crate::cli::{ChainArgs, ChildCommand, SignArgs, WalletFlags};
use crate::error::{Context, Error, Result};
use crate::outfit;
use crate::printer::Printer;
use crate::settings::Surroundings;

/// One, in billionths: what is typed has nine decimals at most.
const BILLIONTHS: u128 = 1_000_000_000;

pub(super) async fn run(command: ChildCommand) -> Result<()> {
    match command {
        ChildCommand::Set { children, none: _, chain, sign } => set(&children, &chain, &sign).await,
        ChildCommand::Take { take: share, chain, sign } => take(share, &chain, &sign).await,
        ChildCommand::List { hotkey_ss58, wallet, chain, json } => {
            list(hotkey_ss58.as_deref(), &wallet, &chain, Printer::new(json)).await
        }
    }
}

async fn set(typed: &[String], chain: &ChainArgs, sign: &SignArgs) -> Result<()> {
    let children = typed.iter().map(|child| relative(child)).collect::<Result<Vec<_>>>()?;
    let sum: u128 = children.iter().map(|(share, _)| u128::from(*share)).sum();
    if sum > u128::from(u64::MAX) {
        return Err(Error::argument("more than the whole stake is lent")
            .hint("the shares of all children may add up to 1 at most"));
    }
    let order = Order::open(chain, sign).await?;
    let (coldkey, hotkey, netuid) = (order.coldkey()?, order.hotkey()?, order.netuid);
    let lent = if children.is_empty() { "nothing".to_owned() } else { typed.join(", ") };
    let text = format!("lends, of the stake of {} in subnet {netuid}: {lent}", hotkey.ss58());
    let object = json!({ "netuid": netuid, "hotkey": hotkey.ss58(), "children": rows(&children) });
    let call = Call::SetChildren { hotkey: hotkey.public(), netuid, children };
    order.place("cannot set the children", &coldkey, &call, Effect::new(text, object)).await?;
    Ok(())
}

async fn take(share: f64, chain: &ChainArgs, sign: &SignArgs) -> Result<()> {
    if !(0.0..=1.0).contains(&share) {
        return Err(Error::argument(format!("`{share}` is no share"))
            .hint("pass a number from 0 to 1: 0.09 is nine per cent"));
    }
    let take = (share * f64::from(u16::MAX)).round() as u16;
    let order = Order::open(chain, sign).await?;
    let (coldkey, hotkey, netuid) = (order.coldkey()?, order.hotkey()?, order.netuid);
    let text = format!("lets {} keep {share} of what lent stake earns", hotkey.ss58());
    let object = json!({ "netuid": netuid, "hotkey": hotkey.ss58(), "take": share });
    let call = Call::SetChildkeyTake { hotkey: hotkey.public(), netuid, take };
    order.place("cannot set the take", &coldkey, &call, Effect::new(text, object)).await?;
    Ok(())
}

async fn list(
    named: Option<&str>,
    wallet: &WalletFlags,
    chain: &ChainArgs,
    printer: Printer,
) -> Result<()> {
    let hotkey = match named {
        Some(address) => from_ss58(address).or_argument(format!("`{address}` is no address"))?,
        None => hotkey_account(&Surroundings::of_process().wallet(wallet)?)?,
    };
    let client = outfit::reach(chain).await?;
    let family = client.family(chain.netuid, &hotkey).await;
    let Family { children, pending, parents, take } = family.or_user("cannot read the children")?;
    let take = f64::from(take) / f64::from(u16::MAX);
    if printer == Printer::Json {
        let pending = pending
            .map(|(children, block)| json!({ "children": rows(&children), "after_block": block }));
        return Ok(printer.object(&json!({
            "netuid": chain.netuid,
            "hotkey": to_ss58(&hotkey),
            "children": rows(&children),
            "pending": pending,
            "parents": rows(&parents),
            "take": take,
        }))?);
    }
    let show = |title: String, relatives: &[Relative]| -> Result<()> {
        printer.line(title)?;
        for (share, hotkey) in relatives {
            printer.line(format!("  {:>8.4}  {}", portion(*share), to_ss58(hotkey)))?;
        }
        Ok(())
    };
    show(format!("lends to {}", children.len()), &children)?;
    if let Some((children, block)) = pending {
        show(format!("lends to {} with an epoch after block {block}", children.len()), &children)?;
    }
    show(format!("borrows from {}, and keeps {take:.4} of it", parents.len()), &parents)
}

/// A child as it is typed: `SS58:SHARE`.
fn relative(typed: &str) -> Result<Relative> {
    let parsed = typed.split_once(':').and_then(|(address, share)| {
        let (hotkey, Rao(share)) = (from_ss58(address).ok()?, share.parse().ok()?);
        // Rounded down, so that shares that add up to the whole do not exceed it.
        let of_whole = u128::from(share) * u128::from(u64::MAX) / BILLIONTHS;
        (share > 0).then_some((u64::try_from(of_whole).ok()?, hotkey))
    });
    parsed.ok_or_else(|| {
        Error::argument(format!("`{typed}` is no child"))
            .hint("pass an address and a share above 0 and up to 1, as in `5F3sa...:0.25`")
    })
}

fn portion(share: u64) -> f64 {
    share as f64 / u64::MAX as f64
}

fn rows(relatives: &[(u64, Hotkey)]) -> Vec<Value> {
    let row =
        |(share, hotkey): &Relative| json!({ "hotkey": to_ss58(hotkey), "share": portion(*share) });
    relatives.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_that_add_up_to_the_whole_are_no_more_than_it() {
        let address = to_ss58(&[7; 32]);
        let share = |text: &str| relative(&format!("{address}:{text}")).map(|child| child.0);
        assert_eq!(relative(&format!("{address}:0.5")).unwrap(), ((1 << 63) - 1, [7; 32]));
        for whole in [&["1"][..], &["0.1", "0.9"], &["0.2"; 5], &["0.33", "0.33", "0.34"]] {
            let sum: u128 = whole.iter().map(|text| u128::from(share(text).unwrap())).sum();
            let most = u128::from(u64::MAX);
            assert!((most - 8..=most).contains(&sum), "{whole:?}: {sum}");
        }
        for wrong in ["0", "1.1", "NaN", "0.0000000001", "-1", ""] {
            share(wrong).unwrap_err();
        }
        for wrong in ["", "0.5", "x:0.5"] {
            relative(wrong).unwrap_err();
        }
    }
}
