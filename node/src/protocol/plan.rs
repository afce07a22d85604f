//! The plan of an epoch: a pure function of manifest, members and seed that every node evaluates.
//!
//! It puts each miner on a stage, orders the replicas, and says which state each stage starts from.
//! Stages are filled so that the slowest one is as fast as possible and none has
//! fewer than two replicas where members allow; a miner stays where it holds the state unless its
//! move helps, since a move costs a download. Ties are broken by the seed. The plan before is no
//! input: who joins late computes the same plan as who was there all along.
//!
//! [`Plan::hash`] covers what work depends on: seed and stages. Origins, peer ids and signatures are
//! left out: they say where to fetch a state, not what to do.

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

/// The state that a stage starts an epoch from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The initial one: nobody holds another.
    Initial,
    /// The one with this root.
    Agreed(Hash),
    /// The one that its holders made last: the members could not be heard before this epoch, so
    /// those of an earlier one stand, whose words on states are out of date. Who is not sure of its
    /// own state sits the epoch out.
    Unsaid,
}

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
    /// What each stage starts from.
    pub origins: Vec<Origin>,
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
    let is_heard = members.iter().all(|member| member.body.epoch == epoch);
    let origin = |stage| match agreed_root(members, validators, stage) {
        _ if !is_heard => Origin::Unsaid,
        Some(root) => Origin::Agreed(root),
        None => Origin::Initial,
    };
    let origins = (0..manifest.stages).map(origin).collect();
    Plan { epoch, seed, stages, origins }
}

/// The root that eligible validators with the most stake computed; where they say nothing, or are
/// equally many, the one that most miners hold; then the smallest.
///
/// Validators recompute each merge from committed bytes, so the honest majority of stake names the
/// state that follows from the chain, whatever a stage's miners say. A joiner checks every byte
/// against the root.
fn agreed_root(members: &MemberSet, validators: &[EligibleValidator], stage: u16) -> Option<Hash> {
    let mut support: BTreeMap<Hash, (u128, u32)> = BTreeMap::new();
    for Heartbeat { hotkey, role, states, .. } in members.iter().map(|member| &member.body) {
        let Some((_, root)) = states.iter().find(|(of, _)| *of == stage) else { continue };
        let (stake, holders) = support.entry(*root).or_default();
        match role {
            Role::Miner => *holders += 1,
            Role::Validator => {
                let eligible = validators.iter().find(|validator| validator.hotkey == *hotkey);
                *stake += eligible.map_or(0, |validator| u128::from(validator.stake));
            }
        }
    }
    let most = support.values().max().copied()?;
    support.into_iter().find(|(_, found)| *found == most).map(|(root, _)| root)
}

impl Plan {
    /// What two nodes compare to know that they work by the same plan.
    #[must_use]
    pub fn hash(&self) -> Hash {
        content_hash(&(self.epoch, self.seed, &self.stages).encode())
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
}
