//! What comes of an extrinsic: where it was included, why it failed, what to do then.

use futures::future::join_all;
use iota_chain::{Call, Client, Hyperparameter, Inclusion, SubmitError};
use iota_localnet::runtime::{AccountId, Balances};
use sp_crypto_hashing::blake2_256;

use crate::net::{CONNECT, NET, Net, TAO, key, sudo_set};

fn transfer(name: &str, value: u64) -> Call {
    Call::Transfer { dest: key(name).public(), value }
}

/// Name and remedy of a failure in a block.
fn failure(error: SubmitError) -> (String, String) {
    match error {
        SubmitError::Failed { name, remedy } => (name, remedy),
        other => panic!("{other}"),
    }
}

/// Name and remedy of a refusal by the pool.
fn refusal(error: SubmitError) -> (String, String) {
    match error {
        SubmitError::Rejected { name, remedy } => (name, remedy),
        other => panic!("{other}"),
    }
}

impl Net {
    /// Whether the block of an inclusion holds the extrinsic.
    async fn holds(&self, at: Inclusion) -> bool {
        let block = self.api.read(move |chain| chain.block_at(at.number).cloned()).await.unwrap();
        let block = block.unwrap();
        let is_there = block.extrinsics.iter().any(|bytes| blake2_256(bytes) == at.extrinsic);
        block.hash.0 == at.block && is_there
    }

    async fn free(&self, name: &str) -> u64 {
        let account = AccountId::from(key(name).public());
        let read = move || Balances::free_balance(&account);
        self.api.read(move |chain| chain.read(read).unwrap()).await.unwrap()
    }
}

#[tokio::test]
async fn an_inclusion_names_the_block_that_holds_the_extrinsic() {
    let net = Net::new().await;
    net.api.seal(3).await.unwrap();
    let before = net.free("Dave").await;
    let at = net.ok(&key("Alice"), transfer("Dave", TAO)).await;
    assert_eq!(at.number, 4);
    assert!(net.holds(at).await);
    assert!(!net.holds(Inclusion { extrinsic: [0; 32], ..at }).await);
    assert_eq!(net.client.finalized().await.unwrap(), (at.number, at.block));
    assert_eq!(net.free("Dave").await, before + TAO);
    net.stop().await;
}

#[tokio::test]
async fn a_failed_call_is_named_as_its_pallet_does() {
    let net = Net::started().await;
    let (bob, dave) = (key("Bob"), key("Dave"));
    let hotkey = net.register("v0").await.public();
    let stake = |netuid, amount| Call::AddStake { hotkey, netuid, amount };
    let cases = [
        (&bob, stake(9, TAO), "SubnetNotExists", "check the netuid with `iota subnet list`"),
        (
            &dave,
            stake(NET, 3000 * TAO),
            "NotEnoughBalanceToStake",
            "fund the coldkey, or stake less",
        ),
        (
            &dave,
            Call::BurnedRegister { netuid: NET, hotkey },
            "HotKeyAlreadyRegisteredInSubNet",
            "the hotkey is registered; nothing is to be done",
        ),
        // Of another pallet.
        (&dave, transfer("Bob", 1 << 50), "FundsUnavailable", "fund the account"),
    ];
    for (signer, call, name, remedy) in cases {
        let error = failure(net.submit(signer, &call).await.unwrap_err());
        assert_eq!(error, (name.to_owned(), remedy.to_owned()), "{call:?}");
    }
    net.stop().await;
}

#[tokio::test]
async fn a_call_of_others_fails_for_its_origin() {
    let net = Net::started().await;
    let start = Call::StartCall { netuid: NET };
    let (name, _) = failure(net.submit(&key("Bob"), &start).await.unwrap_err());
    assert_eq!(name, "BadOrigin");
    net.stop().await;
}

#[tokio::test]
async fn a_batch_takes_effect_as_a_whole_or_not_at_all() {
    let net = Net::started().await;
    let hotkey = key("v0").public();
    let register = Call::BurnedRegister { netuid: NET, hotkey };
    let twice = Call::Batch(vec![transfer("Dave", TAO), register.clone(), register]);
    let before = net.free("Dave").await;
    let (name, _) = failure(net.submit(&key("Bob"), &twice).await.unwrap_err());
    assert_eq!(name, "HotKeyAlreadyRegisteredInSubNet");
    assert_eq!(net.free("Dave").await, before);
    assert_eq!(net.view().await.neurons.len(), 1);
    net.stop().await;
}

#[tokio::test]
async fn what_fails_as_root_is_not_taken_for_success() {
    let net = Net::started().await;
    let alice = key("Alice");
    let tempo = |netuid| Call::SetHyperparameter { netuid, parameter: Hyperparameter::Tempo(20) };
    net.ok(&alice, Call::Sudo(Box::new(tempo(NET)))).await;
    let nowhere = Call::Sudo(Box::new(tempo(9)));
    for call in [nowhere.clone(), Call::Batch(vec![Call::Sudo(Box::new(tempo(NET))), nowhere])] {
        let (name, _) = failure(net.submit(&alice, &call).await.unwrap_err());
        assert_eq!(name, "SubnetDoesNotExist");
    }
    net.stop().await;
}

#[tokio::test]
async fn extrinsics_of_one_account_sent_at_once_all_get_in() {
    const COUNT: usize = 8;
    let net = Net::new().await;
    let alice = key("Alice");
    let before = net.free("Dave").await;
    let calls: Vec<Call> =
        (0..COUNT).map(|at| transfer("Dave", TAO + u64::try_from(at).unwrap())).collect();
    let sent = join_all(calls.iter().map(|call| net.client.submit(&alice, call)));
    let found: Vec<Inclusion> =
        net.sealed(COUNT, sent).await.into_iter().collect::<Result<_, _>>().unwrap();
    for at in &found {
        assert_eq!((at.number, at.block), (1, net.api.head().hash.0));
        assert!(net.holds(*at).await);
    }
    let mut distinct: Vec<_> = found.iter().map(|at| at.extrinsic).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), COUNT);
    let sum: u64 = (0..COUNT as u64).sum();
    assert_eq!(net.free("Dave").await, before + COUNT as u64 * TAO + sum);
    net.stop().await;
}

#[tokio::test]
async fn a_failure_among_them_leaves_the_others_alone() {
    let net = Net::new().await;
    let (alice, dave) = (key("Alice"), key("Dave"));
    let calls = [transfer("Bob", TAO), transfer("Bob", u64::MAX), transfer("Bob", 2 * TAO)];
    let sent = join_all(calls.iter().map(|call| net.client.submit(&dave, call)));
    let [first, second, third] = <[_; 3]>::try_from(net.sealed(3, sent).await).unwrap();
    failure(second.unwrap_err());
    assert_eq!(first.unwrap().block, third.unwrap().block);
    net.ok(&dave, transfer("Bob", 1)).await;
    net.ok(&alice, transfer("Bob", 1)).await;
    net.stop().await;
}

#[tokio::test]
async fn two_clients_of_one_account_get_out_of_each_others_way() {
    let net = Net::new().await;
    let other = Client::connect(&net.api.url(), CONNECT).await.unwrap();
    let alice = key("Alice");
    let (early, late) = (transfer("Bob", 1), transfer("Bob", 2));
    // The chain's nonce is the same for both: it is the pool's that tells them apart.
    let second = async {
        while net.pending().await == 0 {}
        net.sealed(2, net.client.submit(&alice, &late)).await
    };
    let (first, second) = tokio::join!(other.submit(&alice, &early), second);
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(net.holds(first).await && net.holds(second).await);
    assert_eq!((first.block, first.extrinsic != second.extrinsic), (second.block, true));
    net.stop().await;
}

#[tokio::test]
async fn what_the_pool_refuses_costs_no_nonce() {
    let net = Net::started().await;
    let hotkey = net.register("m0").await;
    let alice = key("Alice");
    net.ok(&alice, sudo_set(Hyperparameter::WeightsSetRateLimit(100))).await;
    let weights = Call::SetWeights {
        netuid: NET,
        mechanism: 0,
        dests: vec![1],
        weights: vec![1],
        version_key: 0,
    };
    for _ in 0..2 {
        let (name, remedy) = refusal(net.submit(&hotkey, &weights).await.unwrap_err());
        assert_eq!(name, "RateLimitExceeded");
        assert!(remedy.starts_with("wait: "), "{remedy}");
    }
    assert_eq!(net.pending().await, 0);
    net.ok(&alice, sudo_set(Hyperparameter::WeightsSetRateLimit(0))).await;
    net.ok(&hotkey, weights).await;
    net.stop().await;
}
