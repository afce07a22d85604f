//! The validator: elects members, audits by re-execution, checks merges, scores, sets weights.
//!
//! It holds the agreed state of every stage by recomputing each merge from committed bytes, so it
//! believes no miner and no other validator. What it says on chain (member-set hash, vetoes,
//! weights) follows from finalized blocks and fetched bytes that anyone can fetch again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use iota_trainer::{Options, Stage};

use super::fetches::{Arrival, Fetches};
use super::ledger::Ledger;
use super::logs::Logs;
use super::membership::{Announcement, Membership};
use super::merge::Merge;
use super::miner::Error;
use super::run::Run;
use super::text::Text;
use super::{Block, Effect, Event, Millis};
use crate::protocol::audit::Failure;
use crate::protocol::clock::Phase;
use crate::protocol::commitment::Commitment;
use crate::protocol::members::Role;
use crate::protocol::outer::OuterState;
use crate::protocol::plan::{Origin, Plan};
use crate::protocol::scores::Scores;
use crate::protocol::{Hash, Hotkey};
use crate::report::Report;
use crate::wire::{Gossip, Reply};

mod audit;
mod auditing;
mod judge;
mod states;

use audit::Audit;
use judge::Judge;

/// Components that fetch, each with its own range of tickets.
const MEMBERS: u16 = 1;
const LOGS: u16 = 2;
const STATES: u16 = 3;
/// Audits and merges count on from here, one component each.
const FIRST_FREE: u16 = 16;
/// Component numbers wrap here.
const LAST_FREE: u16 = u16::MAX;

/// One epoch as the validator works through it.
struct Epoch {
    plan: Arc<Plan>,
    text: Arc<Text>,
    logs: Option<Logs>,
    audits: Option<Vec<Audit>>,
    failed: BTreeMap<Hotkey, Failure>,
    reported: BTreeSet<Hotkey>,
    /// Failures that the last veto named.
    vetoed: usize,
    merges: BTreeMap<u16, Merge>,
    merged: bool,
    judged: bool,
    early: Vec<(Hotkey, crate::wire::Reduced)>,
}

/// The agreed state of one stage.
struct Held {
    state: OuterState,
    root: Hash,
    /// Whether it follows, shard by shard, from commitments that this validator saw. Only then it
    /// vouches for the state, and knows the residuals that go with it.
    sure: bool,
}

impl Held {
    /// The state of a stage as it was built.
    fn initial(stage: &Stage) -> Self {
        let state = OuterState::new(stage.params().to_vec());
        Self { root: state.root(), state, sure: true }
    }

    /// Whether this is the state that miners of the stage start from.
    fn is_origin(&self, origin: Origin) -> bool {
        match origin {
            Origin::Initial => true,
            Origin::Agreed(root) => self.root == root,
            Origin::Unsaid => self.sure,
        }
    }
}

/// A validator as a state machine.
pub struct Validator {
    run: Arc<Run>,
    me: Hotkey,
    ledger: Ledger,
    membership: Membership,
    stages: BTreeMap<u16, Stage>,
    held: BTreeMap<u16, Held>,
    syncing: Fetches<(u16, Hash)>,
    epoch: Option<Epoch>,
    evaluated: Option<u32>,
    commitment: Commitment,
    judge: Judge,
    next_component: u16,
}

impl Validator {
    /// A validator at the start of its process, with the scores it saved, if any.
    ///
    /// # Errors
    /// [`Error`] when the manifest's model cannot be built.
    pub fn new(run: Arc<Run>, peer_id: Vec<u8>, saved: Option<Scores>) -> Result<Self, Error> {
        let mut stages = BTreeMap::new();
        let mut held = BTreeMap::new();
        for index in 0..run.manifest.stages {
            let options = Options { keep_versions: true, ..Options::default() };
            let stage = Stage::with(&run.stage_config(index), options)?;
            held.insert(index, Held::initial(&stage));
            stages.insert(index, stage);
        }
        Ok(Self {
            me: run.me(),
            ledger: Ledger::new(&run),
            membership: Membership::new(Arc::clone(&run), Role::Validator, peer_id, MEMBERS),
            judge: Judge::new(&run, saved),
            run,
            stages,
            held,
            syncing: Fetches::new(STATES),
            epoch: None,
            evaluated: None,
            commitment: Commitment::default(),
            next_component: FIRST_FREE,
        })
    }

    /// Takes one event.
    ///
    /// # Errors
    /// [`Error`] when the validator itself cannot go on.
    pub fn handle(&mut self, _now: Millis, event: Event) -> Result<Vec<Effect>, Error> {
        let mut out = Vec::new();
        match event {
            Event::Block(block) => self.block(&block, &mut out)?,
            Event::Request { ticket, .. } => {
                out.push(Effect::Reply { ticket, body: Reply::Refused });
            }
            Event::Reply { .. } | Event::Tick => {}
            Event::Fetched { ticket, bytes } => self.fetched(ticket, bytes.as_ref(), &mut out)?,
            Event::Gossip { from, body } => self.gossip(from, body, &mut out),
        }
        Ok(out)
    }

    /// Does one piece of work, if there is any; call while no event waits.
    ///
    /// # Errors
    /// [`Error`] when the validator itself cannot go on.
    pub fn work(&mut self, _now: Millis) -> Result<Option<Vec<Effect>>, Error> {
        let mut out = Vec::new();
        let worked = self.work_on_audit(&mut out) || self.evaluate(&mut out)?;
        Ok(worked.then_some(out))
    }

    fn block(&mut self, block: &Block, out: &mut Vec<Effect>) -> Result<(), Error> {
        self.ledger.observe(block);
        self.run.report_block(block.number, out);
        if let Some(next) = self.run.clock.announces(block.number) {
            if self.epoch.as_ref().is_none_or(|epoch| epoch.merged) {
                self.membership.announce(self.announcement(next), out);
            }
            if block.number == self.run.clock.proposes(next) {
                self.propose(next, out);
            }
        }
        let Some(position) = self.run.clock.position(block.number) else { return Ok(()) };
        if self.epoch.as_ref().is_none_or(|epoch| epoch.plan.epoch != position.epoch) {
            if position.phase != Phase::Train {
                return Ok(());
            }
            self.enter(position.epoch, out)?;
        }
        match position.phase {
            Phase::Train | Phase::Commit => self.syncing.retry(out),
            Phase::Audit => self.audit(&position, block.number, out),
            Phase::Merge => {
                self.conclude_audits(out);
                self.merge(&position, block.number, out)?;
            }
            Phase::Settle => self.settle(out),
        }
        Ok(())
    }

    /// Vouches for the states that it computed itself, once there are merges to speak of.
    fn announcement(&self, epoch: u32) -> Announcement {
        let merged = self.epoch.is_some();
        let vouched = self.held.iter().filter(|(_, held)| merged && held.sure);
        let states = vouched.map(|(stage, held)| (*stage, held.root)).collect();
        Announcement { epoch, stage: None, states }
    }

    /// Commits the member set it heard for an epoch, and serves it.
    fn propose(&mut self, epoch: u32, out: &mut Vec<Effect>) {
        let (hash, bytes) = self.membership.propose(epoch);
        // Served as long as the set may stand: until the epoch after the next one.
        out.push(Effect::Provide { hash, bytes: bytes.into(), epoch: epoch + 1 });
        self.commitment = self.commitment.clone().with_members(epoch, hash);
        out.push(Effect::Commit(self.commitment.clone()));
    }

    /// Begins an epoch once its plan is known.
    fn enter(&mut self, epoch: u32, out: &mut Vec<Effect>) -> Result<(), Error> {
        let Some(plan) = self.membership.plan(epoch, &self.ledger, out) else { return Ok(()) };
        out.push(Effect::ForgetBefore(epoch.saturating_sub(1)));
        self.sync(&plan, out)?;
        self.epoch = Some(Epoch {
            text: Arc::new(self.run.text(&plan)),
            plan,
            logs: None,
            audits: None,
            failed: BTreeMap::new(),
            reported: BTreeSet::new(),
            vetoed: 0,
            merges: BTreeMap::new(),
            merged: false,
            judged: false,
            early: Vec::new(),
        });
        Ok(())
    }

    fn component(&mut self) -> u16 {
        let component = self.next_component;
        self.next_component = if component == LAST_FREE { FIRST_FREE } else { component + 1 };
        component
    }

    fn fetched(
        &mut self,
        ticket: u64,
        bytes: Option<&Arc<[u8]>>,
        out: &mut Vec<Effect>,
    ) -> Result<(), Error> {
        match self.syncing.arrived(ticket, bytes) {
            Arrival::Blob((stage, root), bytes) => {
                self.take_state(stage, root, bytes, out);
                return Ok(());
            }
            Arrival::Failed => {
                let text = "the state of a stage could not be fetched; asking again";
                out.push(Effect::Report(Report::Warning { text: text.into() }));
                return Ok(());
            }
            Arrival::Foreign => {}
        }
        if self.membership.fetched(ticket, bytes) {
            return Ok(());
        }
        let Some(epoch) = &mut self.epoch else { return Ok(()) };
        if epoch.logs.as_mut().is_some_and(|logs| logs.fetched(ticket, bytes)) {
            return Ok(());
        }
        let audits = epoch.audits.iter_mut().flatten();
        if audits.into_iter().any(|audit| audit.fetched(ticket, bytes)) {
            return Ok(());
        }
        let mut merges = epoch.merges.values_mut();
        if merges.any(|merge| merge.fetched(ticket, bytes, out)) {
            self.finish_merges(false, out)?;
        }
        Ok(())
    }

    fn gossip(&mut self, from: Hotkey, body: Gossip, out: &mut Vec<Effect>) {
        match body {
            Gossip::Heartbeat(heartbeat) => self.membership.heard(heartbeat, &self.ledger),
            Gossip::Reduced(said) => {
                let Some(epoch) = &mut self.epoch else { return };
                match epoch.merges.get_mut(&said.stage) {
                    Some(merge) => merge.heard(from, &said, out),
                    None => super::remember(&mut epoch.early, from, said),
                }
            }
        }
    }
}

/// Values of little-endian f32 bytes; none for a length that is no multiple of four, or a value
/// that is not finite.
fn f32_values(bytes: &[u8]) -> Option<Vec<f32>> {
    let (chunks, rest) = bytes.as_chunks::<4>();
    let values: Vec<f32> = chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    (rest.is_empty() && values.iter().all(|value| value.is_finite())).then_some(values)
}
