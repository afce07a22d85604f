//! `iota subnet`: list, create, start, hyperparameters, set.

use iota_chain::{AdminError, Call, Rao, to_ss58};
use serde_json::{Map, Value, json};

use super::order::{Effect, Order};
use crate::cli::{ChainArgs, SignArgs, SubnetCommand};
use crate::error::{Context, Error, Result};
use crate::outfit;
use crate::printer::Printer;

pub(super) async fn run(command: SubnetCommand) -> Result<()> {
    match command {
        SubnetCommand::List { chain, json } => list(&chain, Printer::new(json)).await,
        SubnetCommand::Create { chain, sign } => create(&chain, &sign).await,
        SubnetCommand::Start { chain, sign } => start(&chain, &sign).await,
        SubnetCommand::Hyperparameters { chain, json } => {
            hyperparameters(&chain, Printer::new(json)).await
        }
        SubnetCommand::Set { parameter, values, sudo, chain, sign } => {
            set(&parameter, &values, sudo, &chain, &sign).await
        }
    }
}

async fn list(chain: &ChainArgs, printer: Printer) -> Result<()> {
    let client = outfit::reach(chain).await?;
    let subnets = client.subnets().await.or_user("cannot read the subnets")?;
    if printer == Printer::Json {
        let row = |subnet: &iota_chain::Subnet| {
            json!({
                "netuid": subnet.netuid,
                "name": subnet.name,
                "owner": to_ss58(&subnet.owner),
                "tempo": subnet.tempo,
                "price_rao": subnet.price,
                "tao_in_rao": subnet.tao_in,
                "alpha_in_rao": subnet.alpha_in,
                "alpha_out_rao": subnet.alpha_out,
            })
        };
        let rows: Vec<_> = subnets.iter().map(row).collect();
        return Ok(printer.object(&json!({ "subnets": rows }))?);
    }
    printer.line(format!(
        "{:>6}  {:<20} {:>6} {:>14} {:>16} {:>16}  owner",
        "netuid", "name", "tempo", "price (TAO)", "TAO in pool", "alpha in pool"
    ))?;
    for subnet in &subnets {
        let (tao, alpha) = (subnet.tao_in as f64 / 1e9, subnet.alpha_in as f64 / 1e9);
        printer.line(format!(
            "{:>6}  {:<20} {:>6} {:>14.9} {tao:>16.3} {alpha:>16.3}  {}",
            subnet.netuid,
            console::truncate_str(&subnet.name, 20, "..."),
            subnet.tempo,
            subnet.price as f64 / 1e9,
            to_ss58(&subnet.owner)
        ))?;
    }
    Ok(())
}

async fn create(chain: &ChainArgs, sign: &SignArgs) -> Result<()> {
    let order = Order::open(chain, sign).await?;
    let (coldkey, hotkey) = (order.coldkey()?, order.hotkey()?);
    let cost = order.client.subnet_cost().await.or_user("cannot read what a subnet costs")?;
    let text = format!("creates a subnet with the hotkey {}, for {}", hotkey.ss58(), Rao(cost));
    let effect = Effect::new(text, json!({ "hotkey": hotkey.ss58(), "cost_rao": cost }));
    let call = Call::RegisterNetwork { hotkey: hotkey.public() };
    order.place("cannot create a subnet", &coldkey, &call, effect).await?;
    Ok(())
}

async fn start(chain: &ChainArgs, sign: &SignArgs) -> Result<()> {
    let order = Order::open(chain, sign).await?;
    let netuid = order.netuid;
    let effect = Effect::new(format!("starts subnet {netuid}"), json!({ "netuid": netuid }));
    let call = Call::StartCall { netuid };
    order.place("cannot start the subnet", &order.coldkey()?, &call, effect).await?;
    Ok(())
}

async fn hyperparameters(chain: &ChainArgs, printer: Printer) -> Result<()> {
    let client = outfit::reach(chain).await?;
    let netuid = chain.netuid;
    let found = client.hyperparameters(netuid).await.or_user("cannot read the hyperparameters")?;
    let pairs = found.ok_or_else(|| {
        Error::user(format!("there is no subnet {netuid}")).hint("see `iota subnet list`")
    })?;
    if printer == Printer::Json {
        let typed = |text: &str| text.parse::<Value>().unwrap_or_else(|_| json!(text));
        let object: Map<String, Value> =
            pairs.iter().map(|(name, value)| (name.clone(), typed(value))).collect();
        return Ok(printer.object(&object)?);
    }
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in &pairs {
        printer.line(format!("{name:<width$}  {value}"))?;
    }
    Ok(())
}

async fn set(
    name: &str,
    values: &[String],
    sudo: bool,
    chain: &ChainArgs,
    sign: &SignArgs,
) -> Result<()> {
    let order = Order::open(chain, sign).await?;
    let netuid = order.netuid;
    let call = order.client.admin_call(netuid, name, values).await.map_err(unknown)?;
    let call = if sudo { Call::Sudo(Box::new(call)) } else { call };
    let shown = values.join(" ");
    let text = format!("sets {name} of subnet {netuid} to {shown}");
    let object = json!({ "netuid": netuid, "parameter": name, "values": values });
    order.place("cannot set it", &order.coldkey()?, &call, Effect::new(text, object)).await?;
    Ok(())
}

fn unknown(error: AdminError) -> Error {
    let hint = match &error {
        AdminError::Unknown { near, .. } if near.is_empty() => {
            "names are those of the chain's `sudo_set_` calls".to_owned()
        }
        AdminError::Unknown { near, .. } => format!("did you mean {}?", near.join(", ")),
        AdminError::Arguments { .. } => {
            "pass `true` or `false`, or whole numbers; what is neither cannot be set from here"
                .to_owned()
        }
        _ => "check `--chain`".to_owned(),
    };
    Error::argument(error).hint(hint)
}
