//! The dev accounts: keys that everyone knows, with balances from genesis.

use crate::runtime::{AccountId, Balance};
use sp_core::{Pair, crypto::Ss58Codec, sr25519};

/// Rao in one TAO.
pub const TAO: Balance = 1_000_000_000;
/// The account that may call `Sudo.sudo`.
pub const SUDO: &str = "//Alice";
/// Secret URI and genesis balance in rao of each dev account, as on the official localnet.
pub const DEV_ACCOUNTS: [(&str, Balance); 9] = [
    ("//Alice", 1_000_000 * TAO),
    ("//Bob", 1_000_000 * TAO),
    ("//Charlie", 1_000_000 * TAO),
    ("//Dave", 2_000 * TAO),
    ("//Eve", 2_000 * TAO),
    ("//Ferdie", 2_000 * TAO),
    ("//One", 2_000 * TAO),
    ("//Two", 2_000 * TAO),
    ("//Three", 2_000 * TAO),
];

/// The key pair of a secret URI such as `//Alice`.
///
/// # Panics
/// If `uri` is not a secret URI. Only for names known to be good; user input goes through
/// [`sr25519::Pair::from_string`].
pub fn pair(uri: &str) -> sr25519::Pair {
    sr25519::Pair::from_string(uri, None).expect("a dev account's name is a secret URI")
}

/// The account of a secret URI such as `//Alice`.
///
/// # Panics
/// As [`pair`].
pub fn account(uri: &str) -> AccountId {
    AccountId::from(pair(uri).public().0)
}

/// Reads an account as SS58 text or as 32 bytes of hex (with or without `0x`).
pub fn parse_account(text: &str) -> Option<AccountId> {
    if let Ok(account) = AccountId::from_ss58check(text) {
        return Some(account);
    }
    let bytes = hex::decode(text.strip_prefix("0x").unwrap_or(text)).ok()?;
    <[u8; 32]>::try_from(bytes).ok().map(AccountId::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Alice's address, from the documentation of substrate's `subkey`.
    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    #[test]
    fn reads_addresses_and_hex_but_nothing_else() {
        let alice = account("//Alice");
        assert_eq!(parse_account(ALICE), Some(alice.clone()));
        let plain = hex::encode::<&[u8; 32]>(alice.as_ref());
        assert_eq!(parse_account(&plain), Some(alice.clone()));
        assert_eq!(parse_account(&format!("0x{plain}")), Some(alice));
        assert_eq!(parse_account(&plain[2..]), None);
        assert_eq!(parse_account("//Alice"), None);
    }
}
