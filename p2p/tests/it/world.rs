//! Nodes for tests: keys, a shared register of hotkeys, and events awaited with a deadline.

use std::collections::HashSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use iota_p2p::{
    Address, Authority, Config, Event, Handle, Hotkey, ReplyTo, Transport, Verdict, spawn,
};
use sp_core::{Pair, sr25519};
use tokio::sync::mpsc;

/// Where all clocks start.
pub(crate) const NOW: u64 = 1_800_000_000;
/// Far longer than anything takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for something that must happen.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: not within {DEADLINE:?}"),
    }
}

/// Hotkeys on the subnet.
#[derive(Default)]
pub(crate) struct Register(RwLock<HashSet<Hotkey>>);

impl Register {
    pub(crate) fn add(&self, hotkey: Hotkey) {
        self.0.write().unwrap().insert(hotkey);
    }

    pub(crate) fn remove(&self, hotkey: &Hotkey) {
        self.0.write().unwrap().remove(hotkey);
    }
}

/// One node's keys and what it believes.
pub(crate) struct Keys {
    pair: sr25519::Pair,
    register: Arc<Register>,
    clock: AtomicU64,
    pretends: Mutex<Option<Hotkey>>,
    is_strict: AtomicBool,
}

impl Keys {
    pub(crate) fn new(seed: u8, register: &Arc<Register>) -> Arc<Self> {
        Arc::new(Self {
            pair: sr25519::Pair::from_seed(&[seed; 32]),
            register: Arc::clone(register),
            clock: NOW.into(),
            pretends: Mutex::new(None),
            is_strict: false.into(),
        })
    }

    /// Claims another hotkey from now on.
    pub(crate) fn pretend(&self, hotkey: Option<Hotkey>) {
        *self.pretends.lock().unwrap() = hotkey;
    }

    pub(crate) fn set_clock(&self, now: u64) {
        self.clock.store(now, Ordering::Relaxed);
    }

    /// Rejects gossip that begins with "bad" from now on.
    pub(crate) fn be_strict(&self) {
        self.is_strict.store(true, Ordering::Relaxed);
    }
}

impl Authority for Keys {
    fn hotkey(&self) -> Hotkey {
        self.pretends.lock().unwrap().unwrap_or(self.pair.public().0)
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(message).0
    }

    fn verify(&self, hotkey: &Hotkey, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = sr25519::Signature::from_raw(*signature);
        sr25519::Pair::verify(&signature, message, &sr25519::Public::from_raw(*hotkey))
    }

    fn is_registered(&self, hotkey: &Hotkey) -> bool {
        self.register.0.read().unwrap().contains(hotkey)
    }

    fn now(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    fn judge(&self, _: &Hotkey, body: &[u8]) -> Verdict {
        let is_bad = self.is_strict.load(Ordering::Relaxed) && body.starts_with(b"bad");
        if is_bad { Verdict::Reject } else { Verdict::Accept }
    }
}

/// A running node.
pub(crate) struct Node {
    pub(crate) hotkey: Hotkey,
    pub(crate) keys: Arc<Keys>,
    pub(crate) handle: Handle,
    pub(crate) events: mpsc::Receiver<Event>,
}

impl Node {
    /// A registered node.
    pub(crate) async fn start(seed: u8, register: &Arc<Register>) -> Self {
        let keys = Keys::new(seed, register);
        register.add(keys.hotkey());
        Self::with(keys, [seed; 32]).await
    }

    pub(crate) async fn with(keys: Arc<Keys>, node_key: [u8; 32]) -> Self {
        let (handle, events) = spawn(Config::test(node_key), Arc::clone(&keys) as _).await.unwrap();
        Self { hotkey: keys.hotkey(), keys, handle, events }
    }

    pub(crate) fn address(&self, transport: Transport) -> Address {
        Address { socket: self.handle.local_address(), transport }
    }

    pub(crate) async fn next(&mut self) -> Event {
        within("an event", self.events.recv()).await.expect("the node runs")
    }

    /// Waits until a peer is bound.
    pub(crate) async fn up(&mut self, peer: Hotkey) {
        while !matches!(self.next().await, Event::PeerUp { hotkey } if hotkey == peer) {}
    }

    /// Waits until a peer is gone.
    pub(crate) async fn down(&mut self, peer: Hotkey) {
        while !matches!(self.next().await, Event::PeerDown { hotkey } if hotkey == peer) {}
    }

    /// Waits for a request.
    pub(crate) async fn asked(&mut self) -> (Hotkey, Vec<u8>, ReplyTo) {
        loop {
            if let Event::Request { from, body, reply } = self.next().await {
                return (from, body, reply);
            }
        }
    }

    /// Waits for gossip.
    pub(crate) async fn heard(&mut self) -> (Hotkey, Vec<u8>) {
        loop {
            if let Event::Gossip { from, body } = self.next().await {
                return (from, body);
            }
        }
    }

    /// Answers one request with its body reversed.
    pub(crate) async fn answer(&mut self) {
        let (_, mut body, reply) = self.asked().await;
        body.reverse();
        reply.send(body);
    }

    /// Asks a node that answers; checks that it did.
    pub(crate) async fn ask(&self, other: &mut Node) {
        let to = other.hotkey;
        let request = self.handle.request(&to, b"abc".to_vec(), DEADLINE);
        let (reply, ()) = within("a reply", async { tokio::join!(request, other.answer()) }).await;
        assert_eq!(reply.unwrap(), b"cba");
    }
}

/// Two nodes that are bound to each other.
pub(crate) async fn pair(transport: Transport) -> (Node, Node, Arc<Register>) {
    let register = Arc::default();
    let (mut a, mut b) = (Node::start(1, &register).await, Node::start(2, &register).await);
    a.handle.dial(b.address(transport)).await;
    a.up(b.hotkey).await;
    b.up(a.hotkey).await;
    (a, b, register)
}
