//! Requests and replies, and their limits.

use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use iota_p2p::{Authority, Config, RequestError, Transport, limits};

use crate::raw::{Raw, framed, statement};
use crate::world::{Keys, NOW, pair, within};

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_largest_request_and_reply_pass_and_larger_ones_do_not() {
    let (a, mut b, _) = pair(Transport::Tcp).await;
    let to = b.hotkey;
    let largest = vec![7; limits::MAX_REQUEST_BYTES];
    let asked = a.handle.request(&to, largest.clone(), LONG);
    let (reply, ()) = tokio::join!(asked, b.answer());
    assert_eq!(reply.unwrap().len(), limits::MAX_REQUEST_BYTES);

    let larger = vec![7; limits::MAX_REQUEST_BYTES + 1];
    let bytes = larger.len();
    let refused = a.handle.request(&to, larger.clone(), LONG).await;
    assert_eq!(refused, Err(RequestError::TooLarge { bytes }));

    let asked = a.handle.request(&to, vec![], LONG);
    let answered = async {
        let (_, _, reply) = b.asked().await;
        reply.send(larger);
    };
    let (reply, ()) = tokio::join!(asked, answered);
    assert!(matches!(reply, Err(RequestError::Failed(_))), "{reply:?}");
}

#[tokio::test]
async fn an_oversized_request_on_the_wire_is_cut_off() {
    let (a, mut b, register) = pair(Transport::Tcp).await;
    let keys = Keys::new(66, &register);
    register.add(keys.hotkey());
    let mut raw = Raw::connect(&b.handle).await;
    let config = Config::test([0; 32]);
    let own = statement(keys.hotkey(), &config, &raw.peer_id(), NOW + 60, |m| keys.sign(m));
    raw.bind(&own).await.unwrap();
    let claim = (limits::MAX_REQUEST_BYTES as u32 + 1).to_be_bytes();
    raw.request(claim.to_vec()).await.expect_err("refused by its length alone");
    raw.request(framed(b"ab")[..5].to_vec()).await.expect_err("shorter than it claims");
    // The node goes on.
    a.ask(&mut b).await;
    let (reply, ()) = tokio::join!(raw.request(framed(b"ab")), b.answer());
    assert_eq!(reply.unwrap(), framed(b"ba"));
}

#[tokio::test]
async fn a_dropped_reply_is_an_error_for_who_asks() {
    let (a, mut b, _) = pair(Transport::Quic).await;
    let to = b.hotkey;
    let asked = a.handle.request(&to, vec![1], LONG);
    let dropped = async { drop(b.asked().await) };
    let (reply, ()) = within("an error", async { tokio::join!(asked, dropped) }).await;
    assert!(matches!(reply, Err(RequestError::Failed(_))), "{reply:?}");
}

#[tokio::test]
async fn a_reply_that_does_not_come_is_a_timeout() {
    let (a, b, _) = pair(Transport::Tcp).await;
    let reply = a.handle.request(&b.hotkey, vec![1], Duration::from_millis(50)).await;
    assert_eq!(reply, Err(RequestError::Timeout));
    let nobody = a.handle.request(&[9; 32], vec![1], LONG).await;
    assert_eq!(nobody, Err(RequestError::NotConnected));
}

#[tokio::test]
async fn requests_in_flight_are_limited_and_the_rest_are_served() {
    let (a, mut b, _) = pair(Transport::Tcp).await;
    let count = limits::MAX_IN_FLIGHT + 1;
    let to = b.hotkey;
    let ask = |_| a.handle.request(&to, vec![1, 2], LONG);
    let mut asked: FuturesUnordered<_> = (0..count).map(ask).collect();
    let (mut held, mut replies) = (Vec::new(), Vec::new());
    let exchange = async {
        while held.len() < limits::MAX_IN_FLIGHT || replies.is_empty() {
            tokio::select! {
                (_, _, reply) = b.asked() => held.push(reply),
                Some(reply) = asked.next() => replies.push(reply),
            }
        }
        // All that may be in flight are, and one was refused; now they end.
        for reply in held {
            reply.send(vec![3]);
        }
        while let Some(reply) = asked.next().await {
            replies.push(reply);
        }
    };
    within("all replies", exchange).await;
    let refused = replies.iter().filter(|reply| matches!(reply, Err(RequestError::Failed(_))));
    assert_eq!(refused.count(), 1);
    let served = replies.iter().filter(|reply| **reply == Ok(vec![3]));
    assert_eq!(served.count(), limits::MAX_IN_FLIGHT);
    a.ask(&mut b).await;
}

#[tokio::test]
async fn a_peer_that_asks_too_often_is_refused() {
    let (a, b, _) = pair(Transport::Tcp).await;
    let mut events = b.events;
    let answers = tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let iota_p2p::Event::Request { reply, .. } = event {
                reply.send(vec![]);
            }
        }
    });
    let flood = async {
        loop {
            let ask = |_| a.handle.request(&b.hotkey, vec![], LONG);
            let replies = join_all((0..64).map(ask).collect::<Vec<_>>()).await;
            if replies.iter().any(Result::is_err) {
                return;
            }
        }
    };
    within("a refusal", flood).await;
    a.handle.shutdown().await;
    b.handle.shutdown().await;
    answers.await.unwrap();
}
