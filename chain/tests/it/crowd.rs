//! Many extrinsics of many accounts through one client: none lost, none doubled, whatever becomes
//! of the connection.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use iota_chain::{Call, Client, Inclusion, Keypair, SubmitError};
use iota_localnet::runtime::{AccountId, Balances, System};
use iota_localnet::{Api, Config, Handle, Sealing, spawn};

use crate::net::{CONNECT, NET, TAO, key};
use crate::proxy::{Answers, Proxy};

/// Accounts that send.
const ACCOUNTS: usize = 64;
/// Extrinsics they send.
const EXTRINSICS: usize = 200;
/// Neurons among them, which set weights as well as transfer.
const NEURONS: usize = 16;
/// Time between blocks.
const BLOCK: Duration = Duration::from_millis(100);
/// What each account has at first.
const FUNDS: u64 = 100 * TAO;

fn name(account: usize) -> String {
    format!("crowd{account}")
}

/// A chain on which all accounts have funds, and the first ones are neurons.
async fn chain() -> (Api, Handle) {
    let funded = (0..ACCOUNTS).map(|account| (key(&name(account)).public(), FUNDS)).collect();
    let (api, handle) = spawn(Config { funded, ..Config::test() }).await.unwrap();
    api.set_sealing(Sealing::Instant).await.unwrap();
    let client = Client::connect(&api.url(), CONNECT).await.unwrap();
    let alice = key("Alice");
    let ok = async |call: Call| client.submit(&alice, &call).await.unwrap();
    ok(Call::RegisterNetwork { hotkey: key("owner").public() }).await;
    ok(Call::StartCall { netuid: NET }).await;
    for parameter in [
        iota_chain::Hyperparameter::WeightsSetRateLimit(0),
        iota_chain::Hyperparameter::CommitRevealWeightsEnabled(false),
    ] {
        ok(crate::net::sudo_set(parameter)).await;
    }
    for account in 0..NEURONS {
        ok(Call::BurnedRegister { netuid: NET, hotkey: key(&name(account)).public() }).await;
    }
    api.set_sealing(Sealing::Manual).await.unwrap();
    (api, handle)
}

/// What the accounts send: neurons set weights on themselves in every other extrinsic; all others
/// move one rao more than the one before to an account of their own.
fn extrinsics() -> Vec<(Keypair, Call)> {
    (0..EXTRINSICS)
        .map(|number| {
            let account = number % ACCOUNTS;
            let turn = number / ACCOUNTS;
            let call = if account < NEURONS && turn.is_multiple_of(2) {
                let uid = u16::try_from(account + 1).unwrap();
                Call::SetWeights {
                    netuid: NET,
                    mechanism: 0,
                    dests: vec![uid],
                    weights: vec![1],
                    version_key: 0,
                }
            } else {
                Call::Transfer { dest: key(&format!("to{number}")).public(), value: value(number) }
            };
            (key(&name(account)), call)
        })
        .collect()
}

fn value(number: usize) -> u64 {
    TAO + number as u64
}

/// Sends everything at once, while `meddle` does its worst.
async fn send(
    client: &Client,
    meddle: impl Future<Output = ()>,
) -> Vec<Result<Inclusion, SubmitError>> {
    let all = extrinsics();
    let sent = join_all(all.iter().map(|(signer, call)| client.submit(signer, call)));
    let (sent, ()) = tokio::join!(sent, meddle);
    sent
}

/// Asserts that each extrinsic took effect once, and that nothing else did.
async fn assert_each_once(api: &Api, sent: Vec<Result<Inclusion, SubmitError>>) {
    let all = extrinsics();
    let mut hashes = BTreeSet::new();
    for (sent, (_, call)) in sent.into_iter().zip(&all) {
        let sent = sent.unwrap_or_else(|error| panic!("{call:?}: {error}"));
        assert!(hashes.insert(sent.extrinsic), "{call:?}");
    }
    let mut spent = vec![0; ACCOUNTS];
    for (number, (_, call)) in all.iter().enumerate() {
        let Call::Transfer { dest, value } = *call else { continue };
        spent[number % ACCOUNTS] += value;
        let free =
            api.read(move |chain| chain.read(|| Balances::free_balance(AccountId::from(dest))));
        assert_eq!(free.await.unwrap().unwrap(), value, "transfer {number}");
    }
    for (account, spent) in spent.into_iter().enumerate() {
        let id = AccountId::from(key(&name(account)).public());
        let read = move || (System::account_nonce(&id), Balances::free_balance(&id));
        let (nonce, free) = api.read(move |chain| chain.read(read)).await.unwrap().unwrap();
        let count = (0..EXTRINSICS).filter(|number| number % ACCOUNTS == account).count();
        assert_eq!(nonce as usize, count, "nonces of {account}");
        assert!(free <= FUNDS - spent && free > FUNDS - spent - TAO, "{account}: {free}");
    }
    assert_eq!(api.read(|chain| chain.pending().len()).await.unwrap(), 0);
}

#[tokio::test]
async fn two_hundred_extrinsics_of_64_accounts_take_effect_once_each() {
    let (api, handle) = chain().await;
    let client = Client::connect(&api.url(), CONNECT).await.unwrap();
    api.set_sealing(Sealing::Interval(BLOCK)).await.unwrap();
    let sent = send(&client, async {}).await;
    assert_each_once(&api, sent).await;
    handle.stop().await;
}

#[tokio::test]
async fn they_do_while_the_connection_is_cut_five_times() {
    let (api, handle) = chain().await;
    let proxy = Proxy::start(api.local_addr(), Answers::Pass).await;
    let client = Client::connect(&proxy.url(), CONNECT).await.unwrap();
    api.set_sealing(Sealing::Interval(BLOCK)).await.unwrap();
    let cut = async {
        // While some wait for a block and others have not been sent.
        for cut in 1..=5 {
            while arrived(&api).await < 30 * cut {
                tokio::task::yield_now().await;
            }
            proxy.redirect(None);
            api.reached(api.head().number + 2).await.unwrap();
            proxy.redirect(Some(api.local_addr()));
        }
    };
    let sent = send(&client, cut).await;
    assert_each_once(&api, sent).await;
    handle.stop().await;
}

#[tokio::test]
async fn they_do_when_the_first_endpoint_goes_away_for_good() {
    let (api, handle) = chain().await;
    let first = Proxy::start(api.local_addr(), Answers::Pass).await;
    let second = Proxy::start(api.local_addr(), Answers::Pass).await;
    let urls = [first.url(), second.url()];
    let client = Client::connect_any(&urls, CONNECT).await.unwrap();
    assert_eq!(client.url(), urls[0]);
    api.set_sealing(Sealing::Interval(BLOCK)).await.unwrap();
    let leave = async {
        while arrived(&api).await < 100 {
            tokio::task::yield_now().await;
        }
        drop(first);
    };
    let sent = send(&client, leave).await;
    assert_eq!(client.url(), urls[1]);
    assert_each_once(&api, sent).await;
    handle.stop().await;
}

/// Extrinsics of the accounts that are in the pool or in a block.
async fn arrived(api: &Api) -> usize {
    let nonces = || {
        let nonce = |account| System::account_nonce(AccountId::from(key(&name(account)).public()));
        (0..ACCOUNTS).map(|account| nonce(account) as usize).sum::<usize>()
    };
    let read = api.read(move |chain| chain.read(nonces).unwrap() + chain.pending().len());
    read.await.unwrap()
}

#[tokio::test]
async fn an_extrinsic_whose_answer_was_lost_is_not_sent_anew() {
    let (api, handle) = spawn(Config::test()).await.unwrap();
    let lost = Arc::new(AtomicBool::new(false));
    let answers = Answers::Lose(api.clone(), Arc::clone(&lost));
    let proxy = Proxy::start(api.local_addr(), answers).await;
    let client = Client::connect(&proxy.url(), CONNECT).await.unwrap();
    let (alice, dest) = (key("Alice"), key("nobody").public());
    let transfer = Call::Transfer { dest, value: TAO };
    let sealed = async {
        // The client does not know whether it was taken, and then a block has it already: the
        // node says that it is outdated.
        while !lost.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        api.seal(1).await.unwrap()
    };
    let both = futures::future::join(client.submit(&alice, &transfer), sealed);
    let (done, head) = tokio::time::timeout(CONNECT, both).await.unwrap();
    assert_eq!(done.unwrap().block, head.hash.0);
    api.seal(2).await.unwrap();
    assert_eq!(client.balance(&dest).await.unwrap(), TAO);
    handle.stop().await;
}

#[tokio::test]
async fn what_a_pruned_block_has_is_settled_and_the_next_is_sent() {
    let (api, handle) = spawn(Config::test()).await.unwrap();
    let proxy = Proxy::start(api.local_addr(), Answers::Pass).await;
    let client = Client::connect(&proxy.url(), CONNECT).await.unwrap();
    let (alice, dest) = (key("Alice"), key("nobody").public());
    let transfer = Call::Transfer { dest, value: TAO };
    let away = async {
        while api.read(|chain| chain.pending().len()).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        proxy.redirect(None);
        // States are kept for fewer blocks than the extrinsic is valid for and some.
        api.seal(1).await.unwrap();
        api.seal(300).await.unwrap();
        proxy.redirect(Some(api.local_addr()));
    };
    let both = futures::future::join(client.submit(&alice, &transfer), away);
    let (done, ()) = tokio::time::timeout(CONNECT, both).await.unwrap();
    let error = done.unwrap_err();
    assert!(matches!(error, SubmitError::Unseen { block: 1 }), "{error}");
    assert_eq!(client.balance(&dest).await.unwrap(), TAO);

    api.set_sealing(Sealing::Instant).await.unwrap();
    let next = tokio::time::timeout(CONNECT, client.submit(&alice, &transfer)).await.unwrap();
    assert_eq!(next.unwrap().number, 302);
    handle.stop().await;
}
