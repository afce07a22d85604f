//! The chain in one process: blocks, states, extrinsics.

use codec::Encode;
use frame_support::traits::Time;
use iota_localnet::{
    Chain, Config, PoolError, RuntimeCall, SealError, StateError,
    accounts::{self, TAO},
    chain::{CallError, STATES_KEPT},
    runtime::{AccountId, Address, Balances, System, Timestamp},
    signed,
};
use sp_runtime::transaction_validity::InvalidTransaction;

/// A chain with nothing but its first block.
fn chain() -> Chain {
    Chain::new(&Config::test()).unwrap()
}

/// A call that sends rao.
fn transfer(to: &str, rao: u64) -> RuntimeCall {
    RuntimeCall::Balances(pallet_balances::Call::transfer_keep_alive {
        dest: Address::Id(accounts::account(to)),
        value: rao,
    })
}

/// Signs a call for a chain.
fn sign(chain: &Chain, from: &str, nonce: u32, call: RuntimeCall) -> Vec<u8> {
    signed(&accounts::pair(from), call, nonce, chain)
}

/// What an account holds now, in rao.
fn balance(chain: &Chain, account: &str) -> u64 {
    chain.read(|| Balances::free_balance(accounts::account(account))).unwrap()
}

#[test]
fn a_transfer_moves_its_amount_and_the_sender_pays_the_fee_besides() {
    let mut chain = chain();
    let (alice, bob) = (balance(&chain, "//Alice"), balance(&chain, "//Bob"));
    let issued = chain.read(Balances::total_issuance).unwrap();
    let extrinsic = sign(&chain, "//Alice", 0, transfer("//Bob", 5 * TAO));
    let mut query = extrinsic.clone();
    query.extend((extrinsic.len() as u32).encode());
    let info = chain.call("TransactionPaymentApi_query_fee_details", &query, None).unwrap();
    assert!(!info.is_empty());
    let hash = chain.submit(extrinsic).unwrap();
    let block = chain.seal().unwrap();
    assert_eq!(block.extrinsics.len(), 1);
    assert_eq!(block.extrinsics[0].hash, hash);
    assert_eq!(block.extrinsics[0].result, Ok(()));
    assert_eq!(balance(&chain, "//Bob"), bob + 5 * TAO);
    let fee = alice - 5 * TAO - balance(&chain, "//Alice");
    assert!(fee > 0);
    assert_eq!(chain.read(Balances::total_issuance).unwrap(), issued - fee);
    let events = chain.events(None).unwrap();
    assert!(
        events.iter().any(|record| format!("{:?}", record.event).contains("TransactionFeePaid"))
    );
}

#[test]
fn equal_seeds_and_extrinsics_make_equal_blocks() {
    let run = || {
        let mut chain = chain();
        for nonce in 0..20 {
            let to = ["//Bob", "//Dave"][nonce as usize % 2];
            let extrinsic = sign(&chain, "//Alice", nonce, transfer(to, TAO + u64::from(nonce)));
            chain.submit(extrinsic).unwrap();
            if nonce.is_multiple_of(3) {
                chain.seal().unwrap();
            }
        }
        chain.fund(&accounts::account("//Eve"), 7).unwrap();
        (0..=chain.number()).map(|n| chain.block_at(n).unwrap().clone()).collect::<Vec<_>>()
    };
    let (first, second) = (run(), run());
    assert_eq!(first.len(), 9);
    for (first, second) in first.iter().zip(&second) {
        assert_eq!(first.header.state_root, second.header.state_root);
        assert_eq!(first, second);
    }
}

#[test]
fn every_block_executes_again_to_the_roots_in_its_header() {
    let mut chain = chain();
    for nonce in 0..6 {
        chain.submit(sign(&chain, "//Alice", nonce, transfer("//Bob", TAO))).unwrap();
        if nonce % 2 == 1 {
            chain.seal().unwrap();
        }
    }
    for number in 1..=chain.number() {
        let block = chain.block_at(number).unwrap().clone();
        let parent = chain.block_at(number - 1).unwrap();
        assert_eq!(block.header.parent_hash, parent.hash);
        let mut encoded = block.header.encode();
        encoded.extend(codec::Compact(block.extrinsics.len() as u32).encode());
        encoded.extend(block.extrinsics.concat());
        // The runtime checks both roots, and panics over a wrong one.
        chain.call("Core_execute_block", &encoded, Some(parent.hash)).unwrap();
        let mut wrong = block.header.clone();
        wrong.state_root = parent.header.state_root;
        let encoded = [wrong.encode(), encoded[block.header.encoded_size()..].to_vec()].concat();
        let refused = chain.call("Core_execute_block", &encoded, Some(parent.hash));
        assert!(matches!(refused, Err(CallError::Panicked(_))), "{refused:?}");
    }
}

#[test]
fn time_is_virtual_and_counts_blocks() {
    let mut chain = Chain::new(&Config { block_time_ms: 250, ..Config::test() }).unwrap();
    for _ in 0..10 {
        chain.seal().unwrap();
    }
    let now = chain.read(<Timestamp as Time>::now).unwrap();
    assert_eq!(now, Config::test().base_time_ms + 10 * 250);
    assert_eq!(now, chain.timestamp_ms(10));
}

#[test]
fn extrinsics_of_one_sender_enter_a_block_in_the_order_of_their_nonces() {
    let mut chain = chain();
    for nonce in [2, 0, 3, 1] {
        chain.submit(sign(&chain, "//Alice", nonce, transfer("//Bob", TAO))).unwrap();
    }
    let alice = accounts::account("//Alice");
    assert_eq!(chain.next_nonce(&alice), Ok(4));
    assert_eq!(chain.pending().len(), 4);
    let block = chain.seal().unwrap();
    assert_eq!(block.extrinsics.iter().map(|e| e.index).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(block.extrinsics.iter().all(|e| e.result == Ok(())));
    assert_eq!(chain.read(|| System::account_nonce(&alice)), Ok(4));
    assert!(chain.pending().is_empty());
}

#[test]
fn a_gap_in_the_nonces_waits_for_the_block_that_fills_it() {
    let mut chain = chain();
    chain.submit(sign(&chain, "//Alice", 1, transfer("//Bob", TAO))).unwrap();
    assert!(!chain.has_ready());
    assert_eq!(chain.next_nonce(&accounts::account("//Alice")), Ok(0));
    assert!(chain.seal().unwrap().extrinsics.is_empty());
    chain.submit(sign(&chain, "//Alice", 0, transfer("//Bob", TAO))).unwrap();
    assert_eq!(chain.seal().unwrap().extrinsics.len(), 2);
}

#[test]
fn what_does_not_fit_waits_for_the_next_block() {
    let mut chain = chain();
    for nonce in 0..5 {
        // Two of these fill the part of a block that signed extrinsics may have.
        let remark = frame_system::Call::remark { remark: vec![nonce as u8; 3 * 1024 * 1024] };
        chain.submit(sign(&chain, "//Alice", nonce, remark.into())).unwrap();
    }
    let counts = [0; 4].map(|_| chain.seal().unwrap().extrinsics.len());
    assert_eq!(counts, [2, 2, 1, 0]);
}

#[test]
fn refuses_what_the_runtime_finds_invalid() {
    let mut chain = chain();
    let sent = sign(&chain, "//Alice", 0, transfer("//Bob", TAO));
    chain.submit(sent.clone()).unwrap();
    assert!(matches!(chain.submit(sent.clone()), Err(PoolError::AlreadyImported(_))));
    let rival = sign(&chain, "//Alice", 0, transfer("//Bob", 2 * TAO));
    assert!(matches!(chain.submit(rival), Err(PoolError::TooLowPriority { .. })));
    chain.seal().unwrap();
    assert_eq!(chain.submit(sent.clone()), Err(PoolError::Invalid(InvalidTransaction::Stale)));
    let poor = sign(&chain, "//Nobody", 0, transfer("//Bob", TAO));
    assert_eq!(chain.submit(poor), Err(PoolError::Invalid(InvalidTransaction::Payment)));
    let other = chain_with_other_genesis();
    let foreign = sign(&other, "//Alice", 1, transfer("//Bob", TAO));
    assert_eq!(chain.submit(foreign), Err(PoolError::Invalid(InvalidTransaction::BadProof)));
    for malformed in [&sent[..sent.len() - 1], &[0xff; 40], &[]] {
        let refused = chain.submit(malformed.to_vec());
        assert!(matches!(refused, Err(PoolError::Malformed(_))), "{refused:?}");
    }
}

/// A chain whose signatures are worth nothing elsewhere.
fn chain_with_other_genesis() -> Chain {
    Chain::new(&Config { funded: vec![([9; 32], 1_000)], ..Config::test() }).unwrap()
}

#[test]
fn a_call_that_fails_pays_its_fee_and_changes_nothing_else() {
    let mut chain = chain();
    let (alice, bob) = (balance(&chain, "//Alice"), balance(&chain, "//Bob"));
    chain.submit(sign(&chain, "//Alice", 0, transfer("//Bob", 2 * alice))).unwrap();
    let block = chain.seal().unwrap();
    assert!(block.extrinsics[0].result.is_err());
    assert_eq!(balance(&chain, "//Bob"), bob);
    assert!(balance(&chain, "//Alice") < alice);
}

#[test]
fn only_the_sudo_key_may_call_sudo() {
    let mut chain = chain();
    let call = || {
        let remark = frame_system::Call::remark { remark: vec![1] }.into();
        RuntimeCall::Sudo(pallet_sudo::Call::sudo { call: Box::new(remark) })
    };
    let refused = chain.submit(sign(&chain, "//Bob", 0, call()));
    assert_eq!(refused, Err(PoolError::Invalid(InvalidTransaction::BadSigner)));
    chain.submit(sign(&chain, accounts::SUDO, 0, call())).unwrap();
    assert_eq!(chain.seal().unwrap().extrinsics[0].result, Ok(()));
}

#[test]
fn funding_creates_rao_in_a_block_of_its_own() {
    let mut chain = chain();
    let account = AccountId::from([5; 32]);
    let issued = chain.read(Balances::total_issuance).unwrap();
    let block = chain.fund(&account, 3 * TAO).unwrap();
    assert_eq!(block.number, 1);
    assert_eq!(chain.read(|| Balances::free_balance(&account)), Ok(3 * TAO));
    assert_eq!(chain.read(Balances::total_issuance), Ok(issued + 3 * TAO));
    chain.fund(&account, u64::MAX).unwrap_err();
    assert_eq!(chain.number(), 1);
}

#[test]
fn a_runtime_that_panics_leaves_the_chain_alive() {
    let mut chain = chain();
    let root = chain.head().header.state_root;
    let panicked = chain.call("Core_initialize_block", &[1, 2, 3], None);
    assert!(matches!(panicked, Err(CallError::Panicked(_))), "{panicked:?}");
    assert_eq!(
        chain.call("No_such_function", &[], None),
        Err(CallError::UnknownMethod("No_such_function".to_owned()))
    );
    chain.read(|| panic!("on purpose")).unwrap_err();
    let refused = chain.seal_with(|| panic!("on purpose"));
    assert!(matches!(refused, Err(SealError::Panicked(_))), "{refused:?}");
    assert_eq!(chain.head().header.state_root, root);
    chain.submit(sign(&chain, "//Alice", 0, transfer("//Bob", TAO))).unwrap();
    let block = chain.seal().unwrap();
    assert_eq!((block.number, block.extrinsics.len()), (1, 1));
}

#[test]
fn reads_recent_states_and_says_which_are_gone() {
    let mut chain = chain();
    let genesis = chain.genesis_hash();
    let first = chain.fund(&accounts::account("//Eve"), 1).unwrap().hash;
    let eve = |chain: &Chain, at| {
        chain.read_at(Some(at), || Balances::free_balance(accounts::account("//Eve")))
    };
    assert_eq!(eve(&chain, genesis), Ok(2_000 * TAO));
    assert_eq!(eve(&chain, first), Ok(2_000 * TAO + 1));
    for _ in 0..STATES_KEPT - 1 {
        chain.seal().unwrap();
    }
    assert_eq!(eve(&chain, first), Ok(2_000 * TAO + 1));
    let gone = CallError::State(StateError::Discarded(genesis));
    assert_eq!(eve(&chain, genesis), Err(gone));
    let unknown = sp_core::H256::repeat_byte(1);
    assert_eq!(chain.storage(&[], Some(unknown)), Err(StateError::UnknownBlock(unknown)));
}

#[test]
fn lists_keys_in_pages_without_gaps() {
    let chain = chain();
    let prefix =
        [sp_io::hashing::twox_128(b"System"), sp_io::hashing::twox_128(b"Account")].concat();
    let all = chain.keys_paged(&prefix, 100, None, None).unwrap();
    assert_eq!(all.len(), accounts::DEV_ACCOUNTS.len());
    assert!(all.is_sorted());
    // Clients start with the prefix itself.
    let mut paged = chain.keys_paged(&prefix, 4, Some(&prefix), None).unwrap();
    while let Some(last) = paged.last().cloned() {
        let page = chain.keys_paged(&prefix, 4, Some(&last), None).unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all);
}
