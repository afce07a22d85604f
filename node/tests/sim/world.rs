//! The simulated world: nodes that compute in virtual time, joined by a network and a chain.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use codec::Encode;
use iota::protocol::{Hash, Hotkey};
use iota::report::Report;
use iota::roles::machine::Machine;
use iota::roles::{Block, Effect, Event, Millis, Signer, TICK_MS, Ticket};
use iota::wire::{self, Gossip, MAX_GOSSIP_BYTES, MAX_REQUEST_BYTES, Reply, Request};
use sp_core::Pair;
use sp_core::sr25519::Pair as Keypair;

use crate::chain::{BLOCK_MS, SimChain};
use crate::network::{Faults, Happening, Network, Place};

/// Bytes a node sends in a millisecond: 100 Mbit/s.
const BYTES_PER_MS: u64 = 12_500;
/// How long a fetch waits for a peer that does not answer, against blocks of half a second as five
/// seconds are against blocks of twelve.
const FETCH_TIMEOUT_MS: u64 = 200;

/// Signs without randomness, so that equal runs say equal things.
pub(crate) struct PlainSigner(pub(crate) Keypair);

impl Signer for PlainSigner {
    fn hotkey(&self) -> Hotkey {
        self.0.public().0
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        iota_localnet::sign(&self.0, message).0
    }
}

/// One process.
pub(crate) struct Node {
    pub(crate) pair: Keypair,
    /// None while it is dead.
    pub(crate) machine: Option<Machine>,
    /// Virtual time that one piece of its work takes.
    pub(crate) work_ms: u64,
    life: u32,
    inbox: VecDeque<Event>,
    busy: bool,
    blobs: BTreeMap<Hash, (Arc<[u8]>, u32)>,
    pub(crate) records: BTreeMap<&'static str, Vec<u8>>,
}

impl Node {
    pub(crate) fn new(pair: Keypair, machine: Machine, work_ms: u64) -> Self {
        Self {
            pair,
            machine: Some(machine),
            work_ms,
            life: 0,
            inbox: VecDeque::new(),
            busy: false,
            blobs: BTreeMap::new(),
            records: BTreeMap::new(),
        }
    }
}

/// A request under way.
struct Call {
    from: Place,
    life: u32,
    ticket: Ticket,
}

/// Everything.
pub(crate) struct World {
    pub(crate) chain: SimChain,
    pub(crate) nodes: Vec<Node>,
    network: Network,
    timeout_ms: u64,
    calls: BTreeMap<u64, Call>,
    next_call: u64,
    now: Millis,
    blocks: Vec<Block>,
    /// What each node reported.
    pub(crate) reports: Vec<(Place, Report)>,
    trace: blake3::Hasher,
    /// Calls that the chain took and that failed.
    pub(crate) failed_calls: Vec<String>,
}

impl World {
    pub(crate) fn new(
        chain: SimChain,
        nodes: Vec<Node>,
        timeout_ms: u32,
        seed: u64,
        faults: Faults,
    ) -> Self {
        let mut network = Network::new(seed, faults);
        network.at(BLOCK_MS, Happening::Seal);
        for place in 0..nodes.len() {
            // Clocks of different machines do not tick together.
            network.at(1 + place as u64, Happening::Ticks(place, 0));
        }
        Self {
            chain,
            nodes,
            network,
            timeout_ms: timeout_ms.into(),
            calls: BTreeMap::new(),
            next_call: 0,
            now: 0,
            blocks: Vec::new(),
            reports: Vec::new(),
            trace: blake3::Hasher::new(),
            failed_calls: Vec::new(),
        }
    }

    /// Runs until this block is sealed.
    pub(crate) fn run_to(&mut self, block: u32) {
        while self.chain.number() < block {
            let (at, what) = self.network.next().unwrap();
            self.now = at;
            self.happen(what);
        }
    }

    /// Hash over every effect of every node and every block, in order.
    pub(crate) fn trace(&self) -> Hash {
        *self.trace.finalize().as_bytes()
    }

    /// Ends a process without warning.
    pub(crate) fn kill(&mut self, place: Place) {
        let node = &mut self.nodes[place];
        node.machine = None;
        node.life += 1;
        node.inbox.clear();
        node.blobs.clear();
        node.busy = false;
    }

    /// Starts it again: it sees the chain from this block on.
    pub(crate) fn restart(&mut self, place: Place, machine: Machine, from_block: u32) {
        self.nodes[place].machine = Some(machine);
        let missed: Vec<Block> =
            self.blocks.iter().filter(|block| block.number >= from_block).cloned().collect();
        self.nodes[place].inbox.extend(missed.into_iter().map(Event::Block));
        self.network.at(self.now, Happening::Ticks(place, self.nodes[place].life));
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Seal => self.seal(),
            Happening::Arrives(place, life, event) => {
                if self.nodes[place].life == life {
                    self.arrive(place, event);
                }
            }
            Happening::Asked { from, to, call, body } => self.asked(from, to, call, &body),
            Happening::Answered { call, body } => {
                if let Some(Call { from, life, ticket }) = self.calls.remove(&call)
                    && self.nodes[from].life == life
                {
                    self.arrive(from, Event::Reply { ticket, body });
                }
            }
            Happening::Fetch { node, life, ticket, from, hash, max } => {
                if self.nodes[node].life == life {
                    self.fetch(node, ticket, from, hash, max);
                }
            }
            Happening::Wakes(place, life) => {
                if self.nodes[place].life == life {
                    self.nodes[place].busy = false;
                    self.step(place);
                }
            }
            Happening::Ticks(place, life) => {
                if self.nodes[place].life == life && self.nodes[place].machine.is_some() {
                    self.arrive(place, Event::Tick);
                    self.network.at(self.now + TICK_MS, Happening::Ticks(place, life));
                }
            }
        }
    }

    fn seal(&mut self) {
        let (block, failed) = self.chain.seal();
        self.trace.update(&block.hash);
        self.failed_calls.extend(failed);
        for place in 0..self.nodes.len() {
            // Blocks reach a node in order; the spread is far below the time between two.
            let at = self.now + self.network.delay().min(BLOCK_MS / 2);
            let life = self.nodes[place].life;
            self.network.at(at, Happening::Arrives(place, life, Event::Block(block.clone())));
        }
        self.blocks.push(block);
        self.network.at(self.now + BLOCK_MS, Happening::Seal);
    }

    fn arrive(&mut self, place: Place, event: Event) {
        let node = &mut self.nodes[place];
        if node.machine.is_none() {
            return;
        }
        node.inbox.push_back(event);
        if !node.busy {
            self.step(place);
        }
    }

    /// As a node's thread does: every event that waits, then one piece of work.
    fn step(&mut self, place: Place) {
        let now = self.now;
        let node = &mut self.nodes[place];
        let Some(machine) = &mut node.machine else { return };
        let mut effects = Vec::new();
        while let Some(event) = node.inbox.pop_front() {
            effects.extend(machine.handle(now, event).unwrap());
        }
        let worked = machine.work(now).unwrap();
        let took = node.work_ms;
        if worked.is_some() {
            node.busy = true;
            self.network.at(now + took, Happening::Wakes(place, node.life));
        }
        self.carry_out(place, now, effects);
        // What work brings forth leaves when it is done.
        self.carry_out(place, now + took, worked.unwrap_or_default());
    }

    fn carry_out(&mut self, place: Place, at: Millis, effects: Vec<Effect>) {
        for effect in effects {
            self.trace.update(&(at, place as u32).encode());
            self.effect(place, at, effect);
        }
    }

    fn effect(&mut self, place: Place, at: Millis, effect: Effect) {
        let life = self.nodes[place].life;
        match effect {
            Effect::Request { to, ticket, body } => {
                let body = body.encode();
                self.trace.update(&body);
                let call = self.next_call;
                self.next_call += 1;
                self.calls.insert(call, Call { from: place, life, ticket });
                let timeout = Happening::Answered { call, body: None };
                self.network.at(at + self.timeout_ms, timeout);
                let to = self.place_of(&to);
                if let Some(to) = to.filter(|_| !self.network.loses()) {
                    let arrives = at + self.network.delay() + body.len() as u64 / BYTES_PER_MS;
                    self.network.at(arrives, Happening::Asked { from: place, to, call, body });
                }
            }
            Effect::Reply { ticket, body } => {
                self.trace.update(&body.encode());
                if !self.network.loses() {
                    let body = wire::decode::<Reply>(&body.encode(), MAX_REQUEST_BYTES).ok();
                    let arrives = at + self.network.delay();
                    self.network.at(arrives, Happening::Answered { call: ticket, body });
                }
            }
            Effect::Fetch { ticket, from, hash, max_bytes } => {
                self.trace.update(&hash);
                let from = from.iter().filter_map(|hotkey| self.place_of(hotkey));
                let from = from.filter(|from| *from != place).collect();
                let fetch =
                    Happening::Fetch { node: place, life, ticket, from, hash, max: max_bytes };
                self.network.at(at, fetch);
            }
            Effect::Provide { hash, bytes, epoch } => {
                assert_eq!(hash, *blake3::hash(&bytes).as_bytes(), "a blob under its own hash");
                self.trace.update(&hash);
                self.nodes[place].blobs.insert(hash, (bytes, epoch));
            }
            Effect::ForgetBefore(epoch) => {
                self.nodes[place].blobs.retain(|_, (_, of)| *of >= epoch);
            }
            Effect::Gossip(body) => self.gossip(place, at, &body),
            Effect::Commit(commitment) => {
                self.trace.update(&commitment.fields().encode());
                let pair = self.nodes[place].pair.clone();
                self.chain.commit(&pair, &commitment);
            }
            Effect::SetWeights { uids, values, .. } => {
                self.trace.update(&(&uids, &values).encode());
                let pair = self.nodes[place].pair.clone();
                self.chain.set_weights(&pair, uids, values);
            }
            Effect::Persist { name, bytes } => {
                self.trace.update(&bytes);
                self.nodes[place].records.insert(name, bytes);
            }
            // Only where an operator asks for it.
            Effect::Checkpoint { .. } => {}
            Effect::Report(report) => {
                self.trace.update(report.to_line().as_bytes());
                self.reports.push((place, report));
            }
        }
    }

    fn gossip(&mut self, place: Place, at: Millis, body: &Gossip) {
        let bytes = body.encode();
        self.trace.update(&bytes);
        for to in (0..self.nodes.len()).filter(|to| *to != place) {
            if self.network.loses_gossip() {
                continue;
            }
            let body = wire::decode::<Gossip>(&bytes, MAX_GOSSIP_BYTES).unwrap();
            let event = Event::Gossip { from: self.nodes[place].pair.public().0, body };
            let arrives = at + self.network.delay();
            self.network.at(arrives, Happening::Arrives(to, self.nodes[to].life, event));
        }
    }

    fn asked(&mut self, from: Place, to: Place, call: u64, body: &[u8]) {
        if self.nodes[to].machine.is_none() {
            // The connection is refused, or was cut.
            let arrives = self.now + self.network.delay();
            return self.network.at(arrives, Happening::Answered { call, body: None });
        }
        let from = self.nodes[from].pair.public().0;
        let body = wire::decode::<Request>(body, MAX_REQUEST_BYTES).unwrap();
        self.arrive(to, Event::Request { from, ticket: call, body });
    }

    fn fetch(&mut self, node: Place, ticket: Ticket, mut from: Vec<Place>, hash: Hash, max: usize) {
        let held = |place: Place| {
            let (bytes, _) = self.nodes[place].blobs.get(&hash)?;
            (bytes.len() <= max && self.nodes[place].machine.is_some()).then(|| Arc::clone(bytes))
        };
        let life = self.nodes[node].life;
        if let Some(bytes) = held(node) {
            return self.arrive(node, Event::Fetched { ticket, bytes: Some(bytes) });
        }
        if from.is_empty() {
            return self.arrive(node, Event::Fetched { ticket, bytes: None });
        }
        match held(from.remove(0)) {
            Some(bytes) if !self.network.loses_blob() => {
                let took = 2 * self.network.delay() + bytes.len() as u64 / BYTES_PER_MS;
                let event = Event::Fetched { ticket, bytes: Some(bytes) };
                self.network.at(self.now + took, Happening::Arrives(node, life, event));
            }
            _ => {
                let next = Happening::Fetch { node, life, ticket, from, hash, max };
                self.network.at(self.now + FETCH_TIMEOUT_MS, next);
            }
        }
    }

    fn place_of(&self, hotkey: &Hotkey) -> Option<Place> {
        self.nodes.iter().position(|node| node.pair.public().0 == *hotkey)
    }
}
