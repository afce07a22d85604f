//! `iota metagraph`: who is on a subnet, as a table or as one JSON object.

use iota_chain::{Neuron, to_ss58};
use serde::Serialize;

use crate::cli::MetagraphArgs;
use crate::demo::view::{align, alpha, table};
use crate::error::{Context, Error, Result};
use crate::outfit;
use crate::printer::Printer;
use crate::settings::Surroundings;

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
    let client =
        outfit::connect(&Surroundings::of_process().chain_url(args.chain.chain.as_deref())?)
            .await?;
    let netuid = args.chain.netuid;
    let read = async {
        let (block, hash) = client.finalized().await?;
        client.neurons(netuid, hash).await.map(|neurons| (block, neurons))
    };
    let (block, neurons) = read.await.or_user("cannot read the metagraph")?;
    if neurons.is_empty() {
        return Err(Error::user(format!("there is nobody on subnet {netuid}"))
            .hint("pass the `--netuid` of a subnet that exists"));
    }
    let neurons = neurons.iter().map(row).collect();
    let metagraph = Metagraph { netuid, block, neurons };
    match Printer::new(args.json) {
        printer @ Printer::Json => printer.object(&metagraph)?,
        printer @ Printer::Text => {
            for line in text(&metagraph) {
                printer.line(line)?;
            }
        }
    }
    Ok(())
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
fn share(value: u16) -> f64 {
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
