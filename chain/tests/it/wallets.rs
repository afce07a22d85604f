//! From a wallet on disk to a neuron on chain, and what it costs.

use iota_chain::wallet::Wallet;
use iota_chain::{Call, Hotkey, Inclusion, Neuron};
use iota_localnet::pallets::subtensor::RAORecycledForRegistration;
use iota_localnet::runtime::{AccountId, Runtime, RuntimeEvent, SubtensorModule};
use pallet_transaction_payment::Event;

use crate::net::{NET, Net, TAO, key};

impl Net {
    /// The fee that the only signed extrinsic of a block paid.
    async fn fee(&self, at: Inclusion) -> u64 {
        let events = self.api.read(move |chain| chain.events(Some(at.block.into())).unwrap());
        let fees: Vec<u64> = events
            .await
            .unwrap()
            .into_iter()
            .filter_map(|record| match record.event {
                RuntimeEvent::TransactionPayment(Event::TransactionFeePaid {
                    actual_fee, ..
                }) => Some(actual_fee),
                _ => None,
            })
            .collect();
        let [fee] = fees[..] else { panic!("{fees:?}") };
        fee
    }

    /// All that registrations of the subnet have cost.
    async fn burned(&self) -> u64 {
        let read = || RAORecycledForRegistration::<Runtime>::get(NET);
        self.api.read(move |chain| chain.read(read).unwrap()).await.unwrap()
    }

    /// The alpha on a hotkey, as the chain's storage has it.
    async fn stake(&self, hotkey: Hotkey) -> u64 {
        let read = move || SubtensorModule::stake_of(&AccountId::from(hotkey), NET);
        self.api.read(move |chain| chain.read(read).unwrap()).await.unwrap()
    }
}

#[tokio::test]
async fn a_new_wallet_is_funded_and_becomes_a_neuron_with_stake() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(folder.path(), "miner");
    wallet.create_coldkey(&[7; 32]).unwrap();
    wallet.create_hotkey("default", &[8; 32]).unwrap();
    // What signs is what the files hold.
    let coldkey = wallet.coldkey(None).unwrap();
    let hotkey = wallet.hotkey("default", None).unwrap();

    let net = Net::started().await;
    assert_eq!(net.client.balance(&coldkey.public()).await.unwrap(), 0);
    let fund = Call::Transfer { dest: coldkey.public(), value: 100 * TAO };
    net.ok(&key("Bob"), fund).await;
    assert_eq!(net.client.balance(&coldkey.public()).await.unwrap(), 100 * TAO);

    let register = Call::BurnedRegister { netuid: NET, hotkey: hotkey.public() };
    let at = net.ok(&coldkey, register).await;
    let (burned, fee) = (net.burned().await, net.fee(at).await);
    // The price begins at 1 TAO and falls with each block.
    assert!(burned > TAO / 2 && burned <= TAO && fee > 0, "{burned} {fee}");
    let left = net.client.balance(&coldkey.public()).await.unwrap();
    assert_eq!(left, 100 * TAO - burned - fee);
    let expected = Neuron {
        uid: 1,
        hotkey: hotkey.public(),
        coldkey: coldkey.public(),
        stake: 0,
        active: false,
        validator_permit: false,
        last_update: u64::from(at.number),
        incentive: 0,
        dividends: 0,
        consensus: 0,
        validator_trust: 0,
        emission: 0,
        axon: None,
    };
    let neurons = net.client.neurons(NET, at.block).await.unwrap();
    assert_eq!(neurons.len(), 2);
    assert_eq!(Neuron { active: false, ..neurons[1].clone() }, expected);
    assert_eq!(neurons[0].hotkey, key("owner").public());
    assert_eq!(neurons[0].coldkey, key("Alice").public());

    let stake = Call::AddStake { hotkey: hotkey.public(), netuid: NET, amount: 40 * TAO };
    let at = net.ok(&coldkey, stake).await;
    let fee = net.fee(at).await;
    assert_eq!(net.client.balance(&coldkey.public()).await.unwrap(), left - 40 * TAO - fee);
    let found = net.neuron(&hotkey).await.stake;
    assert_eq!(found, net.stake(hotkey.public()).await);
    // The price of alpha is near 1 TAO, and rises as one buys.
    assert!(found > 35 * TAO && found < 40 * TAO, "{found}");
    // The block before still says what was.
    let before = net.api.read(move |chain| chain.block_at(at.number - 1).unwrap().hash).await;
    let before = net.client.neurons(NET, before.unwrap().0).await.unwrap();
    assert_eq!(before[1].stake, 0);
    net.stop().await;
}

#[tokio::test]
async fn a_wallet_without_funds_cannot_register() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(folder.path(), "poor");
    let coldkey = wallet.create_coldkey(&[9; 32]).unwrap();
    let net = Net::started().await;
    let register = Call::BurnedRegister { netuid: NET, hotkey: coldkey.public() };
    let error = net.submit(&coldkey, &register).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot pay the fee: fund the account");
    // Enough for the fee, not for the price.
    let account = AccountId::from(coldkey.public());
    net.api.fund(account, TAO / 10).await.unwrap();
    let error = net.submit(&coldkey, &register).await.unwrap_err();
    let expected = "NotEnoughBalanceToStake: fund the coldkey, or stake less";
    assert_eq!(error.to_string(), expected);
    assert_eq!(net.view().await.neurons.len(), 1);
    net.stop().await;
}

#[tokio::test]
async fn the_subnets_owner_is_known_by_its_hotkey() {
    let net = Net::started().await;
    let owner = net.client.subnet_owner_hotkey(NET).await.unwrap();
    assert_eq!(owner, Some(key("owner").public()));
    assert_eq!(net.client.subnet_owner_hotkey(NET + 1).await.unwrap(), None);
    assert_eq!(net.client.neurons(NET + 1, net.api.head().hash.0).await.unwrap(), []);
    net.stop().await;
}
