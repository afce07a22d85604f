//! `iota stake`: add, remove, move, list.

use iota_chain::{Alpha, Call, Client, Hotkey, Keypair, Quote, Rao, from_ss58, to_ss58};
use serde_json::json;

use super::order::{Effect, Order};
use super::wallet::coldkey_account;
use crate::cli::{ChainArgs, PriceArgs, StakeCommand, TradeArgs, WalletFlags};
use crate::error::{Context, Error, Result};
use crate::outfit;
use crate::printer::Printer;
use crate::settings::Surroundings;

mod relocate;

/// Greatest share by which a price may be allowed to move.
const MAX_TOLERANCE: f64 = 1.0;

pub(super) async fn run(command: StakeCommand) -> Result<()> {
    match command {
        StakeCommand::Add { amount, trade } => add(amount, &trade).await,
        StakeCommand::Remove { amount, trade } => remove(amount.amount, &trade).await,
        StakeCommand::Move { amount, to, trade } => relocate::run(amount.amount, &to, &trade).await,
        StakeCommand::List { wallet, chain, json } => {
            list(&wallet, &chain, Printer::new(json)).await
        }
    }
}

/// A trade that is about to be made.
struct Trade {
    order: Order,
    coldkey: Keypair,
    hotkey: Hotkey,
    price: PriceArgs,
}

async fn add(amount: Rao, args: &TradeArgs) -> Result<()> {
    let trade = Trade::open(args).await?;
    let (netuid, hotkey) = (trade.order.netuid, trade.hotkey);
    let quote = trade.quote(netuid, amount.0, true).await?;
    let (amount, partial) = (amount.0, trade.price.partial);
    let call = match trade.limit(&quote) {
        None => Call::AddStake { hotkey, netuid, amount },
        Some(limit) => Call::AddStakeLimit { hotkey, netuid, amount, limit, partial },
    };
    let (paid, address, got) = (Rao(amount), to_ss58(&hotkey), Alpha(quote.got));
    let text = format!("stakes {paid} on {address} in subnet {netuid}: about {got}");
    trade.place("cannot stake", &call, &text, &quote).await
}

async fn remove(amount: Option<Alpha>, args: &TradeArgs) -> Result<()> {
    let trade = Trade::open(args).await?;
    let (netuid, hotkey) = (trade.order.netuid, trade.hotkey);
    let amount = trade.amount(amount).await?;
    let quote = trade.quote(netuid, amount, false).await?;
    let partial = trade.price.partial;
    let call = match trade.limit(&quote) {
        None => Call::RemoveStake { hotkey, netuid, amount },
        Some(limit) => Call::RemoveStakeLimit { hotkey, netuid, amount, limit, partial },
    };
    let (paid, address, got) = (Alpha(amount), to_ss58(&hotkey), Rao(quote.got));
    let text = format!("takes {paid} back from {address} in subnet {netuid}: about {got}");
    trade.place("cannot take stake back", &call, &text, &quote).await
}

impl Trade {
    async fn open(args: &TradeArgs) -> Result<Self> {
        let TradeArgs { hotkey_ss58, price, chain, sign } = args;
        if !(0.0..=MAX_TOLERANCE).contains(&price.tolerance) {
            return Err(Error::argument(format!("`--tolerance {}` is no share", price.tolerance))
                .hint("pass a number from 0 to 1: 0.05 is five per cent"));
        }
        let order = Order::open(chain, sign).await?;
        let hotkey = match hotkey_ss58 {
            Some(named) => address(named)?,
            None => order.hotkey()?.public(),
        };
        Ok(Self { coldkey: order.coldkey()?, order, hotkey, price: *price })
    }

    /// The amount that was typed, or all that is staked.
    async fn amount(&self, typed: Option<Alpha>) -> Result<u64> {
        match typed {
            Some(Alpha(amount)) => Ok(amount),
            None => {
                let (coldkey, netuid) = (self.coldkey.public(), self.order.netuid);
                staked(&self.order.client, &coldkey, &self.hotkey, netuid).await
            }
        }
    }

    async fn quote(&self, netuid: u16, rao: u64, stakes: bool) -> Result<Quote> {
        let quote = self.order.client.quote(netuid, rao, stakes).await;
        let quote = quote.or_user("cannot read the price")?;
        if rao > 0 && quote.got == 0 {
            return Err(Error::user(format!("the pool of subnet {netuid} cannot fill that order"))
                .hint("trade less, and see `iota subnet list` for what is in the pool"));
        }
        Ok(quote)
    }

    /// The price that the trade may reach.
    fn limit(&self, quote: &Quote) -> Option<u64> {
        (!self.price.any_price).then(|| quote.limit(self.price.tolerance))
    }

    /// Shows what a trade in one pool does, and makes it.
    async fn place(&self, what: &str, call: &Call, text: &str, quote: &Quote) -> Result<()> {
        let limit = self.limit(quote);
        let object = json!({
            "netuid": self.order.netuid,
            "hotkey": to_ss58(&self.hotkey),
            "paid_rao": quote.paid,
            "got_rao": quote.got,
            "price_rao": quote.price,
            "limit_price_rao": limit,
            "slippage": quote.slippage(),
            "pool_fee_rao": quote.fee,
        });
        let effect = Effect::new(format!("{text}{}", terms(quote, limit)), object);
        self.order.place(what, &self.coldkey, call, effect).await.map(drop)
    }
}

fn address(typed: &str) -> Result<Hotkey> {
    from_ss58(typed).or_argument(format!("`{typed}` is no address"))
}

/// Price, slippage and what they may become, in words.
fn terms(quote: &Quote, limit: Option<u64>) -> String {
    let now = Rao(quote.price);
    let slippage = 100.0 * quote.slippage();
    let side = if quote.stakes { "up to" } else { "down to" };
    let limit = limit.map_or("at any price".into(), |limit| format!("{side} {}", Rao(limit)));
    let fee = if quote.stakes { Rao(quote.fee).to_string() } else { Alpha(quote.fee).to_string() };
    format!(" at {now} each now, {limit}; slippage {slippage:.2} %, with the pool's fee of {fee}")
}

async fn staked(client: &Client, coldkey: &Hotkey, hotkey: &Hotkey, netuid: u16) -> Result<u64> {
    let stakes = client.stakes(coldkey).await.or_user("cannot read the stake")?;
    let found = stakes.iter().find(|stake| stake.netuid == netuid && stake.hotkey == *hotkey);
    found.map(|stake| stake.alpha).ok_or_else(|| {
        Error::user(format!("nothing is staked on {} in subnet {netuid}", to_ss58(hotkey)))
            .hint("see `iota stake list`")
    })
}

async fn list(wallet: &WalletFlags, chain: &ChainArgs, printer: Printer) -> Result<()> {
    let account = coldkey_account(&Surroundings::of_process().wallet(wallet)?)?;
    let client = outfit::reach(chain).await?;
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
