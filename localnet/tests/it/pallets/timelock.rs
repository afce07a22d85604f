//! Weights that are hidden until a round of the beacon, and shown by the chain.

use super::subnet::{NET, Net, id};
use codec::Encode;
use iota_localnet::{
    accounts::TAO,
    pallets::{
        admin_utils::Call as Admin,
        drand,
        subtensor::{self, Call as Subtensor},
    },
    runtime::Runtime,
};
use iota_timelock::{ENTROPY_BYTES, PublicKey, encrypt};
use sp_runtime::BoundedVec;

/// The version of commit-reveal that the chain runs.
const VERSION: u16 = 4;

fn staffed() -> Net {
    let mut net = Net::staffed([300 * TAO, 100 * TAO]);
    net.sudo(Admin::sudo_set_commit_reveal_weights_enabled { netuid: NET, enabled: true });
    net.next_epoch();
    net
}

fn newest(net: &Net) -> u64 {
    net.read(drand::LastStoredRound::<Runtime>::get)
}

/// All weight on one uid, hidden by a hotkey until a round of the chain's own beacon.
fn hidden(net: &Net, name: &str, uid: u16, round: u64) -> Vec<u8> {
    let key = net.read(drand::BeaconConfig::<Runtime>::get).public_key;
    let key = PublicKey::from_bytes(&key).unwrap();
    let payload = (id(name).encode(), vec![uid], vec![1_u16], 0_u64).encode();
    encrypt(&key, round, &payload, &[9; ENTROPY_BYTES]).unwrap()
}

fn commit(bytes: &[u8], reveal_round: u64, commit_reveal_version: u16) -> Subtensor<Runtime> {
    Subtensor::commit_timelocked_mechanism_weights {
        netuid: NET,
        mecid: 0,
        commit: BoundedVec::truncate_from(bytes.to_vec()),
        reveal_round,
        commit_reveal_version,
    }
}

fn weights(net: &Net, uid: u16) -> Vec<(u16, u16)> {
    net.read(|| subtensor::Weights::<Runtime>::get(NET, uid))
}

fn waiting(net: &Net) -> usize {
    net.read(|| subtensor::TimelockedWeightCommits::<Runtime>::iter_values().flatten().count())
}

#[test]
fn the_chain_shows_hidden_weights_and_pays_by_them() {
    let mut net = staffed();
    // The pulse comes some blocks after the epoch in which the weights are due.
    let round = newest(&net) + 7;
    let bytes = hidden(&net, "v0", 3, round);
    net.ok("v0", commit(&bytes, round, VERSION));
    net.next_epoch();
    assert_eq!((weights(&net, 1), waiting(&net)), (vec![], 1), "the pulse is not there yet");
    while newest(&net) < round {
        net.seal();
    }
    net.seal();
    assert_eq!((weights(&net, 1), waiting(&net)), (vec![(3, u16::MAX)], 0));
    net.next_epoch();
    assert_eq!(net.read(|| subtensor::Incentive::<Runtime>::get(NET))[3], u16::MAX);
    assert!(net.stake("m0") > 0, "the server is paid");
    net.check_books();
}

#[test]
fn who_copies_another_or_hides_nonsense_sets_nothing() {
    let mut net = staffed();
    let round = newest(&net) + 2;
    let bytes = hidden(&net, "v0", 3, round);
    net.ok("v0", commit(&bytes, round, VERSION));
    net.ok("v1", commit(&bytes, round, VERSION));
    net.ok("v1", commit(b"nonsense", round, VERSION));
    net.next_epoch();
    net.seal();
    assert_eq!((weights(&net, 1), weights(&net, 2)), (vec![(3, u16::MAX)], vec![]));
    assert_eq!(waiting(&net), 0);
}

#[test]
fn what_is_not_shown_in_its_epoch_is_dropped() {
    let mut net = staffed();
    let round = newest(&net) + 1000;
    let bytes = hidden(&net, "v0", 3, round);
    net.ok("v0", commit(&bytes, round, VERSION));
    net.next_epoch();
    assert_eq!(waiting(&net), 1);
    net.next_epoch();
    assert_eq!((weights(&net, 1), waiting(&net)), (vec![], 0));
}

#[test]
fn commits_are_limited() {
    let mut net = staffed();
    let round = newest(&net) + 100;
    let bytes = hidden(&net, "v0", 3, round);
    assert_eq!(net.refusal("v0", commit(&bytes, round, 3)), "IncorrectCommitRevealVersion");
    assert_eq!(net.refusal("v0", commit(&bytes, 0, VERSION)), "InvalidRevealRound");
    let stranger = commit(&bytes, round, VERSION);
    assert_eq!(net.refusal("stranger", stranger), "HotKeyNotRegisteredInSubNet");
    net.sudo(Admin::sudo_set_tempo { netuid: NET, tempo: 100 });
    for _ in 0..10 {
        net.ok("v0", commit(&bytes, round, VERSION));
    }
    assert_eq!(net.refusal("v0", commit(&bytes, round, VERSION)), "TooManyUnrevealedCommits");
    net.sudo(Admin::sudo_set_commit_reveal_weights_enabled { netuid: NET, enabled: false });
    assert_eq!(net.refusal("v0", commit(&bytes, round, VERSION)), "CommitRevealDisabled");
}
