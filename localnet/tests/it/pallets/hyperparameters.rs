//! Who may set hyperparameters, within which bounds; and the schedule of epochs.

use super::subnet::{NET, Net, TEMPO, id};
use iota_localnet::{
    pallets::{admin_utils::Call as Admin, subtensor, subtensor::Call as Subtensor},
    runtime::{Runtime, SubtensorModule},
};

#[test]
fn owners_set_some_and_root_sets_all() {
    let mut net = Net::started();
    let kappa = || Admin::<Runtime>::sudo_set_kappa { netuid: NET, kappa: 1 };
    let rho = || Admin::<Runtime>::sudo_set_rho { netuid: NET, rho: 3 };
    assert_eq!(net.refusal("Alice", kappa()), "Err(BadOrigin)");
    assert_eq!(net.refusal("Bob", rho()), "Err(BadOrigin)");
    net.ok("Alice", rho());
    net.sudo(kappa());
    let values =
        net.read(|| (subtensor::Kappa::<Runtime>::get(NET), subtensor::Rho::<Runtime>::get(NET)));
    assert_eq!(values, (1, 3));
    let uids = Admin::sudo_set_max_allowed_uids { netuid: NET, max_allowed_uids: 257 };
    let refusal = net.refusal("Alice", uids);
    assert_eq!(refusal, "MaxAllowedUidsGreaterThanDefaultMaxAllowedUids");
    let uids = Admin::sudo_set_max_allowed_uids { netuid: NET, max_allowed_uids: 0 };
    assert_eq!(net.refusal("Alice", uids), "MaxAllowedUIdsLessThanCurrentUIds");
    let alpha = || Admin::<Runtime>::sudo_set_alpha_values {
        netuid: NET,
        alpha_low: 6553,
        alpha_high: 19_660,
    };
    assert_eq!(net.refusal("Alice", alpha()), "LiquidAlphaDisabled");
    net.ok("Alice", Admin::sudo_set_liquid_alpha_enabled { netuid: NET, enabled: true });
    net.ok("Alice", alpha());
}

#[test]
fn owners_are_held_off_before_an_epoch() {
    let mut net = Net::started();
    net.sudo(Admin::sudo_set_admin_freeze_window { window: 1000 });
    let rho = Admin::<Runtime>::sudo_set_rho { netuid: NET, rho: 3 };
    assert_eq!(net.refusal("Alice", rho.clone()), "AdminActionProhibitedDuringWeightsWindow");
    net.sudo(rho);
}

#[test]
fn epochs_keep_their_distance_and_never_share_a_block_beyond_the_limit() {
    let mut net = Net::started();
    net.sudo(Admin::sudo_set_network_rate_limit { rate_limit: 0 });
    net.ok("Alice", Subtensor::register_network { hotkey: id("second") });
    net.sudo(Admin::sudo_set_tempo { netuid: 2, tempo: TEMPO });
    net.next_epoch();
    let index = |net: &Net, netuid| {
        net.read(|| {
            (
                subtensor::SubnetEpochIndex::<Runtime>::get(netuid),
                subtensor::LastEpochBlock::<Runtime>::get(netuid),
            )
        })
    };
    let (first, at) = index(&net, NET);
    assert_eq!(at, u64::from(net.chain.number()));
    for _ in 0..TEMPO * 2 {
        net.seal();
    }
    assert_eq!(index(&net, NET), (first + 2, at + 2 * u64::from(TEMPO)));
    assert!(index(&net, 2).0 >= 1);
    let next = net.read(|| SubtensorModule::next_epoch_start_block(NET));
    assert_eq!(next, Some(at + 3 * u64::from(TEMPO)));
}
