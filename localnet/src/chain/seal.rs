//! Making a block out of the pool's ready extrinsics.

use super::{Chain, Overlay, RuntimePanic, StoredBlock, Unsaved, decode};
use crate::runtime::{BlockNumber, Executive, Hash, Header, RuntimeCall, UncheckedExtrinsic};
use crate::{pallets::mev_shield, shield::Shield};
use codec::Encode;
use sp_runtime::{
    DispatchError,
    traits::{BlakeTwo256, Hash as _, Header as _},
    transaction_validity::{InvalidTransaction, TransactionValidityError},
};
use std::sync::Arc;

/// Extrinsics that may turn out too heavy for what is left of a block before it is closed.
const MAX_SKIPPED: usize = 8;

/// One extrinsic in a block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Included {
    /// Its hash.
    pub hash: Hash,
    /// Its place in the block.
    pub index: u32,
    /// What its call came to. Fees are paid in either case.
    pub result: Result<(), DispatchError>,
}

/// What sealing a block did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SealedBlock {
    /// Height of the block.
    pub number: BlockNumber,
    /// Hash of the block.
    pub hash: Hash,
    /// The extrinsics out of the pool, in their order.
    pub extrinsics: Vec<Included>,
    /// Extrinsics that left the pool without a block, and why.
    pub dropped: Vec<(Hash, String)>,
    /// Extrinsics that were future and are ready now.
    pub promoted: Vec<Hash>,
}

/// Why no block was sealed. The chain and the pool are as before.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The runtime panicked outside of the pool's extrinsics.
    #[error(transparent)]
    Panicked(#[from] RuntimePanic),
    /// The runtime refused the block's time.
    #[error("the runtime refused the timestamp: {0}")]
    Timestamp(String),
    /// The runtime refused a change asked for through the dev interface.
    #[error("the runtime refused the change: {0:?}")]
    Refused(DispatchError),
    /// The state cannot be stored.
    #[error("cannot store the state: {0}")]
    Store(String),
}

/// What the pool's extrinsics came to in one block.
#[derive(Default)]
struct Outcome {
    included: Vec<Included>,
    bodies: Vec<Vec<u8>>,
    invalid: Vec<(Hash, String)>,
    panicked: Vec<(Hash, String)>,
}

impl Outcome {
    fn include(&mut self, hash: Hash, bytes: Vec<u8>, result: Result<(), DispatchError>) {
        // The timestamp inherent is first.
        let index = u32::try_from(self.included.len() + 1).unwrap_or(u32::MAX);
        self.included.push(Included { hash, index, result });
        self.bodies.push(bytes);
    }
}

impl Chain {
    /// Seals one block with what the pool holds ready.
    ///
    /// # Errors
    /// If the runtime cannot make a block.
    pub fn seal(&mut self) -> Result<SealedBlock, SealError> {
        self.seal_with(|| Ok(()))
    }

    /// Seals one block in which `change` runs as part of the runtime, after the inherents and
    /// before the extrinsics. This is how the dev interface writes to the state: no extrinsic
    /// stands for the change, but the header's root counts it.
    ///
    /// # Errors
    /// If `change` fails or the runtime cannot make a block.
    pub fn seal_with(
        &mut self,
        change: impl FnOnce() -> Result<(), DispatchError>,
    ) -> Result<SealedBlock, SealError> {
        let parent = self.head().clone();
        let number = parent.header.number + 1;
        let mut overlay = Overlay::new(self.states.view(parent.header.state_root));
        let draft =
            Header::new(number, Hash::zero(), Hash::zero(), parent.hash, Default::default());
        overlay.run(|| Executive::initialize_block(&draft))?;
        let inherent = timestamp(self.timestamp_ms(number));
        let inherent_bytes = inherent.encode();
        match overlay.run(|| Executive::apply_extrinsic(inherent))? {
            Ok(Ok(())) => {}
            refused => return Err(SealError::Timestamp(format!("{refused:?}"))),
        }
        overlay.run_if(change, Result::is_ok)?.map_err(SealError::Refused)?;
        let outcome = apply(&mut overlay, &self.pool.ready(), &self.shield);
        let header = overlay.run(Executive::finalize_block)?;

        let changes = overlay.into_changes();
        let (root, changes) = self.states.commit(changes).map_err(SealError::Store)?;
        assert_eq!(root, header.state_root, "block {number} and its state have one root");
        let hash = header.hash();
        let mut extrinsics = vec![inherent_bytes];
        extrinsics.extend(outcome.bodies);
        self.history.push(StoredBlock { header, hash, extrinsics });
        let block = self.head().clone();
        if let Some(unsaved) = &mut self.unsaved {
            unsaved.push(Unsaved { block, changes });
        }
        for included in &outcome.included {
            self.pool.include(&included.hash);
        }
        for (hash, _) in &outcome.invalid {
            self.pool.discard(hash);
        }
        for (hash, _) in &outcome.panicked {
            self.pool.ban(*hash);
        }
        let (expired, promoted) = self.pool.advance(number);
        let mut dropped = outcome.invalid;
        dropped.extend(outcome.panicked);
        dropped.extend(expired.into_iter().map(|hash| (hash, "its era is over".to_owned())));
        Ok(SealedBlock { number, hash, extrinsics: outcome.included, dropped, promoted })
    }
}

/// The inherent extrinsic that sets the block's time.
fn timestamp(now: u64) -> UncheckedExtrinsic {
    UncheckedExtrinsic::new_bare(RuntimeCall::Timestamp(pallet_timestamp::Call::set { now }))
}

/// Applies the pool's extrinsics until the block is full.
fn apply(overlay: &mut Overlay<'_>, ready: &[(Hash, Arc<[u8]>)], shield: &Shield) -> Outcome {
    let mut outcome = Outcome::default();
    let mut skipped = 0;
    for (hash, bytes) in ready {
        let extrinsic = match decode(bytes) {
            Ok(extrinsic) => extrinsic,
            Err(error) => {
                outcome.invalid.push((*hash, error.to_string()));
                continue;
            }
        };
        let hidden = hidden_in(&extrinsic, shield);
        match overlay.run_if(|| Executive::apply_extrinsic(extrinsic), Result::is_ok) {
            Ok(Ok(result)) => {
                outcome.include(*hash, bytes.to_vec(), result);
                if let Some(bytes) = hidden {
                    follow(overlay, &mut outcome, bytes);
                }
            }
            Ok(Err(TransactionValidityError::Invalid(InvalidTransaction::ExhaustsResources))) => {
                skipped += 1;
                if skipped == MAX_SKIPPED {
                    break;
                }
            }
            // Left for a later block, together with what it requires.
            Ok(Err(TransactionValidityError::Invalid(InvalidTransaction::Future))) => {}
            Ok(Err(error)) => {
                tracing::debug!(?hash, ?error, "extrinsic turned out invalid");
                outcome.invalid.push((*hash, <&'static str>::from(error).to_owned()));
            }
            Err(panic) => {
                tracing::warn!(
                    ?hash,
                    message = panic.message,
                    "the runtime panicked over an extrinsic"
                );
                outcome.panicked.push((*hash, panic.to_string()));
            }
        }
    }
    outcome
}

/// The extrinsic that one carries hidden, if it opens.
fn hidden_in(carrier: &UncheckedExtrinsic, shield: &Shield) -> Option<Vec<u8>> {
    match &carrier.function {
        RuntimeCall::MevShield(mev_shield::Call::submit_encrypted { ciphertext }) => {
            shield.open(ciphertext)
        }
        _ => None,
    }
}

/// Applies what a carrier hid. What is invalid is left out, as if it had never been sent.
fn follow(overlay: &mut Overlay<'_>, outcome: &mut Outcome, bytes: Vec<u8>) {
    let hash = BlakeTwo256::hash(&bytes);
    let Ok(extrinsic) = decode(&bytes) else {
        tracing::debug!(?hash, "a hidden extrinsic does not decode");
        return;
    };
    match overlay.run_if(|| Executive::apply_extrinsic(extrinsic), Result::is_ok) {
        Ok(Ok(result)) => outcome.include(hash, bytes, result),
        refused => tracing::debug!(?hash, ?refused, "a hidden extrinsic is invalid"),
    }
}
