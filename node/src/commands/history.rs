//! `iota history`: what a wallet had and earned.

use iota_chain::{Holder, Moment, ReadError, to_ss58};
use serde_json::json;

use super::metagraph::share;
use super::wallet;
use crate::cli::HistoryArgs;
use crate::error::{Context, Error, Result};
use crate::outfit;
use crate::printer::Printer;
use crate::settings::Surroundings;

/// Lines where nobody says how many.
const LINES: u32 = 20;
/// Most lines: each is several questions to the node.
const MAX_LINES: u32 = 10_000;

pub(super) async fn run(args: &HistoryArgs) -> Result<()> {
    let HistoryArgs { blocks, every, wallet, chain, json } = args;
    let every = every.unwrap_or_else(|| blocks.div_ceil(LINES)).max(1);
    if blocks / every >= MAX_LINES {
        return Err(Error::argument(format!("that would be {} lines", blocks / every + 1))
            .hint("pass a greater `--every`, or fewer `--blocks`"));
    }
    let place = Surroundings::of_process().wallet(wallet)?;
    let (coldkey, hotkey) = (wallet::coldkey_account(&place)?, wallet::hotkey_account(&place)?);
    let who = Holder { coldkey, hotkey, netuid: chain.netuid };
    let client = outfit::reach(chain).await?;
    const WHAT: &str = "cannot read the history";
    let (newest, _) = client.finalized().await.or_user(WHAT)?;
    let printer = Printer::new(*json);
    if printer == Printer::Text {
        printer.line(format!("{} in subnet {}", to_ss58(&hotkey), chain.netuid))?;
        printer.line(HEAD)?;
    }
    for number in (newest.saturating_sub(*blocks)..=newest).rev().step_by(every as usize) {
        match client.moment(&who, number).await {
            Ok(moment) => show(printer, &moment)?,
            // The newest state is always there.
            Err(ReadError::Pruned { .. }) if number < newest => {
                printer.note(format!(
                    "note: the node has no states before block {}; `--chain archive` may",
                    number + 1
                ))?;
                break;
            }
            Err(error) => return Err(error).or_user(WHAT),
        }
    }
    Ok(())
}

const HEAD: &str = "     block           balance (TAO)           stake (alpha)  incentive  dividends  \
                    emission (alpha)";

fn show(printer: Printer, moment: &Moment) -> Result<()> {
    let Moment { number, timestamp_ms, balance, stake, neuron } = moment;
    let tao = |rao: u64| rao as f64 / 1e9;
    match printer {
        Printer::Json => printer.object(&json!({
            "block": number,
            "timestamp_ms": timestamp_ms,
            "balance_rao": balance,
            "alpha_rao": stake,
            "uid": neuron.as_ref().map(|neuron| neuron.uid),
            "incentive": neuron.as_ref().map(|neuron| share(neuron.incentive)),
            "dividends": neuron.as_ref().map(|neuron| share(neuron.dividends)),
            "emission_rao": neuron.as_ref().map(|neuron| neuron.emission),
        }))?,
        Printer::Text => {
            let earned = neuron.as_ref().map_or("not registered".into(), |neuron| {
                let (incentive, dividends) = (share(neuron.incentive), share(neuron.dividends));
                format!("{incentive:>9.4}  {dividends:>9.4}  {:>16.9}", tao(neuron.emission))
            });
            let (balance, stake) = (tao(*balance), tao(*stake));
            printer.line(format!("{number:>10}  {balance:>22.9}  {stake:>22.9}  {earned}"))?;
        }
    }
    Ok(())
}
