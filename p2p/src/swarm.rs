//! The libp2p side: transports, protocols and their settings.

use std::collections::HashSet;
use std::time::Duration;

use libp2p::swarm::NetworkBehaviour;
use libp2p::{
    StreamProtocol, Swarm, SwarmBuilder, connection_limits, gossipsub, identify, identity, noise,
    ping, request_response, tcp, yamux,
};

use crate::codec::Bytes;
use crate::config::{Config, Network};
use crate::gate::Gate;
use crate::{Error, limits};

/// Connections stay open while nobody speaks: peers meet again every epoch.
const IDLE: Duration = Duration::from_secs(24 * 3600);
/// Gossip meshes are kept up this often.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// Gossip on the network's one topic.
pub(crate) type Gossip =
    gossipsub::Behaviour<gossipsub::IdentityTransform, gossipsub::WhitelistSubscriptionFilter>;

/// All protocols of a node.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) bind: request_response::Behaviour<Bytes>,
    pub(crate) services: Gate<Services>,
}

/// What only bound peers get.
#[derive(NetworkBehaviour)]
pub(crate) struct Services {
    pub(crate) request: request_response::Behaviour<Bytes>,
    pub(crate) blob: request_response::Behaviour<Bytes>,
    pub(crate) gossip: Gossip,
}

fn exchange(
    protocol: &'static str,
    codec: Bytes,
    streams: usize,
    timeout: Duration,
) -> request_response::Behaviour<Bytes> {
    let protocols = [(StreamProtocol::new(protocol), request_response::ProtocolSupport::Full)];
    let config = request_response::Config::default()
        .with_request_timeout(timeout)
        .with_max_concurrent_streams(streams);
    request_response::Behaviour::with_codec(codec, protocols, config)
}

fn setup(error: impl std::fmt::Display) -> Error {
    Error::Setup(error.to_string())
}

/// Scores that only misbehaviour lowers: no peer owes us traffic on a quiet topic.
fn scores(topic: &gossipsub::IdentTopic) -> gossipsub::PeerScoreParams {
    let of_topic = gossipsub::TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.0,
        first_message_deliveries_weight: 0.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        // Ten rejected messages within seconds end in silence for that peer (-80 and below).
        invalid_message_deliveries_weight: -1.0,
        invalid_message_deliveries_decay: 0.9,
        ..gossipsub::TopicScoreParams::default()
    };
    gossipsub::PeerScoreParams {
        topics: [(topic.hash(), of_topic)].into(),
        // Many nodes may share a host.
        ip_colocation_factor_weight: 0.0,
        ..gossipsub::PeerScoreParams::default()
    }
}

fn gossip(key: &identity::Keypair, network: &Network) -> Result<Gossip, Error> {
    let topic = topic(network);
    let config = gossipsub::ConfigBuilder::default()
        .validate_messages()
        .validation_mode(gossipsub::ValidationMode::Strict)
        .max_transmit_size(limits::MAX_GOSSIP_BYTES + limits::GOSSIP_OVERHEAD_BYTES)
        // By content: an envelope sent again under another PeerId is a duplicate.
        .message_id_fn(|message| blake3::hash(&message.data).as_bytes().to_vec().into())
        .duplicate_cache_time(limits::GOSSIP_MEMORY)
        .heartbeat_interval(HEARTBEAT)
        .flood_publish(true)
        .build()
        .map_err(setup)?;
    let author = gossipsub::MessageAuthenticity::Signed(key.clone());
    let topics = gossipsub::WhitelistSubscriptionFilter(HashSet::from([topic.hash()]));
    let mut gossip = Gossip::new_with_subscription_filter(author, config, topics).map_err(setup)?;
    gossip
        .with_peer_score(scores(&topic), gossipsub::PeerScoreThresholds::default())
        .map_err(setup)?;
    gossip.subscribe(&topic).map_err(setup)?;
    Ok(gossip)
}

fn behaviour(key: &identity::Keypair, network: &Network) -> Result<Behaviour, Error> {
    let connections = connection_limits::ConnectionLimits::default()
        .with_max_established(Some(limits::MAX_CONNECTIONS))
        .with_max_established_per_peer(Some(limits::MAX_CONNECTIONS_PER_PEER))
        .with_max_pending_incoming(Some(limits::MAX_PENDING_CONNECTIONS))
        .with_max_pending_outgoing(Some(limits::MAX_PENDING_CONNECTIONS));
    let same = |bytes| Bytes { request: bytes, reply: bytes };
    let chunk = Bytes {
        request: limits::MAX_CHUNK_REQUEST_BYTES,
        reply: limits::MAX_CHUNK_BYTES + limits::CHUNK_OVERHEAD_BYTES,
    };
    let service = |name, codec| exchange(name, codec, limits::MAX_STREAMS, limits::REQUEST_TIMEOUT);
    Ok(Behaviour {
        limits: connection_limits::Behaviour::new(connections),
        identify: identify::Behaviour::new(identify::Config::new("/iota/1".into(), key.public())),
        ping: ping::Behaviour::new(
            ping::Config::new()
                .with_interval(limits::PING_INTERVAL)
                .with_timeout(limits::PING_TIMEOUT),
        ),
        bind: exchange(
            "/iota/bind/1",
            same(limits::MAX_BIND_BYTES),
            limits::MAX_BIND_STREAMS,
            limits::BIND_GRACE,
        ),
        services: Gate::new(Services {
            request: service("/iota/request/1", same(limits::MAX_REQUEST_BYTES)),
            blob: service("/iota/blob/1", chunk),
            gossip: gossip(key, network)?,
        }),
    })
}

/// The topic of a network.
pub(crate) fn topic(network: &Network) -> gossipsub::IdentTopic {
    let genesis: String =
        network.genesis.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    gossipsub::IdentTopic::new(format!("iota/1/{genesis}/{}", network.netuid))
}

/// A swarm that does not listen yet.
pub(crate) fn build(config: &Config) -> Result<Swarm<Behaviour>, Error> {
    let mut seed = config.node_key;
    let key = identity::Keypair::ed25519_from_bytes(&mut seed).map_err(setup)?;
    let swarm = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(
            // Small messages must not wait for one another.
            tcp::Config::default().nodelay(true),
            noise::Config::new,
            yamux::Config::default,
        )
        .map_err(setup)?
        .with_quic()
        .with_behaviour(|key| behaviour(key, &config.network).map_err(Into::into))
        .map_err(setup)?
        .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(IDLE))
        .build();
    Ok(swarm)
}
