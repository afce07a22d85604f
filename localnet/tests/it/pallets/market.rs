//! Orders with a limit, stake that moves, and what the runtime APIs say of it.

use super::subnet::{NET, Net, id};
use iota_localnet::{
    accounts::TAO,
    pallets::{
        admin_utils::Call as Admin,
        subtensor::{self, Call as Subtensor},
    },
    runtime::{Runtime, SubtensorModule},
};

/// A second subnet, of Dave's, whose cost Alice has given him.
const OTHER: u16 = 2;

fn two_subnets() -> Net {
    let mut net = Net::staffed([100 * TAO, 100 * TAO]);
    net.sudo(Admin::sudo_set_network_rate_limit { rate_limit: 0 });
    net.ok("Alice", Subtensor::register_network { hotkey: id("other") });
    net.ok("Alice", Subtensor::start_call { netuid: OTHER });
    net
}

fn price(net: &Net, netuid: u16) -> u64 {
    net.read(|| SubtensorModule::alpha_price_rao(netuid))
}

fn held(net: &Net, hotkey: &str, coldkey: &str, netuid: u16) -> u64 {
    net.read(|| SubtensorModule::stake_of_coldkey(&id(hotkey), &id(coldkey), netuid))
}

fn buy(amount_staked: u64, limit_price: u64, allow_partial: bool) -> Subtensor<Runtime> {
    let (hotkey, netuid) = (id("v0"), NET);
    Subtensor::add_stake_limit { hotkey, netuid, amount_staked, limit_price, allow_partial }
}

fn sell(amount_unstaked: u64, limit_price: u64, allow_partial: bool) -> Subtensor<Runtime> {
    let (hotkey, netuid) = (id("v0"), NET);
    Subtensor::remove_stake_limit { hotkey, netuid, amount_unstaked, limit_price, allow_partial }
}

#[test]
fn an_order_stops_at_its_limit() {
    let mut net = Net::staffed([100 * TAO, 100 * TAO]);
    let before = price(&net, NET);
    let limit = before / 100 * 101;
    assert_eq!(net.refusal("Bob", buy(500 * TAO, limit, false)), "SlippageTooHigh");
    assert_eq!(net.refusal("Bob", buy(TAO, before / 2, true)), "SlippageTooHigh");
    net.ok("Bob", buy(500 * TAO, limit, true));
    let after = price(&net, NET);
    // The block's own emission may have moved the price a little further.
    assert!(after > before && after < limit / 1000 * 1002, "{before} {after} {limit}");

    let floor = after / 100 * 99;
    assert_eq!(net.refusal("Bob", sell(50 * TAO, floor, false)), "SlippageTooHigh");
    net.ok("Bob", sell(50 * TAO, floor, true));
    let low = price(&net, NET);
    assert!(low < after && low > floor / 1000 * 998, "{after} {low} {floor}");
    net.check_books();
}

#[test]
fn stake_moves_between_hotkeys_coldkeys_and_subnets() {
    let mut net = two_subnets();
    let alpha_amount = 10 * TAO;
    let (v0, v1) = (held(&net, "v0", "Bob", NET), held(&net, "v1", "Bob", NET));
    net.ok(
        "Bob",
        Subtensor::move_stake {
            origin_hotkey: id("v0"),
            destination_hotkey: id("v1"),
            origin_netuid: NET,
            destination_netuid: NET,
            alpha_amount,
        },
    );
    // An epoch's dividends may come in between.
    assert!(held(&net, "v1", "Bob", NET) >= v1 + alpha_amount - 1);
    assert!(held(&net, "v0", "Bob", NET) < v0 + TAO);

    let transfer = |hotkey: &str| Subtensor::<Runtime>::transfer_stake {
        destination_coldkey: id("Dave"),
        hotkey: id(hotkey),
        origin_netuid: NET,
        destination_netuid: OTHER,
        alpha_amount,
    };
    assert_eq!(net.refusal("Charlie", transfer("v1")), "NotEnoughStakeToWithdraw");
    net.ok("Bob", transfer("v1"));
    assert!(held(&net, "v1", "Dave", OTHER) > 0);

    let swap = |limit_price, allow_partial| Subtensor::<Runtime>::swap_stake_limit {
        hotkey: id("v0"),
        origin_netuid: NET,
        destination_netuid: OTHER,
        alpha_amount: 40 * TAO,
        limit_price,
        allow_partial,
    };
    let ratio = u128::from(price(&net, NET)) * 1_000_000_000 / u128::from(price(&net, OTHER));
    let near = u64::try_from(ratio / 1000 * 995).unwrap();
    assert_eq!(net.refusal("Bob", swap(near, false)), "SlippageTooHigh");
    let rest = held(&net, "v0", "Bob", NET);
    net.ok("Bob", swap(near, true));
    let swapped = held(&net, "v0", "Bob", OTHER);
    assert!(swapped > 0 && held(&net, "v0", "Bob", NET) > rest - 40 * TAO);

    net.ok("Bob", Subtensor::unstake_all { hotkey: id("v0") });
    assert_eq!(held(&net, "v0", "Bob", OTHER), 0);
    net.check_books();
}

#[test]
fn a_registration_costs_at_most_its_limit() {
    let mut net = Net::started();
    let price = net.read(|| subtensor::Burn::<Runtime>::get(NET));
    let register = |limit_price| Subtensor::<Runtime>::register_limit {
        netuid: NET,
        hotkey: id("new"),
        limit_price,
    };
    assert_eq!(net.refusal("Bob", register(price / 2)), "RegistrationPriceLimitExceeded");
    net.ok("Bob", register(price));
}

#[test]
fn a_take_rises_once_in_a_while_and_falls_at_will() {
    let mut net = Net::staffed([100 * TAO, 100 * TAO]);
    let hotkey = id("v0");
    let rise = |take| Subtensor::<Runtime>::increase_take { hotkey: id("v0"), take };
    let fall = |take| Subtensor::<Runtime>::decrease_take { hotkey: id("v0"), take };
    let (not_owned, too_low, too_high) = (Some(25), Some(26), Some(27));
    assert_eq!(net.pool_code("Bob", rise(20_000)), too_high);
    assert_eq!(net.pool_code("Bob", rise(1)), too_low);
    assert_eq!(net.pool_code("Charlie", fall(1_000)), not_owned);
    net.ok("Bob", fall(1_000));
    net.ok("Bob", rise(2_000));
    assert_eq!(net.refusal("Bob", rise(3_000)), "DelegateTxRateLimitExceeded");
    let delegate = net.read(|| SubtensorModule::delegate(&hotkey)).unwrap();
    assert_eq!((delegate.take.0, delegate.owner_ss58), (2_000, id("Bob")));
}

#[test]
fn who_trades_pays_the_pools_fee() {
    let mut net = Net::started();
    net.ok("Bob", Subtensor::burned_register { netuid: NET, hotkey: id("v0") });
    let (hotkey, netuid, amount_staked) = (id("v0"), NET, 100 * TAO);
    let said = net.read(|| SubtensorModule::simulate_purchase(NET, amount_staked));
    assert_eq!(said.tao_fee, 100 * TAO * 33 / 65_535);
    let issued =
        |net: &Net| net.read(iota_localnet::pallets::subtensor::TotalIssuance::<Runtime>::get);
    let before = issued(&net);
    net.ok("Bob", Subtensor::add_stake { hotkey: hotkey.clone(), netuid, amount_staked });
    assert_eq!(net.stake("v0"), said.alpha_amount);
    // It ceases to exist; so does the fee of the extrinsic, and a block has minted.
    assert!(issued(&net) <= before + TAO - said.tao_fee, "{} {}", issued(&net), before);
    let alpha = net.stake("v0");
    let said = net.read(|| SubtensorModule::simulate_sale(NET, alpha));
    assert_eq!(said.alpha_fee, (u128::from(alpha) * 33 / 65_535) as u64);
    net.ok("Bob", Subtensor::remove_stake { hotkey, netuid, amount_unstaked: alpha });
    net.check_books();

    let rate = |rate| iota_localnet::pallets::swap::Call::<Runtime>::set_fee_rate { netuid, rate };
    assert_eq!(net.refusal("Alice", rate(1001)), "FeeRateTooHigh");
    net.ok("Alice", rate(0));
    assert_eq!(net.read(|| SubtensorModule::simulate_sale(NET, TAO)).alpha_fee, 0);
}

#[test]
fn the_apis_agree_with_each_other() {
    let net = two_subnets();
    let parts: Vec<u16> = (0..=73).collect();
    let whole = net.read(|| SubtensorModule::metagraph(NET)).unwrap();
    let selected = net.read(|| SubtensorModule::selective_metagraph(NET, &parts)).unwrap();
    let neurons = net.read(|| SubtensorModule::neurons(NET));
    let state = net.read(|| SubtensorModule::subnet_state(NET)).unwrap();
    assert_eq!(selected.hotkeys.as_ref(), Some(&whole.hotkeys));
    assert_eq!(selected.alpha_stake.as_ref(), Some(&whole.alpha_stake));
    assert_eq!((&state.hotkeys, &state.alpha_stake), (&whole.hotkeys, &whole.alpha_stake));
    let listed: Vec<_> = neurons.iter().map(|neuron| neuron.hotkey.clone()).collect();
    assert_eq!(listed, whole.hotkeys);
    let few = net.read(|| SubtensorModule::selective_metagraph(NET, &[8, 52])).unwrap();
    assert_eq!((few.tempo, few.hotkeys), (Some(whole.tempo), Some(whole.hotkeys)));
    assert_eq!((few.name, few.coldkeys, few.validators), (None, None, None));

    let stakes = net.read(|| SubtensorModule::stakes_of(&id("Bob")));
    assert_eq!(stakes.len(), 2);
    for stake in stakes {
        let name = if stake.hotkey == id("v0") { "v0" } else { "v1" };
        assert_eq!(stake.stake.0, held(&net, name, "Bob", NET));
    }
    let quote = net.read(|| SubtensorModule::simulate_purchase(NET, 10 * TAO));
    assert!(quote.alpha_amount > 0 && quote.alpha_slippage > 0);
    assert_eq!(net.read(|| SubtensorModule::metagraph(9)), None);
}
