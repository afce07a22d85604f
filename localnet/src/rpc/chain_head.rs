//! `chainHead_v1_*`: a client follows the head of the chain, and asks of the blocks that it was told
//! of until it lets go of them (JSON-RPC interface specification).
//!
//! - `follow`: what a follower is told, block by block;
//! - `operations`: what it may ask; the answers come among what it is told.

use super::error::{self, Answer};
use crate::{api::Api, runtime::Hash};
use codec::Encode;
use follow::Follows;
use jsonrpsee::{
    RpcModule,
    server::{RegisterMethodError, ResponsePayload},
    types::Params,
};
use operations::{Operation, Query};
use serde::Deserialize;
use serde_json::{Value, json};
use sp_core::Bytes;

mod follow;
mod operations;

/// One hash or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Hashes {
    One(Hash),
    Many(Vec<Hash>),
}

/// Adds the methods.
pub(super) fn register(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    let follows = Follows::default();
    let all = follows.clone();
    module.register_subscription(
        "chainHead_v1_follow",
        "chainHead_v1_followEvent",
        "chainHead_v1_unfollow",
        move |params, pending, api, _| follow::run(params.one(), pending, api, all.clone()),
    )?;
    let all = follows.clone();
    module.register_async_method("chainHead_v1_header", move |params, api, _| {
        let all = all.clone();
        async move {
            let (follower, hash): (String, Hash) = params.parse()?;
            if !all.has(&follower) {
                return Answer::Ok(Value::Null);
            }
            all.check(&follower, hash)?;
            let block = api.read(move |chain| chain.block(&hash).cloned()).await;
            let block = block.map_err(error::stopped)?;
            Ok(json!(block.map(|block| Bytes(block.header.encode()))))
        }
    })?;
    operations(module, &follows)?;
    let all = follows.clone();
    module.register_method("chainHead_v1_unpin", move |params, _, _| {
        let (follower, hashes): (String, Hashes) = params.parse()?;
        let hashes = match hashes {
            Hashes::One(hash) => vec![hash],
            Hashes::Many(hashes) => hashes,
        };
        all.unpin(&follower, &hashes)
    })?;
    let all = follows.clone();
    module.register_method("chainHead_v1_stopOperation", move |params, _, _| {
        let (follower, operation): (String, String) = params.parse()?;
        all.stop(&follower, &operation);
        Answer::Ok(Value::Null)
    })?;
    // No answer waits to be continued.
    module.register_method("chainHead_v1_continue", |params, _, _| {
        let (_, _): (String, String) = params.parse()?;
        Answer::Ok(Value::Null)
    })?;
    Ok(())
}

/// Adds what is answered among the news of the chain.
fn operations(module: &mut RpcModule<Api>, follows: &Follows) -> Result<(), RegisterMethodError> {
    type Asked = fn(Params<'_>) -> Answer<(String, Hash, Operation)>;
    let methods: [(&str, Asked); 3] = [
        ("chainHead_v1_body", |params| {
            let (follower, hash) = params.parse()?;
            Ok((follower, hash, Operation::Body))
        }),
        ("chainHead_v1_call", |params| {
            let (follower, hash, function, arguments): (_, _, _, Bytes) = params.parse()?;
            Ok((follower, hash, Operation::Call { function, arguments: arguments.0 }))
        }),
        ("chainHead_v1_storage", |params| {
            let mut params = params.sequence();
            let (follower, hash) = (params.next()?, params.next()?);
            let queries: Vec<Query> = params.next()?;
            if params.optional_next::<Bytes>()?.is_some() {
                return Err(error::meaningless("there are no child tries"));
            }
            Ok((follower, hash, Operation::storage(queries)?))
        }),
    ];
    for (method, asked) in methods {
        let follows = follows.clone();
        module.register_method(method, move |params, api, _| {
            start(asked(params), &follows, api.clone())
        })?;
    }
    Ok(())
}

/// Starts an operation: it is answered with a number, and what comes of it follows that answer.
fn start(
    asked: Answer<(String, Hash, Operation)>,
    follows: &Follows,
    api: Api,
) -> ResponsePayload<'static, Value> {
    let begun = asked.and_then(|(follower, hash, operation)| {
        if !follows.has(&follower) {
            return Ok(None);
        }
        follows.check(&follower, hash)?;
        Ok(follows.begin(&follower).map(|begun| (begun, hash, operation)))
    });
    let (begun, hash, operation) = match begun {
        Ok(Some(begun)) => begun,
        Ok(None) => return ResponsePayload::success(json!({ "result": "limitReached" })),
        Err(error) => return ResponsePayload::error(error),
    };
    let mut answer = json!({ "result": "started", "operationId": begun.id() });
    if matches!(operation, Operation::Storage(_)) {
        answer["discardedItems"] = json!(0);
    }
    let (response, sent) = ResponsePayload::success(answer).notify_on_completion();
    tokio::spawn(async move {
        // In a batch nobody says when the answer was sent.
        let _ = sent.await;
        operation.run(&api, hash, &begun).await;
    });
    response
}
