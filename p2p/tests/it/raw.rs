//! A peer that speaks libp2p but follows none of our rules.

use codec::Encode;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use iota_p2p::{Config, Handle, Hotkey};
use libp2p::multiaddr::Protocol;
use libp2p::request_response::{self, Message, ProtocolSupport};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, noise, yamux};
use std::io;

use crate::world::within;

/// Writes whatever it is given, reads all there is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Anything;

async fn everything<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io.read_to_end(&mut bytes).await?;
    if bytes.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}

impl request_response::Codec for Anything {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        everything(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        everything(io).await
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bytes).await?;
        io.close().await
    }

    async fn write_response<T>(
        &mut self,
        protocol: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        self.write_request(protocol, io, bytes).await
    }
}

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    bind: request_response::Behaviour<Anything>,
    request: request_response::Behaviour<Anything>,
}

/// What a peer got for a request.
pub(crate) type Outcome = Result<Vec<u8>, request_response::OutboundFailure>;

/// The peer.
pub(crate) struct Raw {
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) node: PeerId,
    address: Multiaddr,
}

fn protocol(name: &'static str) -> request_response::Behaviour<Anything> {
    let protocols = [(StreamProtocol::new(name), ProtocolSupport::Full)];
    request_response::Behaviour::with_codec(Anything, protocols, Default::default())
}

/// Bytes behind a length prefix.
pub(crate) fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes(), body].concat()
}

/// A statement as the specification has it, signed by `sign`.
pub(crate) fn statement(
    hotkey: Hotkey,
    config: &Config,
    peer: &PeerId,
    expiry: u64,
    sign: impl Fn(&[u8]) -> [u8; 64],
) -> Vec<u8> {
    let (genesis, netuid) = (config.network.genesis, config.network.netuid);
    let signed = ("iota/bind/1", genesis, netuid, peer.to_bytes(), expiry).encode();
    (hotkey, expiry, sign(&signed)).encode()
}

impl Raw {
    /// Connects to a node, and does nothing else.
    pub(crate) async fn connect(node: &Handle) -> Self {
        let mut swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(Default::default(), noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(|_| Behaviour {
                bind: protocol("/iota/bind/1"),
                request: protocol("/iota/request/1"),
            })
            .unwrap()
            .with_swarm_config(|config| {
                config.with_idle_connection_timeout(std::time::Duration::from_secs(600))
            })
            .build();
        let socket = node.local_address();
        let address = Multiaddr::from(socket.ip()).with(Protocol::Tcp(socket.port()));
        swarm.dial(DialOpts::unknown_peer_id().address(address.clone()).build()).unwrap();
        let mut raw = Self { swarm, node: node.peer_id(), address };
        within("a connection", async {
            while !matches!(
                raw.swarm.select_next_some().await,
                SwarmEvent::ConnectionEstablished { .. }
            ) {}
        })
        .await;
        raw
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    /// Sends a statement and waits for the reply.
    pub(crate) async fn bind(&mut self, statement: &[u8]) -> Outcome {
        self.swarm.behaviour_mut().bind.send_request(&self.node, framed(statement));
        self.outcome().await
    }

    /// Sends bytes on the request protocol and waits for the reply.
    pub(crate) async fn request(&mut self, bytes: Vec<u8>) -> Outcome {
        self.swarm.behaviour_mut().request.send_request(&self.node, bytes);
        self.outcome().await
    }

    async fn outcome(&mut self) -> Outcome {
        use request_response::Event::{Message as Received, OutboundFailure};
        within("an outcome", async {
            loop {
                let SwarmEvent::Behaviour(
                    BehaviourEvent::Bind(event) | BehaviourEvent::Request(event),
                ) = self.swarm.select_next_some().await
                else {
                    continue;
                };
                match event {
                    Received { message: Message::Response { response, .. }, .. } => {
                        return Ok(response);
                    }
                    OutboundFailure { error, .. } => return Err(error),
                    _ => {}
                }
            }
        })
        .await
    }

    /// Opens more connections until the node has closed one; how many are open then.
    pub(crate) async fn connect_again(&mut self, times: u32) -> u32 {
        for _ in 0..times {
            let options = DialOpts::unknown_peer_id().address(self.address.clone());
            self.swarm.dial(options.build()).unwrap();
        }
        within("a refusal", async {
            let (mut opened, mut closed) = (0, 0);
            while opened < times || closed == 0 {
                match self.swarm.select_next_some().await {
                    SwarmEvent::ConnectionEstablished { .. } => opened += 1,
                    SwarmEvent::ConnectionClosed { .. } => closed += 1,
                    _ => {}
                }
            }
            1 + opened - closed
        })
        .await
    }

    /// Waits until the node ends the connection.
    pub(crate) async fn closed(&mut self) {
        within("the connection's end", async {
            while self.swarm.is_connected(&self.node) {
                self.swarm.select_next_some().await;
            }
        })
        .await;
    }
}
