//! Every environment variable that the program reads.
//!
//! The names are those of the Bittensor SDK and btcli where these have one, so that an operator's
//! shell profile keeps working; our own begin with `IOTA_`. A flag wins over its variable. Besides
//! these, an encrypted key file's password is read from the variable that the Bittensor wallet names
//! for its path (`iota_chain::wallet::Password::variable`).

/// Directory of wallets, as in the SDK (`--wallet.path`).
pub const WALLET_PATH: &str = "BT_WALLET_PATH";
/// Name of the wallet, that is of its coldkey, as in the SDK (`--wallet.name`).
pub const WALLET_NAME: &str = "BT_WALLET_NAME";
/// Name of the hotkey within the wallet, as in the SDK (`--wallet.hotkey`).
pub const WALLET_HOTKEY: &str = "BT_WALLET_HOTKEY";
/// URL of the chain, as in the SDK (`--chain`); wins over [`NETWORK`].
pub const CHAIN_ENDPOINT: &str = "BT_SUBTENSOR_CHAIN_ENDPOINT";
/// Name of a public network, as in the SDK: `finney`, `test`, `archive` or `local`.
pub const NETWORK: &str = "BT_SUBTENSOR_NETWORK";
/// Port to listen on for peers, as in the SDK (`--port`).
pub const AXON_PORT: &str = "BT_AXON_PORT";
/// Subnet (`--netuid`).
pub const NETUID: &str = "IOTA_NETUID";
/// Where the Hugging Face hub is, as in its own programs.
pub const HF_ENDPOINT: &str = "HF_ENDPOINT";
/// Token for datasets of the hub that are not public, as in its own programs.
pub const HF_TOKEN: &str = "HF_TOKEN";
/// Folder of caches, as on other systems with a cache folder (`$XDG_CACHE_HOME/iota`).
pub const CACHE_HOME: &str = "XDG_CACHE_HOME";
/// Which log lines are written to stderr, in the syntax of `tracing` (`iota=debug,info`).
pub const LOG: &str = "RUST_LOG";
