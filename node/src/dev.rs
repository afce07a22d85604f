//! The development chain's own methods, which no real chain has: make blocks when told.

use std::time::Duration;

use jsonrpsee::core::client::{ClientT, Error as CallError};
use jsonrpsee::core::params::ArrayParams;
use jsonrpsee::rpc_params;
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sp_crypto_hashing::twox_128;

use crate::error::{Context, Error, Result};

/// How long a chain may take to answer: sealing many blocks takes a while.
const ANSWER: Duration = Duration::from_secs(120);
/// "There is no such method" in JSON-RPC.
const NO_METHOD: i32 = -32_601;

/// A connection for `dev_*` methods.
#[derive(Debug)]
pub struct Dev {
    client: WsClient,
}

impl Dev {
    /// Connects to a chain.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn connect(url: &str) -> Result<Self> {
        let client = WsClientBuilder::default().request_timeout(ANSWER).build(url).await;
        Ok(Self { client: client.or_user(format!("cannot reach {url}"))? })
    }

    /// Calls a method.
    ///
    /// # Errors
    /// If the chain refuses, or is no development chain.
    pub async fn call<T: DeserializeOwned>(&self, method: &str, params: ArrayParams) -> Result<T> {
        self.client.request(method, params).await.map_err(|error| match &error {
            CallError::Call(answer) if answer.code() == NO_METHOD => {
                Error::user(format!("the chain does not know `{method}`: it is no `iota localnet`"))
                    .hint("pass the `--chain` of a development chain")
            }
            CallError::Call(answer) => {
                let why = answer.data().map_or(answer.message(), |data| data.get());
                Error::user(format!("the chain refused: {}", why.trim_matches('"')))
            }
            _ => Error::user(format!("the chain did not answer `{method}`: {error}")),
        })
    }

    /// Makes that many blocks at once.
    ///
    /// # Errors
    /// If the chain refuses.
    pub async fn seal(&self, blocks: u32) -> Result<()> {
        let _: Value = self.call("dev_seal", rpc_params![blocks]).await?;
        Ok(())
    }

    /// The height of the chain.
    ///
    /// # Errors
    /// If the chain refuses.
    pub async fn height(&self) -> Result<u32> {
        // The answer to a request for no blocks names the newest one.
        let head: Value = self.call("dev_seal", rpc_params![0]).await?;
        let number = head.get("number").and_then(Value::as_u64);
        number.and_then(|number| number.try_into().ok()).ok_or_else(|| {
            Error::user(format!("the chain answered `{head}` when asked for its height"))
        })
    }

    /// The block at which a subnet's tempo last ended.
    ///
    /// # Errors
    /// If the chain refuses.
    pub async fn last_tempo(&self, netuid: u16) -> Result<u32> {
        let mut key = twox_128(b"SubtensorModule").to_vec();
        key.extend(twox_128(b"LastEpochBlock"));
        key.extend(netuid.to_le_bytes());
        let key = format!("0x{}", hex::encode(key));
        let value: Option<String> = self.call("state_getStorage", rpc_params![key]).await?;
        let number = value.as_deref().and_then(little_endian);
        number.ok_or_else(|| Error::user(format!("subnet {netuid} has no tempo")))
    }

    /// Makes blocks from now on only when told.
    ///
    /// # Errors
    /// If the chain refuses.
    pub async fn seal_manually(&self) -> Result<()> {
        let _: Value = self.call("dev_setSealing", rpc_params!["manual"]).await?;
        Ok(())
    }
}

/// The block number that a u64 of the chain's storage holds.
fn little_endian(hex: &str) -> Option<u32> {
    let bytes: [u8; 8] = hex::decode(hex.strip_prefix("0x")?).ok()?.try_into().ok()?;
    u64::from_le_bytes(bytes).try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_number_is_little_endian_hex() {
        assert_eq!(little_endian("0x2c01000000000000"), Some(300));
        assert_eq!(little_endian("0x2c01"), None);
        assert_eq!(little_endian("0x00000000000000ff"), None);
    }
}
