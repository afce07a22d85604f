//! The one event loop of a node: commands in, libp2p events in, application events out.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use codec::{DecodeAll, Encode};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use libp2p::request_response::{
    Event as Exchange, Message, OutboundRequestId, ResponseChannel,
};
use libp2p::swarm::{SwarmEvent, dial_opts::DialOpts};
use libp2p::{PeerId, Swarm, gossipsub};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};

use crate::blobs::Blobs;
use crate::bucket::Bucket;
use crate::config::{Authority, Config, Network};
use crate::handle::{Handle, RequestError};
use crate::registry::{Bound, Registry};
use crate::swarm::{Behaviour, BehaviourEvent, build, topic};
use crate::targets::Targets;
use crate::{Error, Hash, Hotkey, binding, gossip, limits};

/// Something the application should know.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A registered hotkey is connected.
    PeerUp {
        /// Who.
        hotkey: Hotkey,
    },
    /// It is no longer.
    PeerDown {
        /// Who.
        hotkey: Hotkey,
    },
    /// A peer asks.
    Request {
        /// Who.
        from: Hotkey,
        /// What.
        body: Vec<u8>,
        /// Where the reply goes; dropped, the peer gets an error.
        reply: ReplyTo,
    },
    /// Somebody said something to everybody.
    Gossip {
        /// The verified author.
        from: Hotkey,
        /// What.
        body: Vec<u8>,
    },
}

/// The way back to who asked.
#[derive(Debug)]
pub struct ReplyTo(oneshot::Sender<Vec<u8>>);

impl ReplyTo {
    /// Sends the reply.
    pub fn send(self, body: Vec<u8>) {
        // Nobody waits any more when the peer is gone.
        let _ = self.0.send(body);
    }
}

/// A reply on its way to the application's caller.
type Waiting = oneshot::Sender<Result<Vec<u8>, RequestError>>;

/// What the handle asks of the engine.
#[derive(Debug)]
pub(crate) enum Command {
    Dial(SocketAddr),
    Peers(oneshot::Sender<Vec<Hotkey>>),
    Refresh,
    Publish(Vec<u8>),
    Request { to: Hotkey, body: Vec<u8>, reply: Waiting },
    Chunk { from: Hotkey, hash: Hash, offset: u64, reply: Waiting },
}

/// A future that yields where a reply goes and the reply, once the application has it.
type Answer = futures::future::BoxFuture<'static, Option<(ResponseChannel<Vec<u8>>, Vec<u8>)>>;

struct Engine {
    swarm: Swarm<Behaviour>,
    topic: gossipsub::IdentTopic,
    network: Network,
    authority: Arc<dyn Authority>,
    blobs: Arc<Mutex<Blobs>>,
    events: mpsc::Sender<Event>,
    registry: Registry,
    targets: Targets,
    unbound: HashMap<PeerId, Instant>,
    requests: HashMap<OutboundRequestId, Waiting>,
    chunks: HashMap<OutboundRequestId, Waiting>,
    answers: FuturesUnordered<Answer>,
    asked: HashMap<PeerId, Bucket>,
    gossiped: HashMap<Hotkey, Bucket>,
}

/// Starts a node. It stops when the last [`Handle`] is dropped.
///
/// # Errors
/// [`Error`] when it cannot listen.
pub async fn spawn(
    config: Config,
    authority: Arc<dyn Authority>,
) -> Result<(Handle, mpsc::Receiver<Event>), Error> {
    let mut swarm = build(&config)?;
    let port = listening(&mut swarm, &config).await?;
    let (commands, inbox) = mpsc::channel(limits::COMMAND_QUEUE);
    let (events, outbox) = mpsc::channel(limits::EVENT_QUEUE);
    let blobs = Arc::new(Mutex::new(Blobs::new(limits::MAX_STORE_BYTES)));
    let peer_id = *swarm.local_peer_id();
    let engine = Engine {
        swarm,
        topic: topic(&config),
        network: config.network,
        authority,
        blobs: Arc::clone(&blobs),
        events,
        registry: Registry::default(),
        targets: Targets::default(),
        unbound: HashMap::new(),
        requests: HashMap::new(),
        chunks: HashMap::new(),
        answers: FuturesUnordered::new(),
        asked: HashMap::new(),
        gossiped: HashMap::new(),
    };
    tokio::spawn(engine.run(inbox));
    Ok((Handle { commands, blobs, peer_id, port }, outbox))
}

/// Waits until the first listener is up; its port.
async fn listening(swarm: &mut Swarm<Behaviour>, config: &Config) -> Result<u16, Error> {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => {
                let port = address.iter().find_map(|part| match part {
                    libp2p::multiaddr::Protocol::Tcp(port)
                    | libp2p::multiaddr::Protocol::Udp(port) => Some(port),
                    _ => None,
                });
                return Ok(port.unwrap_or(config.port));
            }
            SwarmEvent::ListenerError { error, .. } => {
                let address = format!("{}:{}", config.ip, config.port);
                return Err(Error::Listen { address, reason: error.to_string() });
            }
            SwarmEvent::ListenerClosed { reason, .. } => {
                let address = format!("{}:{}", config.ip, config.port);
                let reason = reason.err().map_or("closed".into(), |error| error.to_string());
                return Err(Error::Listen { address, reason });
            }
            _ => {}
        }
    }
}

impl Engine {
    async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        let mut tick = interval(limits::MIN_REDIAL / 2);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                command = inbox.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
                event = self.swarm.select_next_some() => self.swarm_event(event),
                Some(answer) = self.answers.next() => {
                    if let Some((channel, body)) = answer {
                        // The peer may be gone.
                        let _ = self.swarm.behaviour_mut().request.send_response(channel, body);
                    }
                }
                _ = tick.tick() => self.tick(Instant::now()),
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Dial(address) => {
                self.targets.add(address);
                self.dial(Instant::now());
            }
            Command::Peers(reply) => {
                let _ = reply.send(self.registry.iter().map(|(hotkey, _)| *hotkey).collect());
            }
            Command::Refresh => self.refresh(),
            Command::Publish(body) => {
                let bytes = gossip::seal(&*self.authority, &self.network, body);
                let sent = self.swarm.behaviour_mut().gossip.publish(self.topic.clone(), bytes);
                if let Err(error) = sent {
                    tracing::debug!(%error, "gossip not sent");
                }
            }
            Command::Request { to, body, reply } => match self.registry.peer(&to) {
                Some(peer) => {
                    let id = self.swarm.behaviour_mut().request.send_request(&peer, body);
                    self.requests.insert(id, reply);
                }
                None => drop(reply.send(Err(RequestError::NotConnected))),
            },
            Command::Chunk { from, hash, offset, reply } => match self.registry.peer(&from) {
                Some(peer) => {
                    let body = (hash, offset).encode();
                    let id = self.swarm.behaviour_mut().blob.send_request(&peer, body);
                    self.chunks.insert(id, reply);
                }
                None => drop(reply.send(Err(RequestError::NotConnected))),
            },
        }
    }

    /// Dials what is due, drops who did not bind in time.
    fn tick(&mut self, now: Instant) {
        self.dial(now);
        let late: Vec<PeerId> = self
            .unbound
            .iter()
            .filter(|(_, since)| now.saturating_duration_since(**since) > limits::BIND_GRACE)
            .map(|(peer, _)| *peer)
            .collect();
        for peer in late {
            tracing::debug!(%peer, "peer did not prove a hotkey in time");
            self.disconnect(peer);
        }
    }

    fn dial(&mut self, now: Instant) {
        for (target, address) in self.targets.due(now) {
            let options = DialOpts::unknown_peer_id().address(address).build();
            let connection = options.connection_id();
            self.targets.dialling(target, connection);
            if let Err(error) = self.swarm.dial(options) {
                tracing::debug!(%error, "dial refused");
                self.targets.failed(connection, now);
            }
        }
    }

    fn disconnect(&mut self, peer: PeerId) {
        self.unbound.remove(&peer);
        // Fails when the peer is gone already.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    /// Ends service to hotkeys that are no longer registered.
    fn refresh(&mut self) {
        let gone: Vec<PeerId> = self
            .registry
            .iter()
            .filter(|(hotkey, _)| !self.authority.is_registered(hotkey))
            .map(|(_, peer)| *peer)
            .collect();
        for peer in gone {
            self.unbind(&peer);
            self.disconnect(peer);
        }
    }

    fn unbind(&mut self, peer: &PeerId) {
        if let Some(hotkey) = self.registry.unbind(peer) {
            self.emit(Event::PeerDown { hotkey });
        }
    }

    /// Hands an event to the application, unless its queue is full.
    fn emit(&mut self, event: Event) {
        if self.events.try_send(event).is_err() {
            tracing::debug!("event queue is full; event dropped");
        }
    }

    fn swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.targets.connected(connection_id, peer_id);
                if self.registry.hotkey(&peer_id).is_none() {
                    self.unbound.entry(peer_id).or_insert_with(Instant::now);
                    if endpoint.is_dialer() {
                        let own = self.own_binding();
                        self.swarm.behaviour_mut().bind.send_request(&peer_id, own);
                    }
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                self.unbound.remove(&peer_id);
                self.asked.remove(&peer_id);
                self.targets.lost(&peer_id, Instant::now());
                self.unbind(&peer_id);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                tracing::debug!(%error, "dial failed");
                self.targets.failed(connection_id, Instant::now());
            }
            SwarmEvent::Behaviour(event) => self.behaviour_event(event),
            _ => {}
        }
    }

    fn own_binding(&self) -> Vec<u8> {
        let peer_id = self.swarm.local_peer_id().to_bytes();
        binding::state(&*self.authority, &self.network, &peer_id)
    }

    fn behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Bind(event) => self.bind_event(event),
            BehaviourEvent::Request(event) => self.request_event(event),
            BehaviourEvent::Blob(event) => self.blob_event(event),
            BehaviourEvent::Gossip(gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            }) => {
                let verdict = self.judge(&message.data);
                self.swarm.behaviour_mut().gossip.report_message_validation_result(
                    &message_id,
                    &propagation_source,
                    verdict,
                );
            }
            _ => {}
        }
    }

    /// Takes gossip in, and says whether it may be forwarded.
    fn judge(&mut self, bytes: &[u8]) -> gossipsub::MessageAcceptance {
        let Some((from, body)) = gossip::open(&*self.authority, &self.network, bytes) else {
            return gossipsub::MessageAcceptance::Reject;
        };
        let bucket = self.gossiped.entry(from).or_insert_with(|| {
            Bucket::new(limits::GOSSIP_PER_SECOND, limits::GOSSIP_BURST)
        });
        if !bucket.take(Instant::now()) {
            return gossipsub::MessageAcceptance::Ignore;
        }
        self.emit(Event::Gossip { from, body });
        gossipsub::MessageAcceptance::Accept
    }

    fn bind_event(&mut self, event: Exchange<Vec<u8>, Vec<u8>>) {
        match event {
            Exchange::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                if self.bind(peer, &request) {
                    let own = self.own_binding();
                    // Fails when the peer is gone already.
                    let _ = self.swarm.behaviour_mut().bind.send_response(channel, own);
                }
            }
            Exchange::Message { peer, message: Message::Response { response, .. }, .. } => {
                self.bind(peer, &response);
            }
            Exchange::OutboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "peer refused to bind");
                self.disconnect(peer);
            }
            _ => {}
        }
    }

    /// Checks a peer's statement and binds it, or ends the connection.
    fn bind(&mut self, peer: PeerId, statement: &[u8]) -> bool {
        let checked = binding::check(&*self.authority, &self.network, &peer.to_bytes(), statement);
        let hotkey = match checked {
            Ok(hotkey) => hotkey,
            Err(error) => {
                tracing::debug!(%peer, %error, "binding refused");
                self.disconnect(peer);
                return false;
            }
        };
        self.unbound.remove(&peer);
        match self.registry.bind(peer, hotkey) {
            Bound::Known => {}
            Bound::New => self.emit(Event::PeerUp { hotkey }),
            Bound::Replaced(old) => self.disconnect(old),
        }
        true
    }

    fn request_event(&mut self, event: Exchange<Vec<u8>, Vec<u8>>) {
        match event {
            Exchange::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                let Some(from) = self.admit(&peer) else { return };
                let (reply, answer) = oneshot::channel();
                let event = Event::Request { from, body: request, reply: ReplyTo(reply) };
                // A full queue drops the channel, and the asker gets an error at once.
                if self.events.try_send(event).is_ok() {
                    let answer = async move { Some((channel, answer.await.ok()?)) };
                    self.answers.push(answer.boxed());
                }
            }
            Exchange::Message {
                message: Message::Response { request_id, response }, ..
            } => finish(&mut self.requests, request_id, Ok(response)),
            Exchange::OutboundFailure { request_id, error, .. } => {
                let error = RequestError::Failed(error.to_string());
                finish(&mut self.requests, request_id, Err(error));
            }
            _ => {}
        }
    }

    fn blob_event(&mut self, event: Exchange<Vec<u8>, Vec<u8>>) {
        match event {
            Exchange::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                if self.admit(&peer).is_none() {
                    return;
                }
                let reply = self.chunk(&request);
                let _ = self.swarm.behaviour_mut().blob.send_response(channel, reply);
            }
            Exchange::Message {
                message: Message::Response { request_id, response }, ..
            } => finish(&mut self.chunks, request_id, Ok(response)),
            Exchange::OutboundFailure { request_id, error, .. } => {
                let error = RequestError::Failed(error.to_string());
                finish(&mut self.chunks, request_id, Err(error));
            }
            _ => {}
        }
    }

    /// The hotkey of a peer that may ask now.
    fn admit(&mut self, peer: &PeerId) -> Option<Hotkey> {
        let hotkey = self.registry.hotkey(peer)?;
        let bucket = self.asked.entry(*peer).or_insert_with(|| {
            Bucket::new(limits::REQUESTS_PER_SECOND, limits::REQUEST_BURST)
        });
        bucket.take(Instant::now()).then_some(hotkey)
    }

    /// Total length and one chunk of a blob; nothing for an unknown one.
    fn chunk(&self, request: &[u8]) -> Vec<u8> {
        let Ok((hash, offset)) = <(Hash, u64)>::decode_all(&mut &request[..]) else {
            return Vec::new();
        };
        let store = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bytes) = store.get(&hash) else { return Vec::new() };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(limits::MAX_CHUNK_BYTES).min(bytes.len());
        let mut reply = (bytes.len() as u64).to_be_bytes().to_vec();
        reply.extend(&bytes[start..end]);
        reply
    }
}

fn finish(
    waiting: &mut HashMap<OutboundRequestId, Waiting>,
    id: OutboundRequestId,
    result: Result<Vec<u8>, RequestError>,
) {
    if let Some(reply) = waiting.remove(&id) {
        // The caller may have stopped waiting.
        let _ = reply.send(result);
    }
}
