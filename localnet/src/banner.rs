//! What a person who starts the chain by hand is told.

use crate::{
    accounts::{self, DEV_ACCOUNTS, TAO},
    config::Config,
    producer::Sealing,
};
use sp_core::crypto::Ss58Codec;
use std::{fmt::Write, net::SocketAddr};

/// The text: where to connect, how blocks are sealed, and which accounts hold what.
pub fn banner(config: &Config, address: SocketAddr) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "iota localnet, a development chain. Its keys are public: use no real funds.\n"
    );
    let _ = writeln!(text, "Endpoint    ws://{address}  (http too)");
    let _ = writeln!(text, "Blocks      {}", sealing(config));
    let _ = writeln!(text, "Block time  {} ms, virtual", config.block_time_ms);
    let _ = writeln!(text, "Seed        {}\n", config.seed);
    let _ =
        writeln!(text, "Accounts (the secret URI is the name; {} may call Sudo)", accounts::SUDO);
    for (uri, rao) in DEV_ACCOUNTS {
        let address = accounts::account(uri).to_ss58check();
        let _ = writeln!(text, "  {uri:<10} {address}  {:>9} TAO", rao / TAO);
    }
    text
}

/// When blocks are sealed, as a phrase.
fn sealing(config: &Config) -> String {
    match config.sealing {
        Sealing::Manual => "on demand (dev_seal)".to_owned(),
        Sealing::Instant => "one for each extrinsic".to_owned(),
        Sealing::Interval(period) => format!("every {} ms", period.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_endpoint_and_every_account() {
        let text = banner(&Config::test(), SocketAddr::from(([127, 0, 0, 1], 4321)));
        assert!(text.contains("ws://127.0.0.1:4321"), "{text}");
        for (uri, _) in DEV_ACCOUNTS {
            assert!(text.contains(&accounts::account(uri).to_ss58check()), "{uri} is missing");
        }
    }
}
