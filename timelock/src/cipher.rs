//! Hiding and opening.

use aes_gcm::{Aes256Gcm, KeyInit, Nonce, aead::Aead};
use ark_bls12_381::{Bls12_381, Fr, G1Affine, G2Affine, G2Projective};
use ark_ec::{CurveGroup, PrimeGroup, pairing::Pairing};
use ark_ff::PrimeField;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use sha2::{Digest, Sha256};

use crate::curve::{compressed, identity};
use crate::wire::{MAX_CIPHERTEXT_BYTES, Parts};
use crate::{Error, PublicKey, Signature};

/// Random bytes that hiding takes: sigma, the body's key and its nonce.
pub const ENTROPY_BYTES: usize = 32 + 32 + 12;

/// Hides a message until the beacon signs the round. `entropy` must be fresh random bytes: who knows
/// them can open the ciphertext at once.
///
/// # Errors
/// If the ciphertext would be longer than [`MAX_CIPHERTEXT_BYTES`].
pub fn encrypt(
    beacon: &PublicKey,
    round: u64,
    message: &[u8],
    entropy: &[u8; ENTROPY_BYTES],
) -> Result<Vec<u8>, Error> {
    let (sigma, key, nonce) = parts_of(entropy);
    let r = exponent(&sigma, &key);
    let u = (G2Projective::generator() * r).into_affine();
    let masked = (beacon.0 * r).into_affine();
    let cipher = Aes256Gcm::new(&key.into());
    let body = cipher.encrypt(&Nonce::from(nonce), message).map_err(|_| Error::TooLong)?;
    let parts = Parts {
        u: compressed(&u),
        v: xor(sigma, pairing_hash(identity(round), masked)),
        w: xor(key, Sha256::digest(sigma).into()),
        body,
        nonce,
    };
    let bytes = parts.encode();
    if bytes.len() > MAX_CIPHERTEXT_BYTES { Err(Error::TooLong) } else { Ok(bytes) }
}

/// Opens a ciphertext with the signature of its round.
///
/// # Errors
/// If the bytes are no ciphertext, or were hidden for another round or beacon.
pub fn decrypt(signature: &Signature, ciphertext: &[u8]) -> Result<Vec<u8>, Error> {
    let parts = Parts::decode(ciphertext)?;
    let u = G2Affine::deserialize_compressed(&parts.u[..]).map_err(|_| Error::Malformed)?;
    let sigma = xor(parts.v, pairing_hash(signature.0, u));
    let key = xor(parts.w, Sha256::digest(sigma).into());
    // Tells a wrong signature, and a ciphertext that was not made by the rules.
    if (G2Projective::generator() * exponent(&sigma, &key)).into_affine() != u {
        return Err(Error::DoesNotOpen);
    }
    let cipher = Aes256Gcm::new(&key.into());
    let nonce = Nonce::from(parts.nonce);
    cipher.decrypt(&nonce, parts.body.as_slice()).map_err(|_| Error::DoesNotOpen)
}

fn parts_of(entropy: &[u8; ENTROPY_BYTES]) -> ([u8; 32], [u8; 32], [u8; 12]) {
    let (mut sigma, mut key, mut nonce) = ([0; 32], [0; 32], [0; 12]);
    sigma.copy_from_slice(&entropy[..32]);
    key.copy_from_slice(&entropy[32..64]);
    nonce.copy_from_slice(&entropy[64..]);
    (sigma, key, nonce)
}

/// H3: the exponent that sigma and the key determine.
fn exponent(sigma: &[u8; 32], key: &[u8; 32]) -> Fr {
    Fr::from_be_bytes_mod_order(&Sha256::new().chain_update(sigma).chain_update(key).finalize())
}

/// H2: the hash of a pairing.
fn pairing_hash(left: G1Affine, right: G2Affine) -> [u8; 32] {
    let mut bytes = Vec::new();
    let paired = Bls12_381::pairing(left, right).0;
    paired.serialize_compressed(&mut bytes).expect("a vector takes all bytes");
    Sha256::digest(bytes).into()
}

fn xor(mut left: [u8; 32], right: [u8; 32]) -> [u8; 32] {
    left.iter_mut().zip(right).for_each(|(byte, mask)| *byte ^= mask);
    left
}
