//! Addresses to stay connected to, each dialled again with growing pauses while it is not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

use crate::limits::{MAX_REDIAL, MAX_TARGETS, MIN_REDIAL};

/// Where to reach a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The host and the port, which is the same for all transports.
    pub socket: SocketAddr,
    /// How to get there.
    pub transport: Transport,
}

/// A way to reach a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// TCP at first, then both by turns until one gets through.
    #[default]
    Any,
    /// TCP with noise and yamux.
    Tcp,
    /// QUIC.
    Quic,
}

impl From<SocketAddr> for Address {
    fn from(socket: SocketAddr) -> Self {
        Self { socket, transport: Transport::Any }
    }
}

impl Address {
    /// As libp2p writes it, on that attempt.
    fn multiaddr(&self, attempt: u32) -> Multiaddr {
        let base = Multiaddr::from(self.socket.ip());
        let is_tcp = match self.transport {
            Transport::Any => attempt.is_multiple_of(2),
            Transport::Tcp => true,
            Transport::Quic => false,
        };
        if is_tcp {
            base.with(Protocol::Tcp(self.socket.port()))
        } else {
            base.with(Protocol::Udp(self.socket.port())).with(Protocol::QuicV1)
        }
    }
}

/// What is known of one address.
#[derive(Debug, Default)]
struct Target {
    connected: Option<PeerId>,
    dialling: Option<ConnectionId>,
    attempts: u32,
    failures: u32,
    not_before: Option<Instant>,
}

/// All addresses to stay connected to.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    by_address: BTreeMap<Address, Target>,
}

impl Targets {
    /// Adds an address, unless there are too many; whether it is there.
    pub(crate) fn add(&mut self, address: Address) -> bool {
        let has_room = self.by_address.len() < MAX_TARGETS;
        if has_room {
            self.by_address.entry(address).or_default();
        }
        has_room || self.by_address.contains_key(&address)
    }

    /// Forgets an address; the peer there, if there is a connection.
    pub(crate) fn forget(&mut self, address: &Address) -> Option<PeerId> {
        self.by_address.remove(address)?.connected
    }

    /// Forgets the address of a dial: it is the own one.
    pub(crate) fn forget_dialled(&mut self, connection: ConnectionId) {
        self.by_address.retain(|_, target| target.dialling != Some(connection));
    }

    /// Addresses to dial now.
    pub(crate) fn due(&self, now: Instant) -> Vec<(Address, Multiaddr)> {
        self.by_address
            .iter()
            .filter(|(_, target)| {
                target.connected.is_none()
                    && target.dialling.is_none()
                    && target.not_before.is_none_or(|at| at <= now)
            })
            .map(|(address, target)| (*address, address.multiaddr(target.attempts)))
            .collect()
    }

    /// An address is being dialled.
    pub(crate) fn dialling(&mut self, address: Address, connection: ConnectionId) {
        if let Some(target) = self.by_address.get_mut(&address) {
            target.dialling = Some(connection);
        }
    }

    /// A dial got through. Pauses go on growing until the peer proves its hotkey.
    pub(crate) fn connected(&mut self, connection: ConnectionId, peer: PeerId) {
        if let Some(target) = self.dialled(connection) {
            target.dialling = None;
            target.connected = Some(peer);
        }
    }

    /// A peer proved its hotkey.
    pub(crate) fn bound(&mut self, peer: &PeerId) {
        for target in self.by_address.values_mut().filter(|t| t.connected == Some(*peer)) {
            target.failures = 0;
        }
    }

    /// A dial failed.
    pub(crate) fn failed(&mut self, connection: ConnectionId, now: Instant) {
        if let Some(target) = self.dialled(connection) {
            target.dialling = None;
            target.attempts = target.attempts.wrapping_add(1);
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

    fn address(port: u16) -> Address {
        SocketAddr::from(([127, 0, 0, 1], port)).into()
    }

    /// Waits until the only target is due; how long that took.
    fn pause(targets: &Targets, now: &mut Instant) -> Duration {
        let start = *now;
        while targets.due(*now).is_empty() {
            *now += Duration::from_millis(100);
        }
        *now - start
    }

    #[test]
    fn pauses_grow_until_the_peer_proves_itself() {
        let (mut targets, mut now) = (Targets::default(), Instant::now());
        targets.add(address(1));
        let (mut pauses, peer) = (Vec::new(), PeerId::random());
        for id in 0..4 {
            let connection = ConnectionId::new_unchecked(id);
            targets.dialling(address(1), connection);
            assert!(targets.due(now).is_empty(), "one dial at a time");
            if id % 2 == 0 {
                targets.failed(connection, now);
            } else {
                // It takes the connection and then does not bind.
                targets.connected(connection, peer);
                assert!(targets.due(now + MAX_REDIAL).is_empty());
                targets.lost(&peer, now);
            }
            pauses.push(pause(&targets, &mut now));
        }
        assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]), "{pauses:?}");
        let connection = ConnectionId::new_unchecked(9);
        targets.dialling(address(1), connection);
        targets.connected(connection, peer);
        targets.bound(&peer);
        targets.lost(&peer, now);
        assert_eq!(pause(&targets, &mut now), MIN_REDIAL);
    }

    #[test]
    fn transports_take_turns_where_both_are_allowed() {
        let (mut targets, now) = (Targets::default(), Instant::now());
        let quic = Address { transport: Transport::Quic, ..address(2) };
        targets.add(address(1));
        targets.add(quic);
        let text = |targets: &Targets, at| -> Vec<String> {
            targets.due(at).into_iter().map(|(_, address)| address.to_string()).collect()
        };
        let udp = "/ip4/127.0.0.1/udp/2/quic-v1";
        assert_eq!(text(&targets, now), vec!["/ip4/127.0.0.1/tcp/1", udp]);
        targets.dialling(address(1), ConnectionId::new_unchecked(0));
        targets.failed(ConnectionId::new_unchecked(0), now);
        let first = "/ip4/127.0.0.1/udp/1/quic-v1";
        assert_eq!(text(&targets, now + MAX_REDIAL), vec![first, udp]);
    }

    #[test]
    fn targets_are_limited_and_can_be_forgotten() {
        let mut targets = Targets::default();
        assert!((0..MAX_TARGETS as u16).all(|port| targets.add(address(port))));
        assert!(!targets.add(address(u16::MAX)));
        assert!(targets.add(address(0)), "known already");
        assert_eq!(targets.forget(&address(0)), None);
        assert!(targets.add(address(u16::MAX)));
        targets.dialling(address(1), ConnectionId::new_unchecked(0));
        targets.forget_dialled(ConnectionId::new_unchecked(0));
        assert_eq!(targets.by_address.len(), MAX_TARGETS - 1);
    }
}
