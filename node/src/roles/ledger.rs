//! What the chain has said so far, as far as the protocol asks: beacons, votes, work, vetoes.
//!
//! Fed every finalized block in order. A commitment counts by the block that included it: a
//! member-set vote until the deadline before its epoch, work within the Commit phase, a veto
//! within the Audit phase. Later rewrites of the slot change nothing that was seen in time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Block, Drand, Neuron};
use crate::protocol::clock::{Clock, Phase};
use crate::protocol::commitment::WorkCommitment;
use crate::protocol::members::{EligibleValidator, elect};
use crate::protocol::seed::{audit_round, audit_seed, plan_seed};
use crate::protocol::{Hash, Hotkey};

/// Epochs whose facts are kept.
const KEPT_EPOCHS: u32 = 64;
/// Pulses kept.
const KEPT_PULSES: usize = 4096;

/// What the chain says of one epoch.
#[derive(Debug, Default)]
struct Facts {
    /// Randomness at the first block.
    beacon: Option<Hash>,
    /// Eligible validators at the first block.
    validators: Vec<EligibleValidator>,
    /// Member sets committed in time, by validator.
    votes: BTreeMap<Hotkey, Hash>,
    /// The member set that stands, once the first block is there.
    members: Option<Hash>,
    /// Work committed in time.
    work: BTreeMap<Hotkey, WorkCommitment>,
    /// Hash and chain time of the last Commit block, in milliseconds.
    commit_end: Option<(Hash, u64)>,
    /// Miners vetoed in time, by validator.
    vetoes: BTreeMap<Hotkey, BTreeSet<Hotkey>>,
}

/// The chain's facts about the last epochs.
#[derive(Debug)]
pub struct Ledger {
    clock: Clock,
    manifest_hash: Hash,
    least_stake: u64,
    margin_s: u64,
    epochs: BTreeMap<u32, Facts>,
    pulses: BTreeMap<u64, Hash>,
    drand: Option<Drand>,
    neurons: Arc<Vec<Neuron>>,
    height: u32,
}

impl Ledger {
    /// An empty ledger for the run of this manifest.
    #[must_use]
    pub fn new(run: &super::run::Run) -> Self {
        Self {
            clock: run.clock.clone(),
            manifest_hash: run.manifest_hash,
            least_stake: run.manifest.min_validator_stake,
            margin_s: u64::from(run.manifest.seed_margin_s),
            epochs: BTreeMap::new(),
            pulses: BTreeMap::new(),
            drand: None,
            neurons: Arc::default(),
            height: 0,
        }
    }

    /// Takes the next finalized block.
    pub fn observe(&mut self, block: &Block) {
        self.height = block.number;
        self.neurons = Arc::clone(&block.neurons);
        self.drand = block.drand;
        self.pulses.extend(block.pulses.iter().map(|pulse| (pulse.round, pulse.randomness)));
        while self.pulses.len() > KEPT_PULSES {
            self.pulses.pop_first();
        }
        self.take_commitments(block);
        let Some(position) = self.clock.position(block.number) else { return };
        let epoch = position.epoch;
        if block.number == self.clock.epoch_start(epoch) {
            self.open_epoch(epoch, block);
        }
        if position.phase == Phase::Commit && block.number == position.last {
            self.facts(epoch).commit_end = Some((block.hash, block.timestamp_ms));
        }
        while self.epochs.first_key_value().is_some_and(|(old, _)| old + KEPT_EPOCHS < epoch) {
            self.epochs.pop_first();
        }
    }

    /// Fixes what the first block of an epoch decides.
    fn open_epoch(&mut self, epoch: u32, block: &Block) {
        let beacon = block.pulses.last().map_or(block.hash, |pulse| pulse.randomness);
        let validators = self.eligible();
        let previous = epoch.checked_sub(1).and_then(|before| self.members(before));
        let facts = self.facts(epoch);
        let votes: Vec<(Hotkey, Hash)> = facts.votes.iter().map(|(v, hash)| (*v, *hash)).collect();
        facts.beacon = Some(beacon);
        facts.members = elect(&validators, &votes).or(previous);
        facts.validators = validators;
    }

    fn take_commitments(&mut self, block: &Block) {
        for (hotkey, included, commitment) in block.commitments.iter() {
            if let Some(vote) = &commitment.members
                && *included <= self.clock.members_deadline(vote.epoch)
            {
                self.facts(vote.epoch).votes.insert(*hotkey, vote.hash);
            }
            if let Some(work) = &commitment.work
                && self.clock.phase_range(work.epoch, Phase::Commit).contains(included)
            {
                self.facts(work.epoch).work.insert(*hotkey, *work);
            }
            if let Some(veto) = &commitment.veto
                && self.clock.phase_range(veto.epoch, Phase::Audit).contains(included)
            {
                let uids: BTreeSet<u16> = veto.miners.iter().map(|(uid, _)| *uid).collect();
                let of = |neuron: &&Neuron| uids.contains(&neuron.uid);
                let vetoed = block.neurons.iter().filter(of).map(|n| n.hotkey).collect();
                self.facts(veto.epoch).vetoes.insert(*hotkey, vetoed);
            }
        }
    }

    fn facts(&mut self, epoch: u32) -> &mut Facts {
        self.epochs.entry(epoch).or_default()
    }

    /// The last block's height.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The neurons after the last block.
    #[must_use]
    pub fn neurons(&self) -> &[Neuron] {
        &self.neurons
    }

    /// Validators that may decide: a permit and the manifest's least stake.
    #[must_use]
    pub fn eligible(&self) -> Vec<EligibleValidator> {
        let decides = |neuron: &&Neuron| neuron.permit && neuron.stake >= self.least_stake;
        let mut validators: Vec<EligibleValidator> = self
            .neurons
            .iter()
            .filter(decides)
            .map(|neuron| EligibleValidator { hotkey: neuron.hotkey, stake: neuron.stake })
            .collect();
        validators.sort_by_key(|validator| validator.hotkey);
        validators
    }

    /// The validators that were eligible when the epoch began.
    #[must_use]
    pub fn validators(&self, epoch: u32) -> &[EligibleValidator] {
        self.epochs.get(&epoch).map_or(&[], |facts| &facts.validators)
    }

    /// Randomness of the epoch's first block.
    #[must_use]
    pub fn beacon(&self, epoch: u32) -> Option<Hash> {
        self.epochs.get(&epoch)?.beacon
    }

    /// Seed of the epoch's plan.
    #[must_use]
    pub fn plan_seed(&self, epoch: u32) -> Option<Hash> {
        Some(plan_seed(&self.manifest_hash, epoch, &self.beacon(epoch)?))
    }

    /// Hash of the member set that stands in the epoch, and who committed it.
    #[must_use]
    pub fn members(&self, epoch: u32) -> Option<Hash> {
        self.epochs.get(&epoch)?.members
    }

    /// Validators that ever committed this member set.
    #[must_use]
    pub fn committers(&self, hash: &Hash) -> Vec<Hotkey> {
        let mut found = BTreeSet::new();
        for facts in self.epochs.values() {
            found.extend(facts.votes.iter().filter(|(_, voted)| *voted == hash).map(|(v, _)| *v));
        }
        found.into_iter().collect()
    }

    /// Work committed in time for an epoch.
    #[must_use]
    pub fn work(&self, epoch: u32) -> BTreeMap<Hotkey, WorkCommitment> {
        self.epochs.get(&epoch).map(|facts| facts.work.clone()).unwrap_or_default()
    }

    /// Miners that validators with more than half of the eligible stake vetoed in the epoch.
    #[must_use]
    pub fn vetoed(&self, epoch: u32) -> BTreeSet<Hotkey> {
        let Some(facts) = self.epochs.get(&epoch) else { return BTreeSet::new() };
        let total: u128 = facts.validators.iter().map(|v| u128::from(v.stake)).sum();
        let mut against: BTreeMap<Hotkey, u128> = BTreeMap::new();
        for validator in &facts.validators {
            for miner in facts.vetoes.get(&validator.hotkey).into_iter().flatten() {
                *against.entry(*miner).or_default() += u128::from(validator.stake);
            }
        }
        against.into_iter().filter(|(_, stake)| stake * 2 > total).map(|(m, _)| m).collect()
    }

    /// Miners vetoed in one of the `window` epochs before this one: they get no work.
    #[must_use]
    pub fn suspended(&self, epoch: u32, window: u32) -> BTreeSet<Hotkey> {
        (epoch.saturating_sub(window)..epoch).flat_map(|before| self.vetoed(before)).collect()
    }

    /// Seed of the epoch's audits; none before the randomness exists.
    ///
    /// With pulses: the first round whose time lies the margin after the last Commit block. Without:
    /// the hash of the last Commit block, which its author could have ground.
    #[must_use]
    pub fn audit_seed(&self, epoch: u32) -> Option<Hash> {
        let (hash, time_ms) = self.epochs.get(&epoch)?.commit_end?;
        let randomness = match self.drand {
            None => hash,
            Some(drand) => {
                let margin_ms = self.margin_s * 1000;
                let round = audit_round(time_ms, margin_ms, drand.genesis_s, drand.period_s);
                *self.pulses.get(&round)?
            }
        };
        Some(audit_seed(&self.manifest_hash, epoch, &randomness))
    }
}
