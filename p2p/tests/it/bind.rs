//! Who is served: only a PeerId that a registered hotkey vouches for, here and now.

use std::sync::Arc;

use iota_p2p::{Authority, Config, Error, Network, Transport, limits, spawn};

use crate::raw::{Raw, framed, statement};
use crate::world::{Keys, NOW, Node, Register, pair};

const HOUR: u64 = 3600;

/// A node, and a stranger with keys of its own.
async fn stranger() -> (Node, Arc<Keys>, Raw, Arc<Register>) {
    let register = Arc::default();
    let node = Node::start(1, &register).await;
    let keys = Keys::new(66, &register);
    let raw = Raw::connect(&node.handle).await;
    (node, keys, raw, register)
}

/// The node must end the connection, and answer neither this statement nor a request.
async fn refused(node: &Node, mut raw: Raw, statement: &[u8]) {
    raw.bind(statement).await.expect_err("no answer to a bad statement");
    raw.closed().await;
    assert!(node.handle.peers().is_empty());
}

fn network() -> Config {
    Config::test([0; 32])
}

#[tokio::test]
async fn nodes_bind_over_tcp_and_over_quic() {
    for transport in [Transport::Tcp, Transport::Quic, Transport::Any] {
        let (a, mut b, _) = pair(transport).await;
        assert_eq!(a.handle.peers(), vec![b.hotkey]);
        assert_eq!(b.handle.peers(), vec![a.hotkey]);
        a.ask(&mut b).await;
        a.handle.shutdown().await;
        b.down(a.hotkey).await;
    }
}

#[tokio::test]
async fn a_statement_as_specified_is_accepted() {
    let (mut node, keys, mut raw, register) = stranger().await;
    register.add(keys.hotkey());
    let own = statement(keys.hotkey(), &network(), &raw.peer_id(), NOW + HOUR, |m| keys.sign(m));
    raw.bind(&own).await.expect("an answer");
    node.up(keys.hotkey()).await;
    let request = framed(b"abc");
    let (reply, ()) = tokio::join!(raw.request(request), node.answer());
    assert_eq!(reply.unwrap(), framed(b"cba"));
}

#[tokio::test]
async fn refuses_an_unregistered_hotkey() {
    let (node, keys, raw, _) = stranger().await;
    let own = statement(keys.hotkey(), &network(), &raw.peer_id(), NOW + HOUR, |m| keys.sign(m));
    refused(&node, raw, &own).await;
}

#[tokio::test]
async fn refuses_another_network() {
    for other in [Network { genesis: [9; 32], netuid: 1 }, Network { genesis: [1; 32], netuid: 2 }]
    {
        let (node, keys, raw, register) = stranger().await;
        register.add(keys.hotkey());
        let config = Config { network: other, ..network() };
        let own = statement(keys.hotkey(), &config, &raw.peer_id(), NOW + HOUR, |m| keys.sign(m));
        refused(&node, raw, &own).await;
    }
}

#[tokio::test]
async fn refuses_a_statement_made_for_another_peer() {
    let (node, victim, raw, register) = stranger().await;
    register.add(victim.hotkey());
    let other = libp2p::PeerId::random();
    let stolen = statement(victim.hotkey(), &network(), &other, NOW + HOUR, |m| victim.sign(m));
    refused(&node, raw, &stolen).await;
}

#[tokio::test]
async fn refuses_a_hotkey_that_did_not_sign() {
    let (node, thief, raw, register) = stranger().await;
    let victim = Keys::new(3, &register);
    register.add(victim.hotkey());
    let own = statement(victim.hotkey(), &network(), &raw.peer_id(), NOW + HOUR, |m| thief.sign(m));
    refused(&node, raw, &own).await;
}

#[tokio::test]
async fn refuses_expired_and_too_long_statements() {
    for expiry in [NOW, NOW - 1, NOW + 24 * HOUR + 1] {
        let (node, keys, raw, register) = stranger().await;
        register.add(keys.hotkey());
        let own = statement(keys.hotkey(), &network(), &raw.peer_id(), expiry, |m| keys.sign(m));
        refused(&node, raw, &own).await;
    }
}

#[tokio::test]
async fn refuses_what_is_no_statement() {
    for bytes in [vec![], vec![7; 103], vec![7; 1024], vec![7; 1025]] {
        let (node, _, raw, _) = stranger().await;
        refused(&node, raw, &bytes).await;
    }
}

#[tokio::test]
async fn serves_nothing_before_the_binding_and_ends_the_wait() {
    let (mut node, _, mut raw, _) = stranger().await;
    raw.request(framed(b"abc")).await.expect_err("no reply");
    raw.closed().await;
    assert!(node.events.try_recv().is_err(), "the application heard nothing");
}

#[tokio::test]
async fn ends_service_when_a_binding_runs_out() {
    let (mut node, keys, mut raw, register) = stranger().await;
    register.add(keys.hotkey());
    let own = statement(keys.hotkey(), &network(), &raw.peer_id(), NOW + HOUR, |m| keys.sign(m));
    raw.bind(&own).await.unwrap();
    node.up(keys.hotkey()).await;
    node.keys.set_clock(NOW + HOUR);
    raw.closed().await;
    node.down(keys.hotkey()).await;
}

#[tokio::test]
async fn a_deregistered_peer_loses_service_until_it_registers_again() {
    let (mut a, mut b, register) = pair(Transport::Any).await;
    register.remove(&a.hotkey);
    b.handle.refresh().await;
    b.down(a.hotkey).await;
    a.down(b.hotkey).await;
    register.add(a.hotkey);
    a.up(b.hotkey).await;
    b.up(a.hotkey).await;
    a.ask(&mut b).await;
}

#[tokio::test]
async fn connections_of_one_peer_are_limited() {
    let (_node, keys, mut raw, register) = stranger().await;
    register.add(keys.hotkey());
    let own = statement(keys.hotkey(), &network(), &raw.peer_id(), NOW + HOUR, |m| keys.sign(m));
    raw.bind(&own).await.unwrap();
    let limit = limits::MAX_CONNECTIONS_PER_PEER;
    assert_eq!(raw.connect_again(limit).await, limit, "one more is there already");
}

#[tokio::test]
async fn a_port_in_use_has_its_own_error() {
    let register = Arc::default();
    let node = Node::start(1, &register).await;
    let port = node.handle.port();
    let config = Config { port, ..Config::test([2; 32]) };
    let error = spawn(config, Keys::new(2, &register)).await.unwrap_err();
    assert!(matches!(error, Error::PortInUse { port: in_use } if in_use == port), "{error}");
    node.handle.shutdown().await;
}
