//! `iota register`: for the burn, or by work.

use iota_chain::{Call, Rao};
use serde_json::json;

use super::order::{Effect, Order};
use crate::cli::RegisterArgs;
use crate::error::{Context, Result};

mod work;

/// Of the price, one part in so many is what it may rise by where no limit is given: 5 %.
const RISE: u64 = 20;

pub(super) async fn run(args: &RegisterArgs) -> Result<()> {
    let order = Order::open(&args.chain, &args.sign).await?;
    if args.pow { work::run(&order, args.threads).await } else { burn(&order, args.limit).await }
}

/// Burns the price and registers the hotkey.
async fn burn(order: &Order, limit: Option<Rao>) -> Result<()> {
    let (coldkey, hotkey) = (order.coldkey()?, order.hotkey()?);
    let netuid = order.netuid;
    let what = format!("cannot register on subnet {netuid}");
    let cost = order.client.registration_cost(netuid).await.or_user(&what)?;
    let (address, hotkey) = (hotkey.ss58(), hotkey.public());
    // Every registration makes the next one dearer, and others may come first.
    let Rao(limit) = limit.unwrap_or(Rao(cost.saturating_add(cost / RISE)));
    let call = Call::RegisterLimit { netuid, hotkey, limit };
    let text = format!(
        "registers {address} on subnet {netuid}, for {} now and {} at most",
        Rao(cost),
        Rao(limit)
    );
    let object =
        json!({ "netuid": netuid, "hotkey": address, "cost_rao": cost, "limit_rao": limit });
    order.place(&what, &coldkey, &call, Effect::new(text, object)).await?;
    Ok(())
}
