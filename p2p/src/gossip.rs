//! The envelope of gossip: who says it and when, with proof that needs no connection to them.
//!
//! `{hotkey, time, signature, body}`; the signature covers the network too. A message is valid for
//! a while around its time and is remembered for longer than that, so it cannot be repeated.

use codec::{Decode, DecodeAll, Encode};

use crate::config::{Authority, Network, Verdict};
use crate::{Hotkey, limits};

/// First field of what is signed.
const DOMAIN: &[u8] = b"iota/gossip/1";

/// A body with its author's signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Envelope {
    hotkey: Hotkey,
    /// Unix seconds.
    time: u64,
    signature: [u8; 64],
    body: Vec<u8>,
}

fn message(network: &Network, time: u64, body: &[u8]) -> Vec<u8> {
    (DOMAIN, network.genesis, network.netuid, time, body).encode()
}

/// Signs a body.
pub(crate) fn seal(authority: &dyn Authority, network: &Network, body: Vec<u8>) -> Vec<u8> {
    let time = authority.now();
    let signature = authority.sign(&message(network, time, &body));
    Envelope { hotkey: authority.hotkey(), time, signature, body }.encode()
}

/// Author and body of an envelope, if it is bounded, fresh and signed by a registered hotkey.
///
/// # Errors
/// What to do with it instead. Clocks and views of the registry differ between honest nodes, so
/// only what no honest node would forward is rejected.
pub(crate) fn open(
    authority: &dyn Authority,
    network: &Network,
    bytes: &[u8],
) -> Result<(Hotkey, Vec<u8>), Verdict> {
    let envelope = Envelope::decode_all(&mut &bytes[..]).map_err(|_| Verdict::Reject)?;
    if envelope.body.len() > limits::MAX_GOSSIP_BYTES {
        return Err(Verdict::Reject);
    }
    let is_fresh = authority.now().abs_diff(envelope.time) <= limits::MAX_GOSSIP_AGE.as_secs();
    if !is_fresh || !authority.is_registered(&envelope.hotkey) {
        return Err(Verdict::Ignore);
    }
    let message = message(network, envelope.time, &envelope.body);
    if !authority.verify(&envelope.hotkey, &message, &envelope.signature) {
        return Err(Verdict::Reject);
    }
    Ok((envelope.hotkey, envelope.body))
}

#[cfg(test)]
mod tests;
