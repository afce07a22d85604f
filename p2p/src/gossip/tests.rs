//! Gossip is taken from registered authors alone, in bounds, and once.

use super::*;
use crate::fake::Fake;
use proptest::prelude::*;

const NETWORK: Network = Network { genesis: [3; 32], netuid: 7 };
const NOW: u64 = 1_000_000;

fn sealed(author: u8, body: &[u8]) -> Vec<u8> {
    seal(&Fake::new(author, NOW), &NETWORK, body.to_vec())
}

fn opened(bytes: &[u8], now: u64) -> Result<(Hotkey, Vec<u8>), Verdict> {
    open(&Fake::new(2, now), &NETWORK, bytes)
}

#[test]
fn author_and_body_come_out_unless_stale_or_foreign() {
    let bytes = sealed(1, b"hello");
    let age = limits::MAX_GOSSIP_AGE.as_secs();
    for now in [NOW - age, NOW, NOW + age] {
        assert_eq!(opened(&bytes, now), Ok(([1; 32], b"hello".to_vec())));
    }
    assert_eq!(opened(&bytes, NOW + age + 1), Err(Verdict::Ignore));
    assert_eq!(opened(&bytes, NOW - age - 1), Err(Verdict::Ignore));
    assert_eq!(opened(&sealed(10, b"hello"), NOW), Err(Verdict::Ignore), "not registered");
    let foreign = Network { netuid: 8, ..NETWORK };
    assert_eq!(open(&Fake::new(2, NOW), &foreign, &bytes), Err(Verdict::Reject));
    assert!(limits::GOSSIP_MEMORY > 2 * limits::MAX_GOSSIP_AGE, "else it could be repeated");
}

#[test]
fn bodies_over_the_limit_are_rejected() {
    let largest = sealed(1, &vec![0; limits::MAX_GOSSIP_BYTES]);
    assert!(opened(&largest, NOW).is_ok());
    assert!(largest.len() + 256 < limits::MAX_GOSSIP_BYTES + limits::GOSSIP_OVERHEAD_BYTES);
    let larger = sealed(1, &vec![0; limits::MAX_GOSSIP_BYTES + 1]);
    assert_eq!(opened(&larger, NOW), Err(Verdict::Reject));
}

#[test]
fn the_wire_form_is_fixed() {
    let envelope = Envelope { hotkey: [1; 32], time: 258, signature: [9; 64], body: vec![5, 6] };
    let fields = [vec![1; 32], vec![2, 1, 0, 0, 0, 0, 0, 0], vec![9; 64], vec![8, 5, 6]];
    assert_eq!(envelope.encode(), fields.concat());
}

proptest! {
    #[test]
    fn any_changed_byte_is_refused(at in 0usize..110, by in 1u8..=255) {
        let mut bytes = sealed(1, b"hello");
        bytes[at] ^= by;
        prop_assert!(opened(&bytes, NOW).is_err());
    }

    #[test]
    fn no_bytes_make_the_decoder_fail(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(opened(&bytes, NOW).is_err());
    }
}
