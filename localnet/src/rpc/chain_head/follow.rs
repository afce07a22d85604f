//! What a follower is told.

use super::super::{error::Answer, subscription::send};
use crate::{
    api::Api,
    runtime::{BlockNumber, Hash, VERSION},
    service::Head,
};
use jsonrpsee::{
    PendingSubscriptionSink, SubscriptionSink,
    types::{ErrorObjectOwned, SubscriptionId},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
use tokio::sync::{mpsc, watch};

/// Blocks that a follower may hold on to; one that does not let go of them is dropped.
const MAX_PINNED: usize = 512;
/// Operations of a follower at one time.
const MAX_OPERATIONS: usize = 16;
/// Answers that wait to be told.
const UNREAD: usize = 16;
/// Blocks that are read at once.
const BLOCKS: BlockNumber = 64;
/// The block is not one that the follower holds on to.
const INVALID_BLOCK: i32 = -32801;
/// A block is named twice.
const DUPLICATE: i32 = -32804;

/// All followers, by what they are called in requests.
#[derive(Clone, Default)]
pub(super) struct Follows(Arc<Mutex<HashMap<String, Follower>>>);

struct Follower {
    pinned: HashSet<Hash>,
    answers: mpsc::Sender<Value>,
    /// The operations that may be running: those that are over have dropped theirs.
    running: Vec<Weak<Operating>>,
    operations: u64,
}

/// An operation that runs.
struct Operating {
    id: String,
    stopped: watch::Sender<bool>,
}

/// An operation that may tell its answers.
pub(super) struct Begun {
    operating: Arc<Operating>,
    answers: mpsc::Sender<Value>,
}

impl Begun {
    pub(super) fn id(&self) -> &str {
        &self.operating.id
    }

    /// Tells an answer: an event and what belongs to it. False where nobody listens any more.
    pub(super) async fn tell(&self, event: &str, mut more: Value) -> bool {
        let mut stopped = self.operating.stopped.subscribe();
        if *stopped.borrow_and_update() {
            return false;
        }
        more["event"] = json!(event);
        more["operationId"] = json!(self.id());
        // Who is slow to read is waited for, and may change his mind.
        tokio::select! {
            sent = self.answers.send(more) => sent.is_ok(),
            _ = stopped.changed() => false,
        }
    }
}

impl Follows {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Follower>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, follower: &str) -> bool {
        self.all().contains_key(follower)
    }

    /// Passes blocks that the follower holds on to.
    pub(super) fn check(&self, follower: &str, hash: Hash) -> Answer<()> {
        let all = self.all();
        let pins = all.get(follower).is_some_and(|follower| follower.pinned.contains(&hash));
        if pins { Ok(()) } else { Err(refused(INVALID_BLOCK, "Invalid block hash")) }
    }

    /// Starts an operation; none where too many run.
    pub(super) fn begin(&self, follower: &str) -> Option<Begun> {
        let mut all = self.all();
        let follower = all.get_mut(follower)?;
        follower.running.retain(|operating| operating.strong_count() > 0);
        if follower.running.len() >= MAX_OPERATIONS {
            return None;
        }
        follower.operations += 1;
        let id = follower.operations.to_string();
        let operating = Arc::new(Operating { id, stopped: watch::Sender::new(false) });
        follower.running.push(Arc::downgrade(&operating));
        Some(Begun { operating, answers: follower.answers.clone() })
    }

    /// Ends an operation, if it runs.
    pub(super) fn stop(&self, follower: &str, id: &str) {
        let all = self.all();
        let running = all.get(follower).into_iter().flat_map(|follower| &follower.running);
        let mut running = running.filter_map(Weak::upgrade);
        if let Some(operating) = running.find(|operating| operating.id == id) {
            operating.stopped.send_replace(true);
        }
    }

    pub(super) fn unpin(&self, follower: &str, hashes: &[Hash]) -> Answer<()> {
        let mut all = self.all();
        let Some(follower) = all.get_mut(follower) else { return Ok(()) };
        if hashes.iter().collect::<HashSet<_>>().len() < hashes.len() {
            return Err(refused(DUPLICATE, "Received duplicate block hashes"));
        }
        if !hashes.iter().all(|hash| follower.pinned.contains(hash)) {
            return Err(refused(INVALID_BLOCK, "Invalid block hash"));
        }
        follower.pinned.retain(|pinned| !hashes.contains(pinned));
        Ok(())
    }

    /// Holds on to a block; false where there are too many.
    fn pin(&self, follower: &str, hash: Hash) -> bool {
        let mut all = self.all();
        let Some(follower) = all.get_mut(follower) else { return false };
        follower.pinned.insert(hash) && follower.pinned.len() <= MAX_PINNED
    }
}

fn refused(code: i32, message: &str) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(code, message, None::<()>)
}

/// Tells a follower of blocks, and what comes of its operations, until it goes.
pub(super) async fn run(
    with_runtime: Result<bool, ErrorObjectOwned>,
    pending: PendingSubscriptionSink,
    api: Arc<Api>,
    follows: Follows,
) {
    let with_runtime = match with_runtime {
        Ok(with_runtime) => with_runtime,
        Err(error) => return pending.reject(error).await,
    };
    let Ok(sink) = pending.accept().await else { return };
    let name = match sink.subscription_id() {
        SubscriptionId::Str(name) => name.into_owned(),
        SubscriptionId::Num(number) => number.to_string(),
    };
    let (answers, told) = mpsc::channel(UNREAD);
    let follower = Follower { pinned: HashSet::new(), answers, running: Vec::new(), operations: 0 };
    follows.all().insert(name.clone(), follower);
    let mut following = Following { api, follows, name, sink };
    following.run(with_runtime, told).await;
    following.follows.all().remove(&following.name);
}

/// A follower as it is told.
struct Following {
    api: Arc<Api>,
    follows: Follows,
    name: String,
    sink: SubscriptionSink,
}

/// Why a follower is told no more: none where it has gone by itself.
type Ended = Option<Value>;

impl Following {
    async fn run(&mut self, with_runtime: bool, told: mpsc::Receiver<Value>) {
        if let Err(Some(last)) = self.follow(with_runtime, told).await {
            // It may have gone, too.
            let _ = send(&self.sink, &last).await;
        }
    }

    async fn follow(
        &mut self,
        with_runtime: bool,
        mut told: mpsc::Receiver<Value>,
    ) -> Result<(), Ended> {
        let (mut newest, mut finalized) = (self.api.heads(), self.api.finalized_heads());
        let mut at = *finalized.borrow_and_update();
        self.pin(at.hash)?;
        let mut first = json!({ "event": "initialized", "finalizedBlockHashes": [at.hash] });
        if with_runtime {
            first["finalizedBlockRuntime"] = json!({ "type": "valid", "spec": spec() });
        }
        self.tell(&first).await?;
        let mut is_final = at;
        let mut best = None;
        loop {
            let head = *newest.borrow_and_update();
            at = self.blocks(at, head).await?;
            if best != Some(head.hash) {
                let event = "bestBlockChanged";
                self.tell(&json!({ "event": event, "bestBlockHash": head.hash })).await?;
                best = Some(head.hash);
            }
            let last = *finalized.borrow_and_update();
            if last.number > is_final.number && last.number <= at.number {
                self.finalized(is_final.number + 1, last.number).await?;
                is_final = last;
            }
            tokio::select! {
                changed = newest.changed() => changed.map_err(|_| None)?,
                changed = finalized.changed() => changed.map_err(|_| None)?,
                Some(answer) = told.recv() => self.tell(&answer).await?,
                () = self.sink.closed() => return Ok(()),
            }
        }
    }

    /// Tells of the blocks after one, up to another, which it returns.
    async fn blocks(&mut self, mut at: Head, to: Head) -> Result<Head, Ended> {
        loop {
            let read = self.api.read(move |chain| {
                // Who went back to a snapshot, or is behind what is kept, starts anew.
                let is_there =
                    |head: Head| chain.block_at(head.number).is_some_and(|it| it.hash == head.hash);
                let last = to.number.min(at.number.saturating_add(BLOCKS));
                let numbers = at.number.saturating_add(1)..=last;
                let next: Option<Vec<Head>> = numbers
                    .map(|number| chain.block_at(number).map(|it| Head { number, hash: it.hash }))
                    .collect();
                next.filter(|_| is_there(at))
            });
            let next = read.await.map_err(|_| None)?.ok_or_else(stopped)?;
            for head in &next {
                self.pin(head.hash)?;
                self.tell(&json!({
                    "event": "newBlock",
                    "blockHash": head.hash,
                    "parentBlockHash": at.hash,
                    "newRuntime": null,
                }))
                .await?;
                at = *head;
            }
            if at.number >= to.number {
                return if at.hash == to.hash { Ok(at) } else { Err(stopped()) };
            }
        }
    }

    async fn finalized(&mut self, from: BlockNumber, to: BlockNumber) -> Result<(), Ended> {
        let read = self.api.read(move |chain| {
            (from..=to).map(|number| chain.block_at(number).map(|it| it.hash)).collect()
        });
        let hashes: Option<Vec<Hash>> = read.await.map_err(|_| None)?;
        self.tell(&json!({
            "event": "finalized",
            "finalizedBlockHashes": hashes.ok_or_else(stopped)?,
            "prunedBlockHashes": [],
        }))
        .await
    }

    fn pin(&self, hash: Hash) -> Result<(), Ended> {
        if self.follows.pin(&self.name, hash) { Ok(()) } else { Err(stopped()) }
    }

    async fn tell(&self, event: &Value) -> Result<(), Ended> {
        send(&self.sink, event).await.map_err(|_| None)
    }
}

/// Has the client start anew.
fn stopped() -> Ended {
    Some(json!({ "event": "stop" }))
}

fn spec() -> Value {
    let api = |(id, version): &([u8; 8], u32)| (format!("0x{}", hex::encode(id)), *version);
    let apis: BTreeMap<String, u32> = VERSION.apis.iter().map(api).collect();
    json!({
        "specName": VERSION.spec_name,
        "implName": VERSION.impl_name,
        "specVersion": VERSION.spec_version,
        "implVersion": VERSION.impl_version,
        "transactionVersion": VERSION.transaction_version,
        "apis": apis,
    })
}
