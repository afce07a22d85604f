//! The plan of an epoch: a pure function of manifest, members and seed that every node evaluates.
//!
//! It puts each miner on a stage, orders the replicas, and gives every eligible validator the
//! miners it audits. Stages are filled so that the slowest one is as fast as possible and none has
//! fewer than two replicas where members allow; a miner stays where it holds the state unless its
//! move helps, since a move costs a download. Ties are broken by the seed. The plan before is no
//! input: who joins late computes the same plan as who was there all along.
//!
//! [`Plan::hash`] covers what work depends on: seed, stages, audits. Roots, peer ids and signatures
//! are left out: they say where to fetch a state, not what to do.

use std::collections::BTreeMap;

use codec::Encode;

use super::choose::{Stream, content_hash};
use super::manifest::Manifest;
use super::members::{EligibleValidator, Heartbeat, MemberSet, Role};
use super::{Hash, Hotkey};

mod assign;
#[cfg(test)]
mod tests;

use assign::assign;

/// Domain of the replicas' order.
const REPLICAS: &str = "iota 2025 plan replicas";
/// Domain of audit samples.
const AUDITS: &str = "iota 2025 plan audits";

/// Who does what in an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The epoch.
    pub epoch: u32,
    /// Its seed.
    pub seed: Hash,
    /// Miners per stage, head first, in seeded order. The position of a head is its number in
    /// microbatch ids and its share of the text.
    pub stages: Vec<Vec<Hotkey>>,
    /// Miners that each validator audits, ascending.
    pub audits: BTreeMap<Hotkey, Vec<Hotkey>>,
    /// Agreed state per stage: the root that most of its holders announced; none = initial.
    pub roots: Vec<Option<Hash>>,
}

/// Computes the plan of an epoch.
#[must_use]
pub fn plan(
    manifest: &Manifest,
    epoch: u32,
    members: &MemberSet,
    validators: &[EligibleValidator],
    seed: Hash,
) -> Plan {
    let miners: Vec<&Heartbeat> =
        members.iter().map(|member| &member.body).filter(|body| body.role == Role::Miner).collect();
    let mut stages = assign(manifest, &miners, &seed);
    for (index, stage) in stages.iter_mut().enumerate() {
        Stream::new(REPLICAS, &[&seed, &(index as u32).to_le_bytes()]).shuffle(stage);
    }
    let mut everybody: Vec<Hotkey> = stages.iter().flatten().copied().collect();
    everybody.sort_unstable();
    let audits = validators
        .iter()
        .map(|validator| {
            (validator.hotkey, audited(manifest, &everybody, &validator.hotkey, &seed))
        })
        .collect();
    let roots = (0..manifest.stages).map(|stage| agreed_root(&miners, stage)).collect();
    Plan { epoch, seed, stages, audits, roots }
}

/// Everybody while there are few, else a sample of that size.
fn audited(manifest: &Manifest, miners: &[Hotkey], validator: &Hotkey, seed: &Hash) -> Vec<Hotkey> {
    let count = manifest.audit.audit_all_up_to as usize;
    let sample = Stream::new(AUDITS, &[seed, validator]).sample(miners.len(), count);
    sample.into_iter().map(|index| miners[index]).collect()
}

/// The root that most holders of a stage announced; of equally many the smallest.
///
/// Honest holders recompute the same root, so this chooses between an agreed state and those of
/// nodes that missed something; a joiner checks every byte against the root it was given.
fn agreed_root(miners: &[&Heartbeat], stage: u16) -> Option<Hash> {
    let mut holders: BTreeMap<Hash, usize> = BTreeMap::new();
    for miner in miners.iter().filter(|miner| miner.stage == Some(stage)) {
        if let Some(root) = miner.state_root {
            *holders.entry(root).or_default() += 1;
        }
    }
    let most = holders.values().max().copied()?;
    holders.into_iter().find(|(_, count)| *count == most).map(|(root, _)| root)
}

impl Plan {
    /// What two nodes compare to know that they work by the same plan.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let audits: Vec<_> = self.audits.iter().collect();
        content_hash(&(self.epoch, self.seed, &self.stages, audits).encode())
    }

    /// The stage of a miner.
    #[must_use]
    pub fn stage_of(&self, miner: &Hotkey) -> Option<u16> {
        self.stages.iter().position(|stage| stage.contains(miner)).map(|stage| stage as u16)
    }

    /// The number of a head among the heads.
    #[must_use]
    pub fn head_of(&self, miner: &Hotkey) -> Option<u16> {
        let position = self.stages.first()?.iter().position(|head| head == miner)?;
        Some(position as u16)
    }

    /// Number of heads.
    #[must_use]
    pub fn heads(&self) -> u16 {
        self.stages.first().map_or(0, |heads| heads.len() as u16)
    }

    /// Miners that a validator audits.
    #[must_use]
    pub fn audits_of(&self, validator: &Hotkey) -> Vec<Hotkey> {
        self.audits.get(validator).cloned().unwrap_or_default()
    }
}
