//! A gate in front of protocols: what an unbound peer sends waits unread.
//!
//! Streams of the inner protocols are negotiated but not handed to them before [`Gate::open`]: the
//! stream's flow control then holds the peer back, and nothing it sends is read. Both sides of a
//! connection reach the bound state at different times, so refusing such streams would refuse
//! honest peers; waiting does not.

use std::collections::{HashMap, HashSet, VecDeque};
use std::task::{Context, Poll};

use libp2p::core::{Endpoint, transport::PortUse};
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, NotifyHandler, SubstreamProtocol, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use crate::limits::MAX_HELD_STREAMS;

/// Protocols behind a gate that is opened peer by peer.
pub(crate) struct Gate<B> {
    /// The protocols.
    pub(crate) inner: B,
    open: HashSet<PeerId>,
    connections: HashMap<PeerId, Vec<ConnectionId>>,
    signals: VecDeque<(PeerId, ConnectionId)>,
}

impl<B> Gate<B> {
    /// Closed to everybody.
    pub(crate) fn new(inner: B) -> Self {
        let (open, connections) = (HashSet::new(), HashMap::new());
        Self { inner, open, connections, signals: VecDeque::new() }
    }

    /// Serves a peer from now on, on all its connections.
    pub(crate) fn open(&mut self, peer: PeerId) {
        if self.open.insert(peer) {
            let connections = self.connections.get(&peer).into_iter().flatten();
            self.signals.extend(connections.map(|connection| (peer, *connection)));
        }
    }

    /// Serves no new connection of a peer; the caller closes those there are.
    pub(crate) fn close(&mut self, peer: &PeerId) {
        self.open.remove(peer);
    }

    fn guard<H: ConnectionHandler>(&self, peer: &PeerId, inner: H) -> Guard<H> {
        let held = (!self.open.contains(peer)).then(Vec::new);
        Guard { inner, held }
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Gate<B> {
    type ConnectionHandler = Guard<THandler<B>>;
    type ToSwarm = B::ToSwarm;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.inner.handle_pending_inbound_connection(connection, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner =
            self.inner.handle_established_inbound_connection(connection, peer, local, remote)?;
        Ok(self.guard(&peer, inner))
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.inner.handle_pending_outbound_connection(connection, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self
            .inner
            .handle_established_outbound_connection(connection, peer, address, role, port)?;
        Ok(self.guard(&peer, inner))
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match &event {
            FromSwarm::ConnectionEstablished(established) => {
                let connections = self.connections.entry(established.peer_id).or_default();
                connections.push(established.connection_id);
            }
            FromSwarm::ConnectionClosed(closed) => {
                if let Some(connections) = self.connections.get_mut(&closed.peer_id) {
                    connections.retain(|connection| *connection != closed.connection_id);
                    if connections.is_empty() {
                        self.connections.remove(&closed.peer_id);
                    }
                }
            }
            _ => {}
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.inner.on_connection_handler_event(peer, connection, event);
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some((peer_id, connection)) = self.signals.pop_front() {
            let handler = NotifyHandler::One(connection);
            return Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler, event: Signal::Open });
        }
        self.inner.poll(context).map(|event| event.map_in(Signal::Inner))
    }
}

/// What a guard is told.
#[derive(Debug)]
pub(crate) enum Signal<E> {
    /// The peer is bound.
    Open,
    /// For the guarded protocols.
    Inner(E),
}

type Held<H> = FullyNegotiatedInbound<
    <H as ConnectionHandler>::InboundProtocol,
    <H as ConnectionHandler>::InboundOpenInfo,
>;

/// The gate on one connection.
pub(crate) struct Guard<H: ConnectionHandler> {
    inner: H,
    /// Streams that wait; `None` once the gate is open.
    held: Option<Vec<Held<H>>>,
}

impl<H: ConnectionHandler> ConnectionHandler for Guard<H> {
    type FromBehaviour = Signal<H::FromBehaviour>;
    type ToBehaviour = H::ToBehaviour;
    type InboundProtocol = H::InboundProtocol;
    type OutboundProtocol = H::OutboundProtocol;
    type InboundOpenInfo = H::InboundOpenInfo;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<
        ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>,
    > {
        self.inner.poll(context)
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.inner.poll_close(context)
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        match event {
            Signal::Inner(event) => self.inner.on_behaviour_event(event),
            Signal::Open => {
                for stream in self.held.take().into_iter().flatten() {
                    self.inner.on_connection_event(ConnectionEvent::FullyNegotiatedInbound(stream));
                }
            }
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<
            '_,
            Self::InboundProtocol,
            Self::OutboundProtocol,
            Self::InboundOpenInfo,
            Self::OutboundOpenInfo,
        >,
    ) {
        match (event, &mut self.held) {
            (ConnectionEvent::FullyNegotiatedInbound(stream), Some(held)) => {
                // Beyond the limit the stream is dropped, which closes it.
                if held.len() < MAX_HELD_STREAMS {
                    held.push(stream);
                }
            }
            (event, _) => self.inner.on_connection_event(event),
        }
    }
}
