//! What the pool takes, orders and drops.

use super::*;

/// A valid extrinsic of `who` with this nonce, while `who` has sent `sent`.
fn validity(who: u8, nonce: u8, sent: u8, priority: u64) -> ValidTransaction {
    ValidTransaction {
        priority,
        requires: if nonce > sent { vec![vec![who, nonce - 1]] } else { Vec::new() },
        provides: vec![vec![who, nonce]],
        longevity: 10,
        propagate: true,
    }
}

fn hash(who: u8, nonce: u8) -> Hash {
    Hash::from_low_u64_be(u64::from(who) << 8 | u64::from(nonce))
}

/// Adds an extrinsic of a sender who has sent none yet.
fn add(pool: &mut Pool, who: u8, nonce: u8, priority: u64) -> Admission {
    pool.insert(hash(who, nonce), vec![who, nonce], validity(who, nonce, 0, priority), 0).unwrap()
}

fn ready(pool: &Pool) -> Vec<Hash> {
    pool.ready().into_iter().map(|(hash, _)| hash).collect()
}

#[test]
fn a_gap_in_the_nonces_waits_until_it_is_filled() {
    let mut pool = Pool::default();
    assert!(!add(&mut pool, 1, 1, 5).ready);
    assert!(!add(&mut pool, 1, 2, 9).ready);
    assert!(!pool.has_ready());
    assert_eq!(pool.pending().len(), 2);
    let admission = add(&mut pool, 1, 0, 5);
    assert!(admission.ready);
    assert_eq!(admission.promoted, [hash(1, 1), hash(1, 2)]);
    assert_eq!(ready(&pool), [hash(1, 0), hash(1, 1), hash(1, 2)]);
    assert!(pool.provides(&[1, 2]));
}

#[test]
fn what_a_block_included_no_longer_holds_others_back() {
    let mut pool = Pool::default();
    add(&mut pool, 1, 0, 5);
    add(&mut pool, 1, 1, 5);
    pool.include(&hash(1, 0));
    pool.advance(1);
    assert_eq!(ready(&pool), [hash(1, 1)]);
}

#[test]
fn discarding_an_extrinsic_holds_back_those_that_require_it() {
    let mut pool = Pool::default();
    add(&mut pool, 1, 0, 5);
    add(&mut pool, 1, 1, 5);
    pool.discard(&hash(1, 0));
    assert_eq!(pool.advance(1), (vec![], vec![]));
    assert!(ready(&pool).is_empty());
    assert!(add(&mut pool, 1, 0, 5).ready);
}

#[test]
fn takes_by_priority_then_by_arrival() {
    let mut pool = Pool::default();
    for (who, priority) in [(1, 5), (2, 9), (3, 5)] {
        add(&mut pool, who, 0, priority);
    }
    assert_eq!(ready(&pool), [hash(2, 0), hash(1, 0), hash(3, 0)]);
}

#[test]
fn replaces_a_nonce_only_for_more_priority() {
    let mut pool = Pool::default();
    add(&mut pool, 1, 0, 5);
    let other = Hash::repeat_byte(9);
    let refused = pool.insert(other, vec![9], validity(1, 0, 0, 5), 0);
    assert_eq!(refused, Err(PoolError::TooLowPriority { old: 5, new: 5 }));
    let admission = pool.insert(other, vec![9], validity(1, 0, 0, 6), 0).unwrap();
    assert_eq!(admission.replaced, [hash(1, 0)]);
    assert_eq!(ready(&pool), [other]);
}

#[test]
fn refuses_known_banned_and_surplus_extrinsics() {
    let mut pool = Pool::default();
    add(&mut pool, 1, 0, 5);
    assert_eq!(pool.check_new(&hash(1, 0)), Err(PoolError::AlreadyImported(hash(1, 0))));
    pool.ban(hash(1, 0));
    assert_eq!(pool.check_new(&hash(1, 0)), Err(PoolError::Banned));
    let mut full = Pool::default();
    let large = vec![0; MAX_BYTES / 2];
    full.insert(hash(1, 0), large.clone(), validity(1, 0, 0, 5), 0).unwrap();
    full.insert(hash(2, 0), large, validity(2, 0, 0, 5), 0).unwrap();
    assert_eq!(full.insert(hash(3, 0), vec![0], validity(3, 0, 0, 5), 0), Err(PoolError::Full));
    full.discard(&hash(1, 0));
    full.insert(hash(3, 0), vec![0], validity(3, 0, 0, 5), 0).unwrap();
}

#[test]
fn forgets_what_is_no_longer_valid() {
    let mut pool = Pool::default();
    add(&mut pool, 1, 0, 5);
    assert_eq!(pool.advance(10), (vec![], vec![]));
    assert_eq!(pool.advance(11), (vec![hash(1, 0)], vec![]));
    assert!(pool.pending().is_empty());
    assert_eq!(pool.bytes, 0);
}
