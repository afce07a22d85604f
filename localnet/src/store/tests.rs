//! A chain on disk: it goes on where it was, and what is not a whole chain is refused.

use super::*;
use crate::{Config, accounts, runtime::AccountId};
use std::fs::OpenOptions;

fn config() -> Config {
    Config { seed: 5, ..Config::test() }
}

fn open(folder: &Path) -> Result<(Store, Chain), Error> {
    Store::open(folder, Chain::new(&config()).unwrap())
}

fn bob() -> AccountId {
    accounts::account("//Bob")
}

/// Makes blocks that write, and saves them.
fn grow(store: &mut Store, chain: &mut Chain, blocks: u64) {
    for block in 0..blocks {
        chain.fund(&bob(), 1 + block).unwrap();
        chain.seal().unwrap();
        store.append(&chain.take_unsaved()).unwrap();
    }
}

#[test]
fn a_chain_that_was_closed_goes_on_as_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut chain) = open(folder.path()).unwrap();
    grow(&mut store, &mut chain, 5);
    drop(store);
    let (mut store, mut again) = open(folder.path()).unwrap();
    assert_eq!(again.head(), chain.head());
    assert_eq!(again.pairs(None).unwrap(), chain.pairs(None).unwrap());
    for number in 0..=chain.number() {
        assert_eq!(again.block_at(number), chain.block_at(number), "block {number}");
    }
    grow(&mut store, &mut again, 3);
    grow(&mut store, &mut chain, 3);
    assert_eq!(again.head().hash, chain.head().hash, "the future is the same, hash by hash");
}

#[test]
fn old_blocks_are_forgotten_and_block_0_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut chain) = open(folder.path()).unwrap();
    for _ in 0..BLOCKS_KEPT + 20 {
        chain.seal().unwrap();
        if chain.number().is_multiple_of(64) {
            store.append(&chain.take_unsaved()).unwrap();
        }
    }
    store.append(&chain.take_unsaved()).unwrap();
    let saved = store.load().unwrap().unwrap();
    assert_eq!(saved.blocks.len(), BLOCKS_KEPT + 1);
    drop(store);
    let (_, again) = open(folder.path()).unwrap();
    assert_eq!(again.head(), chain.head());
    assert_eq!(again.block_at(0), chain.block_at(0));
    assert_eq!(again.block_at(19), None);
    assert_eq!(again.block_at(22), chain.block_at(22));
}

#[test]
fn a_chain_that_went_back_is_saved_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut chain) = open(folder.path()).unwrap();
    grow(&mut store, &mut chain, 2);
    let before = chain.clone();
    grow(&mut store, &mut chain, 2);
    store.replace(&before).unwrap();
    drop(store);
    let (_, again) = open(folder.path()).unwrap();
    assert_eq!(
        (again.head(), again.pairs(None).unwrap()),
        (before.head(), before.pairs(None).unwrap())
    );
    assert_eq!(again.block_at(before.number() + 1), None);
}

#[test]
fn a_file_in_use_or_of_another_chain_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path()).unwrap();
    assert!(matches!(open(folder.path()), Err(Error::DataInUse { .. })));
    drop(store);
    let other = Chain::new(&Config { seed: 6, ..config() }).unwrap();
    assert!(matches!(Store::open(folder.path(), other), Err(Error::OtherChain { .. })));
}

#[test]
fn a_damaged_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut chain) = open(folder.path()).unwrap();
    grow(&mut store, &mut chain, 3);
    drop(store);
    let path = folder.path().join(FILE);
    let whole = fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = open(folder.path()).map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Data { .. }), "{error}");
    };
    refused(b"something else");
    // A bit of the state, wherever it lies.
    let needle = chain.pairs(None).unwrap().into_values().max_by_key(Vec::len).unwrap();
    let at = whole.windows(needle.len()).position(|window| window == needle).unwrap();
    let mut flipped = whole.clone();
    flipped[at] ^= 1;
    refused(&flipped);
    fs::write(&path, &whole).unwrap();
    assert_eq!(open(folder.path()).unwrap().1.head(), chain.head());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    OpenOptions::new().create(true).truncate(true).write(true).open(&file).unwrap();
    let error = open(&file).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("file/chain.redb"), "{error}");
}
