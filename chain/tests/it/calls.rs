//! What is sent once in a while: children, moved stake, work, and what reads back of it.

use iota_chain::{Call, Field, Holder, Hyperparameter, Puzzle, ReadError};

use crate::net::{NET, Net, TAO, TEMPO, key, sudo_set};

fn admin(call: &str, arguments: Vec<iota_chain::Argument>) -> Call {
    Call::Sudo(Box::new(Call::Admin { call: call.into(), arguments }))
}

#[tokio::test]
async fn children_read_back_as_they_were_set() {
    let net = Net::started().await;
    let (parent, child) = (net.register("v0").await, net.register("v1").await);
    let (bob, hotkey) = (key("Bob"), parent.public());
    assert_eq!(net.client.family(NET, &hotkey).await.unwrap(), Default::default());
    let children = vec![(1 << 62, child.public())];
    let call = Call::SetChildren { hotkey, netuid: NET, children: children.clone() };
    let set = net.ok(&bob, call).await;
    net.ok(&bob, Call::SetChildkeyTake { hotkey, netuid: NET, take: 655 }).await;
    let family = net.client.family(NET, &hotkey).await.unwrap();
    let from = u64::from(set.number) + 7200;
    assert_eq!((family.children, family.take), (vec![], 655));
    assert_eq!(family.pending, Some((children.clone(), from)));

    net.api.warp(u32::try_from(from).unwrap() + u32::from(TEMPO)).await.unwrap();
    let family = net.client.family(NET, &hotkey).await.unwrap();
    assert_eq!((family.children, family.pending), (children, None));
    let parents = net.client.family(NET, &child.public()).await.unwrap().parents;
    assert_eq!(parents, [(1 << 62, hotkey)]);
    net.stop().await;
}

#[tokio::test]
async fn stake_moves_to_another_hotkey_coldkey_or_subnet() {
    let net = Net::started().await;
    let (one, other) = (net.register("v0").await.public(), net.register("v1").await.public());
    let bob = key("Bob");
    net.ok(
        &key("Alice"),
        Call::Sudo(Box::new(Call::Admin {
            call: "sudo_set_network_rate_limit".into(),
            arguments: vec![iota_chain::Argument::Number(0)],
        })),
    )
    .await;
    net.ok(&key("Alice"), Call::RegisterNetwork { hotkey: key("second").public() }).await;
    net.ok(&key("Alice"), Call::StartCall { netuid: NET + 1 }).await;
    net.ok(&bob, Call::AddStake { hotkey: one, netuid: NET, amount: 30 * TAO }).await;
    let stake = |coldkey: [u8; 32]| {
        let client = net.client.clone();
        async move {
            let stakes = client.stakes(&coldkey).await.unwrap();
            stakes.iter().map(|it| (it.netuid, it.hotkey, it.alpha)).collect::<Vec<_>>()
        }
    };
    let all = stake(bob.public()).await[0].2;
    let third = all / 3;
    net.ok(&bob, Call::MoveStake { from: (one, NET), to: (other, NET), amount: third }).await;
    let (coldkey, hotkey) = (key("Charlie").public(), one);
    let give = Call::TransferStake { coldkey, hotkey, from: NET, to: NET, amount: third };
    net.ok(&bob, give).await;
    let swap = |limit| Call::SwapStake { hotkey, from: NET, to: NET + 1, amount: third / 2, limit };
    // Both pools are alike but for what was staked: no more than 1.1 for one, and more than 0.9.
    let refused = net.submit(&bob, &swap(Some((2_000_000_000, false)))).await.unwrap_err();
    assert!(refused.to_string().starts_with("SlippageTooHigh: "), "{refused}");
    net.ok(&bob, swap(Some((900_000_000, false)))).await;

    let near = |left: u64, right: u64| left.abs_diff(right) <= right / 10;
    let charlies = stake(coldkey).await;
    assert!(charlies[0].1 == one && near(charlies[0].2, third), "{charlies:?}");
    let left = stake(bob.public()).await;
    let of = |netuid, hotkey| left.iter().find(|it| (it.0, it.1) == (netuid, hotkey)).unwrap().2;
    assert!(near(of(NET, other), third) && near(of(NET + 1, one), third / 2), "{left:?}");
    // Epochs have paid what was left.
    assert!(of(NET, one) >= third / 2, "{left:?}");
    net.stop().await;
}

#[tokio::test]
async fn work_that_is_found_registers() {
    let net = Net::started().await;
    let (bob, hotkey) = (key("Bob"), key("worker").public());
    let flag =
        |call, argument| admin(call, vec![iota_chain::Argument::Number(NET.into()), argument]);
    let allow = flag("sudo_set_network_pow_registration_allowed", iota_chain::Argument::Bool(true));
    net.ok(&key("Alice"), allow).await;
    let easy = flag("sudo_set_difficulty", iota_chain::Argument::Number(64));
    net.ok(&key("Alice"), easy).await;
    let floor = flag("sudo_set_min_difficulty", iota_chain::Argument::Number(1));
    net.ok(&key("Alice"), floor).await;
    let puzzle = net.client.puzzle(NET, &hotkey, &bob.public()).await.unwrap().unwrap();
    assert_eq!((puzzle.difficulty, puzzle.number), (64, net.api.head().number));
    let found = puzzle.search(0..u64::MAX).unwrap();
    let call = |puzzle: &Puzzle, nonce, seal| Call::PowRegister {
        netuid: NET,
        block: puzzle.number.into(),
        nonce,
        seal,
        hotkey,
    };
    let wrong = net.submit(&bob, &call(&puzzle, found.nonce, [0; 32])).await.unwrap_err();
    assert!(wrong.to_string().starts_with("InvalidSeal: "), "{wrong}");
    let before = net.client.balance(&bob.public()).await.unwrap();
    net.ok(&bob, call(&puzzle, found.nonce, found.seal)).await;
    assert_eq!(net.client.balance(&bob.public()).await.unwrap(), before, "neither burn nor fee");
    assert!(net.view().await.neurons.iter().any(|neuron| neuron.hotkey == hotkey));
    net.stop().await;
}

#[tokio::test]
async fn a_moment_is_what_somebody_had_at_a_block() {
    let net = Net::started().await;
    net.ok(&key("Alice"), sudo_set(Hyperparameter::MaxAllowedValidators(2))).await;
    let (bob, hotkey) = (key("Bob"), net.register("v0").await.public());
    let who = Holder { coldkey: bob.public(), hotkey, netuid: NET };
    let before = net.api.head().number;
    net.ok(&bob, Call::AddStake { hotkey, netuid: NET, amount: 30 * TAO }).await;
    let after = net.api.head().number;
    let (then, now) = (
        net.client.moment(&who, before).await.unwrap(),
        net.client.moment(&who, after).await.unwrap(),
    );
    assert_eq!((then.number, then.stake), (before, 0));
    assert!(then.balance - now.balance >= 30 * TAO, "{then:?}, {now:?}");
    assert_eq!(now.timestamp_ms - then.timestamp_ms, 500);
    let stakes = net.client.stakes(&bob.public()).await.unwrap();
    assert_eq!(now.stake, stakes[0].alpha);
    assert_eq!(now.neuron.unwrap().hotkey, hotkey);
    let first = net.client.moment(&who, 1).await.unwrap();
    assert_eq!((first.stake, first.neuron), (0, None));

    let future = net.client.moment(&who, after + 9).await.unwrap_err();
    assert!(future.to_string().contains(&format!("no block {}", after + 9)), "{future}");
    net.api.seal(300).await.unwrap();
    let gone = net.client.moment(&who, before).await.unwrap_err();
    assert!(matches!(gone, ReadError::Pruned { .. }), "{gone}");
    net.stop().await;
}

#[tokio::test]
async fn commitments_of_a_subnet_read_back() {
    let net = Net::started().await;
    let hotkey = net.register("m0").await;
    let fields = vec![Field::Bytes(b"one".to_vec()), Field::None];
    let set = net.ok(&hotkey, Call::SetCommitment { netuid: NET, fields }).await;
    let found = net.client.commitments(NET, set.block).await.unwrap();
    let expected = vec![Some(b"one".to_vec()), None];
    assert_eq!(found, [(hotkey.public(), set.number, expected)]);
    net.stop().await;
}

#[tokio::test]
async fn a_parameter_that_is_a_fraction_is_set_in_decimals() {
    let net = Net::started().await;
    let owner = key("Alice");
    let call = |value: &str| {
        let value = [value.to_owned()];
        let client = net.client.clone();
        async move { client.admin_call(NET, "burn_increase_mult", &value).await }
    };
    net.ok(&owner, call("1.5").await.unwrap()).await;
    let before = net.client.registration_cost(NET).await.unwrap();
    net.register("v0").await;
    let after = net.client.registration_cost(NET).await.unwrap();
    // It falls a little with each block.
    assert!(after.abs_diff(before / 2 * 3) <= before / 100, "{before}, {after}");
    for wrong in ["", "many", "NaN", "1e99"] {
        let error = call(wrong).await.unwrap_err().to_string();
        assert_eq!(error, "`burn_increase_mult` takes burn_increase_mult: U64F64", "{wrong}");
    }
    net.stop().await;
}
