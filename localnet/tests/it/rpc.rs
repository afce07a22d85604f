//! The chain as subxt and JSON-RPC clients see it.

use iota_localnet::{
    Api, Config, RuntimeCall, Sealing,
    accounts::{self, TAO},
    runtime::Address,
    signed_for, spawn,
};
use serde_json::{Value, json};
use sp_core::{Pair, crypto::Ss58Codec, sr25519};
use std::{collections::BTreeSet, sync::Arc};
use subxt::{
    OnlineClient, SubstrateConfig,
    backend::{ChainHeadBackend, LegacyBackend},
    dynamic,
    rpcs::{Error, RpcClient, client::rpc_params},
    utils::{AccountId32, MultiSignature},
};

type Client = OnlineClient<SubstrateConfig>;

/// A dev account that signs for subxt.
struct Signer(sr25519::Pair);

impl subxt::tx::Signer<SubstrateConfig> for Signer {
    fn account_id(&self) -> AccountId32 {
        AccountId32(self.0.public().0)
    }

    fn sign(&self, payload: &[u8]) -> MultiSignature {
        MultiSignature::Sr25519(self.0.sign(payload).0)
    }
}

/// A running chain and a plain JSON-RPC connection to it.
async fn start(sealing: Sealing) -> (Api, iota_localnet::Handle, RpcClient) {
    let (api, handle) = spawn(Config { sealing, ..Config::test() }).await.unwrap();
    let rpc = RpcClient::from_insecure_url(api.url()).await.unwrap();
    (api, handle, rpc)
}

/// A signed transfer as hex.
async fn transfer(api: &Api, from: &str, nonce: u32, rao: u64) -> String {
    let genesis = api.read(|chain| chain.genesis_hash()).await.unwrap();
    let call = RuntimeCall::Balances(pallet_balances::Call::transfer_keep_alive {
        dest: Address::Id(accounts::account("//Bob")),
        value: rao,
    });
    format!("0x{}", hex::encode(signed_for(&accounts::pair(from), call, nonce, genesis)))
}

/// An account's free balance at a block, through subxt.
async fn balance(client: &Client, at: subxt::utils::H256, account: &str) -> u128 {
    let at = client.at_block(at).await.unwrap();
    let entry = dynamic::storage::<([u8; 32],), dynamic::Value>("System", "Account");
    let key: [u8; 32] = accounts::account(account).into();
    let value = at.storage().fetch(entry, (key,)).await.unwrap().decode().unwrap();
    dynamic::At::at(&value, "data")
        .and_then(|data| dynamic::At::at(data, "free"))
        .unwrap()
        .as_u128()
        .unwrap()
}

/// Sends rao from Alice to Bob through subxt and follows it until it is final.
async fn send_and_follow(client: Client, api: Api) {
    let before = client.at_current_block().await.unwrap().block_hash();
    let bob: [u8; 32] = accounts::account("//Bob").into();
    let dest = dynamic::Value::unnamed_variant("Id", [dynamic::Value::from_bytes(bob)]);
    let call = dynamic::tx(
        "Balances",
        "transfer_keep_alive",
        vec![dest, dynamic::Value::u128(u128::from(7 * TAO))],
    );
    let at = client.at_current_block().await.unwrap();
    let signer = Signer(accounts::pair("//Alice"));
    let mut transactions = at.transactions();
    let progress = transactions.sign_and_submit_then_watch_default(&call, &signer).await.unwrap();
    api.seal(1).await.unwrap();
    let block = progress.wait_for_finalized().await.unwrap();
    let events = block.wait_for_success().await.unwrap();
    let names: Vec<_> = events
        .iter()
        .map(|event| event.unwrap())
        .map(|event| format!("{}.{}", event.pallet_name(), event.event_name()))
        .collect();
    assert!(names.contains(&"Balances.Transfer".to_owned()), "{names:?}");
    let fee_paid = events
        .iter()
        .map(|event| event.unwrap())
        .find(|event| event.event_name() == "TransactionFeePaid")
        .unwrap();
    let fields: dynamic::Value = fee_paid.decode_fields_unchecked_as().unwrap();
    let fee = dynamic::At::at(&fields, "actual_fee").unwrap().as_u128().unwrap();
    assert!(fee > 0);
    let after = block.block_hash();
    let amount = u128::from(7 * TAO);
    assert_eq!(
        balance(&client, after, "//Bob").await,
        balance(&client, before, "//Bob").await + amount
    );
    assert_eq!(
        balance(&client, after, "//Alice").await,
        balance(&client, before, "//Alice").await - amount - fee
    );
    let at = client.at_block(after).await.unwrap();
    let alice: [u8; 32] = accounts::account("//Alice").into();
    let nonce = dynamic::runtime_api_call::<_, u32>("AccountNonceApi", "account_nonce", (alice,));
    assert_eq!(at.runtime_apis().call(nonce).await.unwrap(), 1);
}

#[tokio::test]
async fn subxt_sends_a_transfer_and_sees_it_final() {
    let (api, handle, _) = start(Sealing::Manual).await;
    let client = Client::from_insecure_url(api.url()).await.unwrap();
    send_and_follow(client, api).await;
    handle.stop().await;
}

#[tokio::test]
async fn subxt_does_so_with_each_of_its_backends_too() {
    let (api, handle, rpc) = start(Sealing::Manual).await;
    let backend = LegacyBackend::builder().build(rpc);
    let client = Client::from_backend(Arc::new(backend)).await.unwrap();
    send_and_follow(client, api).await;
    handle.stop().await;
    let (api, handle, rpc) = start(Sealing::Manual).await;
    let backend = ChainHeadBackend::builder().build_with_background_driver(rpc);
    let client = Client::from_backend(Arc::new(backend)).await.unwrap();
    send_and_follow(client, api).await;
    handle.stop().await;
}

#[tokio::test]
async fn a_follower_gets_every_finalized_block_in_order() {
    const BLOCKS: u32 = 200;
    let (api, handle, rpc) = start(Sealing::Instant).await;
    let client = Client::from_insecure_url(api.url()).await.unwrap();
    let mut blocks = client.stream_blocks().await.unwrap();
    assert_eq!(blocks.next().await.unwrap().unwrap().number(), 0);
    let sender = tokio::spawn({
        let api = api.clone();
        async move {
            for nonce in 0..BLOCKS {
                let extrinsic = transfer(&api, "//Alice", nonce, 1).await;
                let sent = rpc.request::<String>("author_submitExtrinsic", rpc_params![extrinsic]);
                sent.await.unwrap();
            }
        }
    });
    for number in 1..=BLOCKS {
        let block = blocks.next().await.unwrap().unwrap();
        assert_eq!(block.number(), u64::from(number));
        let expected = api.read(move |chain| chain.block_at(number).unwrap().hash).await.unwrap();
        assert_eq!(block.hash().0, expected.0);
    }
    sender.await.unwrap();
    assert_eq!(api.head().number, BLOCKS);
    handle.stop().await;
}

#[tokio::test]
async fn a_subscriber_that_lags_behind_still_gets_every_head() {
    let (api, handle, rpc) = start(Sealing::Manual).await;
    for kind in ["New", "Finalized", "All"] {
        let first = api.head().number;
        let mut heads = rpc
            .subscribe::<Value>(
                &format!("chain_subscribe{kind}Heads"),
                rpc_params![],
                &format!("chain_unsubscribe{kind}Heads"),
            )
            .await
            .unwrap();
        api.seal(50).await.unwrap();
        for number in first..=first + 50 {
            let head = heads.next().await.unwrap().unwrap();
            assert_eq!(head["number"], format!("{number:#x}"));
        }
    }
    handle.stop().await;
}

/// Key of a storage value, as hex.
fn storage_key(pallet: &str, item: &str) -> String {
    let hash = sp_io::hashing::twox_128;
    format!("0x{}", hex::encode([hash(pallet.as_bytes()), hash(item.as_bytes())].concat()))
}

/// Code and data of a refusal.
fn refusal(result: Result<Value, Error>) -> (i32, String) {
    match result.unwrap_err() {
        Error::User(error) => {
            (error.code, error.data.map(|data| data.get().to_owned()).unwrap_or_default())
        }
        other => panic!("not an answer of the node: {other}"),
    }
}

#[tokio::test]
async fn refuses_extrinsics_with_the_codes_of_a_real_node() {
    let (api, handle, rpc) = start(Sealing::Manual).await;
    let send = async |extrinsic: String| {
        rpc.request::<Value>("author_submitExtrinsic", rpc_params![extrinsic]).await
    };
    let valid = transfer(&api, "//Alice", 0, 1).await;
    send(valid.clone()).await.unwrap();
    assert_eq!(refusal(send(valid.clone()).await).0, 1013);
    assert_eq!(refusal(send(transfer(&api, "//Alice", 0, 2).await).await).0, 1014);
    api.seal(1).await.unwrap();
    let (code, data) = refusal(send(valid).await);
    assert_eq!((code, data.as_str()), (1010, r#""Transaction is outdated""#));
    let (code, data) = refusal(send(transfer(&api, "//Poor", 0, 1).await).await);
    assert_eq!(code, 1010);
    assert!(data.contains("Inability to pay some fees"), "{data}");
    assert_eq!(refusal(send("0x00".to_owned()).await).0, 1001);
    handle.stop().await;
}

#[tokio::test]
async fn a_watched_extrinsic_waits_for_the_nonce_before_it() {
    let (api, handle, rpc) = start(Sealing::Instant).await;
    let early = transfer(&api, "//Alice", 1, 1).await;
    let mut early = rpc
        .subscribe::<Value>(
            "author_submitAndWatchExtrinsic",
            rpc_params![early],
            "author_unwatchExtrinsic",
        )
        .await
        .unwrap();
    assert_eq!(early.next().await.unwrap().unwrap(), json!("future"));
    assert_eq!(api.head().number, 0);
    let filler = transfer(&api, "//Alice", 0, 1).await;
    rpc.request::<String>("author_submitExtrinsic", rpc_params![filler]).await.unwrap();
    let hash = format!("{:?}", api.head().hash);
    assert_eq!(early.next().await.unwrap().unwrap(), json!("ready"));
    assert_eq!(early.next().await.unwrap().unwrap(), json!({ "inBlock": hash }));
    assert_eq!(early.next().await.unwrap().unwrap(), json!({ "finalized": hash }));
    assert_eq!(api.head().number, 1);
    handle.stop().await;
}

#[tokio::test]
async fn answers_what_the_python_sdks_ask() {
    let (api, handle, rpc) = start(Sealing::Manual).await;
    api.seal(2).await.unwrap();
    let ask = async |method: &str, params| -> Value { rpc.request(method, params).await.unwrap() };
    let listed = ask("rpc_methods", rpc_params![]).await;
    let listed: BTreeSet<&str> =
        listed["methods"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for method in [
        "system_chain",
        "system_properties",
        "system_health",
        "rpc_methods",
        "chain_getHead",
        "chain_getBlockHash",
        "chain_getFinalizedHead",
        "chain_getHeader",
        "chain_getBlock",
        "chain_subscribeNewHeads",
        "chain_subscribeFinalizedHeads",
        "state_getRuntimeVersion",
        "state_subscribeRuntimeVersion",
        "state_getMetadata",
        "state_call",
        "state_getStorage",
        "state_getStorageAt",
        "state_queryStorageAt",
        "state_getKeysPaged",
        "state_subscribeStorage",
        "author_submitExtrinsic",
        "author_submitAndWatchExtrinsic",
        "author_unwatchExtrinsic",
        "author_pendingExtrinsics",
        "account_nextIndex",
        "system_accountNextIndex",
        "payment_queryInfo",
    ] {
        assert!(listed.contains(method), "{method} is not listed");
    }
    let head = ask("chain_getHead", rpc_params![]).await;
    assert_eq!(head, ask("chain_getBlockHash", rpc_params![2]).await);
    assert_eq!(head, ask("chain_getBlockHash", rpc_params!["0x2"]).await);
    assert_eq!(ask("chain_getBlockHash", rpc_params![3]).await, Value::Null);
    let both = ask("chain_getBlockHash", rpc_params![[0, 2]]).await;
    assert_eq!(both[1], head);
    let header = ask("chain_getHeader", rpc_params![&head]).await;
    assert_eq!(header["number"], "0x2");
    assert_eq!(header["digest"], json!({ "logs": [] }));
    let block = ask("chain_getBlock", rpc_params![&head]).await;
    assert_eq!(block["block"]["header"], header);
    assert_eq!(block["block"]["extrinsics"].as_array().unwrap().len(), 1);
    let version = ask("state_getRuntimeVersion", rpc_params![&head]).await;
    assert_eq!(version["specName"], "node-subtensor");
    assert_eq!(version["specVersion"], 425);
    assert_eq!(version["transactionVersion"], 1);
    let metadata = ask("state_getMetadata", rpc_params![&header["parentHash"]]).await;
    // The magic word, then the version.
    assert!(metadata.as_str().unwrap().starts_with("0x6d6574610e"), "not version 14");
    let fifteen =
        ask("state_call", rpc_params!["Metadata_metadata_at_version", "0x0f000000"]).await;
    assert!(fifteen.as_str().unwrap().contains("6d6574610f"), "no version 15");
    let extrinsic = transfer(&api, "//Alice", 0, 1).await;
    let info = ask("payment_queryInfo", rpc_params![&extrinsic]).await;
    assert!(info["partialFee"].as_str().unwrap().parse::<u64>().unwrap() > 0);
    ask("author_submitExtrinsic", rpc_params![&extrinsic]).await;
    assert_eq!(ask("author_pendingExtrinsics", rpc_params![]).await, json!([extrinsic]));
    let alice = accounts::account("//Alice").to_ss58check();
    assert_eq!(ask("account_nextIndex", rpc_params![alice]).await, 1);
    handle.stop().await;
}

#[tokio::test]
async fn storage_is_read_paged_queried_and_followed() {
    let (api, handle, rpc) = start(Sealing::Manual).await;
    let key = storage_key("System", "Number");
    let mut changes = rpc
        .subscribe::<Value>(
            "state_subscribeStorage",
            rpc_params![[&key]],
            "state_unsubscribeStorage",
        )
        .await
        .unwrap();
    let change = changes.next().await.unwrap().unwrap();
    assert_eq!(change["changes"], json!([[key, null]]));
    api.seal(1).await.unwrap();
    let change = changes.next().await.unwrap().unwrap();
    assert_eq!(change["changes"], json!([[key, "0x01000000"]]));
    let now: Value = rpc.request("state_getStorageAt", rpc_params![&key]).await.unwrap();
    assert_eq!(now, "0x01000000");
    let queried: Value =
        rpc.request("state_queryStorageAt", rpc_params![[&key, "0xff"]]).await.unwrap();
    assert_eq!(queried[0]["changes"], json!([[key, "0x01000000"], ["0xff", null]]));
    let prefix = &key[..34];
    let page: Vec<String> =
        rpc.request("state_getKeysPaged", rpc_params![prefix, 1000, prefix]).await.unwrap();
    assert!(page.contains(&key) && page.is_sorted());
    let refused = rpc.request::<Value>("state_getKeysPaged", rpc_params![prefix, 1001]).await;
    assert_eq!(refusal(refused).0, 4002);
    handle.stop().await;
}

#[tokio::test]
async fn errors_of_state_queries_name_the_cause() {
    let (api, handle, rpc) = start(Sealing::Manual).await;
    let genesis = format!("{:?}", api.read(|chain| chain.genesis_hash()).await.unwrap());
    api.seal(300).await.unwrap();
    let ask = async |method: &str, params| -> String {
        rpc.request::<Value>(method, params).await.unwrap_err().to_string()
    };
    let gone = ask("state_getStorage", rpc_params!["0x00", &genesis]).await;
    assert!(gone.contains("State already discarded for 0x"), "{gone}");
    let unknown = ask("state_getStorage", rpc_params!["0x00", "0x".to_owned() + &"11".repeat(32)]);
    assert!(unknown.await.contains("UnknownBlock"));
    let missing = ask("state_call", rpc_params!["No_such", "0x"]).await;
    assert!(missing.contains("Exported method No_such is not found"), "{missing}");
    let malformed = ask("state_call", rpc_params!["AccountNonceApi_account_nonce", "0x00"]).await;
    assert!(malformed.contains("panicked"), "{malformed}");
    assert_eq!(api.seal(1).await.unwrap().number, 301);
    handle.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_clients_at_once_see_one_growing_chain() {
    let (api, handle, _) = start(Sealing::Instant).await;
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let api = api.clone();
            tokio::spawn(async move {
                let rpc = RpcClient::from_insecure_url(api.url()).await.unwrap();
                let mut last = 0;
                while last < 40 {
                    let header: Value =
                        rpc.request("chain_getHeader", rpc_params![]).await.unwrap();
                    let number = header["number"].as_str().unwrap().trim_start_matches("0x");
                    let number = u32::from_str_radix(number, 16).unwrap();
                    assert!(number >= last, "went back from {last} to {number}");
                    let parent = &header["parentHash"];
                    if number > 0 {
                        let hash: Value = rpc
                            .request("chain_getBlockHash", rpc_params![number - 1])
                            .await
                            .unwrap();
                        assert_eq!(&hash, parent);
                    }
                    last = number;
                }
            })
        })
        .collect();
    for nonce in 0..40 {
        let extrinsic = transfer(&api, "//Alice", nonce, 1).await;
        api.submit(hex::decode(&extrinsic[2..]).unwrap()).await.unwrap();
    }
    for client in clients {
        client.await.unwrap();
    }
    handle.stop().await;
}
