//! How fast the chain makes blocks: empty ones, ones of a subnet that is full, ones of transfers.
//!
//! `cargo bench -p iota-localnet` prints elements per second, where an element is a block or a
//! transfer.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use iota_localnet::accounts::{self, TAO};
use iota_localnet::pallets::admin_utils::Call as Admin;
use iota_localnet::pallets::subtensor::{self, Call as Subtensor};
use iota_localnet::runtime::{AccountId, Runtime};
use iota_localnet::{Chain, Config, RuntimeCall, Sealing, signed};
use subxt::rpcs::RpcClient;
use subxt::rpcs::client::rpc_params;

/// The subnet.
const NET: u16 = 1;
/// Its neurons, the owner's included.
const NEURONS: u16 = 256;
/// Those of them that set weights.
const VALIDATORS: u16 = 16;
/// Blocks of one measurement.
const BLOCKS: u32 = 360;
/// Transfers of one measurement.
const TRANSFERS: u32 = 500;

struct Signer(sp_core::sr25519::Pair, u32);

impl Signer {
    fn named(name: &str) -> Self {
        Self(accounts::pair(&format!("//{name}")), 0)
    }

    /// Sends a call, and asserts that it succeeds.
    fn send(&mut self, chain: &mut Chain, call: impl Into<RuntimeCall>) {
        let bytes = signed(&self.0, call.into(), self.1, chain);
        chain.submit(bytes).unwrap();
        self.1 += 1;
        let sealed = chain.seal().unwrap();
        assert_eq!(sealed.extrinsics[0].result, Ok(()));
    }
}

fn account(name: &str) -> AccountId {
    accounts::account(&format!("//{name}"))
}

fn chain() -> Chain {
    Chain::new(&Config { block_time_ms: 12_000, ..Config::test() }).unwrap()
}

/// A started subnet with all its neurons, in which the validators set weights on all others.
fn busy() -> Chain {
    let mut chain = chain();
    let mut alice = Signer::named("Alice");
    alice.send(&mut chain, Subtensor::register_network { hotkey: account("owner") });
    alice.send(&mut chain, Subtensor::start_call { netuid: NET });
    for call in [
        Admin::sudo_set_admin_freeze_window { window: 0 },
        Admin::sudo_set_weights_set_rate_limit { netuid: NET, weights_set_rate_limit: 0 },
        Admin::sudo_set_commit_reveal_weights_enabled { netuid: NET, enabled: false },
        Admin::sudo_set_max_allowed_validators { netuid: NET, max_allowed_validators: VALIDATORS },
        Admin::sudo_set_subnet_emission_enabled { netuid: NET, enabled: true },
        Admin::sudo_set_min_burn { netuid: NET, min_burn: 1 },
        Admin::sudo_set_max_burn { netuid: NET, max_burn: 1_000_000 },
    ] {
        let call = Box::new(call.into());
        alice.send(&mut chain, pallet_sudo::Call::sudo { call });
    }
    let mut bob = Signer::named("Bob");
    for neuron in 1..NEURONS {
        let hotkey = account(&format!("n{neuron}"));
        bob.send(&mut chain, Subtensor::burned_register { netuid: NET, hotkey: hotkey.clone() });
        if neuron <= VALIDATORS {
            let amount_staked = 100 * TAO;
            bob.send(&mut chain, Subtensor::add_stake { hotkey, netuid: NET, amount_staked });
        }
    }
    while !has_permit(&chain) {
        chain.seal().unwrap();
    }
    for validator in 1..VALIDATORS {
        let (dests, weights) =
            (VALIDATORS..NEURONS).map(|uid| (uid, 1 + (uid * validator) % 97)).unzip();
        let call = Subtensor::set_mechanism_weights {
            netuid: NET,
            mecid: 0,
            dests,
            weights,
            version_key: 0,
        };
        let name = format!("n{validator}");
        Signer::named(&name).send(&mut chain, call);
    }
    chain
}

fn has_permit(chain: &Chain) -> bool {
    let permits = chain.read(|| subtensor::ValidatorPermit::<Runtime>::get(NET));
    permits.unwrap().iter().filter(|permit| **permit).count() >= usize::from(VALIDATORS)
}

fn warp(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("warp");
    group.sample_size(10).throughput(Throughput::Elements(BLOCKS.into()));
    let mut empty = chain();
    group.bench_function("empty", |bench| bench.iter(|| seal(&mut empty)));
    let mut busy = busy();
    group.bench_function("subnet of 256", |bench| bench.iter(|| seal(&mut busy)));
}

fn seal(chain: &mut Chain) {
    for _ in 0..BLOCKS {
        black_box(chain.seal().unwrap());
    }
}

fn transfers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("transfers");
    group.sample_size(10).throughput(Throughput::Elements(TRANSFERS.into()));
    let mut chain = chain();
    let mut nonce = 0;
    group.bench_function("submitted and sealed", |bench| {
        bench.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let all = transfers_from(&chain, nonce);
                nonce += TRANSFERS;
                let start = Instant::now();
                for bytes in all {
                    chain.submit(bytes).unwrap();
                }
                while chain.has_ready() {
                    chain.seal().unwrap();
                }
                spent += start.elapsed();
            }
            spent
        });
    });
}

/// As a client sends them: each a request over one websocket, blocks by the clock.
fn rpc(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("transfers");
    group.sample_size(10).throughput(Throughput::Elements(TRANSFERS.into()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sealing = Sealing::Interval(Duration::from_millis(100));
    let config = Config { sealing, ..Config::test() };
    let (api, handle) = runtime.block_on(iota_localnet::spawn(config)).unwrap();
    let client = runtime.block_on(RpcClient::from_insecure_url(api.url())).unwrap();
    let mut nonce = 0;
    group.bench_function("over RPC until final", |bench| {
        bench.to_async(&runtime).iter_custom(|rounds| {
            let (api, client) = (api.clone(), client.clone());
            let first = nonce;
            nonce += u32::try_from(rounds).unwrap() * TRANSFERS;
            async move {
                let mut spent = Duration::ZERO;
                for round in 0..u32::try_from(rounds).unwrap() {
                    let from = first + round * TRANSFERS;
                    let all = api.read(move |chain| transfers_from(chain, from)).await.unwrap();
                    let start = Instant::now();
                    let sent = all.iter().map(|bytes| {
                        let text = format!("0x{}", hex::encode(bytes));
                        client.request::<String>("author_submitExtrinsic", rpc_params![text])
                    });
                    for sent in futures::future::join_all(sent).await {
                        sent.unwrap();
                    }
                    while api.read(|chain| !chain.pending().is_empty()).await.unwrap() {
                        api.reached(api.head().number + 1).await.unwrap();
                    }
                    spent += start.elapsed();
                }
                spent
            }
        });
    });
    runtime.block_on(handle.stop());
}

/// Signed transfers of Alice's from a nonce on.
fn transfers_from(chain: &Chain, nonce: u32) -> Vec<Vec<u8>> {
    let alice = accounts::pair("//Alice");
    let one = |nonce: u32| {
        let dest = account(&format!("t{}", nonce % 64)).into();
        let call = pallet_balances::Call::transfer_keep_alive { dest, value: TAO };
        signed(&alice, call.into(), nonce, chain)
    };
    (nonce..nonce + TRANSFERS).map(one).collect()
}

criterion_group!(benches, warp, transfers, rpc);
criterion_main!(benches);
