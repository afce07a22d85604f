//! One stage's butterfly merge as one node sees it: reducer, recipient or checking observer.
//!
//! ```text
//! indices of all contributors -> my shards' chunks -> reduce, provide, announce
//!                             -> other shards: both reducers announce the same -> fetch
//!                                              they differ, or time presses    -> recompute
//! ```
//!
//! Everything fetched is checked against what the contributors committed on chain, so a result is
//! a function of committed bytes. A node that recomputes never needs to believe a reducer; a
//! validator recomputes every shard and so names those who lie.

use std::collections::BTreeMap;
use std::sync::Arc;

use codec::{Decode, Encode};

use super::Effect;
use super::fetches::{Arrival, Fetches};
use crate::protocol::butterfly::{
    self, Agreement, Claim, ClipRule, Input, Schedule, ScheduleError, clip_factors,
};
use crate::protocol::choose::content_hash;
use crate::protocol::delta::{Chunk, DeltaIndex, Layout, MAX_INDEX_BYTES, Packing};
use crate::protocol::{Hash, Hotkey, bounded};
use crate::wire::{Gossip, Reduced};

/// One miner whose committed work enters a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contributor {
    /// Who.
    pub hotkey: Hotkey,
    /// Root of the committed [`DeltaIndex`].
    pub delta_root: Hash,
    /// Tokens verified in the neighbours' logs.
    pub tokens: u64,
}

/// What a merge is of.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Epoch whose work is merged.
    pub epoch: u32,
    /// The stage.
    pub stage: u16,
    /// How the stage is cut.
    pub layout: Layout,
    /// Limits on one contribution.
    pub clip: ClipRule,
    /// Seed of the pairing.
    pub seed: Hash,
}

/// What this node does in the merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Reduce the own shards and collect the others.
    Replica,
    /// Recompute every shard and compare.
    Check,
}

/// What a merge came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The merged pseudo-gradient per chunk; `None` keeps the old parameters.
    pub merged: Vec<Option<Chunk>>,
    /// Shards that nobody could reduce.
    pub lost: Vec<std::ops::Range<usize>>,
    /// What the reducers said of each shard.
    pub agreement: Agreement,
    /// Shards in the schedule.
    pub shards: usize,
}

/// Why a blob was fetched.
#[derive(Debug)]
enum Purpose {
    Index(Hotkey),
    Chunk { shard: usize, chunk: usize, hotkey: Hotkey },
    Result { shard: usize },
}

/// How far one shard is.
#[derive(Debug)]
enum Progress {
    /// Nothing is known yet; claims may arrive.
    Waiting,
    /// Inputs arrive: by (chunk, contributor), with the number still on the way.
    Reducing { inputs: BTreeMap<(usize, Hotkey), Chunk>, awaited: usize },
    /// The result that both reducers announced is on the way.
    Collecting,
    /// Merged.
    Done(Vec<Option<Chunk>>),
}

/// A merge under way.
#[derive(Debug)]
pub struct Merge {
    terms: Terms,
    me: Hotkey,
    duty: Duty,
    schedule: Schedule,
    contributors: BTreeMap<Hotkey, Contributor>,
    indices: BTreeMap<Hotkey, Option<DeltaIndex>>,
    clips: BTreeMap<Hotkey, u32>,
    shards: Vec<Progress>,
    claims: Vec<Claim>,
    recomputed: BTreeMap<usize, Hash>,
    fetches: Fetches<Purpose>,
}

/// Attempts at a contribution before the merge goes on without it: one node that gives up what the
/// others get has another result than they.
const ATTEMPTS: u32 = 4;
/// Claims kept per shard: two reducers, each of which may contradict itself once.
const CLAIMS_PER_SHARD: usize = 4;

impl Merge {
    /// Starts the merge of these contributors, in any order. Fetches begin at once.
    ///
    /// # Errors
    /// [`ScheduleError`] when nobody contributes or too many do.
    pub fn start(
        terms: Terms,
        me: Hotkey,
        duty: Duty,
        contributors: impl IntoIterator<Item = Contributor>,
        component: u16,
        out: &mut Vec<Effect>,
    ) -> Result<Self, ScheduleError> {
        let contributors: BTreeMap<Hotkey, Contributor> =
            contributors.into_iter().map(|c| (c.hotkey, c)).collect();
        let hotkeys: Vec<Hotkey> = contributors.keys().copied().collect();
        let schedule = Schedule::new(&hotkeys, &terms.layout, &terms.seed)?;
        let shards = schedule.shards.iter().map(|_| Progress::Waiting).collect();
        let mut merge = Self {
            terms,
            me,
            duty,
            schedule,
            contributors,
            indices: BTreeMap::new(),
            clips: BTreeMap::new(),
            shards,
            claims: Vec::new(),
            recomputed: BTreeMap::new(),
            fetches: Fetches::new(component),
        };
        for contributor in merge.contributors.values() {
            merge.fetches.start(
                Purpose::Index(contributor.hotkey),
                contributor.delta_root,
                sources(&merge.schedule, contributor.hotkey),
                MAX_INDEX_BYTES,
                out,
            );
        }
        Ok(merge)
    }

    /// Takes a fetched blob; false if it was not for this merge.
    pub fn fetched(
        &mut self,
        ticket: u64,
        bytes: Option<&Arc<[u8]>>,
        out: &mut Vec<Effect>,
    ) -> bool {
        match self.fetches.arrived(ticket, bytes) {
            Arrival::Blob(purpose, bytes) => {
                // Who has committed bytes can serve them, should their owner be gone.
                let (hash, epoch) = (content_hash(bytes), self.terms.epoch);
                out.push(Effect::Provide { hash, bytes: Arc::clone(bytes), epoch });
                self.take(purpose, Some(bytes), out);
            }
            Arrival::Failed => {}
            Arrival::Foreign => return false,
        }
        true
    }

    fn take(&mut self, purpose: Purpose, bytes: Option<&Arc<[u8]>>, out: &mut Vec<Effect>) {
        match purpose {
            Purpose::Index(hotkey) => self.take_index(hotkey, bytes, out),
            Purpose::Chunk { shard, chunk, hotkey } => {
                self.take_chunk(shard, chunk, hotkey, bytes, out);
            }
            Purpose::Result { shard } => self.take_result(shard, bytes, out),
        }
    }

    /// Asks again for what nobody served; call once per block.
    pub fn retry(&mut self, out: &mut Vec<Effect>) {
        self.fetches.retry(out);
    }

    /// Takes a reducer's announcement.
    pub fn heard(&mut self, from: Hotkey, said: &Reduced, out: &mut Vec<Effect>) {
        if (said.epoch, said.stage) != (self.terms.epoch, self.terms.stage) {
            return;
        }
        let shard = said.shard as usize;
        let known = self.claims.iter().filter(|claim| claim.shard == shard).count();
        if !self.is_reducer(shard, &from) || known >= CLAIMS_PER_SHARD {
            return;
        }
        let claim = Claim { shard, reducer: from, result: said.hash };
        if !self.claims.contains(&claim) {
            self.claims.push(claim);
            self.collect(shard, out);
        }
    }

    /// Stops waiting: goes on without contributions that nobody serves, and recomputes whatever is
    /// not announced by both reducers.
    pub fn hurry(&mut self, out: &mut Vec<Effect>) {
        for purpose in self.fetches.give_up_failed(ATTEMPTS) {
            self.take(purpose, None, out);
        }
        self.fetches.retry(out);
        if self.indices.len() < self.contributors.len() {
            return;
        }
        for shard in 0..self.shards.len() {
            if matches!(self.shards[shard], Progress::Waiting) {
                self.begin_reduction(shard, out);
            }
        }
    }

    /// Whether every shard is merged.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.shards.iter().all(|shard| matches!(shard, Progress::Done(_)))
    }

    /// Ends the merge with what is there; shards that are not merged count as lost.
    #[must_use]
    pub fn finish(&self) -> Outcome {
        let mut merged = vec![None; self.terms.layout.chunks()];
        let mut lost = Vec::new();
        for (shard, progress) in self.schedule.shards.iter().zip(&self.shards) {
            match progress {
                Progress::Done(chunks) => merged[shard.chunks.clone()].clone_from_slice(chunks),
                _ => lost.push(shard.chunks.clone()),
            }
        }
        let agreement = butterfly::agreement(&self.schedule, &self.claims, &self.recomputed);
        Outcome { merged, lost, agreement, shards: self.shards.len() }
    }

    /// Miners whose index could be had.
    #[must_use]
    pub fn included(&self) -> usize {
        self.indices.values().flatten().count()
    }

    fn is_reducer(&self, shard: usize, hotkey: &Hotkey) -> bool {
        let position = self.schedule.position(hotkey);
        self.schedule.shards.get(shard).zip(position).is_some_and(|(shard, position)| {
            shard.reducers.0 == position || shard.reducers.1 == position
        })
    }

    fn take_index(&mut self, hotkey: Hotkey, bytes: Option<&Arc<[u8]>>, out: &mut Vec<Effect>) {
        let terms = &self.terms;
        let index = bytes.and_then(|bytes| {
            DeltaIndex::decode_for(bytes, terms.epoch, terms.stage, &terms.layout).ok()
        });
        self.indices.insert(hotkey, index);
        if self.indices.len() < self.contributors.len() {
            return;
        }
        let sums: BTreeMap<Hotkey, u128> = self
            .indices
            .iter()
            .filter_map(|(hotkey, index)| Some((*hotkey, index.as_ref()?.sum_sq())))
            .collect();
        self.clips = clip_factors(&sums, self.terms.layout.elements, self.terms.clip);
        for shard in 0..self.shards.len() {
            if self.duty == Duty::Check || self.is_reducer(shard, &self.me) {
                self.begin_reduction(shard, out);
            } else {
                self.collect(shard, out);
            }
        }
    }

    /// Fetches a shard's result once both reducers announced the same, recomputes if they differ.
    fn collect(&mut self, shard: usize, out: &mut Vec<Effect>) {
        let ready = self.indices.len() == self.contributors.len();
        if !ready || !matches!(self.shards[shard], Progress::Waiting) {
            return;
        }
        let (first, second) = self.schedule.shards[shard].reducers;
        let expected = if first == second { 1 } else { 2 };
        let claims: Vec<&Claim> = self.claims.iter().filter(|c| c.shard == shard).collect();
        if claims.windows(2).any(|pair| pair[0].result != pair[1].result) {
            self.begin_reduction(shard, out);
        } else if claims.len() == expected {
            let (hash, from) = (claims[0].result, claims.iter().map(|c| c.reducer).collect());
            self.shards[shard] = Progress::Collecting;
            let limit = self.result_limit(shard);
            self.fetches.start(Purpose::Result { shard }, hash, from, limit, out);
        }
    }

    fn result_limit(&self, shard: usize) -> usize {
        let range = self.schedule.shards[shard].chunks.clone();
        let layout = &self.terms.layout;
        // Per chunk: option tag, length, flag, exponents (at most one per element), mantissas.
        16 + range.map(|chunk| 8 + 2 * layout.len(chunk)).sum::<usize>()
    }

    fn begin_reduction(&mut self, shard: usize, out: &mut Vec<Effect>) {
        let range = self.schedule.shards[shard].chunks.clone();
        let mut awaited = 0;
        for chunk in range {
            for (hotkey, index) in &self.indices {
                let Some(index) = index else { continue };
                let named = index.chunks[chunk];
                let purpose = Purpose::Chunk { shard, chunk, hotkey: *hotkey };
                let from = sources(&self.schedule, *hotkey);
                self.fetches.start(purpose, named.hash, from, named.bytes as usize, out);
                awaited += 1;
            }
        }
        self.shards[shard] = Progress::Reducing { inputs: BTreeMap::new(), awaited };
        if awaited == 0 {
            self.reduce(shard, out);
        }
    }

    fn take_chunk(
        &mut self,
        shard: usize,
        chunk: usize,
        hotkey: Hotkey,
        bytes: Option<&Arc<[u8]>>,
        out: &mut Vec<Effect>,
    ) {
        let index = self.indices.get(&hotkey).and_then(Option::as_ref);
        let opened = bytes.zip(index).and_then(|(bytes, index)| index.open(chunk, bytes).ok());
        let Progress::Reducing { inputs, awaited } = &mut self.shards[shard] else { return };
        if let Some(opened) = opened {
            inputs.insert((chunk, hotkey), opened);
        }
        *awaited -= 1;
        if *awaited == 0 {
            self.reduce(shard, out);
        }
    }

    /// Reduces a shard whose inputs are all there, and announces it where that is our duty.
    fn reduce(&mut self, shard: usize, out: &mut Vec<Effect>) {
        let Progress::Reducing { inputs, .. } = &self.shards[shard] else { return };
        let range = self.schedule.shards[shard].chunks.clone();
        let merged: Vec<Option<Chunk>> = range
            .map(|chunk| {
                let inputs: Vec<Input<'_>> = inputs
                    .range((chunk, [0; 32])..=(chunk, [255; 32]))
                    .map(|((_, hotkey), opened)| Input {
                        hotkey: *hotkey,
                        weight_tokens: self.contributors[hotkey].tokens,
                        clip: self.clips[hotkey],
                        chunk: opened,
                    })
                    .collect();
                butterfly::reduce(&inputs, self.terms.layout.block).ok()
            })
            .collect();
        let bytes = encode_result(&merged);
        let hash = content_hash(&bytes);
        self.recomputed.insert(shard, hash);
        self.shards[shard] = Progress::Done(merged);
        if self.duty == Duty::Replica && self.is_reducer(shard, &self.me) {
            let Terms { epoch, stage, .. } = self.terms;
            self.claims.push(Claim { shard, reducer: self.me, result: hash });
            out.push(Effect::Provide { hash, bytes: bytes.into(), epoch });
            let said = Reduced { epoch, stage, shard: shard as u32, hash };
            out.push(Effect::Gossip(Gossip::Reduced(said)));
        }
    }

    fn take_result(&mut self, shard: usize, bytes: Option<&Arc<[u8]>>, out: &mut Vec<Effect>) {
        let merged = bytes.and_then(|bytes| self.decode_result(shard, bytes));
        match merged {
            Some(merged) => self.shards[shard] = Progress::Done(merged),
            None => self.begin_reduction(shard, out),
        }
    }

    fn decode_result(&self, shard: usize, bytes: &[u8]) -> Option<Vec<Option<Chunk>>> {
        let range = self.schedule.shards[shard].chunks.clone();
        let layout = &self.terms.layout;
        let result: MergedShard = bounded::decode(bytes, self.result_limit(shard)).ok()?;
        if result.chunks.len() != range.len() {
            return None;
        }
        range
            .zip(result.chunks)
            .map(|(chunk, bytes)| match bytes {
                None => Some(None),
                Some(bytes) => {
                    Chunk::from_bytes(&bytes, layout.len(chunk), layout.block).ok().map(Some)
                }
            })
            .collect()
    }
}

/// The blob of a merged shard: its chunks in raw form, `None` where no input carried weight.
#[derive(Encode, Decode)]
struct MergedShard {
    chunks: Vec<Option<Vec<u8>>>,
}

fn encode_result(merged: &[Option<Chunk>]) -> Vec<u8> {
    let raw = |chunk: &Option<Chunk>| chunk.as_ref().map(|chunk| chunk.to_bytes(Packing::Raw));
    MergedShard { chunks: merged.iter().map(raw).collect() }.encode()
}

/// Whom to ask for a contributor's bytes: itself, then those who fetched them to reduce.
fn sources(schedule: &Schedule, owner: Hotkey) -> Vec<Hotkey> {
    let others = schedule.contributors.iter().copied().filter(|hotkey| *hotkey != owner);
    std::iter::once(owner).chain(others.take(4)).collect()
}
