//! Bindings hold for one PeerId, network and time, and for nothing else.

use super::*;
use crate::fake::Fake;
use proptest::prelude::*;

const NETWORK: Network = Network { genesis: [3; 32], netuid: 7 };
const NOW: u64 = 1_000_000;

fn statement(authority: &Fake, network: &Network, peer_id: &[u8]) -> Vec<u8> {
    let mut statement = Statement::default();
    assert!(statement.renew(authority, network, peer_id));
    statement.bytes()
}

fn judged(
    bytes: &[u8],
    network: &Network,
    peer_id: &[u8],
    now: u64,
) -> Result<Hotkey, BindingError> {
    check(&Fake::new(2, now), network, peer_id, bytes).map(|binding| binding.hotkey)
}

#[test]
fn a_statement_holds_for_its_peer_network_and_time_only() {
    let own = statement(&Fake::new(1, NOW), &NETWORK, b"peer");
    assert_eq!(judged(&own, &NETWORK, b"peer", NOW), Ok([1; 32]));
    assert_eq!(judged(&own, &NETWORK, b"thief", NOW), Err(BindingError::Signature));
    let genesis = Network { genesis: [4; 32], ..NETWORK };
    let netuid = Network { netuid: 8, ..NETWORK };
    for other in [genesis, netuid] {
        assert_eq!(judged(&own, &other, b"peer", NOW), Err(BindingError::Signature));
    }
    assert_eq!(judged(&own, &NETWORK, b"peer", NOW + VALIDITY_S - 1), Ok([1; 32]));
    assert_eq!(judged(&own, &NETWORK, b"peer", NOW + VALIDITY_S), Err(BindingError::Expiry));
    let unregistered = statement(&Fake::new(10, NOW), &NETWORK, b"peer");
    assert_eq!(judged(&unregistered, &NETWORK, b"peer", NOW), Err(BindingError::Unregistered));
}

#[test]
fn validity_beyond_a_day_is_refused() {
    let day = limits::MAX_BINDING.as_secs();
    let own = statement(&Fake::new(1, NOW), &NETWORK, b"peer");
    let earliest = NOW + VALIDITY_S - day;
    assert_eq!(judged(&own, &NETWORK, b"peer", earliest), Ok([1; 32]));
    assert_eq!(judged(&own, &NETWORK, b"peer", earliest - 1), Err(BindingError::Expiry));
}

#[test]
fn the_own_statement_is_signed_once_and_renewed_at_half_time() {
    let authority = Fake::new(1, NOW);
    let mut statement = Statement::default();
    assert!(statement.renew(&authority, &NETWORK, b"peer"));
    let first = statement.bytes();
    assert!(!statement.renew(authority.at(NOW + VALIDITY_S / 2 - 1), &NETWORK, b"peer"));
    assert_eq!(statement.bytes(), first);
    assert!(statement.renew(authority.at(NOW + VALIDITY_S / 2), &NETWORK, b"peer"));
    let renewed = Binding::decode_all(&mut &statement.bytes()[..]).unwrap();
    assert_eq!(renewed.expiry, NOW + VALIDITY_S / 2 + VALIDITY_S);
}

#[test]
fn the_wire_form_is_fixed() {
    let binding = Binding { hotkey: [1; 32], expiry: 258, signature: [9; 64] };
    let expected = [vec![1; 32], vec![2, 1, 0, 0, 0, 0, 0, 0], vec![9; 64]].concat();
    assert_eq!(binding.encode(), expected);
    assert!(expected.len() <= limits::MAX_BIND_BYTES);
    let signed = message(&NETWORK, b"peer", 258);
    let fields = [
        [&[44][..], b"iota/bind/1"].concat(),
        vec![3; 32],
        vec![7, 0],
        [&[16][..], b"peer"].concat(),
        vec![2, 1, 0, 0, 0, 0, 0, 0],
    ];
    assert_eq!(signed, fields.concat());
}

proptest! {
    #[test]
    fn any_changed_byte_is_refused(at in 0usize..104, by in 1u8..=255) {
        let mut bytes = statement(&Fake::new(1, NOW), &NETWORK, b"peer");
        bytes[at] ^= by;
        prop_assert!(judged(&bytes, &NETWORK, b"peer", NOW).is_err());
    }

    #[test]
    fn no_bytes_make_the_decoder_fail(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(judged(&bytes, &NETWORK, b"peer", NOW).is_err());
    }
}
