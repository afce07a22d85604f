//! Weights that are committed by hash and shown an epoch later.

use super::subnet::{NET, Net, id};
use codec::Encode;
use iota_localnet::{
    accounts::TAO,
    pallets::{admin_utils::Call as Admin, subtensor, subtensor::Call as Subtensor},
    runtime::Runtime,
};

const SALT: [u16; 3] = [7, 8, 9];

fn hidden(name: &str, uid: u16) -> Subtensor<Runtime> {
    let uids: (Vec<u16>, Vec<u16>) = (vec![uid], vec![1]);
    let bytes = (id(name), NET, uids, SALT.to_vec(), 0u64).encode();
    let commit_hash = sp_io::hashing::blake2_256(&bytes).into();
    Subtensor::commit_weights { netuid: NET, commit_hash }
}

fn shown(uid: u16) -> Subtensor<Runtime> {
    let (uids, values, salt) = (vec![uid], vec![1], SALT.to_vec());
    Subtensor::reveal_weights { netuid: NET, uids, values, salt, version_key: 0 }
}

fn staffed() -> Net {
    let mut net = Net::staffed([300 * TAO, 100 * TAO]);
    net.sudo(Admin::sudo_set_commit_reveal_weights_enabled { netuid: NET, enabled: true });
    net.next_epoch();
    net
}

/// Codes with which the pool refuses what is shown.
const NO_COMMIT: Option<u8> = Some(16);
const NOT_DUE: Option<u8> = Some(17);

#[test]
fn a_commit_is_shown_in_the_next_epoch_and_in_no_other() {
    let mut net = staffed();
    assert_eq!(net.pool_code("v0", shown(3)), NO_COMMIT);
    net.ok("v0", hidden("v0", 3));
    assert_eq!(net.pool_code("v0", shown(3)), NOT_DUE);
    net.next_epoch();
    assert_eq!(net.pool_code("v0", shown(4)), NO_COMMIT);
    net.ok("v0", shown(3));
    assert_eq!(net.read(|| subtensor::Weights::<Runtime>::get(NET, 1)), [(3, u16::MAX)]);
    assert_eq!(net.pool_code("v0", shown(3)), NO_COMMIT);
    net.ok("v0", hidden("v0", 4));
    net.next_epoch();
    net.next_epoch();
    assert_eq!(net.pool_code("v0", shown(4)), NOT_DUE);
    net.check_books();
}

#[test]
fn what_is_shown_in_a_batch_meets_the_checks_of_the_call() {
    let mut net = staffed();
    let unequal = Subtensor::<Runtime>::batch_reveal_weights {
        netuid: NET,
        uids_list: vec![vec![3]],
        values_list: vec![],
        salts_list: vec![],
        version_keys: vec![],
    };
    assert_eq!(net.pool_code("v0", unequal), Some(18));
    let batch = || Subtensor::<Runtime>::batch_reveal_weights {
        netuid: NET,
        uids_list: vec![vec![3]],
        values_list: vec![vec![1]],
        salts_list: vec![SALT.to_vec()],
        version_keys: vec![0],
    };
    assert_eq!(net.refusal("v0", batch()), "NoWeightsCommitFound");
    net.ok("v0", hidden("v0", 3));
    assert_eq!(net.refusal("v0", batch()), "RevealTooEarly");
    net.next_epoch();
    net.ok("v0", batch());
}

#[test]
fn commits_are_limited_in_number_and_rate_and_to_who_is_registered() {
    let mut net = staffed();
    assert_eq!(net.refusal("stranger", hidden("stranger", 3)), "HotKeyNotRegisteredInSubNet");
    net.sudo(Admin::sudo_set_tempo { netuid: NET, tempo: 100 });
    for _ in 0..10 {
        net.ok("v0", hidden("v0", 3));
    }
    assert_eq!(net.refusal("v0", hidden("v0", 3)), "TooManyUnrevealedCommits");
    net.sudo(Admin::sudo_set_weights_set_rate_limit { netuid: NET, weights_set_rate_limit: 90 });
    assert_eq!(net.refusal("v0", hidden("v0", 3)), "CommittingWeightsTooFast");
    net.sudo(Admin::sudo_set_commit_reveal_weights_enabled { netuid: NET, enabled: false });
    assert_eq!(net.refusal("v0", hidden("v0", 3)), "CommitRevealDisabled");
    assert_eq!(net.refusal("v0", shown(3)), "CommitRevealDisabled");
}
