//! `iota localnet start`.

use std::net::SocketAddr;
use std::time::Duration;

use iota_localnet::{Config, Sealing};

use crate::cli::StartArgs;
use crate::error::{Context, Error, Result};
use crate::printer::Printer;
use crate::report::Report;
use crate::shutdown;

/// Serves a chain until interrupted.
pub(super) async fn run(args: StartArgs) -> Result<()> {
    let stop = shutdown::token(args.stop_on_stdin_close)?;
    let config = config(&args);
    let (api, handle) = iota_localnet::spawn(config.clone()).await.map_err(refused)?;
    let printer = Printer::new(args.json);
    match printer {
        Printer::Json => {
            let genesis = api.read(|chain| chain.genesis_hash()).await;
            let genesis = genesis.or_user("the chain did not start")?;
            let genesis = hex::encode(genesis.as_bytes());
            printer.report(&Report::Listening { url: api.url(), genesis })?;
        }
        Printer::Text => printer.line(iota_localnet::banner(&config, api.local_addr()))?,
    }
    tokio::select! {
        () = stop.cancelled() => {
            handle.stop().await;
            Ok(())
        }
        () = api.ended() => {
            Err(Error::user("the chain ended by itself").hint("run it with `-v` to see why"))
        }
    }
}

fn config(args: &StartArgs) -> Config {
    let sealing = if args.instant {
        Sealing::Instant
    } else {
        Sealing::Interval(Duration::from_millis(args.block_time))
    };
    Config {
        seed: args.seed,
        block_time_ms: args.block_time,
        sealing,
        quicknet: args.quicknet,
        data: args.data.clone(),
        listen: SocketAddr::new(args.ip, args.port),
        ..Config::default()
    }
}

/// What was asked for cannot be had.
fn refused(error: iota_localnet::Error) -> Error {
    let hint = match &error {
        iota_localnet::Error::AddressInUse { .. } => {
            "another program uses the port; pass another `--port`, or 0 for a free one"
        }
        iota_localnet::Error::Listen { .. } => {
            "pass an `--ip` of this machine, or another `--port`"
        }
        iota_localnet::Error::DataInUse { .. } => "end that process, or pass another `--data`",
        iota_localnet::Error::OtherChain { .. } => {
            "pass the `--seed`, `--block-time` and `--quicknet` it was made with, or another `--data`"
        }
        iota_localnet::Error::Data { .. } => {
            "check the folder's mode and space; a damaged file can only be removed"
        }
        iota_localnet::Error::ZeroBlockTime => "pass a `--block-time` of 1 or more",
        _ => "this is a fault of the program; please report it",
    };
    Error::argument_from(error, "cannot start a chain").hint(hint)
}
