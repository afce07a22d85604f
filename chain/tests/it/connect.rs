//! Connecting: what is checked, and what is said when nobody answers, or the wrong one.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use iota_chain::{Call, Client, ConnectError, ReadError, SubmitError};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::net::{CONNECT, NET, Net, key};
use crate::proxy::{Answers, Proxy};

/// Time that a connection may take where it takes all.
const SHORT: Duration = Duration::from_secs(1);

async fn refusal(url: &str, within: Duration) -> ConnectError {
    Client::connect(url, within).await.map(|_| ()).unwrap_err()
}

#[tokio::test]
async fn a_dev_chain_has_all_that_is_relied_on() {
    let net = Net::new().await;
    let genesis = net.api.read(|chain| chain.genesis_hash()).await.unwrap();
    assert_eq!(net.client.genesis_hash(), genesis.0);
    assert_eq!(net.client.url(), net.api.url());
    let client = subxt::OnlineClient::<subxt::PolkadotConfig>::from_insecure_url(net.api.url());
    let at = client.await.unwrap().at_current_block().await.unwrap();
    assert_eq!(iota_metadata::check(at.metadata_ref()).gaps, []);
    net.stop().await;
}

#[tokio::test]
async fn a_chain_without_a_required_item_is_refused_by_its_name() {
    let net = Net::new().await;
    let answers = Answers::Rewrite("Timestamp", "Timestomp");
    let proxy = Proxy::start(net.api.local_addr(), answers).await;
    let error = refusal(&proxy.url(), CONNECT).await;
    assert!(matches!(error, ConnectError::Incompatible { .. }), "{error}");
    let text = format!(
        "the chain at {} lacks what this program relies on:\n\
         - Timestamp.Now: missing (disables everything)",
        proxy.url()
    );
    assert_eq!(error.to_string(), text);
    net.stop().await;
}

#[tokio::test]
async fn neurons_are_the_same_one_by_one() {
    let net = Net::started().await;
    for name in ["v0", "v1", "m0"] {
        net.register(name).await;
    }
    let hotkey = key("v0").public();
    net.ok(&key("Bob"), Call::AddStake { hotkey, netuid: NET, amount: 30_000_000_000 }).await;
    let at = "203.0.113.7:8091".parse().unwrap();
    net.ok(&key("m0"), Call::ServeAxon { netuid: NET, version: 1, at }).await;
    net.api.seal(40).await.unwrap();
    let head = net.api.head().hash.0;
    let at_once = net.client.neurons(NET, head).await.unwrap();
    assert!(at_once.iter().any(|it| it.emission > 0) && at_once.iter().any(|it| it.axon.is_some()));
    let answers = Answers::Rewrite("get_neurons_lite", "get_neurons_life");
    let proxy = Proxy::start(net.api.local_addr(), answers).await;
    let client = Client::connect(&proxy.url(), CONNECT).await.unwrap();
    assert_eq!(client.neurons(NET, head).await.unwrap(), at_once);
    assert_eq!(client.neurons(NET + 1, head).await.unwrap(), []);
    net.stop().await;
}

#[tokio::test]
async fn a_chain_without_an_optional_call_is_used_without_it() {
    let net = Net::new().await;
    let answers = Answers::Rewrite("burned_register", "burned_registry");
    let proxy = Proxy::start(net.api.local_addr(), answers).await;
    let client = Client::connect(&proxy.url(), CONNECT).await.unwrap();
    let alice = key("Alice");
    let register = Call::BurnedRegister { netuid: NET, hotkey: alice.public() };
    let error = client.submit(&alice, &register).await.unwrap_err();
    assert!(matches!(error, SubmitError::Encode(_)), "{error}");
    assert!(error.to_string().contains("burned_register"), "{error}");
    let transfer = Call::Transfer { dest: key("Bob").public(), value: 1 };
    net.sealed(1, client.submit(&alice, &transfer)).await.unwrap();
    net.stop().await;
}

#[tokio::test]
async fn a_node_that_is_behind_is_not_used_where_another_is_not() {
    let net = Net::new().await;
    let answers = Answers::Replace(r#""isSyncing":false"#, r#""isSyncing":true "#);
    let proxy = Proxy::start(net.api.local_addr(), answers).await;
    let error = refusal(&proxy.url(), CONNECT).await;
    let text = format!("the node at {} is still syncing, at block 0", proxy.url());
    assert_eq!(error.to_string(), text);
    let both = [proxy.url(), net.api.url()];
    let client = Client::connect_any(&both, CONNECT).await.unwrap();
    assert_eq!(client.url(), net.api.url());
    net.stop().await;
}

#[tokio::test]
async fn a_state_that_the_node_has_pruned_is_named_as_such() {
    let net = Net::started().await;
    let old = net.api.head().hash.0;
    net.client.neurons(NET, old).await.unwrap();
    net.api.seal(300).await.unwrap();
    let error = net.client.neurons(NET, old).await.unwrap_err();
    assert!(matches!(error, ReadError::Pruned { .. }), "{error}");
    assert!(error.to_string().ends_with("use an archive node"), "{error}");
    net.stop().await;
}

#[tokio::test]
async fn a_closed_port_is_named_with_its_cause() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    drop(listener);
    let begun = Instant::now();
    let error = refusal(&url, CONNECT).await;
    assert!(begun.elapsed() < CONNECT);
    assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
    let text = error.to_string();
    let said =
        format!("cannot connect to {url}: Error when opening the TCP socket: Connection ref");
    assert!(text.starts_with(&said), "{text}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_in_time() {
    // Connections wait in its queue: nobody accepts them.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let begun = Instant::now();
    let error = refusal(&url, SHORT).await;
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error}");
    assert_eq!(error.to_string(), format!("no answer from {url} within 1 s"));
    assert!(begun.elapsed() >= SHORT && begun.elapsed() < CONNECT);
}

#[tokio::test]
async fn a_chain_that_falls_silent_midway_is_given_up_in_time() {
    let net = Net::new().await;
    // Within the handshake, within the first answers, within the metadata.
    let attempts = [20, 200, 50_000].map(|bytes| {
        let address = net.api.local_addr();
        async move {
            let proxy = Proxy::start(address, Answers::Stall(bytes)).await;
            refusal(&proxy.url(), SHORT).await
        }
    });
    for error in futures::future::join_all(attempts).await {
        assert!(matches!(error, ConnectError::Timeout { .. }), "{error}");
    }
    net.stop().await;
}

#[tokio::test]
async fn a_server_of_something_else_is_refused() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        stream
    };
    let (_open, error) = tokio::join!(server, refusal(&url, CONNECT));
    assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("404"), "{error}");
}

#[tokio::test]
async fn an_address_of_another_kind_is_refused_before_it_is_dialled() {
    let error = refusal("http://127.0.0.1:9944", CONNECT).await;
    assert_eq!(error.to_string(), "`http://127.0.0.1:9944` is not a ws:// or wss:// address");
}
