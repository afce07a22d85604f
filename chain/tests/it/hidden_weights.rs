//! Weights that a subnet hides: timelocked and shown by the chain, or committed and shown by us.

use iota_chain::{
    Call, Committed, Hyperparameter, Inclusion, Keypair, Refusal, Regime, SubmitError, Weights,
    WeightsError,
};
use iota_localnet::pallets::subtensor;
use iota_localnet::runtime::Runtime;

use crate::net::{NET, Net, TAO, TEMPO, key, sudo_set};

/// Uids of the validator and of the miners.
const VALIDATOR: u16 = 1;
const MINERS: [u16; 2] = [2, 3];

fn weights(pairs: &[(u16, u16)]) -> Weights {
    let (uids, values) = pairs.iter().copied().unzip();
    Weights { netuid: NET, uids, values, ..Weights::default() }
}

fn refusal(error: WeightsError) -> Refusal {
    match error {
        WeightsError::Refused(refusal) => refusal,
        other => panic!("{other}"),
    }
}

impl Net {
    /// A validator with a permit and two miners; weights are hidden if asked for.
    async fn judged(hides: bool) -> (Self, Keypair) {
        let net = Self::started().await;
        let validator = net.register("v").await;
        let (hotkey, amount) = (validator.public(), 300 * TAO);
        net.ok(&key("Bob"), Call::AddStake { hotkey, netuid: NET, amount }).await;
        for name in ["m0", "m1"] {
            net.register(name).await;
        }
        net.api.seal(u32::from(TEMPO)).await.unwrap();
        let hide = sudo_set(Hyperparameter::CommitRevealWeightsEnabled(hides));
        net.ok(&key("Alice"), hide).await;
        (net, validator)
    }

    /// What the chain shows of the validator's weights.
    async fn shown(&self) -> Vec<(u16, u16)> {
        let read = || subtensor::Weights::<Runtime>::get(NET, VALIDATOR);
        self.api.read(move |chain| chain.read(read)).await.unwrap().unwrap()
    }

    async fn commit(
        &self,
        signer: &Keypair,
        weights: &Weights,
        kept: &mut Option<Committed>,
    ) -> Result<(Inclusion, Committed), WeightsError> {
        let keep = |committed: &Committed| {
            *kept = Some(committed.clone());
            Ok(())
        };
        self.sealed(1, self.client.commit_weights(signer, weights, keep)).await
    }

    /// Seals blocks until `number` is the newest.
    async fn reach(&self, number: u32) {
        self.api.seal(number - self.api.head().number).await.unwrap();
    }
}

#[tokio::test]
async fn plain_weights_are_shown_at_once() {
    let (net, validator) = Net::judged(false).await;
    let wanted = weights(&[(MINERS[0], 1), (MINERS[1], 2)]);
    let set = net.sealed(1, net.client.set_weights(&validator, &wanted)).await.unwrap();
    assert_eq!((set.regime, set.reveal), (Regime::Plain, None));
    assert_eq!(net.shown().await, [(MINERS[0], 32_768), (MINERS[1], 65_535)]);
    net.stop().await;
}

#[tokio::test]
async fn timelocked_weights_are_shown_by_the_chain_when_foreseen() {
    let (net, validator) = Net::judged(true).await;
    // In the middle of an epoch, and in the blocks around its start.
    for (step, value) in [0, 4, 8, 9, 10, 11].into_iter().zip(1..) {
        net.api.seal(step).await.unwrap();
        let wanted = weights(&[(MINERS[0], value), (MINERS[1], 7)]);
        let set = net.sealed(1, net.client.set_weights(&validator, &wanted)).await.unwrap();
        let reveal = set.reveal.unwrap();
        assert_eq!(set.regime, Regime::Timelocked);
        let before = net.shown().await;
        net.reach(reveal.block - 1).await;
        assert_eq!(net.shown().await, before, "step {step}: too early");
        // The round comes a little later than the epoch, so that nobody reads them before it.
        net.reach(reveal.block + 4).await;
        let scaled = (u32::from(value) * 65_535 + 3) / 7;
        let row = [(MINERS[0], scaled as u16), (MINERS[1], 65_535)];
        assert_eq!(net.shown().await, row, "step {step}: not by block {}", reveal.block + 4);
    }
    net.api.seal(u32::from(TEMPO)).await.unwrap();
    let neurons = net.view().await.neurons;
    assert!(neurons[usize::from(MINERS[1])].incentive > neurons[usize::from(MINERS[0])].incentive);
    net.stop().await;
}

#[tokio::test]
async fn committed_weights_are_shown_in_their_epoch_only() {
    let (net, validator) = Net::judged(true).await;
    let wanted = weights(&[(MINERS[0], 3), (MINERS[1], 3)]);
    // Away from an epoch's start.
    net.api.seal(3).await.unwrap();
    let mut kept = None;
    let (_, committed) = net.commit(&validator, &wanted, &mut kept).await.unwrap();
    assert_eq!(kept.as_ref(), Some(&committed), "it was kept before it was sent");
    let name = |error| match error {
        WeightsError::Submit(SubmitError::Rejected { name, .. }) => name,
        other => panic!("{other}"),
    };
    let early = net.sealed(1, net.client.reveal_weights(&validator, &committed)).await;
    assert_eq!(name(early.unwrap_err()), "CommitBlockNotInRevealRange");
    assert_eq!(net.shown().await, []);
    net.reach(committed.reveal_block).await;
    let other = Committed { salt: vec![1], ..committed.clone() };
    let wrong = net.sealed(1, net.client.reveal_weights(&validator, &other)).await;
    assert_eq!(name(wrong.unwrap_err()), "CommitNotFound");
    net.sealed(1, net.client.reveal_weights(&validator, &committed)).await.unwrap();
    assert_eq!(net.shown().await, [(MINERS[0], 65_535), (MINERS[1], 65_535)]);

    let (_, late) = net.commit(&validator, &wanted, &mut None).await.unwrap();
    net.reach(late.reveal_block + u32::from(TEMPO)).await;
    let late = net.sealed(1, net.client.reveal_weights(&validator, &late)).await;
    assert_eq!(name(late.unwrap_err()), "CommitBlockNotInRevealRange");
    net.stop().await;
}

#[tokio::test]
async fn a_commit_that_cannot_be_kept_is_not_sent() {
    let (net, validator) = Net::judged(true).await;
    let wanted = weights(&[(MINERS[0], 1)]);
    let keep = |_: &Committed| Err(std::io::Error::other("the disk is full"));
    let refused = net.client.commit_weights(&validator, &wanted, keep).await.unwrap_err();
    assert!(refused.to_string().contains("the disk is full"), "{refused}");
    assert_eq!(net.pending().await, 0);
    net.stop().await;
}

/// The checks made before signing give the names that the chain would.
#[tokio::test]
async fn what_is_refused_beforehand_the_chain_refuses_by_the_same_name() {
    let (net, validator) = Net::judged(false).await;
    let least = sudo_set(Hyperparameter::MinAllowedWeights(2));
    net.ok(&key("Alice"), least).await;
    let (one, two) = (MINERS[0], MINERS[1]);
    let good = [(one, 1), (two, 1)];
    let lengths = Weights { values: vec![1], ..weights(&good) };
    let mechanism = Weights { mechanism: 1, ..weights(&good) };
    for (signer, wanted) in [
        (&validator, lengths),
        (&validator, mechanism),
        (&validator, weights(&[(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)])),
        (&key("stranger"), weights(&good)),
        (&key("m0"), weights(&[(0, 1), (1, 1)])),
        (&validator, weights(&[(one, 1), (one, 1)])),
        (&validator, weights(&[(one, 1), (9, 1)])),
        (&validator, weights(&[(one, 1)])),
    ] {
        let beforehand = refusal(net.client.set_weights(signer, &wanted).await.unwrap_err());
        assert_eq!(net.pending().await, 0, "nothing was sent");
        let Weights { netuid, mechanism, uids, values, .. } = wanted;
        let (dests, weights) = (uids, values);
        let call = Call::SetWeights { netuid, mechanism, dests, weights, version_key: 0 };
        match net.submit(signer, &call).await {
            Err(SubmitError::Failed { name, .. }) => assert_eq!(beforehand.name, name),
            other => panic!("{beforehand}: {other:?}"),
        }
    }
    let own = weights(&[(VALIDATOR, 1)]);
    net.sealed(1, net.client.set_weights(&validator, &own)).await.unwrap();
    net.stop().await;
}

#[tokio::test]
async fn a_limit_of_rate_says_from_which_block_on_it_is_none() {
    for hides in [false, true] {
        let (net, validator) = Net::judged(hides).await;
        net.ok(&key("Alice"), sudo_set(Hyperparameter::WeightsSetRateLimit(6))).await;
        let wanted = weights(&[(MINERS[0], 1)]);
        let set = net.sealed(1, net.client.set_weights(&validator, &wanted)).await.unwrap();
        let early = net.client.set_weights(&validator, &wanted).await.unwrap_err();
        let early = refusal(early);
        assert_eq!(early.clears_at, Some(set.at.number + 6), "{early}");
        assert!(early.to_string().ends_with(&format!("block {} on)", set.at.number + 6)));
        net.reach(set.at.number + 4).await;
        refusal(net.client.set_weights(&validator, &wanted).await.unwrap_err());
        net.reach(set.at.number + 5).await;
        let again = net.sealed(1, net.client.set_weights(&validator, &wanted)).await.unwrap();
        assert_eq!(again.at.number, set.at.number + 6);
        net.stop().await;
    }
}

#[tokio::test]
async fn weights_wait_for_a_limit_that_clears_soon_and_for_no_other() {
    let (net, validator) = Net::judged(false).await;
    net.ok(&key("Alice"), sudo_set(Hyperparameter::WeightsSetRateLimit(6))).await;
    let wanted = weights(&[(MINERS[0], 1)]);
    let set = net.sealed(1, net.client.set_weights(&validator, &wanted)).await.unwrap();
    let late = net.client.set_weights_within(&validator, &wanted, 4).await.unwrap_err();
    assert_eq!(refusal(late).clears_at, Some(set.at.number + 6));
    let stranger = net.client.set_weights_within(&key("stranger"), &wanted, 9).await;
    assert_eq!(refusal(stranger.unwrap_err()).name, "HotKeyNotRegisteredInSubNet");
    let waits = net.client.set_weights_within(&validator, &wanted, 9);
    let blocks = async {
        // It is in no pool before the block that lets it pass.
        net.reach(set.at.number + 5).await;
        net.sealed(1, std::future::pending::<()>()).await;
    };
    let again = tokio::select! {
        again = waits => again.unwrap(),
        () = blocks => unreachable!("it waits for ever"),
    };
    assert_eq!(again.at.number, set.at.number + 6);
    net.stop().await;
}
