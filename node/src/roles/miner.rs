//! The miner: one stage replica, from plan to merge, epoch after epoch.
//!
//! ```text
//! plan -> [sync] -> train -> commit -> audit (serve) -> merge -> settle (heartbeat) -> plan
//! ```
//!
//! Blocks drive the phases; everything between two blocks is messages and work. What a miner holds
//! across epochs is its stage's agreed state and its compression residual.

use std::sync::Arc;

use codec::Encode;
use iota_trainer::{Options, Stage};

use super::fetches::Fetches;
use super::ledger::Ledger;
use super::logs::Logs;
use super::membership::{Announcement, Membership};
use super::merge::Merge;
use super::run::Run;
use super::{Block, Effect, Event, Millis, provide};
use crate::protocol::clock::{Phase, Position};
use crate::protocol::commitment::{Commitment, WorkCommitment};
use crate::protocol::delta::{Delta, compress};
use crate::protocol::members::Role;
use crate::protocol::outer::OuterState;
use crate::protocol::plan::{Origin, Plan};
use crate::protocol::{Hash, Hotkey};
use crate::report::Report;
use crate::wire::{Reduced, Reply};

mod hostile;
mod serving;
mod training;

pub use hostile::{KINDS, Kind};
pub(in crate::roles) use serving::report_merge;
pub(in crate::roles) use training::tokens_hash;

use hostile::Hostile;
use training::Training;

/// Why a miner cannot go on. Everything a peer or the chain can cause is handled, not returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The trainer refused its own data.
    #[error("training failed")]
    Trainer(#[from] iota_trainer::Error),
    /// The text does not hold what the manifest promises.
    #[error("the text does not fit the manifest")]
    Dataset(#[source] iota_trainer::Error),
    /// The own update cannot be compressed: training diverged.
    #[error("the update of this epoch cannot be committed")]
    Delta(#[from] crate::protocol::delta::DeltaError),
    /// The agreed state cannot take the merged update.
    #[error("the outer step failed")]
    Outer(#[from] crate::protocol::outer::OuterError),
}

/// A stage's agreed state as this miner holds it.
struct Held {
    stage: u16,
    state: OuterState,
    root: Hash,
    /// Whether it follows, shard by shard, from what was committed.
    sure: bool,
}

/// What a miner is doing in the epoch.
enum Activity {
    /// Waits for a plan that gives it work.
    Idle,
    /// Fetches the state of its stage.
    Syncing { plan: Arc<Plan>, stage: u16 },
    /// Trains.
    Training { plan: Arc<Plan>, training: Box<Training> },
    /// Serves what it committed, gathers the logs, merges.
    Serving(Box<Serving>),
}

/// From Commit to Merge.
struct Serving {
    plan: Arc<Plan>,
    stage: u16,
    delta: Option<Delta>,
    logs: Option<Logs>,
    merge: Option<Merge>,
    merged: bool,
    early: Vec<(Hotkey, Reduced)>,
}

/// Components that fetch, each with its own range of tickets (0 is training's).
const STATE: u16 = 1;
const MEMBERS: u16 = 2;
const LOGS: u16 = 3;
const MERGE: u16 = 4;

/// A miner as a state machine.
pub struct Miner {
    run: Arc<Run>,
    me: Hotkey,
    hostile: Option<Kind>,
    ledger: Ledger,
    membership: Membership,
    held: Option<Held>,
    residual: Vec<f32>,
    residual_of: Option<(u32, u16)>,
    /// The residual with what the last merge lost here added back; it counts unless the others
    /// merged it.
    unmerged: Option<Vec<f32>>,
    /// Whether this epoch's compression starts from the residual.
    carried: bool,
    stage: Option<(u16, Stage)>,
    activity: Activity,
    epoch: Option<u32>,
    states: Fetches<Hash>,
    worked_at: Option<Millis>,
}

impl Miner {
    /// A miner at the start of its process.
    #[must_use]
    pub fn new(run: Arc<Run>, peer_id: Vec<u8>, hostile: Option<Kind>) -> Self {
        Self {
            me: run.me(),
            hostile,
            ledger: Ledger::new(&run),
            membership: Membership::new(Arc::clone(&run), Role::Miner, peer_id, MEMBERS),
            run,
            held: None,
            residual: Vec::new(),
            residual_of: None,
            unmerged: None,
            carried: false,
            stage: None,
            activity: Activity::Idle,
            epoch: None,
            states: Fetches::new(STATE),
            worked_at: None,
        }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// [`Error`] when the miner itself cannot go on.
    pub fn handle(&mut self, now: Millis, event: Event) -> Result<Vec<Effect>, Error> {
        let mut out = Vec::new();
        match event {
            Event::Block(block) => self.block(&block, &mut out)?,
            Event::Request { from, ticket, body } => {
                let body = match &mut self.activity {
                    Activity::Training { training, .. } => training.request(from, body, &mut out),
                    _ => Reply::Refused,
                };
                out.push(Effect::Reply { ticket, body });
            }
            Event::Reply { ticket, body } => {
                if let Activity::Training { training, .. } = &mut self.activity {
                    training.reply(now, ticket, body, &mut out);
                }
            }
            Event::Fetched { ticket, bytes } => self.fetched(ticket, bytes.as_ref(), &mut out)?,
            Event::Gossip { from, body } => self.gossip(from, body, &mut out),
            Event::Tick => {
                if let Activity::Training { training, .. } = &mut self.activity {
                    training.tick(now, &mut out);
                }
            }
        }
        Ok(out)
    }

    /// Does one piece of work, if there is any; call while no event waits.
    ///
    /// # Errors
    /// [`Error`] when the miner itself cannot go on.
    pub fn work(&mut self, now: Millis) -> Result<Option<Vec<Effect>>, Error> {
        let (Activity::Training { training, .. }, Some((_, stage))) =
            (&mut self.activity, &mut self.stage)
        else {
            self.worked_at = None;
            return Ok(None);
        };
        if let Some(before) = self.worked_at {
            training.worked(now - before);
        }
        let mut out = Vec::new();
        let worked = training.work(now, stage, &mut out)?;
        self.worked_at = worked.then_some(now);
        Ok(worked.then_some(out))
    }

    fn block(&mut self, block: &Block, out: &mut Vec<Effect>) -> Result<(), Error> {
        self.ledger.observe(block);
        self.run.report_block(block.number, out);
        if let Some(next) = self.run.clock.announces(block.number) {
            let merging = matches!(&self.activity, Activity::Serving(serving) if !serving.merged);
            if !merging {
                let announcement = Announcement {
                    epoch: next,
                    stage: self.held.as_ref().map(|held| held.stage),
                    states: self.held.iter().map(|held| (held.stage, held.root)).collect(),
                };
                self.membership.announce(announcement, out);
            }
        }
        let Some(position) = self.run.clock.position(block.number) else { return Ok(()) };
        match position.phase {
            Phase::Train => self.train(&position, block.number, out),
            Phase::Commit => self.commit(out),
            Phase::Audit => {
                self.gather(out);
                Ok(())
            }
            Phase::Merge => self.merge(&position, block.number, out),
            Phase::Settle => Ok(()),
        }
    }

    /// Begins the epoch as soon as its plan is known; closes the draw before its end.
    fn train(
        &mut self,
        position: &Position,
        block: u32,
        out: &mut Vec<Effect>,
    ) -> Result<(), Error> {
        if self.epoch != Some(position.epoch) {
            let Some(plan) = self.membership.plan(position.epoch, &self.ledger, out) else {
                return Ok(());
            };
            self.epoch = Some(position.epoch);
            self.activity = Activity::Idle;
            out.push(Effect::ForgetBefore(position.epoch.saturating_sub(1)));
            if let Some(stage) = plan.stage_of(&self.me) {
                self.enter(plan, stage, out)?;
            }
        }
        self.ask_for_state(out);
        if let Activity::Training { training, .. } = &mut self.activity
            && !self.run.clock.may_draw(block)
        {
            training.close();
        }
        Ok(())
    }

    /// Takes up a stage: with the state held, the initial one, or the one fetched from holders.
    fn enter(&mut self, plan: Arc<Plan>, stage: u16, out: &mut Vec<Effect>) -> Result<(), Error> {
        if self.stage.as_ref().is_none_or(|(index, _)| *index != stage) {
            let (recompute, device) = (self.run.recompute, self.run.device);
            let options = Options { recompute, device, ..Options::default() };
            // A device may have no place for two.
            self.stage = None;
            let built = Stage::with(&self.run.stage_config(stage), options)?;
            self.stage = Some((stage, built));
            self.held = None;
        }
        let origin = plan.origins[usize::from(stage)];
        if origin == Origin::Initial {
            let fresh = Stage::new(&self.run.stage_config(stage))?;
            let state = OuterState::new(fresh.params().to_vec());
            self.held = Some(Held { stage, root: state.root(), state, sure: true });
        }
        self.states.give_up();
        let starts = |held: &Held| match origin {
            Origin::Initial => true,
            Origin::Agreed(root) => held.root == root,
            Origin::Unsaid => held.sure,
        };
        if self.held.as_ref().is_some_and(starts) {
            return self.start(plan, stage, out);
        }
        self.activity = Activity::Syncing { plan, stage };
        self.ask_for_state(out);
        Ok(())
    }

    /// Fetches the agreed state while it is missing, again at each block.
    fn ask_for_state(&mut self, out: &mut Vec<Effect>) {
        let Activity::Syncing { plan, stage } = &self.activity else { return };
        let Origin::Agreed(root) = plan.origins[usize::from(*stage)] else { return };
        if !self.states.is_empty() {
            self.states.retry(out);
        } else {
            let holders = self.membership.holders(plan.epoch, *stage, &root);
            let bytes = self.run.state_bytes(self.elements());
            self.states.start(root, root, holders, bytes, out);
        }
    }

    /// Trains from the state held.
    fn start(&mut self, plan: Arc<Plan>, index: u16, out: &mut Vec<Effect>) -> Result<(), Error> {
        let (Some(held), Some((_, stage))) = (&mut self.held, &mut self.stage) else {
            return Ok(());
        };
        held.sure = true;
        stage.load_params(&held.state.theta)?;
        if let Some(unmerged) = self.unmerged.take() {
            self.residual = unmerged;
        }
        // What compression left over belongs to the stage and the epoch just before, if the chain
        // took the commitment that names it.
        let before = plan.epoch.checked_sub(1);
        let before = before.filter(|before| self.ledger.work(*before).contains_key(&self.me));
        let carried = before.map(|before| (before, index));
        self.carried = carried.is_some() && self.residual_of == carried;
        if !self.carried {
            self.residual = vec![0.0; held.state.theta.len()];
        }
        let is_tail = usize::from(index) + 1 == plan.stages.len();
        let hostile = self.hostile.map(|kind| Hostile::new(kind, is_tail, &self.me));
        let run = Arc::clone(&self.run);
        let training = Training::start(run, Arc::clone(&plan), self.me, index, hostile, stage, out);
        self.activity = Activity::Training { plan, training: Box::new(training) };
        Ok(())
    }

    /// Ends training and commits what was done.
    fn commit(&mut self, out: &mut Vec<Effect>) -> Result<(), Error> {
        if !matches!(self.activity, Activity::Training { .. } | Activity::Syncing { .. }) {
            return Ok(());
        }
        let (plan, index, training) = match std::mem::replace(&mut self.activity, Activity::Idle) {
            Activity::Training { plan, training } => {
                let stage = plan.stage_of(&self.me).unwrap_or_default();
                (plan, stage, Some(training))
            }
            Activity::Syncing { plan, stage } => (plan, stage, None),
            other => {
                self.activity = other;
                return Ok(());
            }
        };
        let mut delta = None;
        if let (Some(training), Some((_, stage)), Some(held)) =
            (training, &mut self.stage, &self.held)
        {
            let log = training.finish(stage, out)?;
            if !log.receipts.is_empty() {
                let layout = self.run.layout(held.state.theta.len())?;
                let found =
                    compress(&held.state.theta, stage.params(), &mut self.residual, &layout)?;
                let (shard_index, blobs) = found.commit(plan.epoch, index, &self.residual);
                self.residual_of = Some((plan.epoch, index));
                for (named, bytes) in shard_index.chunks.iter().zip(blobs) {
                    provide(named.hash, bytes, plan.epoch, out);
                }
                let work = WorkCommitment {
                    epoch: plan.epoch,
                    log_root: log.root(),
                    delta_root: shard_index.root(),
                    exponents_hash: shard_index.exponents_hash,
                    residual_hash: shard_index.residual_hash,
                    carried: self.carried,
                };
                provide(work.log_root, log.encode(), plan.epoch, out);
                provide(work.delta_root, shard_index.encode(), plan.epoch, out);
                provide(work.residual_hash, super::f32_bytes(&self.residual), plan.epoch, out);
                out.push(Effect::Commit(Commitment::of_work(work)));
                delta = Some(found);
                out.push(Effect::Report(Report::Committed {
                    epoch: plan.epoch,
                    tokens: log.tokens(),
                    steps: u64::from(stage.version()),
                    windows: log.windows().len() as u32,
                }));
            }
        }
        self.activity = Activity::Serving(Box::new(Serving {
            plan,
            stage: index,
            delta,
            logs: None,
            merge: None,
            merged: false,
            early: Vec::new(),
        }));
        Ok(())
    }
}
