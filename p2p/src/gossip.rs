//! The envelope of gossip: who says it, and proof that works without a connection to them.

use codec::{Decode, DecodeAll, Encode};

use crate::config::{Authority, Network};
use crate::{Hotkey, limits};

/// First field of what is signed.
const DOMAIN: &[u8] = b"iota/gossip/1";

/// A body with its author's signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Envelope {
    hotkey: Hotkey,
    signature: [u8; 64],
    body: Vec<u8>,
}

fn message(network: &Network, body: &[u8]) -> Vec<u8> {
    (DOMAIN, network.genesis, network.netuid, body).encode()
}

/// Signs a body.
pub(crate) fn seal(authority: &dyn Authority, network: &Network, body: Vec<u8>) -> Vec<u8> {
    let signature = authority.sign(&message(network, &body));
    Envelope { hotkey: authority.hotkey(), signature, body }.encode()
}

/// Author and body of an envelope, if it is bounded and signed by a registered hotkey.
pub(crate) fn open(
    authority: &dyn Authority,
    network: &Network,
    bytes: &[u8],
) -> Option<(Hotkey, Vec<u8>)> {
    let envelope = Envelope::decode_all(&mut &bytes[..]).ok()?;
    let fits = envelope.body.len() <= limits::MAX_GOSSIP_BYTES;
    let signed = || {
        let message = message(network, &envelope.body);
        authority.verify(&envelope.hotkey, &message, &envelope.signature)
    };
    let valid = fits && authority.is_registered(&envelope.hotkey) && signed();
    valid.then_some((envelope.hotkey, envelope.body))
}
