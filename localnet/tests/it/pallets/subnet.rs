//! A subnet with two validators and six servers, as the tests of this folder share it, and what
//! it pays.

use codec::Decode;
use iota_localnet::{
    Chain, Config, PoolError, RuntimeCall, SealedBlock,
    accounts::{self, TAO},
    pallets::{admin_utils::Call as Admin, subtensor, subtensor::Call as Subtensor},
    runtime::{AccountId, Balances, Runtime, SubtensorModule},
    signed,
};
use sp_core::{Pair, sr25519};
use sp_runtime::{DispatchError, transaction_validity::InvalidTransaction};
use std::collections::BTreeMap;

/// The subnet that all tests use.
pub(super) const NET: u16 = 1;
/// Blocks in an epoch.
pub(super) const TEMPO: u16 = 10;

/// A chain, and the nonces of those who sign.
pub(super) struct Net {
    pub(super) chain: Chain,
    nonces: BTreeMap<AccountId, u32>,
}

pub(super) fn key(name: &str) -> sr25519::Pair {
    accounts::pair(&format!("//{name}"))
}

pub(super) fn id(name: &str) -> AccountId {
    AccountId::from(key(name).public().0)
}

impl Net {
    /// Block 0.
    pub(super) fn new() -> Self {
        Self { chain: Chain::new(&Config::test()).unwrap(), nonces: BTreeMap::new() }
    }

    /// A started subnet of Alice's, with commit-reveal and rate limits off and no neurons but hers.
    pub(super) fn started() -> Self {
        let mut net = Self::new();
        net.ok("Alice", Subtensor::register_network { hotkey: id("owner") });
        net.ok("Alice", Subtensor::start_call { netuid: NET });
        for call in [
            Admin::sudo_set_admin_freeze_window { window: 0 },
            Admin::sudo_set_tempo { netuid: NET, tempo: TEMPO },
            Admin::sudo_set_weights_set_rate_limit { netuid: NET, weights_set_rate_limit: 0 },
            Admin::sudo_set_commit_reveal_weights_enabled { netuid: NET, enabled: false },
            Admin::sudo_set_max_allowed_validators { netuid: NET, max_allowed_validators: 2 },
            Admin::sudo_set_subnet_emission_enabled { netuid: NET, enabled: true },
        ] {
            net.sudo(call);
        }
        net
    }

    /// [`Self::started`] with validators v0, v1 (coldkey Bob) and servers m0 to m5 (Charlie).
    pub(super) fn staffed(stakes: [u64; 2]) -> Self {
        let mut net = Self::started();
        for (name, stake) in ["v0", "v1"].into_iter().zip(stakes) {
            net.ok("Bob", Subtensor::burned_register { netuid: NET, hotkey: id(name) });
            let hotkey = id(name);
            net.ok("Bob", Subtensor::add_stake { hotkey, netuid: NET, amount_staked: stake });
        }
        for server in 0..6 {
            let hotkey = id(&format!("m{server}"));
            net.ok("Charlie", Subtensor::burned_register { netuid: NET, hotkey });
        }
        net.next_epoch();
        net
    }

    /// Puts a signed call into the pool.
    pub(super) fn submit(&mut self, who: &str, call: RuntimeCall) -> Result<(), PoolError> {
        let nonce = self.nonces.entry(id(who)).or_default();
        let bytes = signed(&key(who), call, *nonce, &self.chain);
        self.chain.submit(bytes)?;
        *nonce += 1;
        Ok(())
    }

    /// Signs a call, seals it, and tells what came of it.
    pub(super) fn send(
        &mut self,
        who: &str,
        call: impl Into<RuntimeCall>,
    ) -> Result<(), DispatchError> {
        self.submit(who, call.into()).unwrap();
        self.seal().extrinsics[0].result
    }

    pub(super) fn ok(&mut self, who: &str, call: impl Into<RuntimeCall>) {
        let call = call.into();
        let text = format!("{call:?}");
        assert_eq!(self.send(who, call), Ok(()), "{text}");
    }

    /// Sends a call as root.
    pub(super) fn sudo(&mut self, call: impl Into<RuntimeCall>) {
        self.ok("Alice", pallet_sudo::Call::sudo { call: Box::new(call.into()) });
    }

    /// The name of the pallet's error with which a call fails.
    pub(super) fn refusal(&mut self, who: &str, call: impl Into<RuntimeCall>) -> String {
        match self.send(who, call) {
            Err(DispatchError::Module(error)) => error.message.unwrap_or_default().to_owned(),
            other => format!("{other:?}"),
        }
    }

    /// The pool's code of refusal.
    pub(super) fn pool_code(&mut self, who: &str, call: impl Into<RuntimeCall>) -> Option<u8> {
        match self.submit(who, call.into()) {
            Err(PoolError::Invalid(InvalidTransaction::Custom(code))) => Some(code),
            _ => None,
        }
    }

    pub(super) fn seal(&mut self) -> SealedBlock {
        self.chain.seal().unwrap()
    }

    pub(super) fn read<R>(&self, code: impl FnOnce() -> R) -> R {
        self.chain.read(code).unwrap()
    }

    /// Seals up to and with the block that runs the next epoch.
    pub(super) fn next_epoch(&mut self) {
        let at = self.read(|| SubtensorModule::next_epoch_start_block(NET)).unwrap();
        while u64::from(self.chain.number()) < at {
            self.seal();
        }
    }

    pub(super) fn stake(&self, name: &str) -> u64 {
        self.read(|| SubtensorModule::stake_of(&id(name), NET))
    }

    pub(super) fn set_weights(&mut self, who: &str, weights: &[(u16, u16)]) {
        let (dests, weights) = weights.iter().copied().unzip();
        let call = Subtensor::set_mechanism_weights {
            netuid: NET,
            mecid: 0,
            dests,
            weights,
            version_key: 0,
        };
        self.ok(who, call);
    }

    /// All TAO is either free or in a pool; all alpha outside the pool is held, waits or is burned.
    pub(super) fn check_books(&self) {
        self.read(|| {
            let pools: u64 = subtensor::SubnetTAO::<Runtime>::iter_values().sum();
            let issued = subtensor::TotalIssuance::<Runtime>::get();
            assert_eq!(Balances::total_issuance() + pools, issued, "TAO");
            assert_eq!(subtensor::TotalStake::<Runtime>::get(), pools, "staked TAO");
            for netuid in SubtensorModule::netuids() {
                let held: u64 = subtensor::TotalHotkeyAlpha::<Runtime>::iter()
                    .filter_map(|(_, at, held)| (at == netuid).then_some(held))
                    .sum();
                let waiting = subtensor::PendingServerEmission::<Runtime>::get(netuid)
                    + subtensor::PendingValidatorEmission::<Runtime>::get(netuid)
                    + subtensor::PendingOwnerCut::<Runtime>::get(netuid);
                let out = subtensor::SubnetAlphaOut::<Runtime>::get(netuid);
                assert!(held + waiting <= out, "alpha of {netuid}: {held} + {waiting} > {out}");
            }
            for (hotkey, netuid, held) in subtensor::TotalHotkeyAlpha::<Runtime>::iter() {
                let parts: u64 = ["Alice", "Bob", "Charlie", "Dave", "Eve"]
                    .iter()
                    .map(|name| SubtensorModule::stake_of_coldkey(&hotkey, &id(name), netuid))
                    .sum();
                assert!(parts <= held, "shares: {parts} > {held}");
            }
        });
    }
}

#[test]
fn weights_turn_into_incentive_and_stake_of_the_servers() {
    let mut net = Net::staffed([100 * TAO, 100 * TAO]);
    let permits = net.read(|| subtensor::ValidatorPermit::<Runtime>::get(NET));
    assert_eq!(permits, [true, true, true, false, false, false, false, false, false]);
    assert_eq!((net.stake("m0"), net.stake("m5")), (0, 0));

    // m0 is hostile, m1 earns half of what the others do.
    let weights = [(4, 50), (5, 100), (6, 100), (7, 100), (8, 100)];
    net.set_weights("v0", &weights);
    net.set_weights("v1", &weights);
    net.next_epoch();
    let neurons = net.read(|| SubtensorModule::neurons(NET));
    let incentive: Vec<u16> = neurons.iter().map(|neuron| neuron.incentive.0).collect();
    let sum: u32 = incentive.iter().copied().map(u32::from).sum();
    assert!((65_530..=65_535).contains(&sum), "{incentive:?}");
    assert_eq!(incentive[3], 0);
    assert!(incentive[4].abs_diff(incentive[5] / 2) <= 1, "{incentive:?}");
    assert_eq!(net.stake("m0"), 0);
    let paid: Vec<u64> = (1..6).map(|server| net.stake(&format!("m{server}"))).collect();
    // Weights are stored in 16 bits.
    assert!(paid[0].abs_diff(paid[1] / 2) < paid[1] / 60_000, "{paid:?}");
    // Each server's emission is its stake, and the servers' half is 41 % of the alpha.
    assert_eq!(paid[1], neurons[5].emission.0);
    let alpha = 10 * TAO;
    let share = paid.iter().sum::<u64>() as f64 / alpha as f64;
    assert!((share - 0.41).abs() < 1e-3, "{share}");
    net.check_books();

    let before = (net.stake("v0"), net.stake("owner"), net.stake("m2"));
    for _ in 0..3 {
        net.next_epoch();
    }
    let after = (net.stake("v0"), net.stake("owner"), net.stake("m2"));
    assert!(after.0 > before.0 && after.1 > before.1 && after.2 > before.2);
    net.check_books();
}

#[test]
fn unequal_stakes_earn_unequal_dividends() {
    let mut net = Net::staffed([300 * TAO, 100 * TAO]);
    let weights: Vec<(u16, u16)> = (3..9).map(|uid| (uid, 1)).collect();
    net.set_weights("v0", &weights);
    net.set_weights("v1", &weights);
    net.next_epoch();
    let neurons = net.read(|| SubtensorModule::neurons(NET));
    let dividends = (neurons[1].dividends.0, neurons[2].dividends.0);
    assert!(dividends.0 > 2 * dividends.1 && dividends.1 > 0, "{dividends:?}");
    net.check_books();
}

#[test]
fn a_subnet_that_is_not_started_earns_nothing() {
    let mut net = Net::new();
    net.ok("Alice", Subtensor::register_network { hotkey: id("owner") });
    for _ in 0..5 {
        net.seal();
    }
    assert_eq!(net.read(|| subtensor::PendingServerEmission::<Runtime>::get(NET)), 0);
    net.ok("Alice", Subtensor::start_call { netuid: NET });
    net.seal();
    assert!(net.read(|| subtensor::PendingServerEmission::<Runtime>::get(NET)) > 0);
    let again = Subtensor::start_call { netuid: NET };
    assert_eq!(net.refusal("Alice", again), "FirstEmissionBlockNumberAlreadySet");
    assert_eq!(net.refusal("Bob", Subtensor::start_call { netuid: NET }), "Err(BadOrigin)");
    net.check_books();
}

#[test]
fn servers_half_goes_to_validators_while_no_weights_are_set() {
    let mut net = Net::staffed([100 * TAO, 100 * TAO]);
    let before = net.stake("v0") + net.stake("v1") + net.stake("owner");
    net.next_epoch();
    let gained = net.stake("v0") + net.stake("v1") + net.stake("owner") - before;
    assert!(gained.abs_diff(10 * TAO) < 1000, "{gained}");
    net.check_books();
}

#[test]
fn buying_and_selling_stake_moves_the_price() {
    let mut net = Net::started();
    net.ok("Bob", Subtensor::burned_register { netuid: NET, hotkey: id("v0") });
    let price = |net: &Net| {
        let bytes = net.chain.call("SwapRuntimeApi_current_alpha_price", &[1, 0], None).unwrap();
        u64::decode(&mut &bytes[..]).unwrap()
    };
    let first = price(&net);
    let hotkey = id("v0");
    net.ok(
        "Bob",
        Subtensor::add_stake { hotkey: hotkey.clone(), netuid: NET, amount_staked: 100 * TAO },
    );
    let high = price(&net);
    assert!(high > first + first / 10, "{first} {high}");
    let stake = net.stake("v0");
    assert!(stake < 100 * TAO && stake > 80 * TAO, "{stake}");
    let sell = |amount_unstaked| Subtensor::remove_stake {
        hotkey: hotkey.clone(),
        netuid: NET,
        amount_unstaked,
    };
    assert_eq!(net.refusal("Bob", sell(stake + 100 * TAO)), "NotEnoughStakeToWithdraw");
    assert_eq!(net.refusal("Charlie", sell(1)), "NotEnoughStakeToWithdraw");
    net.ok("Bob", sell(stake));
    assert!(price(&net) < high);
    net.check_books();
    let tiny = Subtensor::add_stake { hotkey: id("v0"), netuid: NET, amount_staked: 1 };
    assert_eq!(net.refusal("Bob", tiny), "AmountTooLow");
    let root = Subtensor::add_stake { hotkey: id("v0"), netuid: 0, amount_staked: TAO };
    assert_eq!(net.refusal("Bob", root), "SubtokenDisabled");
    let poor = Subtensor::add_stake { hotkey: id("v0"), netuid: NET, amount_staked: 3000 * TAO };
    assert_eq!(net.refusal("Dave", poor), "NotEnoughBalanceToStake");
    let unknown = Subtensor::add_stake { hotkey: id("x"), netuid: NET, amount_staked: TAO };
    assert_eq!(net.refusal("Bob", unknown), "HotKeyAccountNotExists");
}
