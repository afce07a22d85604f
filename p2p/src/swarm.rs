//! The libp2p side: transports, protocols and their settings.

use std::time::Duration;

use libp2p::swarm::NetworkBehaviour;
use libp2p::{
    Multiaddr, StreamProtocol, Swarm, SwarmBuilder, connection_limits, gossipsub, identify,
    identity, multiaddr::Protocol, noise, request_response, tcp, yamux,
};

use crate::codec::Bytes;
use crate::config::Config;
use crate::{Error, limits};

/// Connections stay open while nobody speaks: peers meet again every epoch.
const IDLE: Duration = Duration::from_secs(24 * 3600);

/// All protocols of a node.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) bind: request_response::Behaviour<Bytes>,
    pub(crate) request: request_response::Behaviour<Bytes>,
    pub(crate) blob: request_response::Behaviour<Bytes>,
    pub(crate) gossip: gossipsub::Behaviour,
}

fn exchange(protocol: &'static str, codec: Bytes) -> request_response::Behaviour<Bytes> {
    let protocols = [(StreamProtocol::new(protocol), request_response::ProtocolSupport::Full)];
    let config = request_response::Config::default()
        .with_request_timeout(limits::REQUEST_TIMEOUT)
        .with_max_concurrent_streams(limits::MAX_STREAMS);
    request_response::Behaviour::with_codec(codec, protocols, config)
}

fn behaviour(key: &identity::Keypair) -> Result<Behaviour, Error> {
    let setup = |error: &dyn std::fmt::Display| Error::Setup(error.to_string());
    let gossip = gossipsub::ConfigBuilder::default()
        .validate_messages()
        .validation_mode(gossipsub::ValidationMode::Strict)
        // Envelope and signature around the largest body.
        .max_transmit_size(limits::MAX_GOSSIP_BYTES + 1024)
        .heartbeat_interval(Duration::from_millis(500))
        .flood_publish(true)
        .build()
        .map_err(|error| setup(&error))?;
    let author = gossipsub::MessageAuthenticity::Signed(key.clone());
    let mut gossip =
        gossipsub::Behaviour::new(author, gossip).map_err(|error| setup(&error))?;
    gossip
        .with_peer_score(
            gossipsub::PeerScoreParams {
                // Many nodes may share a host.
                ip_colocation_factor_weight: 0.0,
                ..gossipsub::PeerScoreParams::default()
            },
            gossipsub::PeerScoreThresholds::default(),
        )
        .map_err(|error| setup(&error))?;
    let connections = connection_limits::ConnectionLimits::default()
        .with_max_established(Some(limits::MAX_CONNECTIONS))
        .with_max_established_per_peer(Some(limits::MAX_CONNECTIONS_PER_PEER))
        .with_max_pending_incoming(Some(limits::MAX_PENDING_CONNECTIONS))
        .with_max_pending_outgoing(Some(limits::MAX_PENDING_CONNECTIONS));
    let same = |bytes| Bytes { request: bytes, reply: bytes };
    Ok(Behaviour {
        limits: connection_limits::Behaviour::new(connections),
        identify: identify::Behaviour::new(identify::Config::new("/iota/1".into(), key.public())),
        bind: exchange("/iota/bind/1", same(limits::MAX_BIND_BYTES)),
        request: exchange("/iota/request/1", same(limits::MAX_REQUEST_BYTES)),
        blob: exchange(
            "/iota/blob/1",
            Bytes { request: 64, reply: limits::MAX_CHUNK_BYTES + 64 },
        ),
        gossip,
    })
}

/// The topic of a network.
pub(crate) fn topic(config: &Config) -> gossipsub::IdentTopic {
    let genesis = config.network.genesis.iter().take(8).map(|byte| format!("{byte:02x}"));
    gossipsub::IdentTopic::new(format!(
        "iota/1/{}/{}",
        genesis.collect::<String>(),
        config.network.netuid
    ))
}

/// A swarm that listens as configured, on TCP and on the same port with QUIC.
pub(crate) fn build(config: &Config) -> Result<Swarm<Behaviour>, Error> {
    let setup = |error: &dyn std::fmt::Display| Error::Setup(error.to_string());
    let mut seed = config.node_key;
    let key = identity::Keypair::ed25519_from_bytes(&mut seed).map_err(|error| setup(&error))?;
    let mut swarm = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(
            // Small messages must not wait for one another.
            tcp::Config::default().nodelay(true),
            noise::Config::new,
            yamux::Config::default,
        )
        .map_err(|error| setup(&error))?
        .with_quic()
        .with_behaviour(|key| behaviour(key).map_err(Into::into))
        .map_err(|error| setup(&error))?
        .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(IDLE))
        .build();
    swarm
        .behaviour_mut()
        .gossip
        .subscribe(&topic(config))
        .map_err(|error| setup(&error))?;
    let port = free_port(config)?;
    let base = Multiaddr::from(config.ip);
    let addresses = [
        base.clone().with(Protocol::Tcp(port)),
        base.with(Protocol::Udp(port)).with(Protocol::QuicV1),
    ];
    for address in addresses {
        swarm.listen_on(address.clone()).map_err(|error| Error::Listen {
            address: address.to_string(),
            reason: error.to_string(),
        })?;
    }
    Ok(swarm)
}

/// The port to listen on: the configured one if it is free, or one of the system's choice.
///
/// libp2p binds with SO_REUSEPORT, under which a second program takes the port without an error;
/// binding plainly first finds out.
fn free_port(config: &Config) -> Result<u16, Error> {
    let bound = std::net::TcpListener::bind((config.ip, config.port));
    match bound.and_then(|listener| listener.local_addr()) {
        Ok(address) => Ok(address.port()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Err(Error::PortInUse { port: config.port })
        }
        Err(error) => Err(Error::Listen {
            address: format!("{}:{}", config.ip, config.port),
            reason: error.to_string(),
        }),
    }
}
