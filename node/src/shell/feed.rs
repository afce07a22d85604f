//! What reaches the machine: finalized blocks and peers' messages.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};

use codec::Encode;
use iota_chain::{BlockView, Client};
use iota_p2p::{Handle, ReplyTo};
use tokio::sync::mpsc;

use super::authority::Keys;
use crate::error::{Context, Result};
use crate::protocol::commitment::Commitment;
use crate::roles::run::Run;
use crate::roles::{Block, Drand, Event, Neuron, Pulse, Ticket};
use crate::wire::{self, Gossip, MAX_GOSSIP_BYTES, MAX_REQUEST_BYTES, Reply, Request};

/// Replies that the machine owes, by ticket.
pub(super) type Replies = Arc<Mutex<HashMap<Ticket, ReplyTo>>>;

/// Follows finalized blocks.
pub(super) struct Blocks {
    pub(super) client: Client,
    pub(super) run: Arc<Run>,
    pub(super) keys: Arc<Keys>,
    pub(super) peers: Handle,
    pub(super) chain_url: String,
}

impl Blocks {
    /// Feeds every finalized block, from those of the present epoch on, and keeps connected to the
    /// hotkeys that they register.
    pub(super) async fn run(self, events: mpsc::Sender<Event>) -> Result<()> {
        const WHAT: &str = "lost the chain";
        let (height, _) = self.client.finalized().await.or_user(WHAT)?;
        // A restarted node needs the votes and the beacon of the epoch that is under way.
        let from = self.run.clock.position(height).map_or(height, |position| {
            let start = self.run.clock.epoch_start(position.epoch);
            start.saturating_sub(self.run.manifest.phases.settle)
        });
        let mut blocks = self.client.finalized_blocks(Some(from)).await.or_user(WHAT)?;
        let mut dialled = HashSet::new();
        loop {
            let (_, hash) = blocks.next().await.or_user(WHAT)?;
            let netuid = self.run.manifest.netuid;
            let view = self.client.block_view(netuid, hash).await.or_user(WHAT)?;
            self.meet(&view, &mut dialled).await;
            if events.send(Event::Block(block(view))).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Dials newly published addresses; ends service to hotkeys that are no longer registered.
    async fn meet(&self, view: &BlockView, dialled: &mut HashSet<SocketAddr>) {
        let hotkeys = view.neurons.iter().map(|neuron| neuron.hotkey).collect();
        if self.keys.update(hotkeys) {
            self.peers.refresh().await;
        }
        let me = self.run.me();
        for neuron in view.neurons.iter().filter(|neuron| neuron.hotkey != me) {
            let Some((ip, port)) = neuron.axon else { continue };
            let ip = if ip.is_unspecified() { host(&self.chain_url) } else { Some(ip) };
            let Some(address) = ip.map(|ip| SocketAddr::new(ip, port)) else { continue };
            if dialled.insert(address) {
                self.peers.dial(address).await;
            }
        }
    }
}

/// The host of a chain endpoint: where 0.0.0.0 in an axon is.
fn host(url: &str) -> Option<IpAddr> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next()?;
    let with_port =
        if authority.contains(':') { authority.to_owned() } else { format!("{authority}:0") };
    with_port.to_socket_addrs().ok()?.next().map(|address| address.ip())
}

/// A block as roles read it.
fn block(view: BlockView) -> Block {
    let neurons = view.neurons.into_iter().map(|neuron| Neuron {
        uid: neuron.uid,
        hotkey: neuron.hotkey,
        stake: neuron.stake,
        permit: neuron.validator_permit,
    });
    let commitments = view
        .commitments
        .into_iter()
        .map(|(hotkey, block, fields)| (hotkey, block, Commitment::from_fields(&fields)));
    let pulses = view
        .pulses
        .into_iter()
        .map(|pulse| Pulse { round: pulse.round, randomness: pulse.randomness });
    Block {
        number: view.number,
        hash: view.hash,
        timestamp_ms: view.timestamp_ms,
        neurons: Arc::new(neurons.collect()),
        commitments: Arc::new(commitments.collect()),
        pulses: Arc::new(pulses.collect()),
        drand: view
            .drand
            .map(|drand| Drand { genesis_s: drand.genesis_s, period_s: drand.period_s }),
    }
}

/// Feeds peers' messages; what does not decode is refused or dropped here.
pub(super) async fn peers(
    mut from: mpsc::Receiver<iota_p2p::Event>,
    events: mpsc::Sender<Event>,
    replies: Replies,
) -> Result<()> {
    let mut ticket = 0;
    while let Some(event) = from.recv().await {
        let event = match event {
            iota_p2p::Event::Request { from, body, reply } => {
                match wire::decode::<Request>(&body, MAX_REQUEST_BYTES) {
                    Ok(body) => {
                        ticket += 1;
                        let mut owed = replies.lock().unwrap_or_else(PoisonError::into_inner);
                        owed.insert(ticket, reply);
                        Event::Request { from, ticket, body }
                    }
                    Err(error) => {
                        tracing::debug!(%error, "request refused");
                        reply.send(Reply::Refused.encode());
                        continue;
                    }
                }
            }
            iota_p2p::Event::Gossip { from, body } => {
                match wire::decode::<Gossip>(&body, MAX_GOSSIP_BYTES) {
                    Ok(body) => Event::Gossip { from, body },
                    Err(error) => {
                        tracing::debug!(%error, "gossip dropped");
                        continue;
                    }
                }
            }
            iota_p2p::Event::PeerUp { hotkey } => {
                tracing::debug!(peer = %crate::roles::run::name(&hotkey), "peer up");
                continue;
            }
            iota_p2p::Event::PeerDown { hotkey } => {
                tracing::debug!(peer = %crate::roles::run::name(&hotkey), "peer down");
                continue;
            }
            _ => continue,
        };
        if events.send(event).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
