//! Building signed extrinsics of the runtime, for tests and simulations. Clients of a real chain
//! read the layout from its metadata instead.

use crate::{
    chain::Chain,
    runtime::{
        Address, CheckNonce, Hash, Nonce, Runtime, RuntimeCall, Signature, SignedPayload,
        TxExtension, UncheckedExtrinsic, VERSION,
    },
};
use codec::Encode;
use rand_core::{CryptoRng, RngCore};
use schnorrkel::{context::attach_rng, signing_context};
use sp_core::{Pair, sr25519};
use sp_runtime::generic::Era;

/// What substrate mixes into each sr25519 signature.
const SIGNING_CONTEXT: &[u8] = b"substrate";

/// The signed extrinsic of `call` for a chain, without tip and without end of validity.
///
/// The bytes depend on the arguments alone: the signature takes no randomness, so that equal runs
/// make equal blocks.
pub fn signed(pair: &sr25519::Pair, call: RuntimeCall, nonce: Nonce, chain: &Chain) -> Vec<u8> {
    signed_for(pair, call, nonce, chain.genesis_hash())
}

/// As [`signed`], for a chain of which only the hash of block 0 is at hand.
pub fn signed_for(pair: &sr25519::Pair, call: RuntimeCall, nonce: Nonce, genesis: Hash) -> Vec<u8> {
    let extension = extension(nonce);
    let implicit = (
        ((), VERSION.spec_version, VERSION.transaction_version, genesis, genesis, (), (), ()),
        ((), (), (), (), None),
    );
    let payload = SignedPayload::from_raw(call, extension, implicit);
    let signature = payload.using_encoded(|bytes| sign(pair, bytes));
    let (call, extension, _) = payload.deconstruct();
    let signer = Address::Id(pair.public().0.into());
    UncheckedExtrinsic::new_signed(call, signer, Signature::Sr25519(signature), extension).encode()
}

/// What a signed extrinsic carries besides its call.
fn extension(nonce: Nonce) -> TxExtension {
    (
        (
            frame_system::CheckNonZeroSender::<Runtime>::new(),
            frame_system::CheckSpecVersion::<Runtime>::new(),
            frame_system::CheckTxVersion::<Runtime>::new(),
            frame_system::CheckGenesis::<Runtime>::new(),
            frame_system::CheckMortality::<Runtime>::from(Era::Immortal),
            CheckNonce(nonce),
            frame_system::CheckWeight::<Runtime>::new(),
            pallet_transaction_payment::ChargeTransactionPayment::<Runtime>::from(0),
        ),
        (
            Default::default(),
            Default::default(),
            Default::default(),
            Default::default(),
            frame_metadata_hash_extension::CheckMetadataHash::<Runtime>::new(false),
        ),
    )
}

/// Signs as substrate does, with a witness drawn from key and message alone.
///
/// # Panics
/// Never: a pair's bytes are a secret key.
pub fn sign(pair: &sr25519::Pair, message: &[u8]) -> sr25519::Signature {
    let secret = schnorrkel::SecretKey::from_bytes(&pair.to_raw_vec())
        .expect("a key pair's bytes are a secret key");
    let transcript = attach_rng(signing_context(SIGNING_CONTEXT).bytes(message), NoEntropy);
    let signature = secret.to_keypair().sign(transcript);
    sr25519::Signature::from_raw(signature.to_bytes())
}

/// Adds nothing to the witness, which is drawn from the secret nonce and the message besides.
struct NoEntropy;

impl RngCore for NoEntropy {
    fn next_u32(&mut self) -> u32 {
        0
    }

    fn next_u64(&mut self) -> u64 {
        0
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for NoEntropy {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts;

    #[test]
    fn signs_alike_each_time_and_so_that_others_can_check() {
        let pair = accounts::pair("//Alice");
        let signature = sign(&pair, b"message");
        assert_eq!(signature, sign(&pair, b"message"));
        assert_ne!(signature, sign(&pair, b"massage"));
        assert!(sr25519::Pair::verify(&signature, b"message", &pair.public()));
    }
}
