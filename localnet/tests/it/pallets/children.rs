//! Stake that is lent to child hotkeys, and what it earns.

use super::subnet::{NET, Net, id};
use iota_localnet::{
    accounts::TAO,
    pallets::{admin_utils::Call as Admin, subtensor, subtensor::Call as Subtensor},
    runtime::{Runtime, SubtensorModule},
};

const HALF: u64 = 1 << 63;

fn lend(from: &str, children: &[(u64, &str)]) -> Subtensor<Runtime> {
    let children = children.iter().map(|(share, child)| (*share, id(child))).collect();
    Subtensor::set_children { hotkey: id(from), netuid: NET, children }
}

/// Validators with 100 TAO each, and children that are applied with the next epoch.
fn staffed() -> Net {
    let mut net = Net::staffed([100 * TAO, 100 * TAO]);
    net.sudo(Subtensor::set_pending_childkey_cooldown { cooldown: 0 });
    net
}

fn permits(net: &Net) -> Vec<bool> {
    net.read(|| subtensor::ValidatorPermit::<Runtime>::get(NET))
}

#[test]
fn a_child_validates_with_what_is_lent_to_it_and_shares_what_that_earns() {
    let mut net = staffed();
    // Uids: the owner's 0, v0 1, v1 2, m0 3. A child of another coldkey.
    net.ok("Bob", lend("v0", &[(u64::MAX, "m0")]));
    net.ok("Charlie", Subtensor::set_childkey_take { hotkey: id("m0"), netuid: NET, take: 6_553 });
    assert_eq!(permits(&net)[1..4], [true, true, false]);
    net.next_epoch();
    // Applied with that epoch, it counts in the next one.
    net.next_epoch();
    assert_eq!(permits(&net)[1..4], [false, true, true]);
    for validator in ["m0", "v1"] {
        net.set_weights(validator, &[(5, 1)]);
    }
    net.next_epoch();
    let before = (net.stake("v0"), net.stake("v1"), net.stake("m0"));
    net.next_epoch();
    let gained =
        (net.stake("v0") - before.0, net.stake("v1") - before.1, net.stake("m0") - before.2);
    // The child keeps a tenth, so its parent gets about nine times as much.
    let ratio = gained.0 as f64 / gained.2 as f64;
    assert!((8.0..9.1).contains(&ratio), "{gained:?}");
    // Together they earn as the other validator does, for the same stake.
    let earned = (gained.0 + gained.2) as f64 / gained.1 as f64;
    let staked = (before.0 as f64) / (before.1 as f64);
    assert!((earned / staked - 1.0).abs() < 0.02, "{gained:?} for {before:?}");
    net.check_books();

    // The metagraph shows what is validated with.
    let shown = net.read(|| SubtensorModule::metagraph(NET)).unwrap().alpha_stake;
    assert!(shown[1].0 < 10 && shown[3].0 > net.stake("v0"), "{shown:?}");

    // What is taken back earns nothing for the child any more.
    for _ in 0..150 {
        net.seal();
    }
    net.ok("Bob", lend("v0", &[]));
    net.next_epoch();
    net.next_epoch();
    assert_eq!(permits(&net)[1..4], [true, true, false]);
}

#[test]
fn a_child_keeps_what_the_subnet_says_at_least() {
    let mut net = staffed();
    let least = Admin::sudo_set_min_childkey_take_per_subnet { netuid: NET, take: 6_553 };
    net.ok("Alice", least);
    net.ok("Bob", lend("v0", &[(u64::MAX, "m0")]));
    net.next_epoch();
    net.next_epoch();
    net.set_weights("m0", &[(5, 1)]);
    net.next_epoch();
    let before = (net.stake("v0"), net.stake("m0"));
    net.next_epoch();
    let ratio = (net.stake("v0") - before.0) as f64 / (net.stake("m0") - before.1) as f64;
    assert!((8.0..9.1).contains(&ratio), "{ratio}");
    let take = Subtensor::set_childkey_take { hotkey: id("m0"), netuid: NET, take: 6_552 };
    assert_eq!(net.refusal("Charlie", take), "InvalidChildkeyTake");
}

#[test]
fn before_a_subnet_starts_children_are_set_at_once() {
    let mut net = Net::new();
    net.ok("Alice", Subtensor::register_network { hotkey: id("owner") });
    for hotkey in ["v0", "m0"] {
        net.ok("Bob", Subtensor::burned_register { netuid: NET, hotkey: id(hotkey) });
    }
    net.ok("Bob", lend("v0", &[(HALF, "m0")]));
    let parents = net.read(|| subtensor::ParentKeys::<Runtime>::get(id("m0"), NET));
    assert_eq!(parents, [(HALF, id("v0"))]);
}

#[test]
fn no_take_is_due_within_one_coldkey() {
    let mut net = staffed();
    net.ok("Bob", lend("v0", &[(HALF, "v1")]));
    let take = Subtensor::set_childkey_take { hotkey: id("v1"), netuid: NET, take: 11_796 };
    net.ok("Bob", take);
    net.next_epoch();
    for validator in ["v0", "v1"] {
        net.set_weights(validator, &[(5, 1)]);
    }
    net.next_epoch();
    let before = (net.stake("v0"), net.stake("v1"));
    net.next_epoch();
    // Whoever validates, each earns as its own stake does.
    let earned = (net.stake("v0") - before.0) as f64 / (net.stake("v1") - before.1) as f64;
    let staked = before.0 as f64 / before.1 as f64;
    assert!((earned / staked - 1.0).abs() < 0.02, "{earned} for {staked}");
}

#[test]
fn children_are_checked_as_the_real_chain_does() {
    let mut net = staffed();
    assert_eq!(net.refusal("Charlie", lend("v0", &[(1, "m0")])), "NonAssociatedColdKey");
    assert_eq!(net.refusal("Bob", lend("v0", &[(1, "v0")])), "InvalidChild");
    assert_eq!(net.refusal("Bob", lend("v0", &[(1, "m0"), (1, "m0")])), "DuplicateChild");
    let much = lend("v0", &[(HALF, "m0"), (HALF, "m1")]);
    assert_eq!(net.refusal("Bob", much), "ProportionOverflow");
    let many: Vec<(u64, &str)> = ["m0", "m1", "m2", "m3", "m4", "m5"].map(|m| (1, m)).into();
    assert_eq!(net.refusal("Bob", lend("v0", &many)), "TooManyChildren");
    let root = Subtensor::set_children { hotkey: id("v0"), netuid: 0, children: Vec::new() };
    assert_eq!(net.refusal("Bob", root), "RegistrationNotPermittedOnRootSubnet");

    net.ok("Bob", lend("v0", &[(HALF, "v1")]));
    assert_eq!(net.refusal("Bob", lend("v0", &[])), "TxRateLimitExceeded");
    net.next_epoch();
    assert_eq!(net.refusal("Bob", lend("v1", &[(1, "v0")])), "ChildParentInconsistency");
    net.sudo(Admin::sudo_set_stake_threshold { min_stake: 1_000 * TAO });
    assert_eq!(net.refusal("Bob", lend("v1", &[(1, "m0")])), "NotEnoughStakeToSetChildkeys");

    let take =
        |take| Subtensor::<Runtime>::set_childkey_take { hotkey: id("m0"), netuid: NET, take };
    assert_eq!(net.refusal("Charlie", take(11_797)), "InvalidChildkeyTake");
    net.ok("Charlie", take(100));
    assert_eq!(net.refusal("Charlie", take(200)), "TxChildkeyTakeRateLimitExceeded");
    net.ok("Charlie", take(50));
}
