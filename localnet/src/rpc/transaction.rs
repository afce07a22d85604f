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
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

/// Broadcasts that are remembered until they are stopped; beyond, the oldest is forgotten.
const MAX_BROADCASTS: usize = 4_096;

/// What is broadcast: in a pool of one node, that is all there is to it.
#[derive(Default)]
struct Broadcasts {
    begun: u64,
    open: VecDeque<String>,
}

impl Broadcasts {
    fn begin(&mut self) -> String {
        self.begun += 1;
        let id = self.begun.to_string();
        if self.open.len() == MAX_BROADCASTS {
            self.open.pop_front();
        }
        self.open.push_back(id.clone());
        id
    }

    fn stop(&mut self, id: &str) -> bool {
        let place = self.open.iter().position(|open| open == id);
        place.and_then(|place| self.open.remove(place)).is_some()
    }
}

/// Adds the methods.
pub(super) fn register(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    let broadcasts = Arc::new(Mutex::new(Broadcasts::default()));
    let all = Arc::clone(&broadcasts);
    module.register_async_method("transaction_v1_broadcast", move |params, api, _| {
        let all = Arc::clone(&all);
        async move {
            let extrinsic: Bytes = params.one()?;
            let id = all.lock().unwrap_or_else(PoisonError::into_inner).begin();
            // What is refused is not told: the sender looks for it in blocks.
            let _ = api.submit(extrinsic.0).await;
            Answer::Ok(id)
        }
    })?;
    module.register_method("transaction_v1_stop", move |params, _, _| {
        let id: String = params.one()?;
        let was_there = broadcasts.lock().unwrap_or_else(PoisonError::into_inner).stop(&id);
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
    let (kind, block) = match status {
        Status::Future | Status::Ready => return json!({ "event": "validated" }),
        Status::InBlock(block) => ("bestChainBlockIncluded", block),
        Status::Finalized(block) => ("finalized", block),
        Status::Usurped(_) => {
            return json!({ "event": "invalid", "error": "another took its nonce" });
        }
        Status::Invalid => return json!({ "event": "invalid", "error": "it turned out invalid" }),
    };
    match place(api, extrinsic, block).await {
        Some(index) => json!({ "event": kind, "block": { "hash": block, "index": index } }),
        None => json!({ "event": "dropped", "error": "its block is no longer there" }),
    }
}

/// Where in a block an extrinsic is.
async fn place(api: &Api, extrinsic: Hash, hash: Hash) -> Option<usize> {
    let block = api.read(move |chain| chain.block(&hash).cloned()).await.ok().flatten()?;
    block.extrinsics.iter().position(|bytes| Hash::from(blake2_256(bytes)) == extrinsic)
}
