//! `iota stake`: add, remove, list.

use iota_chain::{Alpha, Call, Client, Hotkey, Quote, Rao, from_ss58, to_ss58};
use serde_json::json;

use super::order::{Effect, Order};
use super::wallet::coldkey_account;
use crate::cli::{ChainArgs, PriceArgs, SignArgs, StakeCommand, WalletFlags};
use crate::error::{Context, Error, Result};
use crate::outfit;
use crate::printer::Printer;
use crate::settings::Surroundings;

/// Greatest share by which a price may be allowed to move.
const MAX_TOLERANCE: f64 = 1.0;

pub(super) async fn run(command: StakeCommand) -> Result<()> {
    match command {
        StakeCommand::Add { amount, hotkey_ss58, price, chain, sign } => {
            add(amount, hotkey_ss58.as_deref(), price, &chain, &sign).await
        }
        StakeCommand::Remove { amount, all: _, hotkey_ss58, price, chain, sign } => {
            remove(amount, hotkey_ss58.as_deref(), price, &chain, &sign).await
        }
        StakeCommand::List { wallet, chain, json } => {
            list(&wallet, &chain, Printer::new(json)).await
        }
    }
}

async fn add(
    amount: Rao,
    hotkey: Option<&str>,
    price: PriceArgs,
    chain: &ChainArgs,
    sign: &SignArgs,
) -> Result<()> {
    check(price)?;
    let order = Order::open(chain, sign).await?;
    let (netuid, hotkey) = (order.netuid, on(&order, hotkey)?);
    let quote = quote(&order.client, netuid, amount.0, true).await?;
    let coldkey = order.coldkey()?;
    let limit = quote.limit(price.tolerance);
    let amount = amount.0;
    let call = if price.any_price {
        Call::AddStake { hotkey, netuid, amount }
    } else {
        Call::AddStakeLimit { hotkey, netuid, amount, limit, partial: price.partial }
    };
    let text = format!(
        "stakes {} on {} in subnet {netuid}: about {}{}",
        Rao(amount),
        to_ss58(&hotkey),
        Alpha(quote.got),
        terms(&quote, price)
    );
    let effect = Effect::new(text, object(&quote, &hotkey, netuid, price));
    order.place("cannot stake", &coldkey, &call, effect).await?;
    Ok(())
}

async fn remove(
    amount: Option<Alpha>,
    hotkey: Option<&str>,
    price: PriceArgs,
    chain: &ChainArgs,
    sign: &SignArgs,
) -> Result<()> {
    check(price)?;
    let order = Order::open(chain, sign).await?;
    let (netuid, hotkey) = (order.netuid, on(&order, hotkey)?);
    let coldkey = order.coldkey()?;
    let amount = match amount {
        Some(Alpha(amount)) => amount,
        None => staked(&order.client, &coldkey.public(), &hotkey, netuid).await?,
    };
    let quote = quote(&order.client, netuid, amount, false).await?;
    let limit = quote.limit(price.tolerance);
    let call = if price.any_price {
        Call::RemoveStake { hotkey, netuid, amount }
    } else {
        Call::RemoveStakeLimit { hotkey, netuid, amount, limit, partial: price.partial }
    };
    let text = format!(
        "takes {} back from {} in subnet {netuid}: about {}{}",
        Alpha(amount),
        to_ss58(&hotkey),
        Rao(quote.got),
        terms(&quote, price)
    );
    let effect = Effect::new(text, object(&quote, &hotkey, netuid, price));
    order.place("cannot take stake back", &coldkey, &call, effect).await?;
    Ok(())
}

fn check(price: PriceArgs) -> Result<()> {
    if (0.0..=MAX_TOLERANCE).contains(&price.tolerance) {
        return Ok(());
    }
    Err(Error::argument(format!("`--tolerance {}` is no share", price.tolerance))
        .hint("pass a number from 0 to 1: 0.05 is five per cent"))
}

/// The hotkey that was named, or the wallet's.
fn on(order: &Order, named: Option<&str>) -> Result<Hotkey> {
    match named {
        Some(address) => from_ss58(address).or_argument(format!("`{address}` is no address")),
        None => Ok(order.hotkey()?.public()),
    }
}

async fn quote(client: &Client, netuid: u16, rao: u64, stakes: bool) -> Result<Quote> {
    let quote = client.quote(netuid, rao, stakes).await.or_user("cannot read the price")?;
    if rao > 0 && quote.got == 0 {
        return Err(Error::user(format!("the pool of subnet {netuid} cannot fill that order"))
            .hint("trade less, and see `iota subnet list` for what is in the pool"));
    }
    Ok(quote)
}

async fn staked(client: &Client, coldkey: &Hotkey, hotkey: &Hotkey, netuid: u16) -> Result<u64> {
    let stakes = client.stakes(coldkey).await.or_user("cannot read the stake")?;
    let found = stakes.iter().find(|stake| stake.netuid == netuid && stake.hotkey == *hotkey);
    found.map(|stake| stake.alpha).ok_or_else(|| {
        Error::user(format!("nothing is staked on {} in subnet {netuid}", to_ss58(hotkey)))
            .hint("see `iota stake list`")
    })
}

/// Price, slippage and what they may become, in words.
fn terms(quote: &Quote, price: PriceArgs) -> String {
    let now = Rao(quote.price);
    let slippage = 100.0 * quote.slippage();
    let limit = if price.any_price {
        "at any price".to_owned()
    } else {
        let side = if quote.stakes { "up to" } else { "down to" };
        format!("{side} {}", Rao(quote.limit(price.tolerance)))
    };
    format!(" at {now} each now, {limit}; slippage {slippage:.2} %")
}

fn object(quote: &Quote, hotkey: &Hotkey, netuid: u16, price: PriceArgs) -> serde_json::Value {
    let limit = (!price.any_price).then(|| quote.limit(price.tolerance));
    json!({
        "netuid": netuid,
        "hotkey": to_ss58(hotkey),
        "paid_rao": quote.paid,
        "got_rao": quote.got,
        "price_rao": quote.price,
        "limit_price_rao": limit,
        "slippage": quote.slippage(),
    })
}

async fn list(wallet: &WalletFlags, chain: &ChainArgs, printer: Printer) -> Result<()> {
    let around = Surroundings::of_process();
    let account = coldkey_account(&around.wallet(wallet)?)?;
    let client = outfit::connect(&around.chain_url(chain.chain.as_deref())?).await?;
    let stakes = client.stakes(&account).await.or_user("cannot read the stake")?;
    let subnets = client.subnets().await.or_user("cannot read the subnets")?;
    let price =
        |netuid| subnets.iter().find(|subnet| subnet.netuid == netuid).map_or(0, |s| s.price);
    let worth = |alpha: u64, netuid| {
        let rao = u128::from(alpha) * u128::from(price(netuid)) / 1_000_000_000;
        u64::try_from(rao).unwrap_or(u64::MAX)
    };
    match printer {
        Printer::Json => {
            let row = |stake: &iota_chain::Stake| {
                json!({
                    "netuid": stake.netuid,
                    "hotkey": to_ss58(&stake.hotkey),
                    "alpha_rao": stake.alpha,
                    "worth_rao": worth(stake.alpha, stake.netuid),
                    "registered": stake.is_registered,
                })
            };
            let rows: Vec<_> = stakes.iter().map(row).collect();
            printer.object(&json!({ "coldkey": to_ss58(&account), "stakes": rows }))?;
        }
        Printer::Text if stakes.is_empty() => printer.line("nothing is staked")?,
        Printer::Text => {
            for stake in &stakes {
                let (netuid, alpha) = (stake.netuid, Alpha(stake.alpha));
                let worth = Rao(worth(stake.alpha, netuid));
                let hotkey = to_ss58(&stake.hotkey);
                printer.line(format!("subnet {netuid:>4}  {hotkey}  {alpha}, worth {worth}"))?;
            }
        }
    }
    Ok(())
}
