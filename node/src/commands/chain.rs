//! `iota chain`: what a chain is able to do.

use std::path::Path;

use iota_metadata::Report;
use serde_json::json;

use crate::cli::ChainCommand;
use crate::error::{Context, Error, Result};
use crate::outfit;
use crate::printer::Printer;
use crate::settings::Surroundings;

/// Runs the verb.
pub(super) async fn run(command: ChainCommand) -> Result<()> {
    let ChainCommand::Check { chain, json } = command;
    let (of, bytes) = metadata(chain).await?;
    let read = iota_metadata::parse(&bytes);
    let metadata = read.map_err(|error| Error::argument(format!("cannot use {of}: {error}")))?;
    let report = iota_metadata::check(&metadata);
    show(&of, &report, Printer::new(json))?;
    if report.gaps.is_empty() {
        return Ok(());
    }
    let gaps = report.gaps.len();
    Err(Error::user(format!("{of} lacks {gaps} of what this program relies on")))
}

/// Metadata of a file or of a chain, and what it is of.
async fn metadata(chain: Option<String>) -> Result<(String, Vec<u8>)> {
    if let Some(path) = chain.as_deref().map(Path::new).filter(|path| path.is_file()) {
        let what = format!("the file {}", path.display());
        let bytes = std::fs::read(path).or_argument(format!("cannot read {what}"))?;
        return Ok((what, bytes));
    }
    let url = Surroundings::of_process().chain_url(chain.as_deref())?;
    let bytes = outfit::metadata(&url).await?;
    Ok((format!("the chain at {url}"), bytes))
}

fn show(of: &str, report: &Report, printer: Printer) -> Result<()> {
    match printer {
        Printer::Json => {
            let gap = |gap: &iota_metadata::Gap| json!({ "item": gap.what, "problem": gap.problem, "disables": gap.disables });
            let gaps: Vec<_> = report.gaps.iter().map(gap).collect();
            printer.object(&json!({ "checked": iota_metadata::count(), "gaps": gaps }))?;
        }
        Printer::Text if report.gaps.is_empty() => {
            let count = iota_metadata::count();
            printer.line(format!("{of} has all {count} items that this program relies on"))?;
        }
        Printer::Text => printer.line(report)?,
    }
    Ok(())
}
