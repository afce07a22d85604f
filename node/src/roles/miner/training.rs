//! One epoch of training at one replica: queues, flights, steps, receipts and snapshots.
//!
//! A *flight* is a microbatch that went forward through this stage and whose gradient has not come
//! back. Work is done one piece at a time, backward before forward (a gradient frees memory in the
//! whole pathway), and a head draws only when nothing else waits.
//!
//! Every `snapshot_every` steps the replica *flushes*: it starts no forward until its flights have
//! landed, takes a snapshot, and goes on. So each window between two snapshots can be re-executed
//! from the first one alone. A tail has no flights and an earlier stage waits only for later ones,
//! so flushing cannot deadlock.
//!
//! A microbatch is taken once per replica and epoch. Who does not get its gradient in time sends
//! the cached code to another replica; when none is left the microbatch is abandoned, and the
//! hop before it does the same.

mod passes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use iota_trainer::Stage;

use super::hostile::Hostile;
use super::{Error, Run};
use crate::protocol::choose::content_hash;
use crate::protocol::draw::MicrobatchId;
use crate::protocol::plan::Plan;
use crate::protocol::receipts::{MAX_RECEIPTS, Snapshot, WorkLog};
use crate::protocol::routing::Router;
use crate::protocol::{Hash, Hotkey};
use crate::report::Report;
use crate::roles::text::Text;
use crate::roles::{Effect, Millis, Ticket};
use crate::wire::{Reply, Request};

/// Microbatches that may wait at one replica, in each direction.
const QUEUE: usize = 16;
/// Weight of the newest sample in the mean service time, as a shift: 1/8.
const SERVICE_SHIFT: u32 = 3;

/// A microbatch that went forward and waits for its gradient.
#[derive(Debug)]
struct Flight {
    input: Arc<[u8]>,
    tokens: Vec<u32>,
    prev: Option<Hotkey>,
    path: Vec<Hotkey>,
    pass: iota_trainer::Flight,
    code: Arc<[u8]>,
    next: Option<Hotkey>,
    tried: BTreeSet<Hotkey>,
    deadline: Millis,
}

/// A message that waits for its turn.
#[derive(Debug)]
struct Waiting {
    from: Hotkey,
    mb: MicrobatchId,
    bytes: Vec<u8>,
    path: Vec<Hotkey>,
}

/// The training of one epoch.
pub(super) struct Training {
    run: Arc<Run>,
    text: Text,
    plan: Arc<Plan>,
    me: Hotkey,
    index: u16,
    head: Option<u16>,
    hostile: Option<Hostile>,
    log: WorkLog,
    router: Router,
    forwards: VecDeque<Waiting>,
    backwards: VecDeque<Waiting>,
    flights: BTreeMap<MicrobatchId, Flight>,
    seen: BTreeSet<MicrobatchId>,
    sent: BTreeMap<Ticket, (MicrobatchId, Hotkey)>,
    next_ticket: Ticket,
    next_k: u32,
    service_ms: u32,
    flushing: bool,
    open: bool,
}

impl Training {
    /// Starts the epoch of `plan` for a replica whose stage holds the epoch's parameters.
    pub(super) fn start(
        run: Arc<Run>,
        plan: Arc<Plan>,
        me: Hotkey,
        index: u16,
        hostile: Option<Hostile>,
        stage: &Stage,
        out: &mut Vec<Effect>,
    ) -> Self {
        let head = if index == 0 { plan.head_of(&me) } else { None };
        let mut training = Self {
            log: WorkLog::new(plan.epoch, index, me),
            router: Router::new(run.routing(), &plan.seed, &me),
            text: run.text(&plan),
            run,
            me,
            index,
            head,
            hostile,
            forwards: VecDeque::new(),
            backwards: VecDeque::new(),
            flights: BTreeMap::new(),
            seen: BTreeSet::new(),
            sent: BTreeMap::new(),
            // Tickets of requests never meet: an epoch has its own range.
            next_ticket: Ticket::from(plan.epoch) << 32,
            plan,
            next_k: 0,
            service_ms: 0,
            flushing: false,
            open: true,
        };
        training.snapshot(stage, out);
        training
    }

    /// Stops drawing; what is in flight may still land.
    pub(super) fn close(&mut self) {
        self.open = false;
    }

    /// Takes a neighbour's message into the queue, or says why not.
    pub(super) fn request(&mut self, from: Hotkey, body: Request, out: &mut Vec<Effect>) -> Reply {
        let (mb, forward) = match &body {
            Request::Forward { mb, .. } => (*mb, true),
            Request::Backward { mb, .. } => (*mb, false),
        };
        let is_head = usize::from(mb.head) < self.plan.stages[0].len();
        if mb.epoch != self.plan.epoch || !is_head || mb.k >= self.run.manifest.max_draws {
            return Reply::Refused;
        }
        let queue = if forward { &self.forwards } else { &self.backwards };
        if queue.len() >= QUEUE {
            return Reply::Busy;
        }
        match body {
            Request::Forward { code, path, .. } => {
                let known = self.index > 0 && self.replicas(self.index - 1).contains(&from);
                if !known || path.len() != usize::from(self.index) || self.seen.contains(&mb) {
                    return Reply::Refused;
                }
                // The sender tries another replica.
                if !self.has_room() || !self.has_text(&mb, out) {
                    return Reply::Busy;
                }
                self.seen.insert(mb);
                self.forwards.push_back(Waiting { from, mb, bytes: code, path });
            }
            Request::Backward { grad, .. } => {
                let ours = self.flights.get(&mb).is_some_and(|flight| flight.next == Some(from));
                if !ours || self.backwards.iter().any(|waiting| waiting.mb == mb) {
                    return Reply::Refused;
                }
                self.backwards.push_back(Waiting { from, mb, bytes: grad, path: Vec::new() });
            }
        }
        let queue = (self.forwards.len() + self.backwards.len()) as u16;
        Reply::Accepted { queue, service_ms: self.service_ms }
    }

    /// Whether one more receipt fits into the log.
    fn has_room(&self) -> bool {
        self.log.receipts.len() + self.flights.len() + self.forwards.len() < MAX_RECEIPTS
    }

    /// Whether the text that this stage needs of a microbatch is here.
    fn has_text(&self, mb: &MicrobatchId, out: &mut Vec<Effect>) -> bool {
        let is_end = self.index == 0 || self.is_tail();
        let needs = is_end || self.run.manifest.cut.token_width > 0;
        !needs || self.text.is_here(mb, out)
    }

    /// Takes the answer to one of our requests; false if it was not ours.
    pub(super) fn reply(
        &mut self,
        now: Millis,
        ticket: Ticket,
        body: Option<Reply>,
        out: &mut Vec<Effect>,
    ) -> bool {
        let Some((mb, to)) = self.sent.remove(&ticket) else { return false };
        let is_forward = self.flights.get(&mb).is_some_and(|flight| flight.next == Some(to));
        if !is_forward {
            return true;
        }
        match body {
            Some(Reply::Accepted { queue, service_ms }) => {
                self.router.accepted(to, queue, service_ms);
            }
            Some(Reply::Busy | Reply::Refused) => {
                self.router.refused(to);
                self.route(now, mb, out);
            }
            None => {
                self.router.timed_out(to, now);
                self.route(now, mb, out);
            }
        }
        true
    }

    /// Sends flights whose gradient is overdue to another replica.
    pub(super) fn tick(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let overdue: Vec<MicrobatchId> = self
            .flights
            .iter()
            .filter(|(mb, flight)| {
                now >= flight.deadline && !self.backwards.iter().any(|waiting| waiting.mb == **mb)
            })
            .map(|(mb, _)| *mb)
            .collect();
        for mb in overdue {
            if let Some(next) = self.flights[&mb].next {
                self.router.timed_out(next, now);
            }
            self.route(now, mb, out);
        }
    }

    /// Does one piece of work; false when there is none.
    pub(super) fn work(
        &mut self,
        now: Millis,
        stage: &mut Stage,
        out: &mut Vec<Effect>,
    ) -> Result<bool, Error> {
        if let Some(waiting) = self.backwards.pop_front() {
            self.backward(now, stage, waiting, out)?;
        } else if self.flushing && self.flights.is_empty() {
            self.flush(stage, out)?;
        } else if self.flushing || self.flights.len() >= self.run.manifest.flights(self.index) {
            return Ok(false);
        } else if let Some(waiting) = self.forwards.pop_front() {
            self.forward(now, stage, waiting, out)?;
        } else if !self.draw(now, stage, out)? {
            return Ok(false);
        }
        if stage.accumulated() >= self.run.manifest.inner_microbatches {
            self.step(stage, out)?;
        }
        Ok(true)
    }

    /// Ends the epoch: drops what is unfinished, takes the last step and snapshot.
    pub(super) fn finish(
        mut self,
        stage: &mut Stage,
        out: &mut Vec<Effect>,
    ) -> Result<WorkLog, Error> {
        self.flights.clear();
        self.flush(stage, out)?;
        Ok(self.log)
    }

    /// Forgets the time between pieces of work when there was a pause.
    pub(super) fn worked(&mut self, took: Millis) {
        let took = took.min(60_000) as u32;
        let old = self.service_ms;
        self.service_ms =
            if old == 0 { took } else { old - (old >> SERVICE_SHIFT) + (took >> SERVICE_SHIFT) };
    }

    fn replicas(&self, stage: u16) -> &[Hotkey] {
        self.plan.stages.get(usize::from(stage)).map_or(&[], Vec::as_slice)
    }

    fn is_tail(&self) -> bool {
        usize::from(self.index) + 1 == self.plan.stages.len()
    }

    fn step(&mut self, stage: &mut Stage, out: &mut Vec<Effect>) -> Result<(), Error> {
        let info = stage.step()?;
        out.push(Effect::Report(Report::Step {
            stage: self.index,
            step: u64::from(stage.version()),
            grad_norm: f64::from(info.grad_norm),
        }));
        let since = stage.version() - self.log.snapshots.last().map_or(0, |snapshot| snapshot.step);
        self.flushing |= since >= self.run.manifest.snapshot_every;
        Ok(())
    }

    fn flush(&mut self, stage: &mut Stage, out: &mut Vec<Effect>) -> Result<(), Error> {
        if stage.accumulated() > 0 {
            self.step(stage, out)?;
        }
        if self.log.snapshots.last().is_none_or(|snapshot| snapshot.step < stage.version()) {
            self.snapshot(stage, out);
        }
        self.flushing = false;
        Ok(())
    }

    fn snapshot(&mut self, stage: &Stage, out: &mut Vec<Effect>) {
        let hash = self.provide(&stage.snapshot(), out);
        self.log.snapshots.push(Snapshot { step: stage.version(), hash });
    }

    fn provide(&self, bytes: &[u8], out: &mut Vec<Effect>) -> Hash {
        let hash = content_hash(bytes);
        out.push(Effect::Provide { hash, bytes: bytes.into(), epoch: self.plan.epoch });
        hash
    }
}

/// BLAKE3 of tokens as little-endian u32: what a head's receipt names as its input.
pub(in crate::roles) fn tokens_hash(tokens: &[u32]) -> Hash {
    let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
    content_hash(&bytes)
}
