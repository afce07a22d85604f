//! Peers that die, come back, or exist twice.

use std::time::Duration;

use iota_p2p::{RequestError, Transport};

use crate::world::{Keys, NOW, Node, pair, within};

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_death_of_a_peer_ends_what_waits_for_it() {
    for transport in [Transport::Tcp, Transport::Quic] {
        let (mut a, mut b, _) = pair(transport).await;
        let to = b.hotkey;
        let asked = a.handle.request(&to, vec![1], LONG);
        let dies = async {
            let (_, _, reply) = b.asked().await;
            b.handle.shutdown().await;
            drop(reply);
        };
        let (reply, ()) = within("an error", async { tokio::join!(asked, dies) }).await;
        assert!(
            matches!(reply, Err(RequestError::NotConnected | RequestError::Failed(_))),
            "{reply:?}"
        );
        a.down(b.hotkey).await;
        assert!(a.handle.peers().is_empty());
    }
}

#[tokio::test]
async fn a_peer_that_restarts_with_a_new_peer_id_is_served_again() {
    let (mut a, b, register) = pair(Transport::Any).await;
    b.handle.shutdown().await;
    a.down(b.hotkey).await;
    let keys = Keys::new(2, &register);
    let mut again = Node::with(keys, [99; 32]).await;
    assert_ne!(again.handle.peer_id(), b.handle.peer_id());
    again.handle.dial(a.address(Transport::Any)).await;
    a.up(again.hotkey).await;
    again.up(a.hotkey).await;
    a.ask(&mut again).await;
}

#[tokio::test]
async fn an_address_is_dialled_again_when_its_node_returns() {
    let (mut a, b, register) = pair(Transport::Tcp).await;
    let port = b.handle.port();
    b.handle.shutdown().await;
    a.down(b.hotkey).await;
    let config = iota_p2p::Config { port, ..iota_p2p::Config::test([98; 32]) };
    let keys = Keys::new(2, &register);
    let (handle, events) = iota_p2p::spawn(config, keys.clone()).await.unwrap();
    let mut again = Node { hotkey: b.hotkey, keys, handle, events };
    a.up(again.hotkey).await;
    again.up(a.hotkey).await;
    a.ask(&mut again).await;
    a.handle.forget(again.address(Transport::Tcp)).await;
    again.down(a.hotkey).await;
}

#[tokio::test]
async fn of_two_processes_with_one_hotkey_the_newer_is_served() {
    let (mut a, mut older, register) = pair(Transport::Any).await;
    let keys = Keys::new(2, &register);
    keys.set_clock(NOW + 5);
    let mut newer = Node::with(keys, [99; 32]).await;
    newer.handle.dial(a.address(Transport::Any)).await;
    a.down(older.hotkey).await;
    a.up(newer.hotkey).await;
    older.down(a.hotkey).await;
    a.ask(&mut newer).await;
    // The older one tries again, and is refused.
    older.handle.dial(a.address(Transport::Quic)).await;
    a.ask(&mut newer).await;
    assert_eq!(a.handle.peers(), vec![newer.hotkey]);
}
