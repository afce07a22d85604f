//! Subnets with several mechanisms, and weights of several subnets in one call.

use super::subnet::{NET, Net, id};
use codec::Compact;
use iota_localnet::{
    accounts::TAO,
    pallets::{admin_utils::Call as Admin, subtensor, subtensor::Call as Subtensor},
    runtime::{Runtime, RuntimeEvent, SubtensorModule},
};

/// Where the second mechanism's weights are stored.
const SECOND: u16 = 4096 + NET;

fn weigh(mecid: u8, uid: u16) -> Subtensor<Runtime> {
    let (dests, weights) = (vec![uid], vec![1]);
    Subtensor::set_mechanism_weights { netuid: NET, mecid, dests, weights, version_key: 0 }
}

fn count(mechanism_count: u8) -> Admin<Runtime> {
    Admin::sudo_set_mechanism_count { netuid: NET, mechanism_count }
}

/// Two mechanisms: v0 and v1 weigh m0 (uid 3) in the first, m1 in the second.
fn staffed() -> Net {
    let mut net = Net::staffed([100 * TAO, 100 * TAO]);
    assert_eq!(net.refusal("v0", weigh(1, 4)), "MechanismDoesNotExist");
    assert_eq!(net.refusal("Alice", count(2)), "TooManyUIDsPerMechanism");
    net.ok("Alice", Admin::sudo_set_max_allowed_uids { netuid: NET, max_allowed_uids: 128 });
    assert_eq!(net.refusal("Alice", count(3)), "InvalidValue");
    assert_eq!(net.refusal("Alice", count(0)), "InvalidValue");
    assert_eq!(net.refusal("Bob", count(2)), "Err(BadOrigin)");
    net.ok("Alice", count(2));
    for validator in ["v0", "v1"] {
        net.ok(validator, weigh(0, 3));
        net.ok(validator, weigh(1, 4));
    }
    net
}

/// What two servers gain in an epoch, as a ratio.
fn ratio(net: &mut Net) -> f64 {
    let before = (net.stake("m0"), net.stake("m1"));
    net.next_epoch();
    (net.stake("m0") - before.0) as f64 / (net.stake("m1") - before.1) as f64
}

#[test]
fn each_mechanism_pays_by_weights_of_its_own() {
    let mut net = staffed();
    net.next_epoch();
    let even = ratio(&mut net);
    assert!((even - 1.0).abs() < 1e-3, "{even}");
    let incentive = |index| net.read(|| subtensor::Incentive::<Runtime>::get(index));
    assert_eq!((incentive(NET)[3], incentive(NET)[4]), (u16::MAX, 0));
    assert_eq!((incentive(SECOND)[3], incentive(SECOND)[4]), (0, u16::MAX));

    let split = |parts: &[u16]| Admin::<Runtime>::sudo_set_mechanism_emission_split {
        netuid: NET,
        maybe_split: Some(parts.to_vec()),
    };
    for wrong in [&[1, 2][..], &[], &[65_535, 0, 0], &[u16::MAX; 70_000]] {
        assert_eq!(net.refusal("Alice", split(wrong)), "InvalidValue");
    }
    net.ok("Alice", split(&[49_151, 16_384]));
    net.next_epoch();
    let uneven = ratio(&mut net);
    assert!((uneven - 3.0).abs() < 1e-2, "{uneven}");
    // What is not named gets nothing.
    net.ok("Alice", split(&[65_535]));
    net.next_epoch();
    let before = net.stake("m1");
    net.next_epoch();
    assert_eq!(net.stake("m1"), before);

    let graph = net.read(|| SubtensorModule::mechagraph(NET, 1)).unwrap();
    assert_eq!(
        (graph.netuid.0, graph.incentives[3].0, graph.incentives[4].0),
        (SECOND, 0, u16::MAX)
    );
    let parts = net.read(|| SubtensorModule::selective_mechagraph(NET, 1, &[62])).unwrap();
    assert_eq!((parts.incentives, parts.last_update), (Some(graph.incentives), None));
    assert_eq!(net.read(|| SubtensorModule::mechagraph(NET, 2)), None);
    let all = net.read(SubtensorModule::mechagraphs);
    let netuids: Vec<u16> = all.iter().map(|graph| graph.as_ref().unwrap().netuid.0).collect();
    assert_eq!(netuids, [0, NET, SECOND]);
    net.check_books();
}

#[test]
fn a_mechanism_that_goes_leaves_nothing() {
    let mut net = staffed();
    net.ok("Charlie", Subtensor::burned_register { netuid: NET, hotkey: id("late") });
    net.next_epoch();
    let stored = |net: &Net| {
        net.read(|| {
            let weights = subtensor::Weights::<Runtime>::iter_prefix(SECOND).count();
            let bonds = subtensor::Bonds::<Runtime>::iter_prefix(SECOND).count();
            let incentive = subtensor::Incentive::<Runtime>::get(SECOND).len();
            let updates = subtensor::LastUpdate::<Runtime>::get(SECOND).len();
            (weights, bonds, incentive, updates)
        })
    };
    assert_eq!(stored(&net), (2, 2, 10, 10));
    net.ok("Alice", count(1));
    assert_eq!(stored(&net), (0, 0, 0, 0));
    let before = net.stake("m1");
    net.next_epoch();
    assert_eq!(net.stake("m1"), before);
    net.check_books();
}

#[test]
fn who_takes_a_place_finds_it_empty_in_each_mechanism() {
    let mut net = staffed();
    net.next_epoch();
    let full = Admin::sudo_set_max_allowed_uids { netuid: NET, max_allowed_uids: 9 };
    net.ok("Alice", full);
    net.ok("Alice", Admin::sudo_set_immunity_period { netuid: NET, immunity_period: 0 });
    // Of those that earn nothing, the oldest yields: not m0 and m1, who earn in one mechanism each.
    let uid = net.read(|| SubtensorModule::neuron_to_prune(NET)).unwrap();
    net.ok("v0", weigh(1, uid));
    net.ok("Charlie", Subtensor::burned_register { netuid: NET, hotkey: id("late") });
    assert_eq!(net.read(|| subtensor::Uids::<Runtime>::get(NET, id("late"))), Some(uid));
    let row = |index| net.read(|| subtensor::Weights::<Runtime>::get(index, 1));
    assert_eq!((row(NET), row(SECOND)), (vec![(3, u16::MAX)], vec![]));
    let updates =
        |index| net.read(|| subtensor::LastUpdate::<Runtime>::get(index))[usize::from(uid)];
    let now = u64::from(net.chain.number());
    assert_eq!((updates(NET), updates(SECOND)), (now, now));
    net.check_books();
}

#[test]
fn a_batch_tells_what_was_refused() {
    let mut net = Net::staffed([100 * TAO, 100 * TAO]);
    let batch = |netuids: &[u16]| Subtensor::<Runtime>::batch_set_weights {
        netuids: netuids.iter().copied().map(Compact).collect(),
        weights: netuids.iter().map(|_| vec![(Compact(3), Compact(7))]).collect(),
        version_keys: netuids.iter().map(|_| Compact(0)).collect(),
    };
    net.submit("v0", batch(&[NET, 9]).into()).unwrap();
    net.seal();
    let events = |net: &Net| {
        net.read(|| {
            frame_system::Pallet::<Runtime>::events()
                .into_iter()
                .filter_map(|record| match record.event {
                    RuntimeEvent::SubtensorModule(event) => Some(format!("{event:?}")),
                    _ => None,
                })
                .collect::<String>()
        })
    };
    let told = events(&net);
    assert!(
        told.contains("WeightsSet(1, 1)") && told.contains("BatchWeightItemFailed(9"),
        "{told}"
    );
    assert!(told.contains("BatchCompletedWithErrors") && !told.contains("Completed(["), "{told}");
    net.submit("v0", batch(&[NET]).into()).unwrap();
    net.seal();
    assert!(events(&net).contains("BatchWeightsCompleted([1]"), "{}", events(&net));
    let unequal =
        Subtensor::batch_commit_weights { netuids: vec![Compact(NET)], commit_hashes: Vec::new() };
    assert_eq!(net.refusal("v0", unequal), "InputLengthsUnequal");
    assert_eq!(net.refusal("v0", batch(&[NET; 3])), "InvalidValue");
}
