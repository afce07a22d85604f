//! The dev chain without its sockets: a subnet set up for a run, extrinsics in, blocks out.

use std::collections::BTreeMap;
use std::sync::Arc;

use iota::protocol::commitment::Commitment;
use iota::protocol::{Hash, Hotkey};
use iota::roles::{Block, Drand, Neuron, Pulse};
use iota_localnet::accounts::{self, TAO};
use iota_localnet::pallets::admin_utils::Call as Admin;
use iota_localnet::pallets::commitments::{
    Call as Commitments, CommitmentInfo, CommitmentOf, Data,
};
use iota_localnet::pallets::drand;
use iota_localnet::pallets::subtensor::Call as Subtensor;
use iota_localnet::runtime::{AccountId, Runtime, SubtensorModule};
use iota_localnet::{Chain, Config, RuntimeCall, signed};
use sp_core::Pair;
use sp_core::sr25519::Pair as Keypair;

/// The subnet that every scene uses.
pub(crate) const NETUID: u16 = 1;
/// Milliseconds between blocks.
pub(crate) const BLOCK_MS: u64 = 500;
/// Newest pulses that a block shows.
const PULSES: u64 = 8;

/// What the chain pays one neuron.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pay {
    /// Share of the miners' emission, of 65535.
    pub(crate) incentive: u16,
    /// Alpha of the last tempo, in rao.
    pub(crate) emission: u64,
}

/// A chain, and the nonces of those who sign.
pub(crate) struct SimChain {
    chain: Chain,
    nonces: BTreeMap<Hotkey, u32>,
}

impl SimChain {
    /// A started subnet in which these hotkeys are registered and the validators hold these stakes.
    pub(crate) fn new(
        seed: u64,
        tempo: u32,
        validators: &[(Keypair, u64)],
        miners: &[Keypair],
    ) -> Self {
        let config = Config { seed, block_time_ms: BLOCK_MS, ..Config::test() };
        let mut chain = Self { chain: Chain::new(&config).unwrap(), nonces: BTreeMap::new() };
        chain.subnet(u16::try_from(tempo).unwrap(), validators.len());
        for (hotkey, stake) in validators {
            let hotkey = id(hotkey);
            let register = Subtensor::burned_register { netuid: NETUID, hotkey: hotkey.clone() };
            chain.ok("//Bob", register);
            chain.ok(
                "//Bob",
                Subtensor::add_stake { hotkey, netuid: NETUID, amount_staked: stake * TAO },
            );
        }
        for hotkey in miners {
            let register = Subtensor::burned_register { netuid: NETUID, hotkey: id(hotkey) };
            chain.ok("//Charlie", register);
        }
        // Permits are given at the end of a tempo.
        chain.seal_to(chain.tempo_end());
        chain
    }

    fn subnet(&mut self, tempo: u16, validators: usize) {
        self.ok("//Alice", Subtensor::register_network { hotkey: accounts::account("//owner") });
        let max_allowed_validators = u16::try_from(validators).unwrap();
        for call in [
            Admin::sudo_set_admin_freeze_window { window: 0 },
            Admin::sudo_set_tempo { netuid: NETUID, tempo },
            Admin::sudo_set_weights_set_rate_limit { netuid: NETUID, weights_set_rate_limit: 0 },
            Admin::sudo_set_commit_reveal_weights_enabled { netuid: NETUID, enabled: false },
            Admin::sudo_set_max_allowed_validators { netuid: NETUID, max_allowed_validators },
            Admin::sudo_set_subnet_emission_enabled { netuid: NETUID, enabled: true },
        ] {
            self.ok("//Alice", pallet_sudo::Call::sudo { call: Box::new(call.into()) });
        }
        self.ok("//Alice", Subtensor::start_call { netuid: NETUID });
    }

    /// Height.
    pub(crate) fn number(&self) -> u32 {
        self.chain.number()
    }

    /// Hash of block 0.
    pub(crate) fn genesis(&self) -> Hash {
        self.chain.genesis_hash().0
    }

    /// The block that ends the present tempo.
    pub(crate) fn tempo_end(&self) -> u32 {
        let end = self.chain.read(|| SubtensorModule::next_epoch_start_block(NETUID)).unwrap();
        u32::try_from(end.unwrap()).unwrap()
    }

    /// Seals up to and with this block.
    pub(crate) fn seal_to(&mut self, number: u32) {
        while self.number() < number {
            self.chain.seal().unwrap();
        }
    }

    /// Seals one block; what it holds, and the calls that failed in it.
    pub(crate) fn seal(&mut self) -> (Block, Vec<String>) {
        let sealed = self.chain.seal().unwrap();
        let failed = sealed.extrinsics.iter().filter_map(|included| included.result.err());
        let failed = failed.map(|error| format!("{error:?}")).collect();
        (self.block(), failed)
    }

    /// Puts a hotkey's commitment into the pool.
    pub(crate) fn commit(&mut self, hotkey: &Keypair, commitment: &Commitment) {
        let field = |field: Option<Vec<u8>>| match field {
            None => Data::None,
            Some(bytes) if bytes.len() <= 128 => Data::Raw(bytes.try_into().unwrap()),
            Some(bytes) => Data::BigRaw(bytes.try_into().unwrap()),
        };
        let fields: Vec<Data> = commitment.fields().into_iter().map(field).collect();
        let info = Box::new(CommitmentInfo { fields: fields.try_into().unwrap() });
        self.submit(hotkey, Commitments::set_commitment { netuid: NETUID, info });
    }

    /// Puts a validator's weights into the pool.
    pub(crate) fn set_weights(&mut self, hotkey: &Keypair, dests: Vec<u16>, weights: Vec<u16>) {
        let call = Subtensor::set_weights { netuid: NETUID, dests, weights, version_key: 0 };
        self.submit(hotkey, call);
    }

    /// What the chain pays each hotkey.
    pub(crate) fn pay(&self) -> BTreeMap<Hotkey, Pay> {
        let neurons = self.chain.read(|| SubtensorModule::neurons(NETUID)).unwrap();
        let pay = neurons.into_iter().map(|neuron| {
            let pay = Pay { incentive: neuron.incentive.0, emission: neuron.emission.0 };
            (neuron.hotkey.into(), pay)
        });
        pay.collect()
    }

    fn ok(&mut self, uri: &str, call: impl Into<RuntimeCall>) {
        let call = call.into();
        let text = format!("{call:?}");
        self.submit(&accounts::pair(uri), call);
        let sealed = self.chain.seal().unwrap();
        assert_eq!(sealed.extrinsics[0].result, Ok(()), "{text}");
    }

    fn submit(&mut self, signer: &Keypair, call: impl Into<RuntimeCall>) {
        let nonce = self.nonces.entry(signer.public().0).or_default();
        let bytes = signed(signer, call.into(), *nonce, &self.chain);
        self.chain.submit(bytes).unwrap();
        *nonce += 1;
    }

    /// The newest block as roles read it.
    fn block(&self) -> Block {
        let number = self.number();
        let (neurons, commitments, pulses, drand) = self
            .chain
            .read(|| {
                let neurons = SubtensorModule::neurons(NETUID);
                let commitments: Vec<_> = CommitmentOf::<Runtime>::iter_prefix(NETUID).collect();
                let last = drand::LastStoredRound::<Runtime>::get();
                let rounds = last.saturating_sub(PULSES - 1).max(1)..=last;
                let pulses: Vec<drand::Pulse> =
                    rounds.filter_map(drand::Pulses::<Runtime>::get).collect();
                (neurons, commitments, pulses, drand::BeaconConfig::<Runtime>::get())
            })
            .unwrap();
        let neurons = neurons.into_iter().map(|neuron| Neuron {
            uid: neuron.uid.0,
            hotkey: neuron.hotkey.into(),
            stake: neuron.stake.iter().map(|(_, stake)| stake.0).sum(),
            permit: neuron.validator_permit,
        });
        let commitments = commitments.into_iter().map(|(hotkey, found)| {
            let fields: Vec<Option<Vec<u8>>> = found.info.fields.iter().map(bytes).collect();
            (hotkey.into(), found.block, Commitment::from_fields(&fields))
        });
        let pulses = pulses.into_iter().map(|pulse| Pulse {
            round: pulse.round,
            randomness: pulse.randomness.into_inner().try_into().unwrap(),
        });
        Block {
            number,
            hash: self.chain.head().hash.0,
            timestamp_ms: self.chain.timestamp_ms(number),
            neurons: Arc::new(neurons.collect()),
            commitments: Arc::new(commitments.collect()),
            pulses: Arc::new(pulses.collect()),
            drand: Some(Drand {
                genesis_s: drand.genesis_time.into(),
                period_s: drand.period.into(),
            }),
        }
    }
}

fn id(pair: &Keypair) -> AccountId {
    AccountId::from(pair.public().0)
}

/// The raw bytes of a commitment's field.
fn bytes(data: &Data) -> Option<Vec<u8>> {
    match data {
        Data::Raw(bytes) => Some(bytes.to_vec()),
        Data::BigRaw(bytes) => Some(bytes.to_vec()),
        _ => None,
    }
}
