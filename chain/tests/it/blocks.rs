//! Following finalized blocks: in order, without gaps, over lost connections.

use iota_chain::{BlockStream, Client};
use iota_localnet::{Api, Config};

use crate::net::{CONNECT, NET, Net};
use crate::proxy::{Answers, Proxy};

/// Takes the blocks of a range and compares them with the chain's.
async fn expect(blocks: &mut BlockStream, api: &Api, range: std::ops::RangeInclusive<u32>) {
    for number in range {
        let found = blocks.next().await.unwrap();
        let hash = api.read(move |chain| chain.block_at(number).unwrap().hash).await.unwrap();
        assert_eq!(found, (number, hash.0));
    }
}

#[tokio::test]
async fn blocks_come_in_order_from_the_present_one_on() {
    let net = Net::new().await;
    net.api.seal(5).await.unwrap();
    let mut blocks = net.client.finalized_blocks(None).await.unwrap();
    expect(&mut blocks, &net.api, 5..=5).await;
    for number in 6..20 {
        net.api.seal(1).await.unwrap();
        expect(&mut blocks, &net.api, number..=number).await;
    }
    net.stop().await;
}

#[tokio::test]
async fn blocks_from_an_old_one_on_join_those_that_come() {
    let net = Net::new().await;
    net.api.seal(30).await.unwrap();
    let mut blocks = net.client.finalized_blocks(Some(3)).await.unwrap();
    expect(&mut blocks, &net.api, 3..=10).await;
    net.api.seal(10).await.unwrap();
    expect(&mut blocks, &net.api, 11..=40).await;
    // A reader that lags behind loses none.
    net.api.seal(50).await.unwrap();
    expect(&mut blocks, &net.api, 41..=70).await;
    let (api, client) = (net.api.clone(), net.client.clone());
    let seal = async { api.seal(30).await.unwrap() };
    let (_, ()) = tokio::join!(seal, expect(&mut blocks, &net.api, 71..=120));
    let view = client.block_view(NET, net.api.head().hash.0).await.unwrap();
    assert_eq!(view.number, 120);
    net.stop().await;
}

#[tokio::test]
async fn blocks_from_a_future_one_on_begin_when_it_is_final() {
    let net = Net::new().await;
    let mut blocks = net.client.finalized_blocks(Some(3)).await.unwrap();
    let seal = async { net.api.seal(4).await.unwrap() };
    let (_, ()) = tokio::join!(seal, expect(&mut blocks, &net.api, 3..=4));
    net.stop().await;
}

#[tokio::test]
async fn a_connection_that_comes_back_loses_no_block() {
    let net = Net::new().await;
    let proxy = Proxy::start(net.api.local_addr(), Answers::Pass).await;
    let client = Client::connect(&proxy.url(), CONNECT).await.unwrap();
    let mut blocks = client.finalized_blocks(Some(0)).await.unwrap();
    expect(&mut blocks, &net.api, 0..=0).await;
    net.api.seal(3).await.unwrap();
    expect(&mut blocks, &net.api, 1..=3).await;
    // While nothing is awaited.
    proxy.redirect(Some(net.api.local_addr()));
    net.api.seal(3).await.unwrap();
    expect(&mut blocks, &net.api, 4..=6).await;
    // While the next block is awaited; it comes when nobody is connected.
    let cut = async {
        proxy.redirect(None);
        net.api.seal(3).await.unwrap();
        proxy.redirect(Some(net.api.local_addr()));
    };
    let ((), ()) = tokio::join!(expect(&mut blocks, &net.api, 7..=9), cut);
    // Everything else of the client is back, too.
    let (number, hash) = client.finalized().await.unwrap();
    assert_eq!((number, hash), (9, net.api.head().hash.0));
    client.block_view(NET, hash).await.unwrap();
    net.stop().await;
}

#[tokio::test]
async fn another_chain_at_the_same_address_is_refused() {
    let net = Net::new().await;
    let config = Config { seed: 1, ..Config::test() };
    let (other, handle) = iota_localnet::spawn(config).await.unwrap();
    let proxy = Proxy::start(net.api.local_addr(), Answers::Pass).await;
    let client = Client::connect(&proxy.url(), CONNECT).await.unwrap();
    let mut blocks = client.finalized_blocks(None).await.unwrap();
    expect(&mut blocks, &net.api, 0..=0).await;
    other.seal(5).await.unwrap();
    proxy.redirect(Some(other.local_addr()));
    let error = blocks.next().await.unwrap_err();
    assert!(error.to_string().contains("another chain"), "{error}");
    net.stop().await;
    handle.stop().await;
}
