//! `iota stake move`: to another subnet, hotkey or coldkey.

use iota_chain::{Alpha, Call, Quote, to_ss58};
use serde_json::json;

use super::{Trade, address};
use crate::cli::{DestinationArgs, TradeArgs};
use crate::commands::order::Effect;
use crate::error::{Error, Result};

/// A billion: prices and their ratios are in billionths.
const UNIT: u128 = 1_000_000_000;

pub(super) async fn run(
    amount: Option<Alpha>,
    to: &DestinationArgs,
    args: &TradeArgs,
) -> Result<()> {
    let trade = Trade::open(args).await?;
    let Trade { order, coldkey, hotkey, price } = &trade;
    let (from, hotkey) = (order.netuid, *hotkey);
    let netuid = to.to_netuid.unwrap_or(from);
    let new_hotkey = to.to_hotkey.as_deref().map(address).transpose()?;
    let new_coldkey = to.to_coldkey.as_deref().map(address).transpose()?;
    if netuid == from && new_hotkey.is_none() && new_coldkey.is_none() {
        return Err(Error::argument(format!("the stake lies in subnet {from} already"))
            .hint("pass another `--to-netuid`, or a `--to-hotkey` or `--to-coldkey`"));
    }
    let is_limited = new_hotkey.is_none() && new_coldkey.is_none();
    if netuid != from && !is_limited && !price.any_price {
        return Err(Error::argument(
            "the chain limits no price of a move to another hotkey or coldkey",
        )
        .hint("move it to the other subnet first, or pass `--any-price`"));
    }
    let amount = trade.amount(amount).await?;
    let exchange =
        if netuid == from { None } else { Some(exchange(&trade, netuid, amount).await?) };
    let mut limit = None;
    let call = match (new_hotkey, new_coldkey) {
        (Some(to), _) => Call::MoveStake { from: (hotkey, from), to: (to, netuid), amount },
        (None, Some(coldkey)) => Call::TransferStake { coldkey, hotkey, from, to: netuid, amount },
        (None, None) => {
            limit = exchange.filter(|_| !price.any_price).map(|it| it.limit(price.tolerance));
            let limit = limit.map(|least| (least, price.partial));
            Call::SwapStake { hotkey, from, to: netuid, amount, limit }
        }
    };
    let got = exchange.map_or(amount, |exchange| exchange.bought.got);
    let keeper = new_coldkey.map_or(String::new(), |to| format!(" of {}", to_ss58(&to)));
    let on = to_ss58(&new_hotkey.unwrap_or(hotkey));
    let terms = exchange.map_or(String::new(), |exchange| exchange.terms(limit));
    let text = format!(
        "moves {} from {} in subnet {from} to {on} in subnet {netuid}{keeper}{terms}",
        Alpha(amount),
        to_ss58(&hotkey),
    );
    let object = json!({
        "netuid": from,
        "hotkey": to_ss58(&hotkey),
        "to_netuid": netuid,
        "to_hotkey": on,
        "to_coldkey": to_ss58(&new_coldkey.unwrap_or(coldkey.public())),
        "paid_rao": amount,
        "got_rao": got,
        "limit_ratio": limit.map(|limit| limit as f64 / UNIT as f64),
    });
    order.place("cannot move the stake", coldkey, &call, Effect::new(text, object)).await?;
    Ok(())
}

/// What a swap of one alpha for another goes through.
#[derive(Clone, Copy)]
struct Exchange {
    sold: Quote,
    bought: Quote,
}

async fn exchange(trade: &Trade, netuid: u16, amount: u64) -> Result<Exchange> {
    let sold = trade.quote(trade.order.netuid, amount, false).await?;
    let bought = trade.quote(netuid, sold.got, true).await?;
    Ok(Exchange { sold, bought })
}

impl Exchange {
    /// Alpha got for one alpha at the prices before, in billionths.
    fn ratio(&self) -> u64 {
        let ratio = u128::from(self.sold.price) * UNIT / u128::from(self.bought.price.max(1));
        u64::try_from(ratio).unwrap_or(u64::MAX)
    }

    /// The least ratio that the trade may reach.
    fn limit(&self, tolerance: f64) -> u64 {
        (self.ratio() as f64 * (1.0 - tolerance)) as u64
    }

    fn terms(&self, limit: Option<u64>) -> String {
        let shown = |ratio: u64| ratio as f64 / UNIT as f64;
        let limit = limit
            .map_or("at any price".into(), |limit| format!("down to {:.6} for one", shown(limit)));
        let got = Alpha(self.bought.got);
        format!(": about {got}, {:.6} for one now, {limit}", shown(self.ratio()))
    }
}
