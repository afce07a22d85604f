//! The chain itself: state, blocks and waiting extrinsics, in one struct without threads, sockets
//! or clocks.
//!
//! The runtime's native code runs on real tries, so headers carry real roots. A sealed block is
//! final. Time is virtual and randomness comes from the seed: equal settings and equal calls of
//! [`Chain::submit`] and [`Chain::seal`] give equal blocks, hash by hash.
//!
//! States are readable for [`STATES_KEPT`] blocks, headers and bodies for [`BLOCKS_KEPT`].

use crate::{
    accounts::{self, DEV_ACCOUNTS, SUDO},
    config::Config,
    error::Error,
    runtime::{
        AccountId, Balance, Balances, BlockNumber, Executive, Genesis, Hash, Header, Nonce,
        RuntimeEvent, System, UncheckedExtrinsic, dispatch,
    },
    shield::Shield,
};
use codec::{Decode, DecodeLimit, Encode};
use frame_support::traits::fungible::Mutate;
use sp_runtime::{
    traits::{BlakeTwo256, Hash as _, Header as _},
    transaction_validity::{TransactionSource, TransactionValidityError},
};
use sp_state_machine::{Backend, IterArgs};
use std::sync::Arc;

mod execute;
mod history;
mod pool;
mod powers;
mod saved;
mod seal;
mod state;

pub use execute::RuntimePanic;
pub use history::{BLOCKS_KEPT, StoredBlock};
pub use pool::{Admission, MAX_BYTES, MAX_EXTRINSICS, PoolError, invalid_text};
pub(crate) use powers::Snapshots;
pub use powers::{Change, MAX_CHANGES, MAX_SNAPSHOTS};
pub(crate) use saved::{Saved, Unsaved};
pub use seal::{Included, SealError, SealedBlock};
pub use state::STATES_KEPT;

use execute::Overlay;
use history::History;
use pool::Pool;
use state::{States, View};

/// Nesting of calls in one extrinsic, at most.
const MAX_EXTRINSIC_DEPTH: u32 = 128;
/// What one event record of a block looks like.
pub type EventRecord = frame_system::EventRecord<RuntimeEvent, Hash>;

/// Why a state cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// No such block, or forgotten.
    #[error("UnknownBlock: Header was not found in the database: {0:?}")]
    UnknownBlock(Hash),
    /// The block is known, its state is beyond the window.
    #[error("UnknownBlock: State already discarded for {0:?}")]
    Discarded(Hash),
}

/// Why a runtime function gives no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The runtime has no function of this name.
    #[error("the runtime exports no {0}")]
    UnknownMethod(String),
    /// The runtime panicked, most often because the arguments do not decode.
    #[error(transparent)]
    Panicked(#[from] RuntimePanic),
}

/// A dev chain. A clone goes its own way.
#[derive(Clone)]
pub struct Chain {
    states: States,
    history: History,
    pool: Pool,
    shield: Arc<Shield>,
    base_time_ms: u64,
    block_time_ms: u64,
    /// What is not on disk yet, where that is wanted.
    unsaved: Option<Vec<Unsaved>>,
}

impl Chain {
    /// Builds block 0.
    ///
    /// # Errors
    /// If the settings make no chain.
    pub fn new(config: &Config) -> Result<Self, Error> {
        if config.block_time_ms == 0 {
            return Err(Error::ZeroBlockTime);
        }
        let mut balances: Vec<(AccountId, Balance)> =
            DEV_ACCOUNTS.iter().map(|(uri, rao)| (accounts::account(uri), *rao)).collect();
        balances.extend(config.funded.iter().map(|(key, rao)| (AccountId::from(*key), *rao)));
        let shield = Shield::new(config.seed);
        let genesis = Genesis {
            shield_key: shield.public().to_vec(),
            balances,
            sudo: accounts::account(SUDO),
            block_time_ms: config.block_time_ms,
            base_time_ms: config.base_time_ms,
            drand_seed: (!config.quicknet)
                .then(|| ("drand", config.seed).using_encoded(BlakeTwo256::hash).0),
        };
        let (states, state_root) = States::new(genesis.build().map_err(Error::Genesis)?);
        let header = Header::new(
            0,
            state::extrinsics_root(Vec::new()),
            state_root,
            Hash::zero(),
            Default::default(),
        );
        Ok(Self {
            states,
            history: History::new(header),
            pool: Pool::default(),
            shield: Arc::new(shield),
            base_time_ms: config.base_time_ms,
            block_time_ms: config.block_time_ms,
            unsaved: None,
        })
    }

    /// The newest block, which is final.
    pub fn head(&self) -> &Arc<StoredBlock> {
        self.history.head()
    }

    /// Height of the newest block.
    pub fn number(&self) -> BlockNumber {
        self.head().header.number
    }

    /// Hash of block 0.
    pub fn genesis_hash(&self) -> Hash {
        self.history.genesis().hash
    }

    /// The block with this hash, if kept.
    pub fn block(&self, hash: &Hash) -> Option<&Arc<StoredBlock>> {
        self.history.find(hash)
    }

    /// The block of this height, if kept.
    pub fn block_at(&self, number: BlockNumber) -> Option<&Arc<StoredBlock>> {
        self.history.at(number)
    }

    /// Unix time of a block, in milliseconds.
    pub fn timestamp_ms(&self, number: BlockNumber) -> u64 {
        let since = u64::from(number).saturating_mul(self.block_time_ms);
        self.base_time_ms.saturating_add(since)
    }

    /// Puts a signed extrinsic (its bytes with their length prefix) into the pool. Returns its
    /// hash.
    ///
    /// # Errors
    /// If the runtime or the pool refuses it.
    pub fn submit(&mut self, bytes: Vec<u8>) -> Result<Hash, PoolError> {
        self.admit(bytes).map(|(hash, _)| hash)
    }

    /// As [`Self::submit`], and says what else it did to the pool.
    ///
    /// # Errors
    /// If the runtime or the pool refuses it.
    pub fn admit(&mut self, bytes: Vec<u8>) -> Result<(Hash, Admission), PoolError> {
        let hash = BlakeTwo256::hash(&bytes);
        self.pool.check_new(&hash)?;
        let extrinsic = decode(&bytes).map_err(|error| PoolError::Malformed(error.to_string()))?;
        let head = self.head().hash;
        let number = self.number();
        let mut overlay = Overlay::new(self.view(None).expect("the newest state is kept"));
        let validity = overlay.run(|| {
            Executive::validate_transaction(TransactionSource::External, extrinsic, head)
        })?;
        drop(overlay);
        let validity = validity.map_err(|error| match error {
            TransactionValidityError::Invalid(invalid) => PoolError::Invalid(invalid),
            TransactionValidityError::Unknown(unknown) => PoolError::Unknown(unknown),
        })?;
        let admission = self.pool.insert(hash, bytes, validity, number)?;
        Ok((hash, admission))
    }

    /// The waiting extrinsics, those first that the next block would take.
    pub fn pending(&self) -> Vec<Arc<[u8]>> {
        self.pool.pending()
    }

    /// Whether the next block would take an extrinsic.
    pub fn has_ready(&self) -> bool {
        self.pool.has_ready()
    }

    /// The nonce for the next extrinsic of `account`, counting those that wait.
    ///
    /// # Errors
    /// If the runtime panics.
    pub fn next_nonce(&self, account: &AccountId) -> Result<Nonce, RuntimePanic> {
        let mut nonce = self.read(|| System::account_nonce(account))?;
        while self.pool.provides(&(account, nonce).encode()) {
            nonce += 1;
        }
        Ok(nonce)
    }

    /// The value under `key` at a block (none: the newest).
    ///
    /// # Errors
    /// If that block's state is not kept.
    pub fn storage(&self, key: &[u8], at: Option<Hash>) -> Result<Option<Vec<u8>>, StateError> {
        Ok(state::read(&self.view(at)?, key))
    }

    /// Up to `count` keys that start with `prefix`, in order, after `start`.
    ///
    /// # Errors
    /// If that block's state is not kept.
    pub fn keys_paged(
        &self,
        prefix: &[u8],
        count: usize,
        start: Option<&[u8]>,
        at: Option<Hash>,
    ) -> Result<Vec<Vec<u8>>, StateError> {
        let view = self.view(at)?;
        let mut args = IterArgs::default();
        args.prefix = Some(prefix);
        args.start_at = start;
        args.start_at_exclusive = true;
        let keys = view.keys(args).expect("a kept state is whole");
        Ok(keys.take(count).map(|key| key.expect("a kept state is whole")).collect())
    }

    /// Calls a runtime API function by its full name (`Core_version`) with encoded arguments.
    /// What it writes is dropped. Returns the encoded result.
    ///
    /// # Errors
    /// If the state is not kept, there is no such function, or it panics.
    pub fn call(&self, method: &str, args: &[u8], at: Option<Hash>) -> Result<Vec<u8>, CallError> {
        self.read_at(at, || dispatch(method, args))?
            .ok_or_else(|| CallError::UnknownMethod(method.to_owned()))
    }

    /// The runtime's metadata, version 14.
    ///
    /// # Errors
    /// If the runtime panics.
    pub fn metadata(&self) -> Result<Vec<u8>, CallError> {
        let encoded = self.call("Metadata_metadata", &[], None)?;
        Ok(Vec::<u8>::decode(&mut encoded.as_slice()).expect("metadata is opaque bytes"))
    }

    /// The events of a block (none: the newest).
    ///
    /// # Errors
    /// If the state is not kept.
    pub fn events(&self, at: Option<Hash>) -> Result<Vec<EventRecord>, CallError> {
        self.read_at(at, || System::read_events_no_consensus().map(|event| *event).collect())
    }

    /// Runs `code` on the newest state, as if it were part of the runtime. What it writes is
    /// dropped.
    ///
    /// # Errors
    /// If `code` panics.
    pub fn read<R>(&self, code: impl FnOnce() -> R) -> Result<R, RuntimePanic> {
        Overlay::new(self.view(None).expect("the newest state is kept")).run(code)
    }

    /// As [`Self::read`], on the state of a given block (none: the newest).
    ///
    /// # Errors
    /// If the state is not kept, or `code` panics.
    pub fn read_at<R>(&self, at: Option<Hash>, code: impl FnOnce() -> R) -> Result<R, CallError> {
        Ok(Overlay::new(self.view(at)?).run(code)?)
    }

    /// Seals a block in which `account` gets `rao` out of nothing.
    ///
    /// # Errors
    /// If the runtime refuses the amount, or no block can be sealed.
    pub fn fund(&mut self, account: &AccountId, rao: Balance) -> Result<SealedBlock, SealError> {
        self.seal_with(|| Balances::mint_into(account, rao).map(drop))
    }

    /// The state of a block (none: the newest).
    fn view(&self, at: Option<Hash>) -> Result<View<'_>, StateError> {
        let block = match at {
            None => self.head(),
            Some(hash) => self.block(&hash).ok_or(StateError::UnknownBlock(hash))?,
        };
        let root = block.header.state_root;
        if !self.states.has(&root) {
            return Err(StateError::Discarded(block.hash));
        }
        Ok(self.states.view(root))
    }
}

/// Reads an extrinsic from its bytes, length prefix included.
fn decode(bytes: &[u8]) -> Result<UncheckedExtrinsic, codec::Error> {
    UncheckedExtrinsic::decode_all_with_depth_limit(MAX_EXTRINSIC_DEPTH, &mut &bytes[..])
}
