//! Heights and hashes of blocks.

use serde::Deserialize;
use subxt::rpcs::rpc_params;

use crate::Hash;
use crate::client::{Client, height, rpc};
use crate::error::ReadError;

/// The number in a header.
#[derive(Deserialize)]
struct Header {
    number: String,
}

impl Client {
    /// Number and hash of the last finalized block.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn finalized(&self) -> Result<(u32, Hash), ReadError> {
        let at = self.latest().await?;
        Ok((height(&at), at.block_hash().0))
    }

    /// The height of the newest block, which need not be final.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn best(&self) -> Result<u32, ReadError> {
        const WHAT: &str = "the newest block";
        let connection = self.link.current();
        let newest = connection.rpc.request::<Header>("chain_getHeader", rpc_params![]);
        let number = rpc(WHAT, newest).await?.number;
        let digits = number.trim_start_matches("0x");
        u32::from_str_radix(digits, 16).map_err(|error| ReadError::form(WHAT, error))
    }

    /// The hash of a block.
    ///
    /// # Errors
    /// [`ReadError`]; also where the chain has no such block.
    pub async fn block_hash(&self, number: u32) -> Result<Hash, ReadError> {
        const WHAT: &str = "a block's hash";
        let connection = self.link.current();
        let asked = connection.rpc.request("chain_getBlockHash", rpc_params![number]);
        let found: Option<String> = rpc(WHAT, asked).await?;
        let found =
            found.ok_or_else(|| ReadError::form(WHAT, format_args!("no block {number}")))?;
        let mut hash = Hash::default();
        hex::decode_to_slice(found.trim_start_matches("0x"), &mut hash)
            .map_err(|error| ReadError::form(WHAT, error))?;
        Ok(hash)
    }
}
