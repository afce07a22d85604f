//! Whatever is sent, the books balance and nothing panics.

use super::subnet::{NET, Net, id, key};
use codec::DecodeLimit;
use iota_localnet::{
    RuntimeCall,
    accounts::TAO,
    pallets::{admin_utils::Call as Admin, subtensor::Call as Subtensor},
    runtime::{Runtime, SubtensorModule},
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

const COLDKEYS: [&str; 4] = ["Alice", "Bob", "Charlie", "Dave"];
const HOTKEYS: [&str; 6] = ["v0", "v1", "m0", "m1", "new0", "new1"];

/// A call that anybody might send, with any arguments.
fn call() -> impl Strategy<Value = RuntimeCall> {
    let hotkey = || prop::sample::select(&HOTKEYS[..]).prop_map(id);
    let netuid = || prop_oneof![9 => Just(NET), 1 => any::<u16>()];
    let amount = || prop_oneof![0..200 * TAO, any::<u64>()];
    let weights = || prop::collection::vec((0_u16..12, any::<u16>()), 0..12);
    prop_oneof![
        (netuid(), weights(), any::<u64>()).prop_map(|(netuid, weights, version_key)| {
            let (dests, weights) = weights.into_iter().unzip();
            Subtensor::<Runtime>::set_weights { netuid, dests, weights, version_key }.into()
        }),
        (hotkey(), netuid(), amount()).prop_map(|(hotkey, netuid, amount_staked)| {
            Subtensor::<Runtime>::add_stake { hotkey, netuid, amount_staked }.into()
        }),
        (hotkey(), netuid(), amount()).prop_map(|(hotkey, netuid, amount_unstaked)| {
            Subtensor::<Runtime>::remove_stake { hotkey, netuid, amount_unstaked }.into()
        }),
        (hotkey(), netuid(), amount(), amount(), any::<bool>()).prop_map(
            |(hotkey, netuid, amount_staked, limit_price, allow_partial)| {
                Subtensor::<Runtime>::add_stake_limit {
                    hotkey,
                    netuid,
                    amount_staked,
                    limit_price,
                    allow_partial,
                }
                .into()
            }
        ),
        (hotkey(), hotkey(), netuid(), netuid(), amount()).prop_map(
            |(
                origin_hotkey,
                destination_hotkey,
                origin_netuid,
                destination_netuid,
                alpha_amount,
            )| {
                Subtensor::<Runtime>::move_stake {
                    origin_hotkey,
                    destination_hotkey,
                    origin_netuid,
                    destination_netuid,
                    alpha_amount,
                }
                .into()
            }
        ),
        hotkey().prop_map(|hotkey| Subtensor::<Runtime>::unstake_all { hotkey }.into()),
        (hotkey(), netuid(), prop::collection::vec((any::<u64>(), hotkey()), 0..3)).prop_map(
            |(hotkey, netuid, children)| {
                Subtensor::<Runtime>::set_children { hotkey, netuid, children }.into()
            }
        ),
        (hotkey(), netuid()).prop_map(|(hotkey, netuid)| {
            Subtensor::<Runtime>::burned_register { netuid, hotkey }.into()
        }),
        hotkey().prop_map(|hotkey| Subtensor::<Runtime>::register_network { hotkey }.into()),
    ]
}

/// A hyperparameter at any value.
fn hyperparameter() -> impl Strategy<Value = RuntimeCall> {
    let netuid = NET;
    prop_oneof![
        (0_u16..40)
            .prop_map(move |tempo| Admin::<Runtime>::sudo_set_tempo { netuid, tempo }.into()),
        any::<u16>()
            .prop_map(move |kappa| Admin::<Runtime>::sudo_set_kappa { netuid, kappa }.into()),
        (0_u64..=1_000_000).prop_map(move |bonds_moving_average| {
            Admin::<Runtime>::sudo_set_bonds_moving_average { netuid, bonds_moving_average }.into()
        }),
        any::<u16>().prop_map(move |bonds_penalty| {
            Admin::<Runtime>::sudo_set_bonds_penalty { netuid, bonds_penalty }.into()
        }),
        any::<bool>().prop_map(move |enabled| {
            Admin::<Runtime>::sudo_set_yuma3_enabled { netuid, enabled }.into()
        }),
        any::<bool>().prop_map(move |enabled| {
            Admin::<Runtime>::sudo_set_liquid_alpha_enabled { netuid, enabled }.into()
        }),
        any::<i16>().prop_map(move |steepness| {
            Admin::<Runtime>::sudo_set_alpha_sigmoid_steepness { netuid, steepness }.into()
        }),
        (1_u8..3).prop_map(move |mechanism_count| {
            Admin::<Runtime>::sudo_set_mechanism_count { netuid, mechanism_count }.into()
        }),
        Just(Subtensor::<Runtime>::set_pending_childkey_cooldown { cooldown: 3 }.into()),
        any::<u64>().prop_map(|min_stake| {
            Admin::<Runtime>::sudo_set_stake_threshold { min_stake }.into()
        }),
        (1_u16..16).prop_map(move |max_allowed_uids| {
            Admin::<Runtime>::sudo_set_max_allowed_uids { netuid, max_allowed_uids }.into()
        }),
        any::<u16>().prop_map(move |burn_half_life| {
            Admin::<Runtime>::sudo_set_burn_half_life { netuid, burn_half_life }.into()
        }),
    ]
}

/// Nesting of a call made of bytes, at most.
const DEPTH: u32 = 8;
/// Index of the Sudo pallet: what root may write need not balance.
const SUDO: u8 = 12;

/// Any call of any pallet: bytes that decode as one.
fn anything() -> impl Strategy<Value = RuntimeCall> {
    // Small numbers make lists short and subnets real.
    let byte = prop_oneof![4 => Just(0), 3 => 0_u8..8, 1 => any::<u8>()];
    let bytes = prop::collection::vec(byte, 200);
    let pallet = (0_u8..32).prop_filter("root", |pallet| *pallet != SUDO);
    (pallet, 0_u8..150, bytes).prop_filter_map("no call", |(pallet, call, bytes)| {
        let bytes = [&[pallet, call], &bytes[..]].concat();
        let call = RuntimeCall::decode_with_depth_limit(DEPTH, &mut &bytes[..]).ok();
        // What is burned in the Balances pallet, the Subtensor pallet is not told of.
        let burns = |call: &RuntimeCall| {
            matches!(call, RuntimeCall::Balances(pallet_balances::Call::burn { .. }))
        };
        call.filter(|call| !burns(call))
    })
}

/// Who sends it, and what.
fn sent() -> impl Strategy<Value = (&'static str, RuntimeCall)> {
    let anybody = || prop::sample::select(&COLDKEYS[1..]);
    let hotkey = prop::sample::select(&HOTKEYS[..]);
    let sudo = |call| pallet_sudo::Call::sudo { call: Box::new(call) }.into();
    prop_oneof![
        3 => (anybody(), call()),
        2 => (hotkey, call()),
        4 => (anybody(), anything()),
        1 => (Just("Alice"), hyperparameter().prop_map(sudo)),
    ]
}

#[test]
fn ten_thousand_blocks_of_anything_balance_and_never_panic() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    // Most bytes are no call.
    let config = ProptestConfig { max_local_rejects: u32::MAX, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let block = prop::collection::vec(sent(), 0..4);
    let mut net = Net::staffed([100 * TAO, 50 * TAO]);
    let (mut succeeded, mut failed) = (0, 0);
    for number in 0..10_000 {
        for (who, call) in block.new_tree(&mut runner).unwrap().current() {
            let text = format!("{call:?}");
            let nonce = net.chain.next_nonce(&id(who)).unwrap();
            let bytes = iota_localnet::signed(&key(who), call, nonce, &net.chain);
            if let Err(error) = net.chain.submit(bytes) {
                assert!(!error.to_string().contains("panicked"), "{error}: {text}");
            }
        }
        let sealed = net.seal();
        for (_, why) in &sealed.dropped {
            assert!(!why.contains("panicked"), "block {number}: {why}");
        }
        let done = sealed.extrinsics.iter().filter(|included| included.result.is_ok()).count();
        succeeded += done;
        failed += sealed.extrinsics.len() - done;
        if number % 20 == 0 {
            net.check_books();
        }
    }
    net.check_books();
    assert!(succeeded > 1_000 && failed > 1_000, "{succeeded} succeeded, {failed} failed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn books_balance_whatever_is_sent(
        steps in prop::collection::vec(
            (0_usize..4, 0_usize..6, call(), prop::option::of(hyperparameter()), 0_u8..12),
            1..24,
        ),
    ) {
        let mut net = Net::staffed([100 * TAO, 50 * TAO]);
        let issuance = |net: &Net| net.read(iota_localnet::pallets::subtensor::TotalIssuance::<Runtime>::get);
        for (coldkey, hotkey, call, hyperparameter, blocks) in steps {
            let is_weights = matches!(
                call,
                RuntimeCall::SubtensorModule(Subtensor::set_weights { .. })
            );
            let who = if is_weights { HOTKEYS[hotkey] } else { COLDKEYS[coldkey] };
            // A refusal by the pool or at dispatch is a proper answer.
            let _ = net.submit(who, call);
            net.seal();
            if let Some(call) = hyperparameter {
                let sudo = pallet_sudo::Call::sudo { call: Box::new(call) };
                let _ = net.submit("Alice", sudo.into());
            }
            let before = issuance(&net);
            for _ in 0..blocks {
                net.seal();
            }
            // Blocks mint at most one TAO each; fees and recycling only take away.
            prop_assert!(issuance(&net) <= before + u64::from(blocks) * TAO);
            net.check_books();
            let neurons = net.read(|| SubtensorModule::neurons(NET));
            let incentive: u32 = neurons.iter().map(|neuron| u32::from(neuron.incentive.0)).sum();
            prop_assert!(incentive <= 65_535);
        }
    }
}
