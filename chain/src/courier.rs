//! Carries signed extrinsics to the chain, and finds out what became of them.
//!
//! One task follows the finalized blocks while the [`Outbox`] holds something. It looks for the
//! extrinsics there rather than trust a node's word on them, so that a lost connection, a change of
//! endpoint or a forgetful pool loses none.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use sp_crypto_hashing::blake2_256;
use subxt::events::{Events, Phase};
use subxt::rpcs::rpc_params;
use subxt::{ArcMetadata, PolkadotConfig, error::DispatchError};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::client::{BlockStream, Client, rpc};
use crate::error::{ReadError, SubmitError};
use crate::link::Connection;
use crate::nonces::Nonces;
use crate::outbox::{Fate, Outbox, Signed};
use crate::{Hash, Hotkey, remedy};

/// Time for a node to take an extrinsic.
const TAKE: Duration = Duration::from_secs(20);
/// Attempts to read one block.
const ATTEMPTS: u32 = 20;
/// Codes of a node's answers.
const INVALID: i32 = 1010;
const ALREADY_IMPORTED: i32 = 1013;
const TOO_LOW_PRIORITY: i32 = 1014;

/// Where an extrinsic took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The finalized block.
    pub block: Hash,
    /// Its height.
    pub number: u32,
    /// The extrinsic.
    pub extrinsic: Hash,
}

/// How it ended.
pub(crate) enum Outcome {
    /// A finalized block has it: where, or why it failed there.
    Included(Result<Inclusion, SubmitError>),
    /// None has it, and none ever will.
    Lapsed,
}

/// What a node said to an extrinsic.
pub(crate) enum Answer {
    /// It is in the pool.
    Taken,
    /// Its nonce is used: by this very extrinsic, or by another.
    Used,
    /// The pool does not take it.
    Refused(SubmitError),
    /// Nothing: the connection failed.
    Lost(String),
}

/// The extrinsics under way of all accounts.
#[derive(Default)]
pub(crate) struct Courier {
    state: Mutex<State>,
    accounts: Mutex<HashMap<Hotkey, Arc<Account>>>,
}

/// One account.
#[derive(Default)]
pub(crate) struct Account {
    /// Held while an extrinsic is signed and sent: nonces must arrive in order.
    pub(crate) order: tokio::sync::Mutex<()>,
    nonces: Mutex<Nonces>,
}

#[derive(Default)]
struct State {
    outbox: Outbox,
    waiting: HashMap<Hash, oneshot::Sender<Outcome>>,
    is_running: bool,
}

impl Account {
    pub(crate) fn nonces(&self) -> MutexGuard<'_, Nonces> {
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Courier {
    pub(crate) fn account(&self, key: Hotkey) -> Arc<Account> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(accounts.entry(key).or_default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets an extrinsic that no node has taken.
    pub(crate) fn withdraw(&self, signed: &Signed) {
        let mut state = self.state();
        state.outbox.remove(&signed.hash);
        state.waiting.remove(&signed.hash);
    }

    fn settle(&self, signed: &Signed, outcome: Outcome) {
        let account = self.account(signed.account);
        match outcome {
            Outcome::Included(_) => account.nonces().used(signed.nonce),
            Outcome::Lapsed => account.nonces().give_back(signed.nonce),
        }
        if let Some(waiting) = self.state().waiting.remove(&signed.hash) {
            // Who waited may have given up.
            let _ = waiting.send(outcome);
        }
    }
}

impl Client {
    /// Watches for an extrinsic that is about to be sent, signed when `block` was the newest
    /// finalized one.
    pub(crate) fn watch(&self, signed: &Signed, block: u32) -> oneshot::Receiver<Outcome> {
        let (waiting, outcome) = oneshot::channel();
        let mut state = self.courier.state();
        state.outbox.add(signed.clone(), block);
        state.waiting.insert(signed.hash, waiting);
        if !state.is_running {
            state.is_running = true;
            tokio::spawn(follow(self.clone(), block.saturating_add(1)));
        }
        outcome
    }

    /// Sends an extrinsic over a connection.
    pub(crate) async fn push(&self, connection: &Connection, signed: &Signed) -> Answer {
        let params = rpc_params![format!("0x{}", hex::encode(&signed.bytes))];
        let sent = connection.rpc.request::<String>("author_submitExtrinsic", params);
        let user = match timeout(TAKE, sent).await {
            Ok(Ok(_)) => return Answer::Taken,
            Ok(Err(subxt::rpcs::Error::User(user))) => user,
            Ok(Err(error)) => return Answer::Lost(error.to_string()),
            Err(_) => return Answer::Lost("no answer in time".into()),
        };
        let data = user.data.as_ref().map(|data| data.get()).unwrap_or_default();
        match user.code {
            ALREADY_IMPORTED => Answer::Taken,
            TOO_LOW_PRIORITY => Answer::Used,
            INVALID if data.contains("outdated") => Answer::Used,
            code => {
                let (name, remedy) =
                    remedy::of_rejection(&format!("{} ({code}) {data}", user.message));
                Answer::Refused(SubmitError::Rejected { name, remedy })
            }
        }
    }

    /// Sends all of these again.
    async fn push_again(&self, all: &[Signed]) {
        let connection = self.link.current();
        for signed in all {
            match self.push(&connection, signed).await {
                Answer::Taken | Answer::Used => {}
                // It may be in a block already; if not, its era will pass.
                Answer::Refused(error) => tracing::debug!(%error, "not taken again"),
                Answer::Lost(reason) => {
                    tracing::debug!(reason, "not sent again");
                    return;
                }
            }
        }
    }
}

/// Follows finalized blocks from that one on until nothing is open.
async fn follow(client: Client, from: u32) {
    let mut blocks = BlockStream::new(client.clone(), from);
    let mut age = client.link.age();
    loop {
        let mut again = match Block::next(&client, &mut blocks).await {
            Ok(block) => {
                let decided = client.courier.state().outbox.block(block.number, &block.hashes);
                for (signed, fate) in decided {
                    let outcome = match fate {
                        Fate::Included(index) => {
                            Outcome::Included(block.outcome(&client, signed.hash, index).await)
                        }
                        Fate::Lapsed => Outcome::Lapsed,
                    };
                    client.courier.settle(&signed, outcome);
                }
                client.courier.state().outbox.due(block.number)
            }
            Err(error) => {
                tracing::warn!(%error, "extrinsics under way are given up");
                let mut state = client.courier.state();
                state.waiting.clear();
                state.is_running = false;
                let given_up = state.outbox.clear();
                drop(state);
                for signed in given_up {
                    client.courier.account(signed.account).nonces().used(signed.nonce);
                }
                return;
            }
        };
        {
            let mut state = client.courier.state();
            if state.outbox.is_empty() {
                state.is_running = false;
                return;
            }
            if client.link.age() != age {
                // Another node, or one that has restarted, knows nothing of them.
                age = client.link.age();
                again = state.outbox.all();
            }
        }
        client.push_again(&again).await;
    }
}

/// A finalized block as the courier needs it.
struct Block {
    number: u32,
    hash: Hash,
    /// Hash of each extrinsic.
    hashes: Vec<Hash>,
}

/// What happened in a block.
struct Record {
    events: Events<PolkadotConfig>,
    metadata: ArcMetadata,
}

/// A block as nodes answer with it.
#[derive(Deserialize)]
struct Answered {
    block: Body,
}

#[derive(Deserialize)]
struct Body {
    extrinsics: Vec<String>,
}

/// Reads over as many connections as it takes. What a node no longer has, others lack as well.
async fn insist<T, F: Future<Output = Result<T, ReadError>>>(
    client: &Client,
    read: impl Fn() -> F,
) -> Result<T, ReadError> {
    let mut attempt = 1;
    loop {
        let connection = client.link.current();
        match read().await {
            Err(error) if attempt < ATTEMPTS && !matches!(error, ReadError::Pruned { .. }) => {
                tracing::debug!(%error, "not read");
                attempt += 1;
                client.recover(&connection).await?;
            }
            done => return done,
        }
    }
}

impl Block {
    /// The next one.
    async fn next(client: &Client, blocks: &mut BlockStream) -> Result<Self, ReadError> {
        let (number, hash) = blocks.next().await?;
        insist(client, || Self::read(client, number, hash)).await
    }

    async fn read(client: &Client, number: u32, hash: Hash) -> Result<Self, ReadError> {
        const WHAT: &str = "a block's extrinsics";
        let params = rpc_params![format!("0x{}", hex::encode(hash))];
        let connection = client.link.current();
        let asked = connection.rpc.request::<Option<Answered>>("chain_getBlock", params);
        let none = || ReadError::form(WHAT, format_args!("no block {number}"));
        let Answered { block } = rpc(WHAT, asked).await?.ok_or_else(none)?;
        let hashed = |text: &String| {
            let bytes = hex::decode(text.trim_start_matches("0x"));
            bytes.map(|bytes| blake2_256(&bytes)).map_err(|error| ReadError::form(WHAT, error))
        };
        let hashes = block.extrinsics.iter().map(hashed).collect::<Result<_, _>>()?;
        Ok(Self { number, hash, hashes })
    }

    /// What came of the extrinsic at a place.
    async fn outcome(
        &self,
        client: &Client,
        extrinsic: Hash,
        index: usize,
    ) -> Result<Inclusion, SubmitError> {
        let unseen = |error: String| {
            tracing::debug!(error, number = self.number, "events not read");
            SubmitError::Unseen { block: self.number }
        };
        let record = insist(client, || Record::read(client, self.hash)).await;
        let record = record.map_err(|error| unseen(error.to_string()))?;
        record.check(index, unseen)?;
        Ok(Inclusion { block: self.hash, number: self.number, extrinsic })
    }
}

impl Record {
    async fn read(client: &Client, hash: Hash) -> Result<Self, ReadError> {
        let at = client.at(hash).await?;
        let events = rpc("a block's events", at.events().fetch()).await?;
        Ok(Self { events, metadata: at.metadata() })
    }

    /// Passes an extrinsic that succeeded.
    fn check(
        &self,
        index: usize,
        unseen: impl Fn(String) -> SubmitError,
    ) -> Result<(), SubmitError> {
        for event in self.events.iter() {
            let event = event.map_err(|error| unseen(error.to_string()))?;
            let is_its = matches!(event.phase(), Phase::ApplyExtrinsic(at) if at as usize == index);
            let error = match (event.pallet_name(), event.event_name(), event.field_bytes()) {
                _ if !is_its => continue,
                ("System", "ExtrinsicFailed", error) => error,
                // `sudo` succeeds whatever becomes of the call in it: a `Result<(), _>` says.
                ("Sudo", "Sudid", [1, error @ ..]) => error,
                _ => continue,
            };
            return Err(failed(DispatchError::decode_from(error, self.metadata.clone())));
        }
        Ok(())
    }
}

fn failed<E: std::fmt::Display>(error: Result<DispatchError, E>) -> SubmitError {
    let name = match error {
        Ok(DispatchError::Module(module)) => {
            module.details().map(|details| details.variant.name.clone()).unwrap_or_default()
        }
        Ok(DispatchError::Token(error)) => format!("{error:?}"),
        Ok(DispatchError::Arithmetic(error)) => format!("{error:?}"),
        Ok(other) => format!("{other:?}"),
        Err(unknown) => unknown.to_string(),
    };
    let remedy = remedy::of_name(&name);
    SubmitError::Failed { name, remedy }
}
