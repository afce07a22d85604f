//! `transaction_v1_*` and `transactionWatch_v1_*`: sending extrinsics, of the JSON-RPC interface
//! specification.

use super::{
    error::{self, Answer},
    subscription::send,
};
use crate::{
    api::{Api, ApiError},
    runtime::Hash,
    service::Status,
};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde_json::{Value, json};
use sp_core::Bytes;
use sp_io::hashing::blake2_256;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// Extrinsics that are being broadcast.
const MAX_BROADCAST: usize = 4_096;

/// Adds the methods.
pub(super) fn register(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    let broadcast: Arc<Mutex<HashSet<String>>> = Arc::default();
    let all = broadcast.clone();
    module.register_async_method("transaction_v1_broadcast", move |params, api, _| {
        let all = all.clone();
        async move {
            let extrinsic: Bytes = params.one()?;
            let id = hex::encode(blake2_256(&extrinsic));
            let is_new = {
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                all.len() < MAX_BROADCAST && all.insert(id.clone())
            };
            if !is_new {
                return Answer::Ok(Value::Null);
            }
            // What is refused is not told: the sender looks for it in blocks.
            let _ = api.submit(extrinsic.0).await;
            Ok(json!(id))
        }
    })?;
    module.register_method("transaction_v1_stop", move |params, _, _| {
        let id: String = params.one()?;
        let was_there = broadcast.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if was_there { Ok(Value::Null) } else { Err(error::meaningless("no such broadcast")) }
    })?;
    module.register_subscription(
        "transactionWatch_v1_submitAndWatch",
        "transactionWatch_v1_watchEvent",
        "transactionWatch_v1_unwatch",
        |params, pending, api, _| async move {
            let extrinsic = match params.one::<Bytes>() {
                Ok(extrinsic) => extrinsic.0,
                Err(error) => return pending.reject(error).await,
            };
            let Ok(sink) = pending.accept().await else { return };
            let hash = Hash::from(blake2_256(&extrinsic));
            let mut statuses = match api.submit_and_watch(extrinsic).await {
                Ok(statuses) => statuses,
                Err(refused) => {
                    // Who has gone is told nothing.
                    let _ = send(&sink, &refusal(&refused)).await;
                    return;
                }
            };
            loop {
                let status = tokio::select! {
                    status = statuses.recv() => status,
                    () = sink.closed() => None,
                };
                let Some(status) = status else { return };
                if send(&sink, &event(&api, hash, status).await).await.is_err() {
                    return;
                }
            }
        },
    )?;
    Ok(())
}

fn refusal(refused: &ApiError) -> Value {
    let said = error::api(refused);
    let more = said.data().map(|data| format!(": {}", data.get())).unwrap_or_default();
    json!({ "event": "invalid", "error": format!("{}{more}", said.message()) })
}

async fn event(api: &Api, extrinsic: Hash, status: Status) -> Value {
    match status {
        Status::Future | Status::Ready => json!({ "event": "validated" }),
        Status::InBlock(block) => json!({
            "event": "bestChainBlockIncluded",
            "block": place(api, extrinsic, block).await,
        }),
        Status::Finalized(block) => {
            json!({ "event": "finalized", "block": place(api, extrinsic, block).await })
        }
        Status::Usurped(_) => json!({ "event": "invalid", "error": "another took its nonce" }),
        Status::Invalid => json!({ "event": "invalid", "error": "it turned out invalid" }),
    }
}

/// A block, and where in it an extrinsic is.
async fn place(api: &Api, extrinsic: Hash, hash: Hash) -> Value {
    let block = api.read(move |chain| chain.block(&hash).cloned()).await.ok().flatten();
    let index = block.and_then(|block| {
        block.extrinsics.iter().position(|bytes| Hash::from(blake2_256(bytes)) == extrinsic)
    });
    json!({ "hash": hash, "index": index.unwrap_or(0) })
}
