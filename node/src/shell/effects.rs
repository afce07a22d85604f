//! What the machine wants done: requests, blobs, gossip, extrinsics, records, reports.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use codec::Encode;
use iota_chain::{Client, Keypair};
use iota_p2p::{Handle, Hotkey};
use tokio::sync::{Semaphore, mpsc};

use super::checkpoints::Checkpoints;
use super::feed::Replies;
use super::sender::Sender;
use crate::error::{Context, Result};
use crate::printer::Printer;
use crate::protocol::Hash;
use crate::protocol::manifest::Manifest;
use crate::report::Report;
use crate::roles::run::{Run, stage_config};
use crate::roles::{Effect, Event};
use crate::wire::{self, MAX_REQUEST_BYTES, Reply};

/// Blobs fetched at once.
const FETCHES: usize = 32;
/// Time for one chunk of a blob.
const CHUNK: Duration = Duration::from_secs(5);
/// Extrinsics that wait to be sent; each takes a block or two.
const EXTRINSICS: usize = 64;

/// The folder for what must survive a restart.
#[derive(Clone, Debug)]
pub(super) struct State {
    folder: PathBuf,
}

impl State {
    /// Makes the folder if it is missing.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let what = format!("cannot make the state folder {}", folder.display());
        std::fs::create_dir_all(folder)
            .or_argument(what)
            .map_err(|error| error.hint("pass another `--state`"))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// A record, if there is one.
    pub(super) fn load(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.folder.join(name)).ok()
    }

    /// Replaces a record: written aside, synced, renamed, so a crash leaves the old or the new one.
    fn save(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        use std::io::Write;
        let aside = self.folder.join(format!("{name}.new"));
        let mut file = std::fs::File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(aside, self.folder.join(name))
    }
}

/// Carries out effects.
pub(super) struct Effects {
    peers: Handle,
    me: Hotkey,
    events: mpsc::Sender<Event>,
    extrinsics: mpsc::Sender<Effect>,
    replies: Replies,
    fetching: Arc<Semaphore>,
    request_timeout: Duration,
    printer: Printer,
    state: State,
    checkpoints: Option<Arc<Checkpoints>>,
    manifest: Manifest,
}

impl Effects {
    pub(super) fn new(
        run: &Run,
        client: &Client,
        hotkey: &Keypair,
        peers: &Handle,
        events: &mpsc::Sender<Event>,
        printer: Printer,
        (state, checkpoints): (State, Option<Checkpoints>),
    ) -> Self {
        let (extrinsics, queue) = mpsc::channel(EXTRINSICS);
        tokio::spawn(Sender::new(run, client, hotkey, printer).run(queue));
        Self {
            peers: peers.clone(),
            me: run.me(),
            events: events.clone(),
            extrinsics,
            replies: Replies::default(),
            fetching: Arc::new(Semaphore::new(FETCHES)),
            request_timeout: Duration::from_millis(run.manifest.hop_timeout_ms.into()),
            printer,
            state,
            checkpoints: checkpoints.map(Arc::new),
            manifest: run.manifest.clone(),
        }
    }

    /// The replies that the machine owes.
    pub(super) fn replies(&self) -> Replies {
        Arc::clone(&self.replies)
    }

    /// Carries out batches until the machine ends.
    pub(super) async fn run(self, mut batches: mpsc::Receiver<Vec<Effect>>) -> Result<()> {
        while let Some(batch) = batches.recv().await {
            for effect in batch {
                self.carry_out(effect)?;
            }
        }
        Ok(())
    }

    fn carry_out(&self, effect: Effect) -> Result<()> {
        match effect {
            Effect::Request { to, ticket, body } => {
                let (peers, events, timeout) =
                    (self.peers.clone(), self.events.clone(), self.request_timeout);
                tokio::spawn(async move {
                    let reply = peers.request(&to, body.encode(), timeout).await;
                    let body = reply
                        .ok()
                        .and_then(|bytes| wire::decode::<Reply>(&bytes, MAX_REQUEST_BYTES).ok());
                    // Fails only when the machine has ended.
                    let _ = events.send(Event::Reply { ticket, body }).await;
                });
            }
            Effect::Reply { ticket, body } => {
                let owed =
                    self.replies.lock().unwrap_or_else(PoisonError::into_inner).remove(&ticket);
                if let Some(owed) = owed {
                    owed.send(body.encode());
                }
            }
            Effect::Fetch { ticket, from, hash, max_bytes } => {
                let (peers, events) = (self.peers.clone(), self.events.clone());
                let (me, fetching) = (self.me, Arc::clone(&self.fetching));
                tokio::spawn(async move {
                    let bytes = fetch(&peers, &me, &from, hash, max_bytes, &fetching).await;
                    let _ = events.send(Event::Fetched { ticket, bytes }).await;
                });
            }
            Effect::Provide { hash, bytes, epoch } => {
                self.peers.provide(hash, bytes, u64::from(epoch));
            }
            Effect::ForgetBefore(epoch) => self.peers.forget_before(u64::from(epoch)),
            Effect::Gossip(body) => self.peers.publish(body.encode()),
            Effect::Commit(_) | Effect::SetWeights { .. } => {
                if self.extrinsics.try_send(effect).is_err() {
                    let text = "too many extrinsics wait; one was dropped".into();
                    self.printer.report(&Report::Warning { text })?;
                }
            }
            Effect::Persist { name, bytes } => {
                if let Err(error) = self.state.save(name, &bytes) {
                    let text = format!("cannot save {name}: {error}; a restart would forget it");
                    self.printer.report(&Report::Warning { text })?;
                }
            }
            Effect::Checkpoint { epoch, stages } => {
                let Some(checkpoints) = self.checkpoints.clone() else { return Ok(()) };
                let config = |stage| stage_config(&self.manifest, stage);
                let stages = (0..).map(config).zip(stages).collect();
                let printer = self.printer;
                tokio::task::spawn_blocking(move || {
                    let report = match checkpoints.write(epoch, stages) {
                        Ok(true) => Report::Checkpoint { epoch },
                        Ok(false) => Report::Warning {
                            text: format!("no checkpoint of epoch {epoch}: the disk is busy still"),
                        },
                        Err(error) => Report::Warning {
                            text: format!("no checkpoint of epoch {epoch}: {}", chain(&error)),
                        },
                    };
                    // Fails only when nobody reads.
                    let _ = printer.report(&report);
                });
            }
            Effect::Report(report) => self.printer.report(&report)?,
        }
        Ok(())
    }
}

/// A blob from the own store, or from the first peer that has it.
async fn fetch(
    peers: &Handle,
    me: &Hotkey,
    from: &[Hotkey],
    hash: Hash,
    max_bytes: usize,
    fetching: &Semaphore,
) -> Option<Arc<[u8]>> {
    if let Some(bytes) = peers.local(&hash).filter(|bytes| bytes.len() <= max_bytes) {
        return Some(bytes);
    }
    let _permit = fetching.acquire().await.ok()?;
    for peer in from.iter().filter(|peer| *peer != me) {
        match peers.fetch(peer, hash, max_bytes, CHUNK).await {
            Ok(bytes) => return Some(bytes),
            Err(error) => tracing::debug!(%error, "blob not fetched"),
        }
    }
    None
}

/// An error with what caused it.
fn chain(error: &iota_trainer::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
