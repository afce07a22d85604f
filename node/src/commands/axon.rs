//! `iota axon`: where a hotkey is reached, by hand.

use std::net::{Ipv4Addr, SocketAddr};

use iota_chain::Call;
use serde_json::json;

use super::order::{Effect, Order};
use crate::cli::{AxonCommand, ChainArgs, SignArgs};
use crate::error::Result;
use crate::shell::AXON_VERSION;

/// What btcli publishes for no address.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 1);

pub(super) async fn run(command: AxonCommand) -> Result<()> {
    match command {
        AxonCommand::Set { ip, port, chain, sign } => {
            serve(SocketAddr::new(ip, port), &chain, &sign).await
        }
        AxonCommand::Reset { chain, sign } => serve(NOWHERE, &chain, &sign).await,
    }
}

async fn serve(at: SocketAddr, chain: &ChainArgs, sign: &SignArgs) -> Result<()> {
    let order = Order::open(chain, sign).await?;
    let (hotkey, netuid) = (order.hotkey()?, order.netuid);
    let text = format!("says that {} is reached at {at}, in subnet {netuid}", hotkey.ss58());
    let object = json!({ "netuid": netuid, "hotkey": hotkey.ss58(), "axon": at.to_string() });
    let call = Call::ServeAxon { netuid, version: AXON_VERSION, at };
    order.place("cannot publish the address", &hotkey, &call, Effect::new(text, object)).await?;
    Ok(())
}
