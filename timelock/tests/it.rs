//! What opens and what does not, with vectors of the quicknet beacon and of the Bittensor SDK.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use iota_timelock::{
    ENTROPY_BYTES, Error, MAX_CIPHERTEXT_BYTES, PublicKey, SecretKey, Signature, decrypt, encrypt,
};
use proptest::prelude::*;

/// Quicknet's signature of round 1000, as drand publishes it.
const ROUND_1000: &str = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125\
                          e342b73a8dd2bacbe47e4b6b63ed5e39";
/// `hello`, hidden until round 1000 by `bittensor_drand.encrypt_at_round` 1.3.0 (PyPI).
const HELLO: &str = include_str!("hello_at_1000.hex");

fn round_1000() -> Signature {
    Signature::from_bytes(&hex::decode(ROUND_1000).unwrap()).unwrap()
}

fn hello() -> Vec<u8> {
    hex::decode(HELLO.trim()).unwrap()
}

#[test]
fn quicknets_signature_is_quicknets() {
    let (key, signature) = (PublicKey::quicknet(), round_1000());
    assert!(key.verifies(1000, &signature));
    assert!(!key.verifies(1001, &signature));
    assert_eq!(hex::encode(signature.to_bytes()), ROUND_1000);
    assert_eq!(PublicKey::from_bytes(&key.to_bytes()), Ok(key));
}

#[test]
fn what_the_sdk_hid_opens_and_what_we_hide_has_its_layout() {
    assert_eq!(decrypt(&round_1000(), &hello()).unwrap(), b"hello");
    let entropy = [7; ENTROPY_BYTES];
    let ours = encrypt(&PublicKey::quicknet(), 1000, b"hello", &entropy).unwrap();
    assert_eq!(decrypt(&round_1000(), &ours).unwrap(), b"hello");
    assert_eq!(ours.len(), hello().len());
}

#[test]
fn damage_is_told() {
    let (signature, bytes) = (round_1000(), hello());
    for length in 0..bytes.len() {
        assert_eq!(decrypt(&signature, &bytes[..length]), Err(Error::Malformed), "{length}");
    }
    for place in (0..bytes.len()).step_by(11) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        assert!(decrypt(&signature, &damaged).is_err(), "byte {place}");
    }
    assert_eq!(decrypt(&signature, &vec![0; MAX_CIPHERTEXT_BYTES + 1]), Err(Error::Malformed));
    assert!(PublicKey::from_bytes(&[0; 96]).is_err() && Signature::from_bytes(&[]).is_err());
}

#[test]
fn what_is_too_long_is_refused() {
    let beacon = SecretKey::from_seed([1; 32]).public();
    let most = MAX_CIPHERTEXT_BYTES - (hello().len() - b"hello".len());
    let hide = |length| encrypt(&beacon, 1, &vec![0; length], &[0; ENTROPY_BYTES]);
    assert!(hide(most).is_ok());
    assert_eq!(hide(most + 1), Err(Error::TooLong));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_round_of_a_beacon_opens_what_was_hidden_for_it_alone(
        seed: [u8; 32],
        round in 0..u64::MAX,
        message in prop::collection::vec(any::<u8>(), 0..300),
        noise: [u8; 32],
    ) {
        let beacon = SecretKey::from_seed(seed);
        let mut entropy = [0; ENTROPY_BYTES];
        entropy[..32].copy_from_slice(&noise);
        let hidden = encrypt(&beacon.public(), round, &message, &entropy).unwrap();
        let signature = beacon.sign(round);
        prop_assert!(beacon.public().verifies(round, &signature));
        prop_assert_eq!(decrypt(&signature, &hidden).unwrap(), message);
        prop_assert_eq!(decrypt(&beacon.sign(round + 1), &hidden), Err(Error::DoesNotOpen));
        let other = SecretKey::from_seed(noise);
        if noise != seed {
            prop_assert_eq!(decrypt(&other.sign(round), &hidden), Err(Error::DoesNotOpen));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decrypt(&round_1000(), &bytes);
    }
}
