//! What a follower may ask of a block.

use super::super::error::{self, Answer};
use super::follow::Begun;
use crate::{
    api::Api,
    chain::{CallError, Chain, StateError},
    runtime::Hash,
};
use serde::Deserialize;
use serde_json::{Value, json};
use sp_core::Bytes;
use sp_io::hashing::blake2_256;
use std::collections::VecDeque;

/// Queries in one operation.
const MAX_QUERIES: usize = 4_096;
/// Entries that are told at once, and bytes of their values after which no more are.
const PAGE: usize = 256;
const PAGE_BYTES: usize = 1 << 20;

/// What of the storage is asked for.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Query {
    key: Bytes,
    #[serde(rename = "type")]
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Value,
    Hash,
    DescendantsValues,
    DescendantsHashes,
    ClosestDescendantMerkleValue,
}

/// A question.
pub(super) enum Operation {
    /// The block's extrinsics.
    Body,
    /// What a function of the runtime returns.
    Call { function: String, arguments: Vec<u8> },
    /// Entries of the storage.
    Storage(VecDeque<Query>),
}

/// Some entries, and what remains to be asked.
type Page = (Vec<Value>, VecDeque<Query>, Option<Vec<u8>>);

impl Operation {
    pub(super) fn storage(queries: Vec<Query>) -> Answer<Self> {
        if queries.len() > MAX_QUERIES {
            return Err(error::too_many(queries.len(), MAX_QUERIES));
        }
        let is_node = |query: &Query| matches!(query.kind, Kind::ClosestDescendantMerkleValue);
        if queries.iter().any(is_node) {
            return Err(error::meaningless("the trie's nodes are not shown"));
        }
        Ok(Self::Storage(queries.into()))
    }

    /// Answers it.
    pub(super) async fn run(self, api: &Api, hash: Hash, begun: &Begun) {
        match self {
            Self::Body => {
                let read = api.read(move |chain| chain.block(&hash).cloned()).await;
                match read.ok().flatten() {
                    None => inaccessible(begun).await,
                    Some(block) => {
                        let all = block.extrinsics.iter();
                        let all: Vec<Bytes> = all.map(|bytes| Bytes(bytes.clone())).collect();
                        begun.tell("operationBodyDone", json!({ "value": all })).await;
                    }
                }
            }
            Self::Call { function, arguments } => {
                let called = api.read(move |chain| chain.call(&function, &arguments, Some(hash)));
                match called.await {
                    Ok(Ok(output)) => {
                        let output = json!({ "output": Bytes(output) });
                        begun.tell("operationCallDone", output).await;
                    }
                    Err(_) | Ok(Err(CallError::State(_))) => inaccessible(begun).await,
                    Ok(Err(error)) => {
                        let error = json!({ "error": error.to_string() });
                        begun.tell("operationError", error).await;
                    }
                }
            }
            Self::Storage(queries) => storage(api, hash, queries, begun).await,
        }
    }
}

async fn inaccessible(begun: &Begun) {
    begun.tell("operationInaccessible", json!({})).await;
}

/// Tells the entries page by page.
async fn storage(api: &Api, hash: Hash, mut queries: VecDeque<Query>, begun: &Begun) {
    let mut after = None;
    while !queries.is_empty() {
        let read = api.read(move |chain| page(chain, hash, queries, after)).await;
        let Ok(Ok((items, rest, last))) = read else { return inaccessible(begun).await };
        (queries, after) = (rest, last);
        let goes_on = items.is_empty()
            || begun.tell("operationStorageItems", json!({ "items": items })).await;
        if !goes_on {
            return;
        }
    }
    begun.tell("operationStorageDone", json!({})).await;
}

/// The next entries; `after` is the last key of what the first query was answered with so far.
fn page(
    chain: &Chain,
    hash: Hash,
    mut queries: VecDeque<Query>,
    mut after: Option<Vec<u8>>,
) -> Result<Page, StateError> {
    let mut items = Vec::new();
    let mut bytes = 0;
    while let Some(Query { key, kind }) = queries.front() {
        let is_hash = matches!(kind, Kind::Hash | Kind::DescendantsHashes);
        let is_one = matches!(kind, Kind::Value | Kind::Hash);
        let room = PAGE - items.len();
        let keys = if is_one {
            vec![key.0.clone()]
        } else {
            chain.keys_paged(key, room, after.as_deref(), Some(hash))?
        };
        let is_full = keys.len() == room;
        for key in keys {
            if bytes >= PAGE_BYTES {
                return Ok((items, queries, after));
            }
            after = Some(key.clone());
            let Some(value) = chain.storage(&key, Some(hash))? else { continue };
            bytes += value.len();
            let key = Bytes(key);
            items.push(if is_hash {
                json!({ "key": key, "hash": Bytes(blake2_256(&value).to_vec()) })
            } else {
                json!({ "key": key, "value": Bytes(value) })
            });
        }
        if !is_one && is_full {
            return Ok((items, queries, after));
        }
        after = None;
        queries.pop_front();
        if items.len() >= PAGE || bytes >= PAGE_BYTES {
            break;
        }
    }
    Ok((items, queries, after))
}
