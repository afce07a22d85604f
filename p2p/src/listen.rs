//! Listening on one port with TCP and QUIC.

use std::io;
use std::net::{TcpListener, UdpSocket};

use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Swarm};

use crate::Error;
use crate::config::Config;
use crate::swarm::{Behaviour, BehaviourEvent};

/// Ports of the system's choice that are tried until one is free for UDP as well.
const ATTEMPTS: u32 = 16;

/// Listens; the port, and what happened on the swarm meanwhile.
pub(crate) async fn listen(
    swarm: &mut Swarm<Behaviour>,
    config: &Config,
) -> Result<(u16, Vec<SwarmEvent<BehaviourEvent>>), Error> {
    let mut early = Vec::new();
    if config.port != 0 {
        is_free(config, config.port).map_err(|error| refused(config, &error))?;
    }
    for _ in 0..ATTEMPTS {
        let base = Multiaddr::from(config.ip);
        let tcp = base.clone().with(Protocol::Tcp(config.port));
        let (listener, port) = open(swarm, config, tcp, &mut early).await?;
        if config.port == 0 && UdpSocket::bind((config.ip, port)).is_err() {
            swarm.remove_listener(listener);
            continue;
        }
        let quic = base.with(Protocol::Udp(port)).with(Protocol::QuicV1);
        open(swarm, config, quic, &mut early).await?;
        return Ok((port, early));
    }
    Err(Error::PortInUse { port: 0 })
}

/// Binds plainly first: libp2p binds with SO_REUSEPORT, under which a second program takes the port
/// without an error.
fn is_free(config: &Config, port: u16) -> io::Result<()> {
    TcpListener::bind((config.ip, port))?;
    UdpSocket::bind((config.ip, port))?;
    Ok(())
}

fn refused(config: &Config, error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::AddrInUse {
        return Error::PortInUse { port: config.port };
    }
    let address = format!("{}:{}", config.ip, config.port);
    Error::Listen { address, reason: error.to_string() }
}

/// Opens one listener and waits until it is up; its port.
async fn open(
    swarm: &mut Swarm<Behaviour>,
    config: &Config,
    address: Multiaddr,
    early: &mut Vec<SwarmEvent<BehaviourEvent>>,
) -> Result<(ListenerId, u16), Error> {
    let failed = |reason: String| Error::Listen { address: address.to_string(), reason };
    let listener = swarm.listen_on(address.clone()).map_err(|error| failed(error.to_string()))?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { listener_id, address } if listener_id == listener => {
                let port = address.iter().find_map(|part| match part {
                    Protocol::Tcp(port) | Protocol::Udp(port) => Some(port),
                    _ => None,
                });
                return Ok((listener, port.unwrap_or(config.port)));
            }
            SwarmEvent::ListenerError { listener_id, error } if listener_id == listener => {
                return Err(failed(error.to_string()));
            }
            SwarmEvent::ListenerClosed { listener_id, reason, .. } if listener_id == listener => {
                let reason = reason.err().map_or("closed".into(), |error| error.to_string());
                return Err(failed(reason));
            }
            event => early.push(event),
        }
    }
}
