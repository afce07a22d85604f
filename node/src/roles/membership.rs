//! Who takes part in an epoch: heartbeats heard, the member set elected, the plan computed.
//!
//! In Settle every node gossips one signed heartbeat for the next epoch, again at each block until
//! the epoch begins, because gossip may lose any of them. Validators commit the hash of the set
//! they heard. Once the first block of the epoch is final, the elected set is either what this node
//! heard, too, or is fetched from those who committed it; then the plan is a pure function.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fetches::{Arrival, Fetches};
use super::ledger::Ledger;
use super::run::Run;
use super::{Effect, Ticket};
use crate::protocol::members::{Heartbeat, MAX_MEMBER_SET_BYTES, MemberSet, Role, SignedHeartbeat};
use crate::protocol::plan::{Plan, plan};
use crate::protocol::{Hash, Hotkey};
use crate::report::Report;
use crate::wire::Gossip;

/// Different heartbeats kept per node and epoch: a second one proves equivocation.
const MAX_PER_NODE: usize = 2;
/// Epochs whose heartbeats, sets and plans are kept.
const KEPT: usize = 8;

/// What a node says of itself besides who it is.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The epoch it wants to take part in.
    pub epoch: u32,
    /// The stage it served last.
    pub stage: Option<u16>,
    /// Stages whose agreed state it holds and serves, with the state's root.
    pub states: Vec<(u16, Hash)>,
}

/// Membership as one node knows it.
pub struct Membership {
    run: Arc<Run>,
    role: Role,
    peer_id: Vec<u8>,
    heard: BTreeMap<u32, BTreeMap<Hotkey, Vec<SignedHeartbeat>>>,
    own: Option<SignedHeartbeat>,
    sets: Vec<(Hash, MemberSet)>,
    plans: BTreeMap<u32, (Arc<Plan>, Hash)>,
    fetching: Option<Hash>,
    fetches: Fetches<Hash>,
}

impl Membership {
    /// Membership of a node with this role.
    #[must_use]
    pub fn new(run: Arc<Run>, role: Role, peer_id: Vec<u8>, component: u16) -> Self {
        Self {
            run,
            role,
            peer_id,
            heard: BTreeMap::new(),
            own: None,
            sets: Vec::new(),
            plans: BTreeMap::new(),
            fetching: None,
            fetches: Fetches::new(component),
        }
    }

    /// Gossips the own heartbeat for an epoch. It is signed once: a second one with other content
    /// would be equivocation.
    pub fn announce(&mut self, about: Announcement, out: &mut Vec<Effect>) {
        if self.own.as_ref().is_none_or(|own| own.body.epoch != about.epoch) {
            let body = Heartbeat {
                hotkey: self.run.me(),
                peer_id: self.peer_id.clone(),
                addresses: Vec::new(),
                role: self.role,
                capacity: 0,
                stage: about.stage,
                states: about.states,
                epoch: about.epoch,
                version: self.run.manifest.version,
            };
            let signature = self.run.signer.sign(&body.message(&self.run.manifest_hash));
            let own = SignedHeartbeat { body, signature };
            self.insert(own.clone());
            self.own = Some(own);
        }
        if let Some(own) = &self.own {
            out.push(Effect::Gossip(Gossip::Heartbeat(own.clone())));
        }
    }

    /// Takes a heartbeat for an epoch that has not begun, from a registered node.
    pub fn heard(&mut self, heartbeat: SignedHeartbeat, ledger: &Ledger) {
        let epoch = heartbeat.body.epoch;
        let upcoming = self.run.clock.announces(ledger.height()) == Some(epoch)
            || self.run.clock.announces(ledger.height() + 1) == Some(epoch);
        let registered = ledger.neurons().iter().any(|n| n.hotkey == heartbeat.body.hotkey);
        if upcoming && registered && heartbeat.verify(&self.run.manifest_hash) {
            self.insert(heartbeat);
        }
    }

    fn insert(&mut self, heartbeat: SignedHeartbeat) {
        let epoch = self.heard.entry(heartbeat.body.epoch).or_default();
        let known = epoch.entry(heartbeat.body.hotkey).or_default();
        match known.iter_mut().find(|known| known.body == heartbeat.body) {
            // Signed again after a restart: all nodes keep the lower signature, whichever came first.
            Some(known) => {
                if heartbeat.signature < known.signature {
                    *known = heartbeat;
                }
            }
            None => {
                if known.len() < MAX_PER_NODE {
                    known.push(heartbeat);
                }
            }
        }
        while self.heard.len() > KEPT {
            self.heard.pop_first();
        }
    }

    /// The set of everybody heard for an epoch: its hash and bytes, to be committed and served.
    pub fn propose(&mut self, epoch: u32) -> (Hash, Vec<u8>) {
        let heard = self.heard.get(&epoch).into_iter().flat_map(BTreeMap::values).flatten();
        let set = MemberSet::new(heard.cloned());
        let found = (set.hash(), set.encode());
        self.keep(found.0, set);
        found
    }

    fn keep(&mut self, hash: Hash, set: MemberSet) {
        if self.sets.iter().all(|(known, _)| *known != hash) {
            self.sets.push((hash, set));
        }
        if self.sets.len() > KEPT {
            self.sets.remove(0);
        }
    }

    /// The plan of an epoch; starts to fetch what is missing for it.
    pub fn plan(
        &mut self,
        epoch: u32,
        ledger: &Ledger,
        out: &mut Vec<Effect>,
    ) -> Option<Arc<Plan>> {
        if let Some((plan, _)) = self.plans.get(&epoch) {
            return Some(Arc::clone(plan));
        }
        let (hash, seed) = (ledger.members(epoch)?, ledger.plan_seed(epoch)?);
        if self.sets.iter().all(|(known, _)| *known != hash) {
            self.propose(epoch);
        }
        let Some((_, set)) = self.sets.iter().find(|(known, _)| *known == hash) else {
            self.fetch(hash, ledger, out);
            return None;
        };
        let suspended = ledger.suspended(epoch, self.run.manifest.scores.window_epochs);
        let members = set.without(&suspended);
        let validators = ledger.validators(epoch);
        let plan = plan(&self.run.manifest, epoch, &members, validators, seed);
        out.push(Effect::Report(Report::Plan {
            epoch,
            beacon: hex::encode(ledger.beacon(epoch)?),
            plan: hex::encode(plan.hash()),
            stages: plan
                .stages
                .iter()
                .map(|stage| stage.iter().map(|hotkey| self.run.name(hotkey)).collect())
                .collect(),
        }));
        let plan = Arc::new(plan);
        self.run.prefetch(&plan);
        self.plans.insert(epoch, (Arc::clone(&plan), hash));
        while self.plans.len() > KEPT {
            self.plans.pop_first();
        }
        Some(plan)
    }

    fn fetch(&mut self, hash: Hash, ledger: &Ledger, out: &mut Vec<Effect>) {
        if self.fetching == Some(hash) {
            return self.fetches.retry(out);
        }
        self.fetching = Some(hash);
        let from = ledger.committers(&hash);
        self.fetches.start(hash, hash, from, MAX_MEMBER_SET_BYTES, out);
    }

    /// Takes a fetched set; false if the fetch was not ours.
    pub fn fetched(&mut self, ticket: Ticket, bytes: Option<&Arc<[u8]>>) -> bool {
        match self.fetches.arrived(ticket, bytes) {
            Arrival::Blob(hash, bytes) => {
                // The set stands whoever committed it; only what it says must be signed.
                let set = MemberSet::decode(bytes, &self.run.manifest_hash);
                if let Some(set) = set.ok().filter(|set| set.hash() == hash) {
                    self.keep(hash, set);
                }
                true
            }
            Arrival::Failed => true,
            Arrival::Foreign => false,
        }
    }

    /// Whether an epoch's plan is known: not where this node was away.
    #[must_use]
    pub fn has_plan(&self, epoch: u32) -> bool {
        self.plans.contains_key(&epoch)
    }

    /// The stage a miner had in an epoch's plan.
    #[must_use]
    pub fn stage_in(&self, epoch: u32, miner: &Hotkey) -> Option<u16> {
        self.plans.get(&epoch)?.0.stage_of(miner)
    }

    /// Members that announced to hold this state.
    #[must_use]
    pub fn holders(&self, epoch: u32, stage: u16, root: &Hash) -> Vec<Hotkey> {
        let Some((_, hash)) = self.plans.get(&epoch) else { return Vec::new() };
        let set = self.sets.iter().find(|(known, _)| known == hash);
        set.into_iter()
            .flat_map(|(_, set)| set.iter())
            .filter(|heartbeat| heartbeat.body.states.contains(&(stage, *root)))
            .map(|heartbeat| heartbeat.body.hotkey)
            .collect()
    }
}
