//! Scenes: who takes part in a small run, what goes wrong, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use iota::preset::{self, Choice};
use iota::protocol::Hotkey;
use iota::protocol::commitment::Commitment;
use iota::protocol::manifest::{Cut, Manifest, Model, Phases};
use iota::protocol::scores::Scores;
use iota::report::Report;
use iota::roles::machine::Machine;
use iota::roles::miner::{Kind, Miner};
use iota::roles::run::{Run, name};
use iota::roles::validator::Validator;
use iota_localnet::accounts;
use iota_trainer::{Dataset, Reference};
use sp_core::Pair;
use sp_core::sr25519::Pair as Keypair;

use crate::chain::{NETUID, Pay, SimChain};
use crate::network::{Faults, Place};
use crate::world::{Node, PlainSigner, World};

/// Blocks from an epoch's start to the end of the tempo that pays the epoch before.
const PAY_DELAY: u32 = 3;
/// Blocks before the first epoch, for the members to announce themselves.
const OPENING: u32 = 8;
/// Epochs short enough that a scene takes seconds.
const PHASES: Phases = Phases { train: 12, commit: 2, audit: 12, merge: 6, settle: 5 };
/// Context of the scenes' model, in tokens.
pub(crate) const CONTEXT: u32 = 32;

/// What nodes made of each (epoch, stage): root, whether all shards agreed, contributors.
pub(crate) type Merges = BTreeMap<(u32, u16), BTreeSet<(String, bool, u32)>>;

/// What a scene is made of.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) seed: u64,
    pub(crate) epochs: u32,
    /// TAO staked on each validator.
    pub(crate) stakes: Vec<u64>,
    /// The cheats, by place among the miners.
    pub(crate) hostile: BTreeMap<usize, Kind>,
    pub(crate) faults: Faults,
    /// Microbatches that a head draws per epoch at most.
    pub(crate) max_draws: u32,
    /// None: the text inside the program.
    pub(crate) data: Option<Arc<Dataset>>,
}

/// Stages, and miners of each.
const STAGES: u16 = 3;
const REPLICAS: usize = 2;

impl Scene {
    /// Two validators with equal stakes, six honest miners, a good network.
    pub(crate) fn new(seed: u64, epochs: u32) -> Self {
        let hostile = BTreeMap::new();
        let (stakes, faults, max_draws) = (vec![10, 10], Faults::NONE, 40);
        Self { seed, epochs, stakes, hostile, faults, max_draws, data: None }
    }

    /// The same with one cheat on a stage.
    pub(crate) fn with(mut self, stage: u16, kind: Kind) -> Self {
        self.hostile.insert(usize::from(stage), kind);
        self
    }

    /// Sets everything up, ready for the opening.
    pub(crate) fn open(&self) -> Play {
        iota_trainer::use_threads(1);
        let pair = |name: &str, index: usize| accounts::pair(&format!("//{name}{index}"));
        let miners: Vec<Keypair> =
            (0..usize::from(STAGES) * REPLICAS).map(|index| pair("miner", index)).collect();
        let validators: Vec<(Keypair, u64)> = self
            .stakes
            .iter()
            .enumerate()
            .map(|(index, stake)| (pair("validator", index), *stake))
            .collect();
        let mut chain = SimChain::new(self.seed, PHASES.total(), &validators, &miners);
        let embedded = || Arc::new(Dataset::embedded(CONTEXT).unwrap());
        let dataset = self.data.clone().unwrap_or_else(embedded);
        let manifest = self.manifest(&chain, &dataset, &miners);
        chain.commit(&accounts::pair("//owner"), &Commitment::of_manifest(manifest.hash()));
        let reference = Arc::new(Reference::new(&dataset).unwrap());
        let run = |pair: &Keypair| {
            let signer = Arc::new(PlainSigner(pair.clone()));
            let (dataset, reference) = (Arc::clone(&dataset), Arc::clone(&reference));
            Arc::new(Run::new(manifest.clone(), dataset, reference, signer))
        };
        let mut nodes = Vec::new();
        for (index, pair) in miners.iter().enumerate() {
            let miner = Miner::new(run(pair), peer_id(pair), self.hostile.get(&index).copied());
            // Machines differ.
            let work_ms = 24 + 8 * (index as u64 % 3);
            nodes.push(Node::new(pair.clone(), Machine::Miner(Box::new(miner)), work_ms));
        }
        for (pair, _) in &validators {
            let validator = Validator::new(run(pair), peer_id(pair), None).unwrap();
            nodes.push(Node::new(pair.clone(), Machine::Validator(Box::new(validator)), 20));
        }
        let runs = nodes.iter().map(|node| run(&node.pair)).collect();
        let world = World::new(chain, nodes, manifest.hop_timeout_ms, self.seed, self.faults);
        Play { scene: self.clone(), manifest, runs, world, paid: Vec::new() }
    }

    /// Plays it from beginning to end.
    pub(crate) fn play(&self) -> Play {
        let mut play = self.open();
        play.play_to_epoch(self.epochs);
        play
    }

    fn manifest(&self, chain: &SimChain, dataset: &Dataset, miners: &[Keypair]) -> Manifest {
        let tempo = PHASES.total();
        let mut start_block = chain.tempo_end() - PAY_DELAY;
        while start_block < chain.number() + OPENING {
            start_block += tempo;
        }
        let pins = miners.iter().enumerate();
        let pins =
            pins.map(|(index, pair)| (pair.public().0, (index % usize::from(STAGES)) as u16));
        let mut manifest = preset::small(Choice {
            name: "scene".into(),
            genesis: chain.genesis(),
            netuid: NETUID,
            start_block,
            stages: STAGES,
            seed: self.seed,
            pins: pins.collect(),
        });
        preset::fit(&mut manifest, dataset.manifest());
        let model = Model { d_model: 32, d_ffn: 96, ..manifest.model };
        let cut = Cut { width: 12, bits: 8, token_width: 0, token_span: 1, ..manifest.cut };
        let manifest = Manifest { phases: PHASES, batch: 4, draw_guard: 2, model, cut, ..manifest };
        let manifest = Manifest { max_draws: self.max_draws, ..manifest };
        manifest.validate().unwrap();
        manifest
    }
}

/// A scene as it is played.
pub(crate) struct Play {
    scene: Scene,
    pub(crate) manifest: Manifest,
    runs: Vec<Arc<Run>>,
    pub(crate) world: World,
    /// What the chain paid at the end of each tempo, beginning with the one that pays epoch 0.
    pub(crate) paid: Vec<BTreeMap<Hotkey, Pay>>,
}

impl Play {
    /// Plays until the tempo has ended that pays the epoch before this one.
    pub(crate) fn play_to_epoch(&mut self, epoch: u32) {
        let from = self.paid.len() as u32 + 1;
        for paying in from..=epoch {
            self.play_to_block(paying, PAY_DELAY + 1);
            self.paid.push(self.world.chain.pay());
        }
    }

    /// Plays until so many blocks into an epoch.
    pub(crate) fn play_to_block(&mut self, epoch: u32, offset: u32) {
        let start = self.manifest.start_block + epoch * self.manifest.phases.total();
        self.world.run_to(start + offset);
    }

    /// Starts a killed node again, as a new process with what it kept.
    pub(crate) fn restart(&mut self, place: Place) {
        let run = Arc::clone(&self.runs[place]);
        let pair = self.world.nodes[place].pair.clone();
        let machine = if place < usize::from(STAGES) * REPLICAS {
            let hostile = self.scene.hostile.get(&place).copied();
            Machine::Miner(Box::new(Miner::new(run, peer_id(&pair), hostile)))
        } else {
            let saved = self.world.nodes[place].records.get("scores");
            let saved = saved.map(|bytes| Scores::from_bytes(bytes).unwrap());
            Machine::Validator(Box::new(Validator::new(run, peer_id(&pair), saved).unwrap()))
        };
        let height = self.world.chain.number();
        let since = height.saturating_sub(self.manifest.start_block);
        let start = height - since % self.manifest.phases.total();
        let from = start.saturating_sub(self.manifest.phases.settle);
        self.world.restart(place, machine, from);
    }

    pub(crate) fn hotkey(&self, place: Place) -> Hotkey {
        self.world.nodes[place].pair.public().0
    }

    /// Places of the miners.
    pub(crate) fn miners(&self) -> std::ops::Range<Place> {
        0..usize::from(STAGES) * REPLICAS
    }

    pub(crate) fn reports(&self) -> impl Iterator<Item = &Report> {
        self.world.reports.iter().map(|(_, report)| report)
    }

    /// Miners that some validator's audit failed, with the reasons.
    pub(crate) fn failed_audits(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for report in self.reports() {
            if let Report::Audit { miner, passed: false, reason, epoch, .. } = report {
                let reason = format!("epoch {epoch}: {reason}");
                found.entry(miner.clone()).or_default().insert(reason);
            }
        }
        found
    }

    /// Audits done, by epoch.
    pub(crate) fn audits(&self) -> BTreeMap<u32, usize> {
        let mut found = BTreeMap::new();
        for report in self.reports() {
            if let Report::Audit { epoch, .. } = report {
                *found.entry(*epoch).or_default() += 1;
            }
        }
        found
    }

    /// Every credit multiplier that a validator gave: epoch, miner, multiplier.
    pub(crate) fn credits(&self) -> Vec<(u32, String, f64)> {
        let credits = self.reports().filter_map(|report| match report {
            Report::Clasp { epoch, miner, multiplier, .. } => {
                Some((*epoch, miner.clone(), *multiplier))
            }
            _ => None,
        });
        credits.collect()
    }

    /// Every merge that a node computed.
    pub(crate) fn merges(&self) -> Merges {
        let mut found = Merges::new();
        for report in self.reports() {
            if let Report::Merge { epoch, stage, root, agreed, contributors, .. } = report {
                let merge = (root.clone(), *agreed, *contributors);
                found.entry((*epoch, *stage)).or_default().insert(merge);
            }
        }
        found
    }

    /// Held-out loss by epoch, the worst of what validators found.
    pub(crate) fn losses(&self) -> BTreeMap<u32, f64> {
        let mut found = BTreeMap::new();
        for report in self.reports() {
            if let Report::Eval { epoch, loss, .. } = report {
                let known: &mut f64 = found.entry(*epoch).or_insert(*loss);
                *known = known.max(*loss);
            }
        }
        found
    }

    /// A hotkey as reports name it.
    pub(crate) fn name(&self, place: Place) -> String {
        name(&self.hotkey(place))
    }

    /// Incentive of each miner after the tempo that pays an epoch.
    pub(crate) fn incentives(&self, epoch: u32) -> Vec<u16> {
        let paid = &self.paid[epoch as usize];
        self.miners().map(|place| paid[&self.hotkey(place)].incentive).collect()
    }
}

fn peer_id(pair: &Keypair) -> Vec<u8> {
    pair.public().0.to_vec()
}
