//! `iota commitment`: what hotkeys commit to, by hand.

use iota_chain::{Call, CommittedFields, Field, from_ss58, to_ss58};
use serde_json::{Value, json};

use super::order::{Effect, Order};
use crate::cli::{ChainArgs, CommitmentCommand, SignArgs};
use crate::error::{Context, Error, Result};
use crate::outfit;
use crate::printer::Printer;

/// Most bytes of a field.
const MAX_FIELD: usize = 512;

pub(super) async fn run(command: CommitmentCommand) -> Result<()> {
    match command {
        CommitmentCommand::Set { fields, hex, chain, sign } => {
            set(&fields, hex, &chain, &sign).await
        }
        CommitmentCommand::List { hotkey_ss58, chain, json } => {
            list(hotkey_ss58.as_deref(), &chain, Printer::new(json)).await
        }
    }
}

async fn set(typed: &[String], is_hex: bool, chain: &ChainArgs, sign: &SignArgs) -> Result<()> {
    let fields = typed.iter().map(|text| bytes(text, is_hex)).collect::<Result<Vec<_>>>()?;
    let order = Order::open(chain, sign).await?;
    let (hotkey, netuid) = (order.hotkey()?, order.netuid);
    let text = format!("commits {} to {}, in subnet {netuid}", hotkey.ss58(), typed.join(", "));
    let shown: Vec<Value> = fields.iter().map(|field| shown(Some(field))).collect();
    let object = json!({ "netuid": netuid, "hotkey": hotkey.ss58(), "fields": shown });
    let fields = fields.into_iter().map(Field::Bytes).collect();
    let call = Call::SetCommitment { netuid, fields };
    order.place("cannot commit to it", &hotkey, &call, Effect::new(text, object)).await?;
    Ok(())
}

fn bytes(typed: &str, is_hex: bool) -> Result<Vec<u8>> {
    let bytes = match is_hex {
        true => hex::decode(typed.trim_start_matches("0x"))
            .or_argument(format!("`{typed}` is no hex"))?,
        false => typed.as_bytes().to_vec(),
    };
    if bytes.len() > MAX_FIELD {
        return Err(Error::argument(format!("a field has {} bytes", bytes.len()))
            .hint(format!("a field takes {MAX_FIELD} bytes; commit to a hash of more")));
    }
    Ok(bytes)
}

async fn list(named: Option<&str>, chain: &ChainArgs, printer: Printer) -> Result<()> {
    let wanted = named.map(|it| from_ss58(it).or_argument(format!("`{it}` is no address")));
    let wanted = wanted.transpose()?;
    let client = outfit::reach(chain).await?;
    let read = async {
        let (_, at) = client.finalized().await?;
        client.commitments(chain.netuid, at).await
    };
    let mut found = read.await.or_user("cannot read the commitments")?;
    found.retain(|(hotkey, ..)| wanted.is_none_or(|wanted| wanted == *hotkey));
    found.sort_by_key(|(hotkey, block, _)| (*block, *hotkey));
    if printer == Printer::Json {
        let row = |(hotkey, block, fields): &CommittedFields| {
            let fields: Vec<Value> = fields.iter().map(|field| shown(field.as_ref())).collect();
            json!({ "hotkey": to_ss58(hotkey), "block": block, "fields": fields })
        };
        let rows: Vec<Value> = found.iter().map(row).collect();
        let object = json!({ "netuid": chain.netuid, "commitments": rows });
        return Ok(printer.object(&object)?);
    }
    for (hotkey, block, fields) in &found {
        printer.line(format!("{}  block {block}", to_ss58(hotkey)))?;
        for field in fields {
            let shown = shown(field.as_ref());
            let text = shown["text"].as_str().map(|text| format!("{text:?}"));
            let hex = || shown["hex"].as_str().unwrap_or("nothing, or hidden").to_owned();
            printer.line(format!("  {}", text.unwrap_or_else(hex)))?;
        }
    }
    if found.is_empty() {
        printer.line("nothing is committed to")?;
    }
    Ok(())
}

/// A field as hex, and as text where it is some; null where it is of another kind.
fn shown(field: Option<&Vec<u8>>) -> Value {
    let Some(bytes) = field else { return Value::Null };
    let text = std::str::from_utf8(bytes).ok();
    let text = text.filter(|text| !text.chars().any(char::is_control));
    json!({ "hex": hex::encode(bytes), "text": text })
}
