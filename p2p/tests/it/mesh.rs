//! Eight nodes that all dial each other at once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use iota_p2p::{Event, Handle, Hotkey, Transport};
use tokio::sync::mpsc;

use crate::world::{Node, within};

const NODES: u8 = 8;
const LONG: Duration = Duration::from_secs(30);

/// Answers requests with the own first byte; what is heard goes on.
async fn serve(
    hotkey: Hotkey,
    mut events: mpsc::Receiver<Event>,
    heard: mpsc::Sender<(Hotkey, Hotkey, Vec<u8>)>,
) {
    while let Some(event) = events.recv().await {
        match event {
            Event::Request { reply, .. } => reply.send(vec![hotkey[0]]),
            Event::Gossip { from, body } => {
                let _ = heard.send((hotkey, from, body)).await;
            }
            _ => {}
        }
    }
}

async fn all_dial_all(transport: Transport) {
    let register = Arc::default();
    let nodes = join_all((1..=NODES).map(|seed| Node::start(seed, &register))).await;
    let addresses: Vec<_> = nodes.iter().map(|node| node.address(transport)).collect();
    let hotkeys: Vec<Hotkey> = nodes.iter().map(|node| node.hotkey).collect();
    let dials = nodes.iter().flat_map(|node| {
        let own = node.address(transport);
        let others = addresses.iter().filter(move |address| **address != own);
        others.map(|address| node.handle.dial(*address))
    });
    join_all(dials.collect::<Vec<_>>()).await;
    let (said, mut hears) = mpsc::channel(4096);
    let (mut handles, mut tasks) = (Vec::new(), Vec::new());
    for mut node in nodes {
        let own = node.hotkey;
        for peer in hotkeys.iter().filter(|peer| **peer != own) {
            while !node.handle.peers().contains(peer) {
                node.next().await;
            }
        }
        tasks.push(tokio::spawn(serve(node.hotkey, node.events, said.clone())));
        handles.push(node.handle);
    }
    drop(said);
    let ask = |handle: Handle, peer: Hotkey| async move {
        assert_eq!(handle.request(&peer, vec![], LONG).await, Ok(vec![peer[0]]));
    };
    let mut requests = Vec::new();
    for (handle, own) in handles.iter().zip(&hotkeys) {
        for peer in hotkeys.iter().filter(|peer| *peer != own) {
            requests.push(ask(handle.clone(), *peer));
        }
    }
    assert_eq!(requests.len(), usize::from(NODES) * usize::from(NODES - 1));
    within("all replies", join_all(requests)).await;

    let mut missing: HashSet<(Hotkey, Hotkey)> = hotkeys
        .iter()
        .flat_map(|to| hotkeys.iter().map(|from| (*to, *from)))
        .filter(|(to, from)| to != from)
        .collect();
    within("all gossip", async {
        while !missing.is_empty() {
            for (handle, own) in handles.iter().zip(&hotkeys) {
                handle.publish(own.to_vec());
            }
            // Paths may still be forming: who has not heard everything in a while hears it again.
            let wait = tokio::time::timeout(Duration::from_secs(1), async {
                while !missing.is_empty() {
                    let (to, from, body) = hears.recv().await.expect("nodes run");
                    assert_eq!(from.to_vec(), body);
                    missing.remove(&(to, from));
                }
            });
            let _ = wait.await;
        }
    })
    .await;
    join_all(handles.iter().map(Handle::shutdown)).await;
    drop(hears);
    for task in tasks {
        within("the end of a node", task).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_nodes_that_dial_each_other_at_once_over_tcp() {
    all_dial_all(Transport::Tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_nodes_that_dial_each_other_at_once_over_quic() {
    all_dial_all(Transport::Quic).await;
}
