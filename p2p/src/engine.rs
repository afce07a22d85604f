//! The one event loop of a node: commands in, libp2p events in, application events out.
//!
//! What is decided here is decided by the pure parts (bindings, admission, targets, presence); the
//! loop only carries events between them. `peers` holds who is connected, `services` what they get.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use codec::Encode;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use libp2p::request_response::{InboundRequestId, OutboundRequestId, ResponseChannel};
use libp2p::swarm::SwarmEvent;
use libp2p::{PeerId, Swarm, gossipsub};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval};

use crate::admission::Admission;
use crate::binding::Statement;
use crate::blobs::Blobs;
use crate::config::{Authority, Config, Network};
use crate::event::Event;
use crate::handle::{Handle, RequestError};
use crate::listen::listen;
use crate::presence::{Change, Presence};
use crate::registry::Registry;
use crate::swarm::{Behaviour, BehaviourEvent, Services, build, topic};
use crate::targets::{Address, Targets};
use crate::{Error, Hash, Hotkey, limits};

mod peers;
mod services;

/// A reply on its way to the application's caller.
pub(crate) type Waiting = oneshot::Sender<Result<Vec<u8>, RequestError>>;

/// What the handle asks of the engine.
#[derive(Debug)]
pub(crate) enum Command {
    /// Stay connected to an address.
    Dial(Address),
    /// Stay connected to it no longer.
    Forget(Address),
    /// The chain's registry changed.
    Refresh,
    /// Gossip a body.
    Publish(Vec<u8>),
    /// Ask a peer.
    Request { to: Hotkey, body: Vec<u8>, reply: Waiting },
    /// Ask a peer for a chunk of a blob.
    Chunk { from: Hotkey, hash: Hash, offset: u64, reply: Waiting },
    /// End.
    Stop,
}

/// Yields where a reply goes and the reply, once the application has it.
type Answer = futures::future::BoxFuture<'static, Option<(ResponseChannel<Vec<u8>>, Vec<u8>)>>;

struct Engine {
    swarm: Swarm<Behaviour>,
    peer_id: Vec<u8>,
    topic: gossipsub::IdentTopic,
    network: Network,
    authority: Arc<dyn Authority>,
    statement: Statement,
    blobs: Arc<Mutex<Blobs>>,
    events: mpsc::Sender<Event>,
    bound: watch::Sender<Vec<Hotkey>>,
    registry: Registry,
    presence: Presence,
    /// The application's view or the watch may differ from the registry.
    is_stale: bool,
    targets: Targets,
    unbound: HashMap<PeerId, Instant>,
    admission: Admission,
    requests: HashMap<OutboundRequestId, Waiting>,
    chunks: HashMap<OutboundRequestId, Waiting>,
    serving_requests: HashMap<InboundRequestId, (Hotkey, usize)>,
    serving_chunks: HashMap<InboundRequestId, (Hotkey, usize)>,
    answers: FuturesUnordered<Answer>,
    unsent: VecDeque<Vec<u8>>,
}

/// Starts a node. It stops when the last [`Handle`] is dropped, or by [`Handle::shutdown`].
///
/// # Errors
/// [`Error`] when it cannot listen.
pub async fn spawn(
    config: Config,
    authority: Arc<dyn Authority>,
) -> Result<(Handle, mpsc::Receiver<Event>), Error> {
    let mut swarm = build(&config)?;
    let (port, early) = listen(&mut swarm, &config).await?;
    let (commands, inbox) = mpsc::channel(limits::COMMAND_QUEUE);
    let (events, outbox) = mpsc::channel(limits::EVENT_QUEUE);
    let (bound, peers) = watch::channel(Vec::new());
    let blobs = Arc::new(Mutex::new(Blobs::new(limits::MAX_STORE_BYTES)));
    let peer_id = *swarm.local_peer_id();
    let engine = Engine {
        swarm,
        peer_id: peer_id.to_bytes(),
        topic: topic(&config.network),
        network: config.network,
        authority,
        statement: Statement::default(),
        blobs: Arc::clone(&blobs),
        events,
        bound,
        registry: Registry::default(),
        presence: Presence::default(),
        is_stale: false,
        targets: Targets::default(),
        unbound: HashMap::new(),
        admission: Admission::default(),
        requests: HashMap::new(),
        chunks: HashMap::new(),
        serving_requests: HashMap::new(),
        serving_chunks: HashMap::new(),
        answers: FuturesUnordered::new(),
        unsent: VecDeque::new(),
    };
    tokio::spawn(engine.run(inbox, early));
    let address = std::net::SocketAddr::new(config.ip, port);
    Ok((Handle { commands, peers, blobs, peer_id, address }, outbox))
}

impl Engine {
    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Command>,
        early: Vec<SwarmEvent<BehaviourEvent>>,
    ) {
        let mut tick = interval(limits::MIN_REDIAL / 2);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.renew_statement();
        for event in early {
            self.swarm_event(event);
        }
        loop {
            tokio::select! {
                command = inbox.recv() => match command {
                    Some(Command::Stop) | None => break,
                    Some(command) => self.command(command),
                },
                event = self.swarm.select_next_some() => self.swarm_event(event),
                Some(answer) = self.answers.next() => {
                    if let Some((channel, body)) = answer {
                        // The peer may be gone.
                        let _ = self.services().request.send_response(channel, body);
                    }
                }
                _ = tick.tick() => self.tick(Instant::now()),
            }
            if self.is_stale {
                self.tell();
            }
        }
        // Whoever waits for the inbox to close finds the sockets closed.
        drop(self);
    }

    fn services(&mut self) -> &mut Services {
        &mut self.swarm.behaviour_mut().services.inner
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Dial(address) => {
                if self.targets.add(address) {
                    self.dial(Instant::now());
                } else {
                    tracing::warn!(?address, "too many addresses; not dialled");
                }
            }
            Command::Forget(address) => {
                if let Some(peer) = self.targets.forget(&address) {
                    self.drop_peer(peer);
                }
            }
            Command::Refresh => self.refresh(),
            Command::Publish(body) => self.publish(body),
            Command::Request { to, body, reply } => match self.registry.peer(&to) {
                Some(peer) => {
                    let id = self.services().request.send_request(&peer, body);
                    self.requests.insert(id, reply);
                }
                None => drop(reply.send(Err(RequestError::NotConnected))),
            },
            Command::Chunk { from, hash, offset, reply } => match self.registry.peer(&from) {
                Some(peer) => {
                    let body = (hash, offset).encode();
                    let id = self.services().blob.send_request(&peer, body);
                    self.chunks.insert(id, reply);
                }
                None => drop(reply.send(Err(RequestError::NotConnected))),
            },
            // Ends the loop before it comes here.
            Command::Stop => {}
        }
    }

    /// Tells the application and the handles who came and went.
    fn tell(&mut self) {
        self.is_stale = false;
        self.bound.send_if_modified(|told| {
            let mut now: Vec<Hotkey> = self.registry.iter().map(|(hotkey, _)| *hotkey).collect();
            now.sort_unstable();
            let differs = *told != now;
            *told = now;
            differs
        });
        loop {
            let changes = self.presence.changes(&self.registry);
            if changes.is_empty() {
                return;
            }
            for change in changes {
                let event = match change {
                    Change::Up(hotkey, _) => Event::PeerUp { hotkey },
                    Change::Down(hotkey) => Event::PeerDown { hotkey },
                };
                match self.events.try_send(event) {
                    Ok(()) => self.presence.told(change),
                    // Tried again at the next turn of the loop.
                    Err(mpsc::error::TrySendError::Full(_)) => {
                        self.is_stale = true;
                        return;
                    }
                    Err(mpsc::error::TrySendError::Closed(_)) => return,
                }
            }
        }
    }
}
