//! `iota metagraph`: who is on a subnet, as a table or as one JSON object, and what changes.

use iota_chain::{Client, Neuron, ReadError, to_ss58};
use serde::Serialize;
use serde_json::json;

use crate::cli::MetagraphArgs;
use crate::demo::view::{align, alpha, table};
use crate::error::{Context, Error, Result};
use crate::outfit;
use crate::printer::Printer;

mod changes;

const WHAT: &str = "cannot read the metagraph";

/// The whole object of `--json`.
#[derive(Serialize)]
struct Metagraph {
    netuid: u16,
    block: u32,
    neurons: Vec<Row>,
}

/// One neuron, in units that need no knowledge of the chain.
#[derive(Serialize)]
struct Row {
    uid: u16,
    hotkey: String,
    coldkey: String,
    /// Alpha.
    stake: f64,
    validator_permit: bool,
    /// Shares in `[0, 1]`.
    incentive: f64,
    dividends: f64,
    consensus: f64,
    /// Alpha per tempo.
    emission: f64,
    /// Block of the last weights.
    last_update: u64,
    axon: Option<String>,
}

/// Reads and prints it.
pub(super) async fn run(args: &MetagraphArgs) -> Result<()> {
    let client = outfit::reach(&args.chain).await?;
    let netuid = args.chain.netuid;
    let block = match args.block {
        Some(block) => block,
        None => client.finalized().await.or_user(WHAT)?.0,
    };
    let now = Metagraph::read(&client, netuid, block).await?;
    if now.neurons.is_empty() {
        return Err(Error::user(format!("there is nobody on subnet {netuid}"))
            .hint("pass the `--netuid` of a subnet that exists"));
    }
    let printer = Printer::new(args.json);
    if let Some(since) = args.since {
        let before = Metagraph::read(&client, netuid, since).await?;
        return now.print_changes(printer, &before);
    }
    match printer {
        Printer::Json => printer.object(&now)?,
        Printer::Text => {
            for line in text(&now) {
                printer.line(line)?;
            }
        }
    }
    if args.watch { watch(&client, now, printer).await } else { Ok(()) }
}

/// Prints what changes in each finalized block from here on.
async fn watch(client: &Client, mut last: Metagraph, printer: Printer) -> Result<()> {
    let mut blocks =
        client.finalized_blocks(Some(last.block.saturating_add(1))).await.or_user(WHAT)?;
    loop {
        let (block, _) = blocks.next().await.or_user(WHAT)?;
        let next = Metagraph::read(client, last.netuid, block).await?;
        next.print_changes(printer, &last)?;
        last = next;
    }
}

impl Metagraph {
    async fn read(client: &Client, netuid: u16, block: u32) -> Result<Self> {
        let read = async { client.neurons(netuid, client.block_hash(block).await?).await };
        let neurons = read.await.map_err(|error| {
            let is_pruned = matches!(error, ReadError::Pruned { .. });
            let failed = Error::user(format!("{WHAT} of block {block}: {error}"));
            if is_pruned { failed.hint("`--chain archive` keeps all states") } else { failed }
        })?;
        Ok(Self { netuid, block, neurons: neurons.iter().map(row).collect() })
    }

    /// Prints what is not as it was before, if anything.
    fn print_changes(&self, printer: Printer, before: &Self) -> Result<()> {
        let changes = changes::between(&before.neurons, &self.neurons);
        match printer {
            Printer::Json => printer.object(&json!({
                "netuid": self.netuid,
                "since": before.block,
                "block": self.block,
                "changes": changes,
            }))?,
            Printer::Text if changes.is_empty() => {}
            Printer::Text => {
                printer.line(format!("block {}", self.block))?;
                for change in changes {
                    printer.line(change)?;
                }
            }
        }
        Ok(())
    }
}

fn row(neuron: &Neuron) -> Row {
    Row {
        uid: neuron.uid,
        hotkey: to_ss58(&neuron.hotkey),
        coldkey: to_ss58(&neuron.coldkey),
        stake: alpha(neuron.stake),
        validator_permit: neuron.validator_permit,
        incentive: share(neuron.incentive),
        dividends: share(neuron.dividends),
        consensus: share(neuron.consensus),
        emission: alpha(neuron.emission),
        last_update: neuron.last_update,
        axon: neuron.axon.map(|(ip, port)| format!("{ip}:{port}")),
    }
}

/// The chain's u16 scale as a share.
pub(super) fn share(value: u16) -> f64 {
    f64::from(value) / f64::from(u16::MAX)
}

fn text(metagraph: &Metagraph) -> Vec<String> {
    let mut table = table(&[
        "uid",
        "hotkey",
        "stake",
        "permit",
        "incentive",
        "dividends",
        "emission",
        "updated",
        "axon",
    ]);
    for row in &metagraph.neurons {
        table.add_row([
            row.uid.to_string(),
            row.hotkey.clone(),
            format!("{:.3}", row.stake),
            if row.validator_permit { "yes" } else { "-" }.to_owned(),
            format!("{:.4}", row.incentive),
            format!("{:.4}", row.dividends),
            format!("{:.6}", row.emission),
            row.last_update.to_string(),
            row.axon.clone().unwrap_or_else(|| "-".into()),
        ]);
    }
    align(&mut table);
    let head = format!("subnet {} at block {}", metagraph.netuid, metagraph.block);
    let lines = table.lines().map(|line| line.trim_end().to_owned());
    [head, String::new()].into_iter().chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_a_subnet() {
        let neuron = Neuron {
            uid: 3,
            hotkey: [1; 32],
            coldkey: [2; 32],
            stake: 2_500_000_000,
            active: true,
            validator_permit: false,
            last_update: 77,
            incentive: u16::MAX / 2,
            dividends: 0,
            consensus: 0,
            validator_trust: 0,
            emission: 1_000_000,
            axon: Some(("10.0.0.1".parse().unwrap(), 7000)),
        };
        let metagraph = Metagraph { netuid: 1, block: 90, neurons: vec![row(&neuron)] };
        let lines = text(&metagraph);
        assert_eq!(lines[0], "subnet 1 at block 90");
        assert!(lines[2].starts_with("uid"), "{lines:?}");
        assert!(
            lines[3].ends_with("0.5000     0.0000  0.001000       77  10.0.0.1:7000"),
            "{lines:?}"
        );
    }
}
