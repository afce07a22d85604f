//! Sealing, the `dev_*` methods, start and stop.

use iota_localnet::{Config, Error, Sealing, Status, accounts, signed, spawn};
use serde_json::{Value, json};
use sp_core::crypto::Ss58Codec;
use std::time::Duration;
use subxt::rpcs::{RpcClient, client::rpc_params};

#[tokio::test]
async fn seals_on_demand_and_no_earlier() {
    let (api, handle) = spawn(Config::test()).await.unwrap();
    let rpc = RpcClient::from_insecure_url(api.url()).await.unwrap();
    let head: Value = rpc.request("dev_seal", rpc_params![3]).await.unwrap();
    assert_eq!(head["number"], 3);
    let head: Value = rpc.request("dev_seal", rpc_params![]).await.unwrap();
    assert_eq!(head["number"], 4);
    let hash: String = rpc.request("chain_getFinalizedHead", rpc_params![]).await.unwrap();
    assert_eq!(head["hash"], hash);
    let refused = rpc.request::<Value>("dev_seal", rpc_params![u32::MAX]).await;
    assert!(refused.unwrap_err().to_string().contains("count exceeds maximum"));
    assert_eq!(api.head().number, 4);
    handle.stop().await;
}

#[tokio::test]
async fn seals_by_the_clock_until_told_otherwise() {
    let config = Config { sealing: Sealing::Interval(Duration::from_millis(1)), ..Config::test() };
    let (api, handle) = spawn(config).await.unwrap();
    let rpc = RpcClient::from_insecure_url(api.url()).await.unwrap();
    api.reached(3).await.unwrap();
    rpc.request::<bool>("dev_setSealing", rpc_params!["manual"]).await.unwrap();
    // A tick may be on its way; the one after it is not.
    let number = api.read(|chain| chain.number()).await.unwrap();
    rpc.request::<bool>("dev_setSealing", rpc_params![json!({ "interval_ms": 1 })]).await.unwrap();
    api.reached(number + 3).await.unwrap();
    let refused = rpc.request::<bool>("dev_setSealing", rpc_params!["sometimes"]).await;
    refused.unwrap_err();
    handle.stop().await;
}

#[tokio::test]
async fn funds_accounts_by_address_and_by_key() {
    let (api, handle) = spawn(Config::test()).await.unwrap();
    let rpc = RpcClient::from_insecure_url(api.url()).await.unwrap();
    let account = sp_core::crypto::AccountId32::from([3; 32]);
    let address = account.to_ss58check();
    rpc.request::<String>("dev_fund", rpc_params![&address, 1_000]).await.unwrap();
    let key = format!("0x{}", hex::encode([3; 32]));
    rpc.request::<String>("dev_fund", rpc_params![&key, "2000"]).await.unwrap();
    let balance = api
        .read(move |chain| {
            chain.read(|| iota_localnet::runtime::Balances::free_balance(&account)).unwrap()
        })
        .await;
    assert_eq!(balance, Ok(3_000));
    let refused = rpc.request::<String>("dev_fund", rpc_params!["nobody", 1]).await;
    assert!(refused.unwrap_err().to_string().contains("`nobody` is no account"));
    handle.stop().await;
}

#[tokio::test]
async fn says_that_a_port_is_taken_and_frees_its_own() {
    let (api, handle) = spawn(Config::test()).await.unwrap();
    let listen = api.local_addr();
    let second = spawn(Config { listen, ..Config::test() }).await;
    let error = second.map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::AddressInUse { address } if address == listen), "{error}");
    assert_eq!(error.to_string(), format!("address {listen} is already in use"));
    handle.stop().await;
    let (_, handle) = spawn(Config { listen, ..Config::test() }).await.unwrap();
    handle.stop().await;
}

#[tokio::test]
async fn a_stopped_chain_says_so() {
    let (api, handle) = spawn(Config::test()).await.unwrap();
    handle.stop().await;
    api.seal(1).await.unwrap_err();
    api.reached(1).await.unwrap_err();
}

#[tokio::test]
async fn refuses_a_block_time_of_zero() {
    let error = spawn(Config { block_time_ms: 0, ..Config::test() }).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::ZeroBlockTime));
}

#[test]
fn shows_the_sudo_key_to_whoever_starts_it_by_hand() {
    let config = Config::test();
    let text = iota_localnet::banner(&config, config.listen);
    assert!(text.contains(accounts::SUDO), "{text}");
}

/// A chain with a websocket client.
async fn chain() -> (iota_localnet::Api, iota_localnet::Handle, RpcClient) {
    let (api, handle) = spawn(Config::test()).await.unwrap();
    let rpc = RpcClient::from_insecure_url(api.url()).await.unwrap();
    (api, handle, rpc)
}

/// The key of `Drand.LastStoredRound`, a plain `u64`.
fn last_round() -> String {
    use sp_io::hashing::twox_128;
    let key = [twox_128(b"Drand"), twox_128(b"LastStoredRound")].concat();
    format!("0x{}", hex::encode(key))
}

#[tokio::test]
async fn a_warp_ends_where_it_was_told_to() {
    let (api, handle, rpc) = chain().await;
    let warp = async |target: Value| -> u64 {
        let head: Value = rpc.request("dev_warp", rpc_params![target]).await.unwrap();
        assert_eq!(head["number"], api.head().number);
        head["number"].as_u64().unwrap()
    };
    assert_eq!(warp(json!({ "blocks": 5 })).await, 5);
    assert_eq!(warp(json!({ "to": 20 })).await, 20);
    assert_eq!(warp(json!({ "to": 3 })).await, 20);
    let refused = rpc.request::<Value>("dev_warp", rpc_params![json!({ "epoch": 9 })]).await;
    assert!(refused.unwrap_err().to_string().contains("there is no subnet 9"));
    // A subnet's epoch: the block after it counts from zero again.
    let alice = accounts::pair("//Alice");
    let call = iota_localnet::pallets::subtensor::Call::register_network {
        hotkey: accounts::account("//owner"),
    };
    let bytes = api.read(move |chain| iota_localnet::signed(&alice, call.into(), 0, chain));
    api.submit(bytes.await.unwrap()).await.unwrap();
    api.seal(1).await.unwrap();
    let next: u64 = rpc.request("dev_nextEpoch", rpc_params![1]).await.unwrap();
    assert_eq!(warp(json!({ "epoch": 1 })).await, next);
    let since =
        || iota_localnet::pallets::subtensor::BlocksSinceLastStep::<iota_localnet::Runtime>::get(1);
    assert_eq!(api.read(move |chain| chain.read(since).unwrap()).await, Ok(0));
    handle.stop().await;
}

#[tokio::test]
async fn a_chain_goes_back_to_a_snapshot_with_all_that_waited() {
    let (api, handle, rpc) = chain().await;
    api.seal(3).await.unwrap();
    let alice = accounts::pair("//Alice");
    let call = pallet_balances::Call::transfer_keep_alive {
        dest: accounts::account("//new").into(),
        value: accounts::TAO,
    };
    let bytes = api.read(move |chain| iota_localnet::signed(&alice, call.into(), 0, chain));
    api.submit(bytes.await.unwrap()).await.unwrap();
    let snapshot: u32 = rpc.request("dev_snapshot", rpc_params![]).await.unwrap();
    let mut heads = rpc
        .subscribe::<Value>(
            "chain_subscribeFinalizedHeads",
            rpc_params![],
            "chain_unsubscribeFinalizedHeads",
        )
        .await
        .unwrap();
    let mut number = async || heads.next().await.unwrap().unwrap()["number"].clone();
    assert_eq!(number().await, "0x3");
    let before = api.head();
    let free = async || {
        let read = || iota_localnet::runtime::Balances::free_balance(accounts::account("//new"));
        api.read(move |chain| chain.read(read).unwrap()).await.unwrap()
    };
    for _ in 0..2 {
        api.seal(5).await.unwrap();
        let after = api.head();
        assert_eq!((after.number, free().await), (8, accounts::TAO));
        // A later snapshot goes with its blocks.
        let later: u32 = rpc.request("dev_snapshot", rpc_params![]).await.unwrap();
        let head: Value = rpc.request("dev_revert", rpc_params![snapshot]).await.unwrap();
        assert_eq!((head["number"].clone(), api.head(), free().await), (3.into(), before, 0));
        rpc.request::<Value>("dev_revert", rpc_params![later]).await.unwrap_err();
        // The same blocks come again, because all that makes them is the same.
        api.seal(5).await.unwrap();
        assert_eq!(api.head(), after);
        rpc.request::<Value>("dev_revert", rpc_params![snapshot]).await.unwrap();
    }
    // Who follows the chain goes back with it.
    let mut seen = Vec::new();
    while seen.last() != Some(&json!("0x3")) {
        seen.push(number().await);
    }
    handle.stop().await;
}

#[tokio::test]
async fn any_entry_is_written_and_the_difference_is_named() {
    let (api, handle, rpc) = chain().await;
    let key = last_round();
    let value = "0x0900000000000000";
    rpc.request::<String>("dev_setStorage", rpc_params![&key, value]).await.unwrap();
    let stored: String = rpc.request("state_getStorage", rpc_params![&key]).await.unwrap();
    assert_eq!((stored.as_str(), api.head().number), (value, 1));
    rpc.request::<String>("dev_setStorage", rpc_params![&key, Value::Null]).await.unwrap();
    let gone: Option<String> = rpc.request("state_getStorage", rpc_params![&key]).await.unwrap();
    assert_eq!(gone, None);
    let diff: Vec<Value> = rpc.request("dev_stateDiff", rpc_params![1, 2]).await.unwrap();
    let change = diff.iter().find(|change| change["key"] == key).unwrap();
    assert_eq!(
        *change,
        json!({
            "key": key, "item": "Drand.LastStoredRound", "before": value, "after": null,
        })
    );
    let number = diff.iter().find(|change| change["item"] == "System.Number").unwrap();
    assert_eq!((&number["before"], &number["after"]), (&json!("0x01000000"), &json!("0x02000000")));
    let refused = rpc.request::<Value>("dev_stateDiff", rpc_params![1, 99]).await;
    assert!(refused.unwrap_err().to_string().contains("block 99 is not kept"));
    handle.stop().await;
}

#[tokio::test]
async fn an_answer_is_lost_as_often_as_asked_for_and_its_method_runs() {
    let (api, handle) = spawn(Config::test()).await.unwrap();
    let rpc = RpcClient::from_insecure_url(api.url()).await.unwrap();
    let faults = json!({ "lose": { "author_submitExtrinsic": 1 } });
    let set: Value = rpc.request("dev_faults", rpc_params![&faults]).await.unwrap();
    assert_eq!(set["lose"], faults["lose"]);
    let transfer = api
        .read(|chain| {
            let dest = accounts::account("//Bob").into();
            let call = pallet_balances::Call::transfer_keep_alive { dest, value: 1 };
            signed(&accounts::pair("//Alice"), call.into(), 0, chain)
        })
        .await
        .unwrap();
    let transfer = format!("0x{}", hex::encode(transfer));
    let lost = rpc.request::<String>("author_submitExtrinsic", rpc_params![&transfer]);
    let arrived = async {
        while api.read(|chain| chain.pending().len()).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = lost => panic!("not lost: {answer:?}"),
        () = arrived => {}
    }
    // Others are answered, and the same method the next time.
    let health = rpc.request::<Value>("system_chain", rpc_params![]).await.unwrap();
    assert_eq!(health, "Bittensor");
    let again = rpc.request::<String>("author_submitExtrinsic", rpc_params![&transfer]).await;
    assert!(again.unwrap_err().to_string().contains("Already Imported"));
    for wrong in [json!({ "loose": {} }), json!({ "delay_ms": u64::MAX })] {
        rpc.request::<Value>("dev_faults", rpc_params![wrong]).await.unwrap_err();
    }
    handle.stop().await;
}

#[tokio::test]
async fn answers_are_late_until_the_faults_are_taken_back() {
    let (api, handle) = spawn(Config::test()).await.unwrap();
    let rpc = RpcClient::from_insecure_url(api.url()).await.unwrap();
    let asked = || rpc.request::<Value>("system_chain", rpc_params![]);
    rpc.request::<Value>("dev_faults", rpc_params![json!({ "delay_ms": 300 })]).await.unwrap();
    let start = std::time::Instant::now();
    asked().await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(300));
    rpc.request::<Value>("dev_faults", rpc_params![json!({ "delay_ms": 600_000 })]).await.unwrap();
    // This one is not delayed: else nobody could take it back.
    rpc.request::<Value>("dev_faults", rpc_params![]).await.unwrap();
    asked().await.unwrap();
    handle.stop().await;
}

#[tokio::test]
async fn blocks_are_not_final_while_finality_is_held() {
    let (api, handle) = spawn(Config::test()).await.unwrap();
    let rpc = RpcClient::from_insecure_url(api.url()).await.unwrap();
    let hold = |hold: bool| rpc_params![json!({ "hold_finality": hold })];
    api.seal(1).await.unwrap();
    rpc.request::<Value>("dev_faults", hold(true)).await.unwrap();
    let transfer = api
        .read(|chain| {
            let dest = accounts::account("//Bob").into();
            let call = pallet_balances::Call::transfer_keep_alive { dest, value: 1 };
            signed(&accounts::pair("//Alice"), call.into(), 0, chain)
        })
        .await
        .unwrap();
    let mut statuses = api.submit_and_watch(transfer).await.unwrap();
    api.seal(2).await.unwrap();
    let final_hash =
        async || -> String { rpc.request("chain_getFinalizedHead", rpc_params![]).await.unwrap() };
    let number = async |hash: &str| -> Value {
        let header: Value = rpc.request("chain_getHeader", rpc_params![hash]).await.unwrap();
        header["number"].clone()
    };
    assert_eq!(number(&final_hash().await).await, "0x1");
    let newest: Value = rpc.request("chain_getHeader", rpc_params![]).await.unwrap();
    assert_eq!(newest["number"], "0x3");
    let block = api.read(|chain| chain.block_at(2).unwrap().hash).await.unwrap();
    assert_eq!(statuses.recv().await, Some(Status::Ready));
    assert_eq!(statuses.recv().await, Some(Status::InBlock(block)));
    assert!(statuses.try_recv().is_err(), "not final");
    rpc.request::<Value>("dev_faults", hold(false)).await.unwrap();
    assert_eq!(statuses.recv().await, Some(Status::Finalized(block)));
    assert_eq!(number(&final_hash().await).await, "0x3");
    handle.stop().await;
}
