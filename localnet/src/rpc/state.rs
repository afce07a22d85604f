//! `state_*`: storage, runtime calls, metadata.

use super::{
    error::{self, Answer},
    subscription::{Cursor, send},
};
use crate::{
    api::Api,
    chain::Chain,
    runtime::{Hash, VERSION},
};
use codec::Decode;
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde_json::{Value, json};
use sp_core::Bytes;
use sp_version::RuntimeVersion;

/// Keys in one page, as on a substrate node.
const MAX_PAGE: usize = 1_000;
/// Keys that `state_getKeys` gives at most; beyond, clients page.
const MAX_ALL_KEYS: usize = 100_000;
/// Keys in one query or subscription.
const MAX_KEYS: usize = 4_096;

/// Adds the methods.
pub(super) fn register(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_async_method("state_getRuntimeVersion", |params, api, _| async move {
        let at: Option<Hash> = params.sequence().optional_next()?;
        let encoded = read(&api, move |chain| {
            chain.call("Core_version", &[], at).map_err(|cause| error::call(&cause))
        })
        .await?;
        let version = RuntimeVersion::decode(&mut encoded.as_slice())
            .expect("the runtime returns its own type");
        Answer::Ok(version)
    })?;
    module.register_alias("chain_getRuntimeVersion", "state_getRuntimeVersion")?;
    module.register_async_method("state_getMetadata", |params, api, _| async move {
        // One runtime serves all blocks.
        let _at: Option<Hash> = params.sequence().optional_next()?;
        let metadata =
            read(&api, |chain| chain.metadata().map_err(|cause| error::call(&cause))).await?;
        Answer::Ok(Bytes(metadata))
    })?;
    module.register_async_method("state_call", |params, api, _| async move {
        let mut params = params.sequence();
        let method: String = params.next()?;
        let args: Bytes = params.next()?;
        let at: Option<Hash> = params.optional_next()?;
        let result = read(&api, move |chain| {
            chain.call(&method, &args, at).map_err(|cause| error::call(&cause))
        })
        .await?;
        Answer::Ok(Bytes(result))
    })?;
    storage(module)?;
    subscriptions(module)
}

/// Adds what reads storage.
fn storage(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_async_method("state_getStorage", |params, api, _| async move {
        let mut params = params.sequence();
        let key: Bytes = params.next()?;
        let at: Option<Hash> = params.optional_next()?;
        let value =
            read(&api, move |chain| chain.storage(&key, at).map_err(|cause| error::state(&cause)))
                .await?;
        Answer::Ok(value.map(Bytes))
    })?;
    module.register_alias("state_getStorageAt", "state_getStorage")?;
    module.register_async_method("state_getKeysPaged", |params, api, _| async move {
        let mut params = params.sequence();
        let prefix: Bytes = params.next()?;
        let count: usize = params.next()?;
        let start: Option<Bytes> = params.optional_next()?;
        let at: Option<Hash> = params.optional_next()?;
        if count > MAX_PAGE {
            return Err(error::too_many(count, MAX_PAGE));
        }
        let keys = read(&api, move |chain| {
            chain
                .keys_paged(&prefix, count, start.as_deref(), at)
                .map_err(|cause| error::state(&cause))
        })
        .await?;
        Answer::Ok(keys.into_iter().map(Bytes).collect::<Vec<_>>())
    })?;
    module.register_alias("state_getKeysPagedAt", "state_getKeysPaged")?;
    module.register_async_method("state_getKeys", |params, api, _| async move {
        let mut params = params.sequence();
        let prefix: Bytes = params.next()?;
        let at: Option<Hash> = params.optional_next()?;
        let keys = read(&api, move |chain| {
            let keys = chain.keys_paged(&prefix, MAX_ALL_KEYS + 1, None, at);
            keys.map_err(|cause| error::state(&cause))
        })
        .await?;
        if keys.len() > MAX_ALL_KEYS {
            return Err(error::too_many(keys.len(), MAX_ALL_KEYS));
        }
        Answer::Ok(keys.into_iter().map(Bytes).collect::<Vec<_>>())
    })?;
    module.register_async_method("state_queryStorageAt", |params, api, _| async move {
        let mut params = params.sequence();
        let keys: Vec<Bytes> = params.next()?;
        let at: Option<Hash> = params.optional_next()?;
        if keys.len() > MAX_KEYS {
            return Err(error::too_many(keys.len(), MAX_KEYS));
        }
        let (block, values) = read(&api, move |chain| {
            let block = at.unwrap_or(chain.head().hash);
            Ok((block, values(chain, &keys, block)?))
        })
        .await?;
        Answer::Ok(json!([change_set(block, &values)]))
    })?;
    Ok(())
}

/// Adds what follows the runtime and storage.
fn subscriptions(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_subscription(
        "state_subscribeRuntimeVersion",
        "state_runtimeVersion",
        "state_unsubscribeRuntimeVersion",
        |_, pending, _, _| async move {
            let Ok(sink) = pending.accept().await else { return };
            // The runtime never changes, so this is all.
            if send(&sink, &VERSION).await.is_ok() {
                sink.closed().await;
            }
        },
    )?;
    module.register_alias("chain_subscribeRuntimeVersion", "state_subscribeRuntimeVersion")?;
    module.register_alias("chain_unsubscribeRuntimeVersion", "state_unsubscribeRuntimeVersion")?;
    module.register_subscription(
        "state_subscribeStorage",
        "state_storage",
        "state_unsubscribeStorage",
        |params, pending, api, _| async move {
            let keys: Vec<Bytes> = match params.one() {
                Ok(keys) => keys,
                Err(error) => return pending.reject(error).await,
            };
            if keys.len() > MAX_KEYS {
                return pending.reject(error::too_many(keys.len(), MAX_KEYS)).await;
            }
            let mut cursor = Cursor::new(api.clone(), api.heads());
            let Ok(sink) = pending.accept().await else { return };
            let mut known: Option<Values> = None;
            while let Some(block) = cursor.next(&sink).await {
                let (hash, keys) = (block.hash, keys.clone());
                // A state that is already discarded is passed over.
                let Ok(now) = read(&api, move |chain| values(chain, &keys, hash)).await else {
                    continue;
                };
                let changed = match &known {
                    None => now.clone(),
                    Some(known) => now
                        .iter()
                        .zip(known)
                        .filter(|(a, b)| a != b)
                        .map(|(a, _)| a.clone())
                        .collect(),
                };
                if !changed.is_empty() && send(&sink, &change_set(hash, &changed)).await.is_err() {
                    return;
                }
                known = Some(now);
            }
        },
    )?;
    Ok(())
}

/// Keys with their values.
type Values = Vec<(Bytes, Option<Bytes>)>;

/// The values of keys at a block.
fn values(chain: &Chain, keys: &[Bytes], block: Hash) -> Answer<Values> {
    keys.iter()
        .map(|key| {
            let value = chain.storage(key, Some(block)).map_err(|cause| error::state(&cause))?;
            Ok((key.clone(), value.map(Bytes)))
        })
        .collect()
}

/// Values as clients read them.
fn change_set(block: Hash, changes: &Values) -> Value {
    json!({ "block": block, "changes": changes })
}

/// Reads from the chain.
async fn read<R: Send + 'static>(
    api: &Api,
    reader: impl FnOnce(&Chain) -> Answer<R> + Send + 'static,
) -> Answer<R> {
    api.read(reader).await.map_err(error::stopped)?
}
