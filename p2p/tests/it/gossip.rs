//! Gossip: verified authors, checked before it is forwarded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use iota_p2p::{Authority, Hotkey, PublishError, Transport, limits};

use crate::world::{Node, pair, within};

/// Nodes in a line: the ends are not connected.
async fn line() -> (Node, Node, Node) {
    let register = Arc::default();
    let mut a = Node::start(1, &register).await;
    let mut b = Node::start(2, &register).await;
    let mut c = Node::start(3, &register).await;
    b.handle.dial(a.address(Transport::Tcp)).await;
    b.handle.dial(c.address(Transport::Quic)).await;
    a.up(b.hotkey).await;
    c.up(b.hotkey).await;
    b.up(a.hotkey).await;
    (a, b, c)
}

/// Publishes until the listener hears something; what it hears first.
async fn first(speaker: &Node, says: &[&[u8]], listener: &mut Node) -> (Hotkey, Vec<u8>) {
    within("gossip", async {
        loop {
            for body in says {
                speaker.handle.publish(body.to_vec());
            }
            // The paths between them may still be forming.
            let wait = tokio::time::timeout(Duration::from_millis(500), listener.heard());
            if let Ok(heard) = wait.await {
                return heard;
            }
        }
    })
    .await
}

#[tokio::test]
async fn gossip_reaches_who_is_not_connected_to_its_author() {
    let (a, mut b, mut c) = line().await;
    assert_eq!(first(&a, &[b"hello"], &mut c).await, (a.hotkey, b"hello".to_vec()));
    assert_eq!(b.heard().await, (a.hotkey, b"hello".to_vec()));
    assert!(c.handle.peers().binary_search(&a.hotkey).is_err());
}

#[tokio::test]
async fn gossip_waits_for_the_first_who_listens() {
    let register = Arc::default();
    let (a, mut b) = (Node::start(1, &register).await, Node::start(2, &register).await);
    a.handle.publish(b"early".to_vec());
    a.handle.dial(b.address(Transport::Any)).await;
    assert_eq!(b.heard().await, (a.hotkey, b"early".to_vec()));
}

#[tokio::test]
async fn a_forged_author_is_rejected() {
    let (a, mut b, mut c) = line().await;
    // The paths are there: what is said now is sent now.
    first(&a, &[b"hello"], &mut b).await;
    first(&a, &[b"hello"], &mut c).await;
    // Registered and bound, it claims to speak for another.
    a.keys.pretend(Some(c.hotkey));
    a.handle.publish(b"forged".to_vec());
    // Commands are carried out in order: it is sealed and sent before the request is.
    let to = b.hotkey;
    let bound = a.handle.request(&to, vec![], Duration::from_secs(30));
    let (bound, ()) = tokio::join!(bound, b.answer());
    bound.unwrap();
    a.keys.pretend(None);
    a.handle.publish(b"honest".to_vec());
    for node in [&mut b, &mut c] {
        let mut heard = node.heard().await;
        while heard.1 == b"hello" {
            heard = node.heard().await;
        }
        assert_eq!(heard, (a.hotkey, b"honest".to_vec()));
    }
}

#[tokio::test]
async fn what_the_application_rejects_is_not_forwarded() {
    let (a, mut b, mut c) = line().await;
    b.keys.be_strict();
    assert_eq!(first(&a, &[b"bad", b"good"], &mut c).await, (a.hotkey, b"good".to_vec()));
    assert_eq!(b.heard().await, (a.hotkey, b"good".to_vec()));
}

#[tokio::test]
async fn gossip_of_the_unregistered_and_from_another_time_is_ignored() {
    let (a, b, mut c) = line().await;
    let now = a.keys.now();
    a.keys.set_clock(now - limits::MAX_GOSSIP_AGE.as_secs() - 1);
    a.handle.publish(b"stale".to_vec());
    assert_eq!(first(&b, &[b"from b"], &mut c).await, (b.hotkey, b"from b".to_vec()));
    a.keys.set_clock(now);
    let mut heard = first(&a, &[b"from a"], &mut c).await;
    // It may have been said more than once.
    while heard.0 == b.hotkey {
        heard = first(&a, &[b"from a"], &mut c).await;
    }
    assert_eq!(heard, (a.hotkey, b"from a".to_vec()));
}

#[tokio::test]
async fn oversized_gossip_is_refused_and_the_largest_passes() {
    let (a, mut b, _) = pair(Transport::Tcp).await;
    let bytes = limits::MAX_GOSSIP_BYTES + 1;
    let refused = a.handle.try_publish(vec![0; bytes]);
    assert_eq!(refused, Err(PublishError::TooLarge { bytes }));
    let largest = vec![7; limits::MAX_GOSSIP_BYTES];
    assert_eq!(first(&a, &[&largest], &mut b).await, (a.hotkey, largest));
}

#[tokio::test]
async fn an_author_is_heard_no_more_often_than_allowed() {
    let (a, mut b, _) = pair(Transport::Tcp).await;
    let start = Instant::now();
    let speak = async {
        for number in 0..4 * limits::GOSSIP_BURST {
            a.handle.publish(number.to_be_bytes().to_vec());
            // Waits while the engine's queue is full.
            a.handle.refresh().await;
        }
    };
    let listen = async {
        let mut heard = 0;
        loop {
            match tokio::time::timeout(Duration::from_millis(500), b.heard()).await {
                Ok(_) => heard += 1,
                Err(_) if heard >= limits::GOSSIP_BURST => return heard,
                Err(_) => {}
            }
        }
    };
    let ((), heard) = within("the end", async { tokio::join!(speak, listen) }).await;
    let refilled = start.elapsed().as_secs_f64() * f64::from(limits::GOSSIP_PER_SECOND);
    assert!(f64::from(heard - limits::GOSSIP_BURST) <= refilled, "heard {heard}");
}
