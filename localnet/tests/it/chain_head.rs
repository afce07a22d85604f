//! The head of the chain as `chainHead_v1_*` tells of it.

use iota_localnet::{Api, Config, Faults, Handle, Sealing, spawn};
use serde_json::{Value, json};
use subxt::rpcs::{
    Error, RpcClient,
    client::{RpcSubscription, rpc_params},
};

/// Storage key of all accounts: the pallet's and the entry's names, hashed.
const ACCOUNTS: &str = "0x26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9";

/// A follower of a chain that makes blocks on demand.
struct Follower {
    api: Api,
    handle: Handle,
    rpc: RpcClient,
    events: RpcSubscription<Value>,
    name: String,
}

impl Follower {
    async fn start() -> Self {
        let (api, handle) =
            spawn(Config { sealing: Sealing::Manual, ..Config::test() }).await.unwrap();
        let rpc = RpcClient::from_insecure_url(api.url()).await.unwrap();
        let events = rpc
            .subscribe("chainHead_v1_follow", rpc_params![true], "chainHead_v1_unfollow")
            .await
            .unwrap();
        let name = events.subscription_id().unwrap().to_owned();
        Self { api, handle, rpc, events, name }
    }

    async fn next(&mut self) -> Value {
        self.events.next().await.unwrap().unwrap()
    }

    /// The next event, which is of this kind.
    async fn expect(&mut self, kind: &str) -> Value {
        let event = self.next().await;
        assert_eq!(event["event"], kind, "{event}");
        event
    }

    async fn ask(&self, method: &str, hash: &Value, more: Vec<Value>) -> Result<Value, Error> {
        let mut params = rpc_params![&self.name, hash];
        more.into_iter().for_each(|value| params.push(value).unwrap());
        self.rpc.request(method, params).await
    }

    /// The hash of the block that is told of first.
    async fn initialized(&mut self) -> Value {
        let first = self.expect("initialized").await;
        assert_eq!(first["finalizedBlockRuntime"]["spec"]["specName"], "node-subtensor");
        let hash = first["finalizedBlockHashes"][0].clone();
        let best = self.expect("bestBlockChanged").await;
        assert_eq!(best["bestBlockHash"], hash);
        hash
    }
}

#[track_caller]
fn refused(answer: Result<Value, Error>, code: i32) {
    let text = format!("{:?}", answer.unwrap_err());
    assert!(text.contains(&format!("code: {code}")) || text.contains(&code.to_string()), "{text}");
}

#[tokio::test]
async fn a_follower_is_told_of_each_block_before_it_is_best_and_final() {
    let mut follower = Follower::start().await;
    let mut parent = follower.initialized().await;
    for _ in 0..3 {
        follower.api.seal(1).await.unwrap();
        let new = follower.expect("newBlock").await;
        assert_eq!(new["parentBlockHash"], parent);
        parent = new["blockHash"].clone();
        assert_eq!(follower.expect("bestBlockChanged").await["bestBlockHash"], parent);
        assert_eq!(follower.expect("finalized").await["finalizedBlockHashes"], json!([parent]));
    }
    let held = Faults { hold_finality: true, ..Faults::default() };
    follower.api.set_faults(held).await.unwrap();
    follower.api.seal(2).await.unwrap();
    follower.expect("newBlock").await;
    let second = follower.next().await;
    // Sealed in one go, or told of one by one.
    if second["event"] == "bestBlockChanged" {
        follower.expect("newBlock").await;
    }
    follower.expect("bestBlockChanged").await;
    follower.api.set_faults(Faults::default()).await.unwrap();
    let last = follower.expect("finalized").await;
    assert_eq!(last["finalizedBlockHashes"].as_array().unwrap().len(), 2);
    follower.handle.stop().await;
}

#[tokio::test]
async fn a_block_answers_until_it_is_let_go() {
    let mut follower = Follower::start().await;
    let hash = follower.initialized().await;
    let header = follower.ask("chainHead_v1_header", &hash, vec![]).await.unwrap();
    let bytes = hex::decode(header.as_str().unwrap().trim_start_matches("0x")).unwrap();
    assert_eq!(json!(sp_core::H256(sp_io::hashing::blake2_256(&bytes))), hash);

    let body = follower.ask("chainHead_v1_body", &hash, vec![]).await.unwrap();
    assert_eq!(body["result"], "started");
    let done = follower.expect("operationBodyDone").await;
    assert_eq!((&done["operationId"], &done["value"]), (&body["operationId"], &json!([])));

    let call = |name: &str| vec![json!(name), json!("0x")];
    follower.ask("chainHead_v1_call", &hash, call("Core_version")).await.unwrap();
    let done = follower.expect("operationCallDone").await;
    assert!(done["output"].as_str().unwrap().contains(&hex::encode("node-subtensor")), "{done}");
    follower.ask("chainHead_v1_call", &hash, call("Core_nothing")).await.unwrap();
    follower.expect("operationError").await;

    follower.ask("chainHead_v1_unpin", &hash, vec![]).await.unwrap();
    for method in ["chainHead_v1_header", "chainHead_v1_body", "chainHead_v1_unpin"] {
        refused(follower.ask(method, &hash, vec![]).await, -32801);
    }
    follower.name = "nobody".to_owned();
    let answer = follower.ask("chainHead_v1_body", &hash, vec![]).await.unwrap();
    assert_eq!(answer, json!({ "result": "limitReached" }));
    follower.handle.stop().await;
}

#[tokio::test]
async fn storage_is_told_page_by_page() {
    const MORE: u8 = 200;
    let mut follower = Follower::start().await;
    follower.initialized().await;
    for account in 0..MORE {
        follower.api.fund([account; 32].into(), 1_000_000_000).await.unwrap();
    }
    let hash = loop {
        let event = follower.next().await;
        if event["event"] == "finalized" {
            let last = event["finalizedBlockHashes"].as_array().unwrap().last().cloned().unwrap();
            let head = follower.api.head().hash;
            if last == json!(head) {
                break last;
            }
        }
    };
    let ask = |kind: &str| vec![json!([{ "key": ACCOUNTS, "type": kind }])];
    let mut found = Vec::new();
    follower.ask("chainHead_v1_storage", &hash, ask("descendantsValues")).await.unwrap();
    loop {
        let event = follower.next().await;
        if event["event"] == "operationStorageDone" {
            break;
        }
        assert_eq!(event["event"], "operationStorageItems", "{event}");
        let items = event["items"].as_array().unwrap();
        assert!(items.len() <= 256, "{}", items.len());
        found.extend(items.iter().map(|item| item["key"].as_str().unwrap().to_owned()));
    }
    assert!(found.len() >= usize::from(MORE), "{}", found.len());
    assert!(found.is_sorted() && found.iter().all(|key| key.starts_with(ACCOUNTS)));

    let first = json!([{ "key": found[0], "type": "value" }, { "key": "0x00", "type": "hash" }]);
    follower.ask("chainHead_v1_storage", &hash, vec![first]).await.unwrap();
    let items = follower.expect("operationStorageItems").await["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 1, "what is not there is left out: {items}");
    follower.expect("operationStorageDone").await;
    // One that is stopped says nothing more, and leaves room for others.
    for _ in 0..40 {
        let operation = loop {
            let asked = follower.ask("chainHead_v1_storage", &hash, ask("descendantsValues")).await;
            let asked = asked.unwrap();
            // What was stopped may still be at the chain for a moment.
            if asked["result"] == "started" {
                break asked["operationId"].clone();
            }
        };
        let params = rpc_params![&follower.name, &operation];
        let _: Value = follower.rpc.request("chainHead_v1_stopOperation", params).await.unwrap();
    }
    let nodes = ask("closestDescendantMerkleValue");
    refused(follower.ask("chainHead_v1_storage", &hash, nodes).await, -32602);
    follower.handle.stop().await;
}

#[tokio::test]
async fn who_holds_on_to_all_or_is_taken_back_starts_anew() {
    let mut follower = Follower::start().await;
    follower.initialized().await;
    let number = follower.api.snapshot().await.unwrap();
    follower.api.seal(2).await.unwrap();
    // Blocks that it was never told of are not taken back from it.
    for _ in 0..2 {
        while follower.next().await["event"] != "newBlock" {}
    }
    assert!(follower.api.revert(number).await.unwrap());
    follower.api.seal(1).await.unwrap();
    while follower.next().await["event"] != "stop" {}

    let mut follower = Follower::start().await;
    follower.initialized().await;
    follower.api.seal(600).await.unwrap();
    let mut told = 0;
    while follower.next().await["event"] != "stop" {
        told += 1;
    }
    assert!(told > 500, "{told}");
    follower.handle.stop().await;
}
