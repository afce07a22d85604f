//! `iota register`.

use iota_chain::{Call, Rao};
use serde_json::json;

use super::order::{Effect, Order};
use crate::cli::RegisterArgs;
use crate::error::{Context, Result};

/// Burns the price and registers the hotkey.
pub(super) async fn run(args: &RegisterArgs) -> Result<()> {
    let order = Order::open(&args.chain, &args.sign).await?;
    let (coldkey, hotkey) = (order.coldkey()?, order.hotkey()?);
    let netuid = order.netuid;
    let what = format!("cannot register on subnet {netuid}");
    let cost = order.client.registration_cost(netuid).await.or_user(&what)?;
    let (address, hotkey) = (hotkey.ss58(), hotkey.public());
    let call = match args.limit {
        Some(Rao(limit)) => Call::RegisterLimit { netuid, hotkey, limit },
        None => Call::BurnedRegister { netuid, hotkey },
    };
    let text = format!("registers {address} on subnet {netuid}, for {} now", Rao(cost));
    let object = json!({ "netuid": netuid, "hotkey": address, "cost_rao": cost });
    order.place(&what, &coldkey, &call, Effect::new(text, object)).await?;
    Ok(())
}
