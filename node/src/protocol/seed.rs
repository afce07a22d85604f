//! Where a run's randomness comes from.
//!
//! `seed_e = BLAKE2b-256("iota/plan" | manifest hash | e | beacon(B_e))` fixes the plan of epoch e;
//! `audit_seed_e`, from a pulse that did not exist when the work was committed, picks what is
//! audited. How a seed is spread into choices is `choose`'s business.

use blake2::{Blake2b, Digest, digest::consts::U32};

use super::Hash;

/// Seed of an epoch's plan, from the randomness at its first block.
#[must_use]
pub fn plan_seed(manifest_hash: &Hash, epoch: u32, beacon: &Hash) -> Hash {
    seed(b"iota/plan", manifest_hash, epoch, beacon)
}

/// Seed of an epoch's audits, from randomness drawn after its work was committed.
#[must_use]
pub fn audit_seed(manifest_hash: &Hash, epoch: u32, randomness: &Hash) -> Hash {
    seed(b"iota/audit", manifest_hash, epoch, randomness)
}

fn seed(domain: &[u8], manifest_hash: &Hash, epoch: u32, randomness: &Hash) -> Hash {
    let mut hasher = Blake2b::<U32>::new();
    for part in [domain, manifest_hash, &epoch.to_le_bytes(), randomness] {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The first drand round whose time is at least `margin_ms` after `time_ms` (unix milliseconds).
///
/// Round 1 is at `genesis_s`, each next one `period_s` later; a period of zero counts as one.
#[must_use]
pub fn audit_round(time_ms: u64, margin_ms: u64, genesis_s: u64, period_s: u64) -> u64 {
    let wanted = time_ms.saturating_add(margin_ms);
    let since = wanted.saturating_sub(genesis_s.saturating_mul(1000));
    since.div_ceil(period_s.max(1).saturating_mul(1000)).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ_by_purpose_epoch_and_randomness() {
        let base = plan_seed(&[1; 32], 3, &[2; 32]);
        assert_eq!(base, plan_seed(&[1; 32], 3, &[2; 32]));
        assert_ne!(base, audit_seed(&[1; 32], 3, &[2; 32]));
        assert_ne!(base, plan_seed(&[1; 32], 4, &[2; 32]));
        assert_ne!(base, plan_seed(&[1; 32], 3, &[3; 32]));
        assert_ne!(base, plan_seed(&[9; 32], 3, &[2; 32]));
    }

    #[test]
    fn the_audit_round_is_the_first_that_lies_after_the_margin() {
        let time = |round: u64| 1_000_000 + (round - 1) * 3_000;
        for time_ms in [1_000_000, 1_000_001, 1_002_999, 1_003_000, 1_700_123] {
            let round = audit_round(time_ms, 2_000, 1_000, 3);
            assert!(time(round) >= time_ms + 2_000);
            assert!(round == 1 || time(round - 1) < time_ms + 2_000, "{time_ms}: {round}");
        }
        assert_eq!(audit_round(5, 0, 1_000, 3), 1, "before genesis the first round is next");
    }
}
