//! A TCP proxy between a client and a chain, which cuts, stalls or rewrites what passes.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use iota_localnet::Api;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What happens to the bytes that the chain sends.
#[derive(Clone)]
pub(crate) enum Answers {
    /// They pass.
    Pass,
    /// So many pass, then no more come; the connection stays open.
    Stall(usize),
    /// They pass, with one text in place of another of the same length.
    Replace(&'static str, &'static str),
    /// The same of a text that is sent in hex.
    Rewrite(&'static str, &'static str),
    /// They pass, but the first that come while an extrinsic waits in the chain's pool: those are
    /// lost, and their connection with them.
    Lose(Api, Arc<AtomicBool>),
}

/// The proxy. It ends when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    target: watch::Sender<Option<SocketAddr>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts to pass connections on.
    pub(crate) async fn start(target: SocketAddr, answers: Answers) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (target, targets) = watch::channel(Some(target));
        let task = tokio::spawn(accept(listener, targets, answers));
        Self { address, target, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Ends all connections; new ones go to `target`, or end at once without one.
    pub(crate) fn redirect(&self, target: Option<SocketAddr>) {
        self.target.send_replace(target);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    mut targets: watch::Receiver<Option<SocketAddr>>,
    answers: Answers,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            changed = targets.changed() => {
                if changed.is_err() {
                    return;
                }
                connections.shutdown().await;
            }
            accepted = listener.accept() => {
                let (client, _) = accepted.unwrap();
                let target = *targets.borrow();
                if let Some(target) = target {
                    connections.spawn(pass(client, target, answers.clone()));
                }
            }
        }
    }
}

/// Passes one connection on until either side ends it.
async fn pass(client: TcpStream, target: SocketAddr, answers: Answers) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = tokio::io::copy(&mut from_client, &mut to_server);
    let back = async {
        let mut buffer = vec![0; 1 << 16];
        let mut held = Vec::new();
        let mut passed = 0;
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            if answers.are_lost().await {
                return;
            }
            held.extend_from_slice(&buffer[..count]);
            let ready = answers.ready(&mut held, passed);
            passed += ready.len();
            if to_client.write_all(&ready).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = there => {}
        () = back => {}
    }
}

impl Answers {
    /// Whether what the chain sends now gets lost.
    async fn are_lost(&self) -> bool {
        let Self::Lose(api, were_lost) = self else { return false };
        let pending = api.read(|chain| chain.pending().len()).await.unwrap_or(0);
        pending > 0 && !were_lost.swap(true, Ordering::SeqCst)
    }

    /// Takes what may pass now out of the bytes that are held.
    fn ready(&self, held: &mut Vec<u8>, passed: usize) -> Vec<u8> {
        match self {
            Self::Pass | Self::Lose(..) => std::mem::take(held),
            Self::Stall(limit) => held.drain(..held.len().min(*limit - passed)).collect(),
            Self::Replace(old, new) => replaced(held, old.as_bytes(), new.as_bytes()),
            Self::Rewrite(old, new) => {
                let (old, new) = (hex::encode(old), hex::encode(new));
                replaced(held, old.as_bytes(), new.as_bytes())
            }
        }
    }
}

/// Takes what is held with one text in place of another.
fn replaced(held: &mut Vec<u8>, old: &[u8], new: &[u8]) -> Vec<u8> {
    assert_eq!(old.len(), new.len(), "frames keep their length");
    let found = |held: &[u8]| held.windows(old.len()).position(|text| text == old);
    while let Some(at) = found(held) {
        held[at..at + new.len()].copy_from_slice(new);
    }
    // The end may be the beginning of the text.
    let kept = (0..old.len()).rev().find(|count| held.ends_with(&old[..*count]));
    held.drain(..held.len() - kept.unwrap_or(0)).collect()
}
