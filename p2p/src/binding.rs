//! The statement that a PeerId acts for a hotkey.
//!
//! SCALE of `{domain, genesis, netuid, peer id, expiry}` is signed with the hotkey's sr25519 key.
//! Both sides exchange it as the first thing on a connection: whoever dialled sends its own, and
//! the other side, once that stands, answers with its own.
//!
//! A process signs once and renews at half the validity, so the statement of a later process has
//! the later expiry, and the newest of two PeerIds for one hotkey is known by it.

use codec::{Decode, DecodeAll, Encode};

use crate::config::{Authority, Network};
use crate::{Hotkey, limits};

/// First field of what is signed.
const DOMAIN: &[u8] = b"iota/bind/1";
/// Statements are renewed well before the other side would refuse them.
const VALIDITY_S: u64 = 12 * 3600;

/// A hotkey's word for a PeerId.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Binding {
    /// Who signs.
    pub hotkey: Hotkey,
    /// Unix time, in seconds, after which the statement is void.
    pub expiry: u64,
    /// Signature of the statement.
    pub signature: [u8; 64],
}

/// Why a binding is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindingError {
    /// Not a statement.
    #[error("malformed statement")]
    Malformed,
    /// Void, or valid for longer than allowed.
    #[error("expired, or valid for too long")]
    Expiry,
    /// Not signed by the hotkey for this PeerId on this network.
    #[error("not signed for this peer and network")]
    Signature,
    /// The hotkey is not on the subnet.
    #[error("hotkey is not registered")]
    Unregistered,
}

fn message(network: &Network, peer_id: &[u8], expiry: u64) -> Vec<u8> {
    (DOMAIN, network.genesis, network.netuid, peer_id, expiry).encode()
}

/// The own statement, signed again when half of its validity is over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statement {
    bytes: Vec<u8>,
    /// Unix time in seconds.
    renew_at: u64,
}

impl Statement {
    /// Signs if there is need to; whether it did.
    pub(crate) fn renew(
        &mut self,
        authority: &dyn Authority,
        network: &Network,
        peer_id: &[u8],
    ) -> bool {
        let now = authority.now();
        if now < self.renew_at {
            return false;
        }
        self.renew_at = now.saturating_add(VALIDITY_S / 2);
        let expiry = now.saturating_add(VALIDITY_S);
        let signature = authority.sign(&message(network, peer_id, expiry));
        self.bytes = Binding { hotkey: authority.hotkey(), expiry, signature }.encode();
        true
    }

    /// What goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }
}

/// Checks a peer's statement for the PeerId that its connection proved.
///
/// # Errors
/// [`BindingError`]: the first reason to refuse.
pub fn check(
    authority: &dyn Authority,
    network: &Network,
    peer_id: &[u8],
    bytes: &[u8],
) -> Result<Binding, BindingError> {
    let binding = Binding::decode_all(&mut &bytes[..]).map_err(|_| BindingError::Malformed)?;
    let now = authority.now();
    let latest = now.saturating_add(limits::MAX_BINDING.as_secs());
    if binding.expiry <= now || binding.expiry > latest {
        return Err(BindingError::Expiry);
    }
    if !authority.is_registered(&binding.hotkey) {
        return Err(BindingError::Unregistered);
    }
    let message = message(network, peer_id, binding.expiry);
    if !authority.verify(&binding.hotkey, &message, &binding.signature) {
        return Err(BindingError::Signature);
    }
    Ok(binding)
}

#[cfg(test)]
mod tests;
