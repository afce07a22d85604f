//! Sealing, the `dev_*` methods, start and stop.

use iota_localnet::{Config, Error, Sealing, accounts, spawn};
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
