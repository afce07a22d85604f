//! Whatever is sent, the books balance and nothing panics.

use super::subnet::{NET, Net, id};
use iota_localnet::{
    RuntimeCall,
    accounts::TAO,
    pallets::{admin_utils::Call as Admin, subtensor::Call as Subtensor},
    runtime::{Runtime, SubtensorModule},
};
use proptest::prelude::*;

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
