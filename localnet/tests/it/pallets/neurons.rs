//! Registration, pruning, weights' checks, axons, commitments, the beacon.

use super::subnet::{NET, Net, id};
use frame_support::BoundedVec;
use iota_localnet::{
    accounts::TAO,
    pallets::{
        admin_utils::Call as Admin,
        commitments::{self, CommitmentInfo, Data},
        drand, subtensor,
        subtensor::Call as Subtensor,
    },
    runtime::{Balances, Runtime, SubtensorModule},
};
use iota_timelock::{PublicKey, Signature};

fn register(name: &str) -> Subtensor<Runtime> {
    Subtensor::burned_register { netuid: NET, hotkey: id(name) }
}

fn weights(dests: &[u16], weights: &[u16]) -> Subtensor<Runtime> {
    let (dests, weights) = (dests.to_vec(), weights.to_vec());
    Subtensor::set_weights { netuid: NET, dests, weights, version_key: 0 }
}

#[test]
fn registration_costs_the_price_and_raises_it() {
    let mut net = Net::started();
    let price = net.read(|| subtensor::Burn::<Runtime>::get(NET));
    let before = net.read(|| Balances::free_balance(id("Bob")));
    net.ok("Bob", register("a"));
    let spent = before - net.read(|| Balances::free_balance(id("Bob")));
    let raised = net.read(|| subtensor::Burn::<Runtime>::get(NET));
    assert!(spent > price * 99 / 100 && spent < price * 101 / 100 + TAO / 100, "{spent} {price}");
    assert!((1.2..1.27).contains(&(raised as f64 / price as f64)), "{raised}");
    assert_eq!(net.read(|| subtensor::RAORecycledForRegistration::<Runtime>::get(NET)) / 1000, {
        let paid = (raised as f64 / 1.26) as u64;
        paid / 1000
    });
    assert_eq!(net.refusal("Bob", register("a")), "HotKeyAlreadyRegisteredInSubNet");
    assert_eq!(net.refusal("Charlie", register("a")), "HotKeyAlreadyRegisteredInSubNet");
    let other = Subtensor::burned_register { netuid: 9, hotkey: id("a") };
    assert_eq!(net.refusal("Bob", other), "SubnetNotExists");
    assert_eq!(net.refusal("Charlie", register("owner")), "HotKeyAlreadyRegisteredInSubNet");
    let closed =
        Admin::sudo_set_network_registration_allowed { netuid: NET, registration_allowed: false };
    net.sudo(closed);
    assert_eq!(net.refusal("Bob", register("b")), "SubNetRegistrationDisabled");
    let neurons = net.read(|| SubtensorModule::neurons(NET));
    assert_eq!(neurons.len(), 2);
    assert_eq!((neurons[1].hotkey.clone(), neurons[1].coldkey.clone()), (id("a"), id("Bob")));
    net.check_books();
}

#[test]
fn a_hotkey_belongs_to_one_coldkey() {
    let mut net = Net::started();
    net.ok("Bob", register("a"));
    net.sudo(Admin::sudo_set_network_rate_limit { rate_limit: 0 });
    net.ok("Alice", Subtensor::register_network { hotkey: id("owner2") });
    let second = Subtensor::burned_register { netuid: 2, hotkey: id("a") };
    assert_eq!(net.refusal("Charlie", second.clone()), "NonAssociatedColdKey");
    net.ok("Bob", second);
}

#[test]
fn a_full_subnet_prunes_by_emission_then_age_then_uid() {
    let mut net = Net::started();
    for name in ["a", "b", "c"] {
        net.ok("Bob", register(name));
    }
    net.sudo(Admin::sudo_set_max_allowed_uids { netuid: NET, max_allowed_uids: 4 });
    let prune = |net: &Net, emission: [u64; 4], since: [u64; 4], immunity: u16, least: u16| {
        net.read(|| {
            subtensor::Emission::<Runtime>::insert(NET, emission.to_vec());
            for (uid, block) in (0..).zip(since) {
                subtensor::BlockAtRegistration::<Runtime>::insert(NET, uid, block);
            }
            subtensor::ImmunityPeriod::<Runtime>::insert(NET, immunity);
            subtensor::MinNonImmuneUids::<Runtime>::insert(NET, least);
            SubtensorModule::neuron_to_prune(NET)
        })
    };
    // The owner's neuron, uid 0, never yields.
    assert_eq!(prune(&net, [0, 5, 4, 9], [1, 1, 1, 1], 0, 0), Some(2));
    assert_eq!(prune(&net, [0, 5, 5, 9], [1, 3, 2, 1], 0, 0), Some(2));
    assert_eq!(prune(&net, [0, 5, 5, 9], [1, 2, 2, 1], 0, 0), Some(1));
    // An immune neuron yields only where no other may.
    assert_eq!(prune(&net, [0, 1, 5, 9], [1, 1000, 1, 1], 10, 0), Some(2));
    assert_eq!(prune(&net, [0, 1, 5, 9], [1, 1000, 1, 1], 10, 10), Some(1));
    assert_eq!(prune(&net, [0, 3, 2, 1], [1, 1000, 1000, 1000], 10, 0), Some(3));

    net.ok("Bob", register("d"));
    let neurons = net.read(|| SubtensorModule::neurons(NET));
    assert_eq!(neurons.len(), 4);
    assert_eq!(neurons[1].hotkey, id("d"), "the oldest immune one");
    assert!(net.read(|| subtensor::Uids::<Runtime>::get(NET, id("a"))).is_none());
}

#[test]
fn weights_are_refused_for_the_first_reason_that_holds() {
    let mut net = Net::staffed([100 * TAO, 100 * TAO]);
    let n = 9;
    let all: Vec<u16> = (0..=n).collect();
    assert_eq!(net.refusal("v0", weights(&[3, 4], &[1])), "WeightVecNotEqualSize");
    let mechanism = Subtensor::set_mechanism_weights {
        netuid: NET,
        mecid: 1,
        dests: vec![3],
        weights: vec![1],
        version_key: 0,
    };
    assert_eq!(net.refusal("v0", mechanism), "MechanismDoesNotExist");
    assert_eq!(net.refusal("v0", weights(&all, &[1; 10])), "UidsLengthExceedUidsInSubNet");
    assert_eq!(net.refusal("Dave", weights(&[3], &[1])), "HotKeyNotRegisteredInSubNet");
    assert_eq!(net.refusal("m0", weights(&[4], &[1])), "NeuronNoValidatorPermit");
    net.ok("m0", weights(&[3], &[1]));
    assert_eq!(net.refusal("v0", weights(&[3, 3], &[1, 1])), "DuplicateUids");
    assert_eq!(net.refusal("v0", weights(&[9], &[1])), "UidVecContainInvalidOne");
    let least = Admin::sudo_set_min_allowed_weights { netuid: NET, min_allowed_weights: 3 };
    net.sudo(least);
    assert_eq!(net.refusal("v0", weights(&[3, 4], &[1, 1])), "WeightVecLengthIsLow");
    net.sudo(Admin::sudo_set_weights_version_key { netuid: NET, weights_version_key: 7 });
    assert_eq!(net.refusal("v0", weights(&[3, 4, 5], &[1, 1, 1])), "IncorrectWeightVersionKey");
    net.sudo(Admin::sudo_set_weights_version_key { netuid: NET, weights_version_key: 0 });
    net.ok("v0", weights(&[3, 4, 5], &[1, 2, 4]));
    let row = net.read(|| subtensor::Weights::<Runtime>::get(NET, 1));
    assert_eq!(row, [(3, 16_384), (4, 32_768), (5, 65_535)]);

    let on = Admin::sudo_set_commit_reveal_weights_enabled { netuid: NET, enabled: true };
    net.sudo(on);
    assert_eq!(net.refusal("v0", weights(&[3, 4, 5], &[1, 1, 1])), "CommitRevealEnabled");
}

#[test]
fn the_pool_refuses_what_would_fail_for_free() {
    let mut net = Net::staffed([100 * TAO, 100 * TAO]);
    net.sudo(Admin::sudo_set_weights_set_rate_limit { netuid: NET, weights_set_rate_limit: 50 });
    assert_eq!(net.pool_code("m0", weights(&[3], &[1])), Some(6), "registration counts");
    net.sudo(Admin::sudo_set_stake_threshold { min_stake: TAO });
    assert_eq!(net.pool_code("m0", weights(&[3], &[1])), Some(1));
    assert_eq!(net.pool_code("Bob", Subtensor::register_network { hotkey: id("x") }), Some(6));
}

#[test]
fn axons_are_announced_and_checked() {
    let mut net = Net::staffed([100 * TAO, 100 * TAO]);
    let serve = |ip: u128, port: u16| Subtensor::<Runtime>::serve_axon {
        netuid: NET,
        version: 7,
        ip,
        port,
        ip_type: 4,
        protocol: 4,
        placeholder1: 0,
        placeholder2: 0,
    };
    assert_eq!(net.pool_code("m0", serve(0x7f00_0001, 30)), Some(11));
    assert_eq!(net.pool_code("m0", serve(0xffff_ffff, 30)), Some(11));
    assert_eq!(net.pool_code("m0", serve(0x0101_0101, 0)), Some(13));
    assert_eq!(net.pool_code("Dave", serve(0x0101_0101, 30)), Some(10));
    net.ok("m0", serve(0, 30_333));
    assert_eq!(net.pool_code("m0", serve(1, 30)), Some(12));
    let neuron = net.read(|| SubtensorModule::neuron(NET, 3)).unwrap();
    assert_eq!((neuron.axon_info.ip, neuron.axon_info.port), (0, 30_333));
    assert_eq!(neuron.axon_info.block, u64::from(net.chain.number()));
    net.sudo(Admin::sudo_set_serving_rate_limit { netuid: NET, serving_rate_limit: 0 });
    net.ok("m0", serve(0x0101_0101, 1));
}

#[test]
fn registered_hotkeys_commit_within_their_space() {
    let mut net = Net::staffed([100 * TAO, 100 * TAO]);
    let commit = |bytes: usize| {
        let big = Data::BigRaw(BoundedVec::truncate_from(vec![7; bytes]));
        let fields = BoundedVec::truncate_from(vec![big]);
        commitments::Call::<Runtime>::set_commitment {
            netuid: NET,
            info: Box::new(CommitmentInfo { fields }),
        }
    };
    assert_eq!(net.refusal("Dave", commit(32)), "AccountNotAllowedCommit");
    net.ok("m0", commit(32));
    let stored = net.read(|| commitments::CommitmentOf::<Runtime>::get(NET, id("m0"))).unwrap();
    assert_eq!(stored.block, net.chain.number());
    net.next_epoch();
    for _ in 0..6 {
        net.ok("m0", commit(500));
    }
    assert_eq!(net.refusal("m0", commit(500)), "SpaceLimitExceeded");
    net.ok("m0", commit(1));
    net.next_epoch();
    net.ok("m0", commit(500));
}

#[test]
fn the_beacon_follows_time_and_seed() {
    let mut nets = [Net::new(), Net::new()];
    for net in &mut nets {
        for _ in 0..300 {
            net.seal();
        }
    }
    let pulses = |net: &Net| {
        net.read(|| {
            let last = drand::LastStoredRound::<Runtime>::get();
            let oldest = drand::OldestStoredRound::<Runtime>::get();
            let kept = drand::Pulses::<Runtime>::iter().count() as u64;
            assert_eq!(last - oldest + 1, kept);
            assert!(kept <= drand::KEPT_PULSES, "{kept}");
            let pulse = drand::Pulses::<Runtime>::get(last).unwrap();
            assert_eq!(pulse.round, last);
            let key = drand::BeaconConfig::<Runtime>::get().public_key;
            let signature = Signature::from_bytes(&pulse.signature).unwrap();
            assert!(PublicKey::from_bytes(&key).unwrap().verifies(last, &signature));
            let randomness = sp_io::hashing::sha2_256(&pulse.signature);
            assert_eq!(pulse.randomness.to_vec(), randomness);
            (last, pulse)
        })
    };
    assert_eq!(pulses(&nets[0]), pulses(&nets[1]));
    let config = nets[0].read(drand::BeaconConfig::<Runtime>::get);
    let now = nets[0].chain.timestamp_ms(300) / 1000 - u64::from(config.genesis_time);
    assert_eq!(pulses(&nets[0]).0, now / u64::from(config.period) + 1);
}
