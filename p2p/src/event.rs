//! What the application hears of its node.

use tokio::sync::oneshot;

use crate::Hotkey;

/// Something the application should know.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A registered hotkey is connected.
    PeerUp {
        /// Who.
        hotkey: Hotkey,
    },
    /// It is no longer. A hotkey that comes back with another PeerId goes down first.
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
    /// Somebody said something to everybody, and [`Authority::judge`](crate::Authority::judge)
    /// accepted it.
    Gossip {
        /// The verified author.
        from: Hotkey,
        /// What.
        body: Vec<u8>,
    },
}

/// The way back to who asked.
#[derive(Debug)]
pub struct ReplyTo(pub(crate) oneshot::Sender<Vec<u8>>);

impl ReplyTo {
    /// Sends the reply.
    pub fn send(self, body: Vec<u8>) {
        // Nobody waits any more when the peer is gone.
        let _ = self.0.send(body);
    }
}
