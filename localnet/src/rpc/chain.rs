//! `chain_*`: blocks. Every block is final when it is sealed, unless finality is held on purpose.

use super::{
    error::{self, Answer},
    subscription::{Cursor, send},
};
use crate::{
    api::Api,
    chain::{Chain, StoredBlock},
    runtime::{BlockNumber, Hash},
    service::Head,
};
use jsonrpsee::{RpcModule, server::RegisterMethodError, types::ErrorObjectOwned};
use serde::Deserialize;
use serde_json::{Value, json};
use sp_core::Bytes;
use std::sync::Arc;
use tokio::sync::watch;

/// Heights in one request, at most.
const MAX_HEIGHTS: usize = 1_000;

/// A height as clients write it: a number, or text with or without `0x`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Height {
    Number(u64),
    Text(String),
}

impl Height {
    /// The height; none if no block can have it.
    fn number(&self) -> Result<Option<BlockNumber>, ErrorObjectOwned> {
        let number = match self {
            Self::Number(number) => *number,
            Self::Text(text) => match text.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16),
                None => text.parse(),
            }
            .map_err(|_| error::meaningless(format!("`{text}` is no block number")))?,
        };
        Ok(BlockNumber::try_from(number).ok())
    }
}

/// One height or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Heights {
    One(Height),
    Many(Vec<Height>),
}

/// Adds the methods.
pub(super) fn register(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_async_method("chain_getBlockHash", |params, api, _| async move {
        let heights: Option<Heights> = params.sequence().optional_next()?;
        hashes(&api, heights).await
    })?;
    module.register_alias("chain_getHead", "chain_getBlockHash")?;
    module
        .register_method("chain_getFinalizedHead", |_, api, _| Answer::Ok(api.finalized().hash))?;
    module.register_alias("chain_getFinalisedHead", "chain_getFinalizedHead")?;
    module.register_async_method("chain_getHeader", |params, api, _| async move {
        let hash: Option<Hash> = params.sequence().optional_next()?;
        let block = block(&api, hash).await?;
        Answer::Ok(block.map(|block| block.header.clone()))
    })?;
    module.register_async_method("chain_getBlock", |params, api, _| async move {
        let hash: Option<Hash> = params.sequence().optional_next()?;
        Answer::Ok(block(&api, hash).await?.as_deref().map(block_json))
    })?;
    subscriptions(module)
}

/// Adds what follows the chain.
fn subscriptions(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    type Heads = fn(&Api) -> watch::Receiver<Head>;
    let (newest, finalized): (Heads, Heads) = (Api::heads, Api::finalized_heads);
    for (subscribe, notify, unsubscribe, heads) in [
        ("chain_subscribeAllHeads", "chain_allHead", "chain_unsubscribeAllHeads", newest),
        ("chain_subscribeNewHeads", "chain_newHead", "chain_unsubscribeNewHeads", newest),
        (
            "chain_subscribeFinalizedHeads",
            "chain_finalizedHead",
            "chain_unsubscribeFinalizedHeads",
            finalized,
        ),
    ] {
        module.register_subscription(
            subscribe,
            notify,
            unsubscribe,
            move |_, pending, api, _| async move {
                let heads = heads(&api);
                let mut cursor = Cursor::new(api, heads);
                let Ok(sink) = pending.accept().await else { return };
                while let Some(block) = cursor.next(&sink).await {
                    if send(&sink, &block.header).await.is_err() {
                        return;
                    }
                }
            },
        )?;
    }
    for (alias, method) in [
        ("chain_subscribeNewHead", "chain_subscribeNewHeads"),
        ("chain_unsubscribeNewHead", "chain_unsubscribeNewHeads"),
        ("chain_newHead", "chain_subscribeNewHeads"),
        ("subscribe_newHead", "chain_subscribeNewHeads"),
        ("unsubscribe_newHead", "chain_unsubscribeNewHeads"),
        ("chain_subscribeFinalisedHeads", "chain_subscribeFinalizedHeads"),
        ("chain_unsubscribeFinalisedHeads", "chain_unsubscribeFinalizedHeads"),
    ] {
        module.register_alias(alias, method)?;
    }
    Ok(())
}

/// Hashes of one height, of several, or of the newest block.
async fn hashes(api: &Api, heights: Option<Heights>) -> Answer<Value> {
    let hash_at = |chain: &Chain, number: Option<BlockNumber>| {
        number.and_then(|number| chain.block_at(number)).map(|block| block.hash)
    };
    match heights {
        None => Ok(json!(api.head().hash)),
        Some(Heights::One(height)) => {
            let number = height.number()?;
            let hash =
                api.read(move |chain| hash_at(chain, number)).await.map_err(error::stopped)?;
            Ok(json!(hash))
        }
        Some(Heights::Many(heights)) if heights.len() > MAX_HEIGHTS => {
            Err(error::too_many(heights.len(), MAX_HEIGHTS))
        }
        Some(Heights::Many(heights)) => {
            let numbers: Vec<_> = heights.iter().map(Height::number).collect::<Answer<_>>()?;
            let hashes = api
                .read(move |chain| {
                    numbers.into_iter().map(|number| hash_at(chain, number)).collect::<Vec<_>>()
                })
                .await
                .map_err(error::stopped)?;
            Ok(json!(hashes))
        }
    }
}

/// One block, or the newest.
async fn block(api: &Api, hash: Option<Hash>) -> Answer<Option<Arc<StoredBlock>>> {
    api.read(move |chain| match hash {
        Some(hash) => chain.block(&hash).cloned(),
        None => Some(chain.head().clone()),
    })
    .await
    .map_err(error::stopped)
}

/// A block as `chain_getBlock` has it.
fn block_json(block: &StoredBlock) -> Value {
    let extrinsics: Vec<_> = block.extrinsics.iter().map(|bytes| Bytes(bytes.clone())).collect();
    json!({
        "block": { "header": block.header, "extrinsics": extrinsics },
        "justifications": null,
    })
}
