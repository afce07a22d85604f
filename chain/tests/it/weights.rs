//! A subnet from its registration to its pay: weights become permits, shares and emission.

use iota_chain::{BlockView, Call, Hyperparameter, Keypair, Neuron, SubmitError};

use crate::net::{NET, Net, TAO, TEMPO, key, sudo_set};

/// Uid of the first miner: the owner and two validators come before.
const MINERS: u16 = 3;

fn weights(weights: &[(u16, u16)]) -> Call {
    let (dests, weights) = weights.iter().copied().unzip();
    Call::SetWeights { netuid: NET, mechanism: 0, dests, weights, version_key: 0 }
}

impl Net {
    /// Two validators of unequal stake and three miners, after their first epoch.
    async fn staffed() -> (Self, [Keypair; 2]) {
        let net = Self::started().await;
        net.ok(&key("Alice"), sudo_set(Hyperparameter::MaxAllowedValidators(2))).await;
        let validators = [net.register("v0").await, net.register("v1").await];
        for (hotkey, tao) in validators.iter().zip([300, 100]) {
            let hotkey = hotkey.public();
            let stake = Call::AddStake { hotkey, netuid: NET, amount: tao * TAO };
            net.ok(&key("Bob"), stake).await;
        }
        for name in ["m0", "m1", "m2"] {
            net.register(name).await;
        }
        net.api.seal(u32::from(TEMPO)).await.unwrap();
        (net, validators)
    }

    /// Seals blocks up to the first that shows another epoch's emission.
    async fn epoch(&self) -> BlockView {
        let before = self.view().await;
        let paid = |view: &BlockView| view.neurons.iter().map(|n| n.stake).collect::<Vec<_>>();
        for _ in 0..=TEMPO {
            self.api.seal(1).await.unwrap();
            let view = self.view().await;
            if paid(&view) != paid(&before) {
                return view;
            }
        }
        panic!("no epoch within a tempo");
    }
}

fn shares(neurons: &[Neuron], share: fn(&Neuron) -> u16) -> (Vec<u16>, u32) {
    let shares: Vec<u16> = neurons.iter().map(share).collect();
    let sum = shares.iter().copied().map(u32::from).sum();
    (shares, sum)
}

#[tokio::test]
async fn stake_brings_permits_and_only_to_as_many_as_may() {
    let (net, validators) = Net::staffed().await;
    let stake = Call::AddStake { hotkey: key("m0").public(), netuid: NET, amount: 50 * TAO };
    net.ok(&key("Bob"), stake).await;
    net.epoch().await;
    let neurons = net.view().await.neurons;
    assert!(neurons[usize::from(MINERS)].stake > 0);
    let permits: Vec<bool> = neurons.iter().map(|neuron| neuron.validator_permit).collect();
    // The owner has one beyond the number. What m0 has staked does not suffice.
    assert_eq!(permits, [true, true, true, false, false, false]);
    let stakes = [&neurons[1], &neurons[2]].map(|neuron| neuron.stake);
    assert!(stakes[0] > 2 * stakes[1] && stakes[1] > 0, "{stakes:?}");
    assert_eq!([&neurons[1], &neurons[2]].map(|n| n.hotkey), validators.map(|key| key.public()));
    net.stop().await;
}

#[tokio::test]
async fn weights_pay_miners_by_merit_and_validators_by_stake() {
    let (net, validators) = Net::staffed().await;
    // m0 earns nothing, m1 half of what m2 does.
    let call = weights(&[(MINERS + 1, 100), (MINERS + 2, 200)]);
    for validator in &validators {
        let at = net.ok(validator, call.clone()).await;
        assert_eq!(net.neuron(validator).await.last_update, u64::from(at.number));
    }
    let before = net.view().await.neurons;
    let after = net.epoch().await.neurons;

    let (incentive, sum) = shares(&after, |neuron| neuron.incentive);
    assert!((65_530..=65_535).contains(&sum), "{incentive:?}");
    assert_eq!(incentive[..4], [0, 0, 0, 0]);
    assert!(incentive[4].abs_diff(incentive[5] / 2) <= 1, "{incentive:?}");

    let (dividends, sum) = shares(&after, |neuron| neuron.dividends);
    assert!((65_530..=65_535).contains(&sum), "{dividends:?}");
    let ratio = f64::from(dividends[1]) / f64::from(dividends[2]);
    let stakes = before[1].stake as f64 / before[2].stake as f64;
    assert!((ratio / stakes - 1.0).abs() < 0.1, "{dividends:?}, stakes {stakes}");

    for (uid, (before, after)) in before.iter().zip(&after).enumerate() {
        let gained = after.stake - before.stake;
        match uid {
            4 | 5 => assert_eq!(gained, after.emission, "uid {uid}"),
            1 | 2 => assert!(gained > 0 && after.emission > 0, "uid {uid}"),
            3 => assert_eq!((gained, after.emission), (0, 0), "uid {uid}"),
            _ => {}
        }
    }
    let (half, whole) = (after[4].emission, after[5].emission);
    assert!(half > 0 && half.abs_diff(whole / 2) < whole / 60_000, "{half} {whole}");
    net.stop().await;
}

#[tokio::test]
async fn emission_follows_when_weights_change() {
    let (net, validators) = Net::staffed().await;
    for (uid, other) in [(MINERS, MINERS + 1), (MINERS + 1, MINERS)] {
        for validator in &validators {
            net.ok(validator, weights(&[(uid, 1)])).await;
        }
        let neurons = net.epoch().await.neurons;
        assert_eq!(neurons[usize::from(uid)].incentive, u16::MAX);
        assert_eq!(neurons[usize::from(other)].incentive, 0);
    }
    net.stop().await;
}

#[tokio::test]
async fn weights_are_refused_with_the_pallets_name_and_what_to_do() {
    let (net, [validator, _]) = Net::staffed().await;
    let one = weights(&[(MINERS, 1)]);
    let failure = async |signer: &Keypair, call: &Call| match net.submit(signer, call).await {
        Err(error @ SubmitError::Failed { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        failure(&key("stranger"), &one).await,
        "HotKeyNotRegisteredInSubNet: register the hotkey on this subnet"
    );
    assert_eq!(
        failure(&key("m0"), &weights(&[(1, 1), (2, 1)])).await,
        "NeuronNoValidatorPermit: add stake, and wait one tempo for the permit"
    );
    let alice = key("Alice");
    net.ok(&alice, sudo_set(Hyperparameter::MinAllowedWeights(2))).await;
    let text = failure(&validator, &one).await;
    assert!(text.starts_with("WeightVecLengthIsLow: "), "{text}");
    net.ok(&alice, sudo_set(Hyperparameter::CommitRevealWeightsEnabled(true))).await;
    assert_eq!(
        failure(&validator, &one).await,
        "CommitRevealEnabled: the subnet hides weights: commit and reveal them"
    );
    net.stop().await;
}

#[tokio::test]
async fn a_subnet_that_is_not_started_takes_no_stake_and_pays_nothing() {
    let net = Net::new().await;
    let (alice, bob) = (key("Alice"), key("Bob"));
    net.ok(&alice, Call::RegisterNetwork { hotkey: key("owner").public() }).await;
    net.ok(&alice, sudo_set(Hyperparameter::Tempo(TEMPO))).await;
    let hotkey = net.register("v0").await.public();
    let stake = Call::AddStake { hotkey, netuid: NET, amount: TAO };
    let error = net.submit(&bob, &stake).await.unwrap_err();
    let text = "SubtokenDisabled: the subnet has not started: its owner calls start_call";
    assert_eq!(error.to_string(), text);
    net.api.seal(2 * u32::from(TEMPO)).await.unwrap();
    assert!(net.view().await.neurons.iter().all(|n| n.stake == 0 && n.emission == 0));
    net.ok(&alice, Call::StartCall { netuid: NET }).await;
    net.ok(&bob, stake).await;
    net.ok(&alice, sudo_set(Hyperparameter::SubnetEmissionEnabled(true))).await;
    net.epoch().await;
    net.stop().await;
}
