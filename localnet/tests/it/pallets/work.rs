//! Registration by work.

use super::subnet::{NET, Net, id};
use codec::Encode;
use iota_localnet::{
    pallets::{admin_utils::Call as Admin, subtensor, subtensor::Call as Subtensor},
    runtime::Runtime,
};
use sp_core::U256;

const DIFFICULTY: u64 = 16;

/// Work of Bob's for a block; `is_right` picks whether it meets the difficulty.
fn work(net: &Net, hotkey: &str, block: u32, is_right: bool) -> Subtensor<Runtime> {
    let hash = net.chain.block_at(block).unwrap().hash;
    let seal = |nonce: u64| {
        let bytes = (NET, hash, id(hotkey), id("Bob"), nonce).encode();
        let bytes = [&b"subtensor-pow-register-v1"[..], &bytes].concat();
        sp_io::hashing::keccak_256(&sp_io::hashing::sha2_256(&bytes))
    };
    let meets =
        |seal: &[u8; 32]| U256::from_little_endian(seal) <= U256::MAX / U256::from(DIFFICULTY);
    let nonce = (0..).find(|nonce| meets(&seal(*nonce)) == is_right).unwrap();
    Subtensor::pow_register {
        netuid: NET,
        work_block: block.into(),
        nonce,
        work: seal(nonce).to_vec(),
        hotkey: id(hotkey),
    }
}

#[test]
fn a_seal_below_the_target_registers_without_burn_or_fee() {
    let mut net = Net::started();
    net.sudo(Admin::sudo_set_difficulty { netuid: NET, difficulty: DIFFICULTY });
    net.sudo(Admin::sudo_set_min_difficulty { netuid: NET, min_difficulty: 1 });
    let head = net.chain.number();
    let disabled = work(&net, "worker", head, true);
    assert_eq!(net.refusal("Bob", disabled), "SubNetRegistrationDisabled");
    let registration_allowed = true;
    net.sudo(Admin::sudo_set_network_pow_registration_allowed {
        netuid: NET,
        registration_allowed,
    });
    let balance =
        |net: &Net| net.read(|| iota_localnet::runtime::Balances::free_balance(id("Bob")));
    let before = balance(&net);
    let call = work(&net, "worker", net.chain.number(), true);
    net.ok("Bob", call);
    assert_eq!(balance(&net), before);
    assert!(net.read(|| subtensor::Uids::<Runtime>::get(NET, id("worker"))).is_some());

    let again = work(&net, "worker", net.chain.number(), true);
    assert_eq!(net.refusal("Bob", again), "HotKeyAlreadyRegisteredInSubNet");
    let easy = work(&net, "other", net.chain.number(), false);
    assert_eq!(net.refusal("Bob", easy), "InvalidDifficulty");
    let stolen = work(&net, "other", net.chain.number(), true);
    assert_ne!(net.send("Charlie", stolen), Ok(()), "the work names its coldkey");
    let Subtensor::pow_register { netuid, work_block, nonce, hotkey, .. } =
        work(&net, "other", net.chain.number(), true)
    else {
        panic!("another call");
    };
    let unsealed = Subtensor::pow_register { netuid, work_block, nonce, work: vec![0; 32], hotkey };
    assert_eq!(net.refusal("Bob", unsealed), "InvalidSeal");
    let old = work(&net, "other", net.chain.number(), true);
    for _ in 0..5 {
        net.seal();
    }
    assert_eq!(net.refusal("Bob", old), "InvalidWorkBlock");
}
