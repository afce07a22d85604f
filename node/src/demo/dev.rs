//! The development chain's own methods, which no real chain has: make blocks, choose the sealing.

use jsonrpsee::core::client::ClientT;
use jsonrpsee::rpc_params;
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use serde_json::{Value, json};

use crate::error::{Context, Result};

/// A connection for `dev_*` methods.
#[derive(Debug)]
pub struct Dev {
    client: WsClient,
}

/// When blocks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// With every extrinsic.
    Instant,
    /// When told.
    Manual,
    /// Every so many milliseconds.
    Interval(u64),
}

impl Dev {
    /// Connects to a chain.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn connect(url: &str) -> Result<Self> {
        let client = WsClientBuilder::default().build(url).await;
        Ok(Self { client: client.or_user(format!("cannot reach {url}"))? })
    }

    /// Makes that many blocks at once.
    ///
    /// # Errors
    /// If the chain refuses.
    pub async fn seal(&self, blocks: u32) -> Result<()> {
        let _: Value = self
            .client
            .request("dev_seal", rpc_params![blocks])
            .await
            .or_user("the chain does not make blocks when told")?;
        Ok(())
    }

    /// Chooses when blocks are made from now on.
    ///
    /// # Errors
    /// If the chain refuses.
    pub async fn set_sealing(&self, sealing: Sealing) -> Result<()> {
        let mode = match sealing {
            Sealing::Instant => json!("instant"),
            Sealing::Manual => json!("manual"),
            Sealing::Interval(ms) => json!({ "interval_ms": ms }),
        };
        let _: Value = self
            .client
            .request("dev_setSealing", rpc_params![mode])
            .await
            .or_user("the chain does not change its sealing")?;
        Ok(())
    }
}
