//! Connections and bindings: who is there, and for which hotkey.

use std::time::Instant;

use libp2p::request_response::{Event as Exchange, Message, OutboundFailure};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{DialError, SwarmEvent};
use libp2p::{PeerId, ping};

use super::Engine;
use crate::registry::Bound;
use crate::swarm::BehaviourEvent;
use crate::{binding, limits};

impl Engine {
    /// Dials what is due; ends connections and bindings whose time is over.
    pub(super) fn tick(&mut self, now: Instant) {
        self.dial(now);
        if self.renew_statement() {
            let peers: Vec<PeerId> = self.registry.iter().map(|(_, peer)| *peer).collect();
            for peer in peers {
                self.send_statement(peer);
            }
        }
        let is_late = |since: &Instant| now.saturating_duration_since(*since) > limits::BIND_GRACE;
        let late = self.unbound.iter().filter(|(_, since)| is_late(since)).map(|(peer, _)| *peer);
        let mut over: Vec<PeerId> = late.collect();
        over.extend(self.registry.expired(self.authority.now()));
        for peer in over {
            tracing::debug!(%peer, "peer has no valid binding");
            self.drop_peer(peer);
        }
    }

    pub(super) fn dial(&mut self, now: Instant) {
        for (target, address) in self.targets.due(now) {
            // From a port of its own: two nodes that dial each other from their listening ports at
            // the same moment would make one TCP connection with two dialling ends.
            let options = DialOpts::unknown_peer_id().address(address).allocate_new_port().build();
            let connection = options.connection_id();
            self.targets.dialling(target, connection);
            if let Err(error) = self.swarm.dial(options) {
                tracing::debug!(%error, "dial refused");
                self.targets.failed(connection, now);
            }
        }
    }

    /// Ends all connections of a peer and whatever it is bound to.
    pub(super) fn drop_peer(&mut self, peer: PeerId) {
        self.unbound.remove(&peer);
        self.unbind(&peer);
        // Fails when the peer is gone already.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    fn unbind(&mut self, peer: &PeerId) {
        self.swarm.behaviour_mut().services.close(peer);
        self.is_stale |= self.registry.unbind(peer);
    }

    /// Ends service to hotkeys that are no longer registered.
    pub(super) fn refresh(&mut self) {
        let is_gone = |hotkey| !self.authority.is_registered(hotkey);
        let gone = self.registry.iter().filter(|(hotkey, _)| is_gone(hotkey));
        let gone: Vec<PeerId> = gone.map(|(_, peer)| *peer).collect();
        for peer in gone {
            self.drop_peer(peer);
        }
        self.admission.retain(|hotkey| self.authority.is_registered(hotkey));
    }

    pub(super) fn renew_statement(&mut self) -> bool {
        self.statement.renew(&*self.authority, &self.network, &self.peer_id)
    }

    fn send_statement(&mut self, peer: PeerId) {
        let own = self.statement.bytes();
        self.swarm.behaviour_mut().bind.send_request(&peer, own);
    }

    pub(super) fn swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                let is_bound = self.registry.hotkey(&peer_id).is_some();
                let is_full = self.unbound.len() >= limits::MAX_UNBOUND;
                if endpoint.is_listener() && !is_bound && is_full {
                    tracing::debug!(peer = %peer_id, "too many unbound peers");
                    self.swarm.close_connection(connection_id);
                    return;
                }
                self.targets.connected(connection_id, peer_id);
                if !is_bound {
                    self.unbound.entry(peer_id).or_insert_with(Instant::now);
                }
                if endpoint.is_dialer() {
                    // Also to a bound peer: it may have restarted and know nothing of us.
                    self.send_statement(peer_id);
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                self.unbound.remove(&peer_id);
                self.targets.lost(&peer_id, Instant::now());
                self.unbind(&peer_id);
            }
            SwarmEvent::OutgoingConnectionError {
                connection_id,
                error: DialError::LocalPeerId { .. },
                ..
            } => self.targets.forget_dialled(connection_id),
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                tracing::debug!(%error, "dial failed");
                self.targets.failed(connection_id, Instant::now());
            }
            SwarmEvent::Behaviour(BehaviourEvent::Bind(event)) => self.bind_event(event),
            SwarmEvent::Behaviour(BehaviourEvent::Services(event)) => self.service_event(event),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) => {
                // A peer that does not speak ping may be alive all the same.
                let failure = event.result.err();
                if let Some(error) = failure.filter(|e| !matches!(e, ping::Failure::Unsupported)) {
                    tracing::debug!(peer = %event.peer, %error, "connection is dead");
                    self.swarm.close_connection(event.connection);
                }
            }
            _ => {}
        }
    }

    fn bind_event(&mut self, event: Exchange<Vec<u8>, Vec<u8>>) {
        match event {
            Exchange::Message {
                peer, message: Message::Request { request, channel, .. }, ..
            } => {
                if !self.bind(peer, &request) {
                    return;
                }
                let own = self.statement.bytes();
                // Fails when the peer is gone already.
                let _ = self.swarm.behaviour_mut().bind.send_response(channel, own);
            }
            Exchange::Message { peer, message: Message::Response { response, .. }, .. } => {
                self.bind(peer, &response);
            }
            // Another connection of the peer may live on.
            Exchange::OutboundFailure { error: OutboundFailure::ConnectionClosed, .. } => {}
            Exchange::OutboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "peer refused to bind");
                self.drop_peer(peer);
            }
            _ => {}
        }
    }

    /// Checks a peer's statement and binds it, or ends the connection.
    fn bind(&mut self, peer: PeerId, statement: &[u8]) -> bool {
        let checked = binding::check(&*self.authority, &self.network, &peer.to_bytes(), statement);
        let binding = match checked {
            Ok(binding) => binding,
            Err(error) => {
                tracing::debug!(%peer, %error, "binding refused");
                self.drop_peer(peer);
                return false;
            }
        };
        match self.registry.bind(peer, binding.hotkey, binding.expiry) {
            Bound::New | Bound::Known => {}
            Bound::Replaced(old) => {
                tracing::debug!(%peer, %old, "a newer process acts for the hotkey");
                self.drop_peer(old);
            }
            Bound::Outdated => {
                tracing::debug!(%peer, "a newer process acts for the hotkey already");
                self.drop_peer(peer);
                return false;
            }
        }
        self.is_stale = true;
        self.unbound.remove(&peer);
        self.targets.bound(&peer);
        self.swarm.behaviour_mut().services.open(peer);
        true
    }
}
