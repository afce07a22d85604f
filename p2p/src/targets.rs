//! Addresses to stay connected to, each dialled again with growing pauses while it is not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

use crate::limits::{MAX_REDIAL, MIN_REDIAL};

/// One address.
#[derive(Debug)]
struct Target {
    connected: Option<PeerId>,
    dialling: Option<ConnectionId>,
    failures: u32,
    not_before: Option<Instant>,
}

/// All addresses to stay connected to.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    by_address: BTreeMap<SocketAddr, Target>,
}

/// A socket address as libp2p writes it: TCP first, QUIC on every other attempt.
fn multiaddr(address: SocketAddr, attempt: u32) -> Multiaddr {
    let base = Multiaddr::from(address.ip());
    if attempt.is_multiple_of(2) {
        base.with(Protocol::Tcp(address.port()))
    } else {
        base.with(Protocol::Udp(address.port())).with(Protocol::QuicV1)
    }
}

impl Targets {
    /// Adds an address.
    pub(crate) fn add(&mut self, address: SocketAddr) {
        let fresh = Target { connected: None, dialling: None, failures: 0, not_before: None };
        self.by_address.entry(address).or_insert(fresh);
    }

    /// Addresses to dial now.
    pub(crate) fn due(&self, now: Instant) -> Vec<(SocketAddr, Multiaddr)> {
        self.by_address
            .iter()
            .filter(|(_, target)| {
                target.connected.is_none()
                    && target.dialling.is_none()
                    && target.not_before.is_none_or(|at| at <= now)
            })
            .map(|(address, target)| (*address, multiaddr(*address, target.failures)))
            .collect()
    }

    /// An address is being dialled.
    pub(crate) fn dialling(&mut self, address: SocketAddr, connection: ConnectionId) {
        if let Some(target) = self.by_address.get_mut(&address) {
            target.dialling = Some(connection);
        }
    }

    /// A dial succeeded.
    pub(crate) fn connected(&mut self, connection: ConnectionId, peer: PeerId) {
        if let Some(target) = self.dialled(connection) {
            target.dialling = None;
            target.connected = Some(peer);
            target.failures = 0;
        }
    }

    /// A dial failed.
    pub(crate) fn failed(&mut self, connection: ConnectionId, now: Instant) {
        if let Some(target) = self.dialled(connection) {
            target.dialling = None;
            target.retry(now);
        }
    }

    /// The last connection to a peer ended.
    pub(crate) fn lost(&mut self, peer: &PeerId, now: Instant) {
        for target in self.by_address.values_mut().filter(|t| t.connected == Some(*peer)) {
            target.connected = None;
            target.retry(now);
        }
    }

    fn dialled(&mut self, connection: ConnectionId) -> Option<&mut Target> {
        self.by_address.values_mut().find(|target| target.dialling == Some(connection))
    }
}

impl Target {
    fn retry(&mut self, now: Instant) {
        let pause = MIN_REDIAL.saturating_mul(1 << self.failures.min(10)).min(MAX_REDIAL);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn pauses_grow_and_a_lost_peer_is_dialled_again() {
        let (mut targets, mut now) = (Targets::default(), Instant::now());
        let address: SocketAddr = "127.0.0.1:4001".parse().unwrap();
        targets.add(address);
        let mut pauses = Vec::new();
        for id in 0..4 {
            assert_eq!(targets.due(now).len(), 1);
            let connection = ConnectionId::new_unchecked(id);
            targets.dialling(address, connection);
            assert!(targets.due(now).is_empty(), "one dial at a time");
            targets.failed(connection, now);
            let start = now;
            while targets.due(now).is_empty() {
                now += Duration::from_millis(100);
            }
            pauses.push(now - start);
        }
        assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]), "{pauses:?}");
        let (connection, peer) = (ConnectionId::new_unchecked(9), PeerId::random());
        targets.dialling(address, connection);
        targets.connected(connection, peer);
        assert!(targets.due(now + MAX_REDIAL).is_empty());
        targets.lost(&peer, now);
        assert_eq!(targets.due(now + MAX_REDIAL).len(), 1);
    }
}
