//! The thread that owns the chain, and the mailbox through which everyone else reaches it.
//!
//! Requests are closures that run one after another on the thread, so each sees a whole block and
//! none waits for a lock. The mailbox holds [`MAILBOX`] requests; senders beyond that wait. News of
//! blocks goes out as the newest head alone: who follows the chain keeps a cursor and asks for the
//! blocks between, so that a slow follower costs nothing and misses nothing that is still kept.

use crate::{
    chain::{Chain, PoolError, SealError, SealedBlock, Snapshots},
    producer::Sealing,
    runtime::{AccountId, Balance, BlockNumber, Hash},
    store::Store,
};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    thread::{self, JoinHandle},
};
use tokio::sync::{mpsc, oneshot, watch};

mod watchers;

pub use watchers::Status;
use watchers::Watchers;

/// Requests that wait for the thread, at most.
const MAILBOX: usize = 1_024;
/// Blocks that one extrinsic may cause with instant sealing: it can make others ready.
const MAX_INSTANT_BLOCKS: usize = 64;

/// The newest block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// Its height.
    pub number: BlockNumber,
    /// Its hash.
    pub hash: Hash,
}

/// The newest block, and the newest final one: the same unless finality is held.
#[derive(Clone)]
pub(crate) struct Heads {
    pub(crate) newest: watch::Receiver<Head>,
    pub(crate) finalized: watch::Receiver<Head>,
}

/// The chain's thread has ended, or a request failed on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the chain has stopped")]
pub struct Stopped;

/// One request.
type Job = Box<dyn FnOnce(&mut Engine) + Send>;

/// Sends requests to the chain's thread, which ends with the last mailbox.
#[derive(Clone)]
pub(crate) struct Mailbox {
    jobs: mpsc::Sender<Job>,
}

impl Mailbox {
    /// Runs `job` on the chain's thread and waits for what it returns.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Engine) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |engine| {
            // The asker may have gone.
            let _ = reply.send(job(engine));
        });
        self.jobs.send(job).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

/// The chain with what surrounds it on its thread.
pub(crate) struct Engine {
    chain: Chain,
    store: Option<Store>,
    sealing: watch::Sender<Sealing>,
    head: watch::Sender<Head>,
    finalized: watch::Sender<Head>,
    holds_finality: bool,
    watchers: Watchers,
    snapshots: Snapshots,
    is_running: bool,
}

/// A started service.
pub(crate) struct Service {
    /// The way in.
    pub(crate) mailbox: Mailbox,
    /// The newest blocks.
    pub(crate) heads: Heads,
    /// When blocks are sealed.
    pub(crate) sealing: watch::Receiver<Sealing>,
    /// The chain's thread.
    pub(crate) thread: JoinHandle<()>,
}

/// Moves the chain to a thread of its own.
pub(crate) fn start(chain: Chain, store: Option<Store>, sealing: Sealing) -> io::Result<Service> {
    let (jobs, mut inbox) = mpsc::channel::<Job>(MAILBOX);
    let (sealing, sealing_changes) = watch::channel(sealing);
    let (head, newest) = watch::channel(head_of(&chain));
    let (finalized, finals) = watch::channel(head_of(&chain));
    let mut engine = Engine {
        chain,
        store,
        sealing,
        head,
        finalized,
        holds_finality: false,
        watchers: Watchers::default(),
        snapshots: Snapshots::default(),
        is_running: true,
    };
    let thread = thread::Builder::new().name("localnet-chain".to_owned()).spawn(move || {
        while engine.is_running
            && let Some(job) = inbox.blocking_recv()
        {
            // The runtime's panics are caught closer to it; this keeps a bug of the node from
            // taking the chain along.
            if catch_unwind(AssertUnwindSafe(|| job(&mut engine))).is_err() {
                tracing::error!("a request panicked");
            }
        }
    })?;
    let mailbox = Mailbox { jobs };
    let heads = Heads { newest, finalized: finals };
    Ok(Service { mailbox, heads, sealing: sealing_changes, thread })
}

impl Engine {
    /// The chain, to read from.
    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Puts an extrinsic into the pool; seals a block if sealing is instant.
    pub(crate) fn submit(&mut self, bytes: Vec<u8>) -> Result<Hash, PoolError> {
        let (hash, admission) = self.chain.admit(bytes)?;
        self.watchers.admitted(hash, &admission);
        self.seal_if_instant();
        Ok(hash)
    }

    /// As [`Self::submit`], and reports what becomes of the extrinsic.
    pub(crate) fn submit_and_watch(
        &mut self,
        bytes: Vec<u8>,
    ) -> Result<mpsc::Receiver<Status>, PoolError> {
        let (hash, admission) = self.chain.admit(bytes)?;
        let statuses = self.watchers.watch(hash);
        self.watchers.admitted(hash, &admission);
        self.seal_if_instant();
        Ok(statuses)
    }

    /// Seals one block.
    pub(crate) fn seal(&mut self) -> Result<SealedBlock, SealError> {
        let block = self.chain.seal()?;
        self.publish(block)
    }

    /// Seals blocks, which are saved and announced together.
    pub(crate) fn seal_many(&mut self, count: u32) -> Result<(), SealError> {
        let mut failed = Ok(());
        let mut sealed = Vec::new();
        for _ in 0..count {
            match self.chain.seal() {
                Ok(block) => sealed.push(block),
                Err(error) => {
                    failed = Err(error);
                    break;
                }
            }
        }
        self.save()?;
        sealed.iter().for_each(|block| self.announce(block));
        failed
    }

    /// Seals one block in which `account` gets `rao` out of nothing.
    pub(crate) fn fund(
        &mut self,
        account: &AccountId,
        rao: Balance,
    ) -> Result<SealedBlock, SealError> {
        let block = self.chain.fund(account, rao)?;
        self.publish(block)
    }

    /// Seals one block that writes a value (none: removes it).
    pub(crate) fn set_storage(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<SealedBlock, SealError> {
        let block = self.chain.set_storage(key, value)?;
        self.publish(block)
    }

    /// Seals one block with a pulse of the public beacon.
    pub(crate) fn pulse(&mut self, round: u64, signature: &[u8]) -> Result<SealedBlock, SealError> {
        let block = self.chain.pulse(round, signature)?;
        self.publish(block)
    }

    /// Keeps the chain as it is; the snapshot's number.
    pub(crate) fn snapshot(&mut self) -> u32 {
        self.snapshots.take(&self.chain)
    }

    /// Makes the chain what it was; false without such a snapshot. Who watches an extrinsic of
    /// what is undone hears no more of it.
    pub(crate) fn revert(&mut self, snapshot: u32) -> bool {
        let Some(chain) = self.snapshots.revert(snapshot) else { return false };
        self.chain = chain;
        let replaced = self.store.as_mut().map_or(Ok(()), |store| store.replace(&self.chain));
        if let Err(error) = replaced {
            self.unsaveable(&error);
            return false;
        }
        self.watchers = Watchers::default();
        let head = head_of(&self.chain);
        self.head.send_replace(head);
        // A block that was not final does not become so by going back to it.
        if !self.holds_finality || head.number < self.finalized.borrow().number {
            self.finalized.send_replace(head);
        }
        true
    }

    /// Whether new blocks wait to be final. What waited is final with the end of it.
    pub(crate) fn hold_finality(&mut self, hold: bool) {
        self.holds_finality = hold;
        if !hold {
            self.finalized.send_replace(head_of(&self.chain));
            self.watchers.finalize();
        }
    }

    /// Changes when blocks are sealed.
    pub(crate) fn set_sealing(&mut self, sealing: Sealing) {
        self.sealing.send_replace(sealing);
        self.seal_if_instant();
    }

    /// Lets the thread end after this request.
    pub(crate) fn stop(&mut self) {
        self.is_running = false;
    }

    /// Seals what is ready, if that is how blocks are sealed.
    fn seal_if_instant(&mut self) {
        for _ in 0..MAX_INSTANT_BLOCKS {
            if *self.sealing.borrow() != Sealing::Instant || !self.chain.has_ready() {
                return;
            }
            match self.seal() {
                Ok(block) if block.extrinsics.is_empty() && block.dropped.is_empty() => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "no block sealed");
                    return;
                }
            }
        }
    }

    /// Saves a block, and then tells of it.
    fn publish(&mut self, block: SealedBlock) -> Result<SealedBlock, SealError> {
        self.save()?;
        self.announce(&block);
        Ok(block)
    }

    /// Writes what is new to disk, where that is wanted. A chain that cannot be saved ends, rather
    /// than go on with blocks that a restart would forget.
    fn save(&mut self) -> Result<(), SealError> {
        let unsaved = self.chain.take_unsaved();
        let saved = self.store.as_mut().map_or(Ok(()), |store| store.append(&unsaved));
        saved.map_err(|error| self.unsaveable(&error))
    }

    fn unsaveable(&mut self, error: &redb::Error) -> SealError {
        tracing::error!(%error, "the chain cannot be saved, and ends");
        self.is_running = false;
        SealError::Store(error.to_string())
    }

    /// Tells followers and watchers about a new block.
    fn announce(&mut self, block: &SealedBlock) {
        self.head.send_replace(head_of(&self.chain));
        self.watchers.sealed(block);
        if !self.holds_finality {
            self.finalized.send_replace(head_of(&self.chain));
            self.watchers.finalize();
        }
    }
}

/// The newest block of a chain.
fn head_of(chain: &Chain) -> Head {
    Head { number: chain.number(), hash: chain.head().hash }
}
