//! Keys and signatures of a beacon: public keys in G2, signatures in G1, as drand's scheme
//! `bls-unchained-g1-rfc9380` has them.

use ark_bls12_381::{Bls12_381, Fr, G1Affine, G1Projective, G2Affine, G2Projective, g1};
use ark_ec::{
    AffineRepr, CurveGroup, PrimeGroup,
    hashing::{HashToCurve, curve_maps::wb::WBMap, map_to_curve_hasher::MapToCurveBasedHasher},
    pairing::Pairing,
};
use ark_ff::{BigInteger, PrimeField, field_hashers::DefaultFieldHasher};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use blst::min_sig;
use sha2::{Digest, Sha256};

use crate::Error;

/// Bytes of a public key.
pub const PUBLIC_KEY_BYTES: usize = 96;
/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 48;
/// Keeps signatures of this scheme apart from others of the same key (RFC 9380).
const DOMAIN: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";
/// Public key of the quicknet beacon (drand chain 52db9ba7...84e971).
const QUICKNET: &str = "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c\
                        8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb\
                        5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a";

/// A beacon's public key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublicKey(pub(crate) G2Affine);

/// A beacon's signature of a round.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signature(pub(crate) G1Affine);

/// The secret of a beacon of one's own.
#[derive(Clone)]
pub struct SecretKey {
    scalar: Fr,
    /// The same. Dev chains sign thousands of rounds per second, and this library four times as fast.
    signer: min_sig::SecretKey,
}

impl PublicKey {
    /// Reads a compressed point of G2.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        point(bytes, PUBLIC_KEY_BYTES).map(Self).ok_or(Error::NoPoint("public key"))
    }

    /// The key of the quicknet beacon, with which the Bittensor SDKs hide weights.
    ///
    /// # Panics
    /// Never: the constant is a point.
    #[must_use]
    pub fn quicknet() -> Self {
        let bytes = hex::decode(QUICKNET).expect("the constant is hex");
        Self::from_bytes(&bytes).expect("the constant is a point")
    }

    /// The compressed point.
    #[must_use]
    pub fn to_bytes(self) -> [u8; PUBLIC_KEY_BYTES] {
        compressed(&self.0)
    }

    /// Whether a signature is this beacon's of a round.
    #[must_use]
    pub fn verifies(self, round: u64, signature: &Signature) -> bool {
        let (generator, key) = (G2Affine::generator(), self.0);
        Bls12_381::pairing(signature.0, generator) == Bls12_381::pairing(identity(round), key)
    }
}

impl Signature {
    /// Reads a compressed point of G1.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        point(bytes, SIGNATURE_BYTES).map(Self).ok_or(Error::NoPoint("signature"))
    }

    /// The compressed point.
    #[must_use]
    pub fn to_bytes(self) -> [u8; SIGNATURE_BYTES] {
        compressed(&self.0)
    }
}

impl SecretKey {
    /// The key of a seed.
    ///
    /// # Panics
    /// If the seed's hash is a multiple of the curve's order, which nobody will ever find.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let scalar = Fr::from_be_bytes_mod_order(&Sha256::digest(seed));
        let bytes = scalar.into_bigint().to_bytes_be();
        let signer = min_sig::SecretKey::from_bytes(&bytes).expect("the scalar is not zero");
        Self { scalar, signer }
    }

    /// Its public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey((G2Projective::generator() * self.scalar).into_affine())
    }

    /// Signs a round.
    ///
    /// # Panics
    /// Never: what was signed is a point.
    #[must_use]
    pub fn sign(&self, round: u64) -> Signature {
        let signed = self.signer.sign(&message(round), DOMAIN, &[]).serialize();
        let point = G1Affine::deserialize_uncompressed_unchecked(&signed[..]);
        Signature(point.expect("a signature is a point"))
    }
}

/// A round as a point: what its signature is a multiple of.
///
/// # Panics
/// Never: the domain is not empty, which is all that hashing asks.
pub(crate) fn identity(round: u64) -> G1Affine {
    type Hasher =
        MapToCurveBasedHasher<G1Projective, DefaultFieldHasher<Sha256, 128>, WBMap<g1::Config>>;
    let hasher = Hasher::new(DOMAIN).expect("the domain is not empty");
    hasher.hash(&message(round)).expect("every message has a point")
}

/// What is signed for a round.
fn message(round: u64) -> [u8; 32] {
    Sha256::digest(round.to_be_bytes()).into()
}

fn point<P: CanonicalDeserialize>(bytes: &[u8], length: usize) -> Option<P> {
    let exact = (bytes.len() == length).then_some(bytes)?;
    P::deserialize_compressed(exact).ok()
}

/// The bytes of a point.
pub(crate) fn compressed<const N: usize>(point: &impl CanonicalSerialize) -> [u8; N] {
    let mut bytes = [0; N];
    point.serialize_compressed(&mut bytes[..]).expect("a compressed point has this length");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_libraries_sign_alike() {
        for seed in 0..4 {
            let key = SecretKey::from_seed([seed; 32]);
            for round in [1, 1000, u64::MAX] {
                let signed = key.sign(round);
                assert_eq!(signed.0, (identity(round) * key.scalar).into_affine());
                assert!(key.public().verifies(round, &signed));
            }
        }
    }
}
