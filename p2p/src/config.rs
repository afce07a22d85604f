//! What a node is started with.

use std::net::{IpAddr, Ipv4Addr};

use crate::Hotkey;

/// Which chain and subnet a node belongs to; nodes of others are not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Genesis hash of the chain.
    pub genesis: [u8; 32],
    /// The subnet.
    pub netuid: u16,
}

/// How to start a node.
#[derive(Clone)]
pub struct Config {
    /// Address to listen on.
    pub ip: IpAddr,
    /// Port for TCP and QUIC alike; 0 = the system's choice.
    pub port: u16,
    /// Seed of the ed25519 node key, which determines the PeerId.
    pub node_key: [u8; 32],
    /// The network.
    pub network: Network,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the key.
        f.debug_struct("Config")
            .field("ip", &self.ip)
            .field("port", &self.port)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// A node for tests: loopback, any port.
    #[must_use]
    pub fn test(node_key: [u8; 32]) -> Self {
        let network = Network { genesis: [1; 32], netuid: 1 };
        Self { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 0, node_key, network }
    }
}

/// What becomes of a gossip message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The application gets it, and it is forwarded.
    Accept,
    /// Neither; nobody is to blame.
    Ignore,
    /// Neither, and whoever sent it loses score: only a faulty or hostile node forwards it.
    Reject,
}

/// The caller's keys and knowledge of the chain. Called from the event loop: none may block.
pub trait Authority: Send + Sync + 'static {
    /// The own hotkey.
    fn hotkey(&self) -> Hotkey;
    /// An sr25519 signature by the own hotkey.
    fn sign(&self, message: &[u8]) -> [u8; 64];
    /// Whether a signature is the hotkey's.
    fn verify(&self, hotkey: &Hotkey, message: &[u8], signature: &[u8; 64]) -> bool;
    /// Whether the hotkey is registered on the subnet now.
    fn is_registered(&self, hotkey: &Hotkey) -> bool;
    /// Unix time in seconds.
    fn now(&self) -> u64;
    /// Judges gossip of a verified author before it is forwarded, for instance whether it decodes.
    fn judge(&self, author: &Hotkey, body: &[u8]) -> Verdict {
        let (_, _) = (author, body);
        Verdict::Accept
    }
}
