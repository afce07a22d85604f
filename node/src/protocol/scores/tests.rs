//! Decay, the price of a failure, and weights as the chain takes them.

use super::*;
use proptest::prelude::*;

const PASS: EpochScore = EpochScore { tokens: 1_000, credit_ppm: PPM, passed: true };

fn uids(miners: &[u8]) -> BTreeMap<Hotkey, u16> {
    miners.iter().map(|miner| ([*miner; 32], u16::from(*miner))).collect()
}

/// One epoch's scores: miner i + 1 has the i-th number of tokens.
fn with_tokens(tokens: &[u64]) -> Scores {
    let mut scores = Scores::new(PPM, 8);
    for (index, &tokens) in tokens.iter().enumerate() {
        scores.record(0, [index as u8 + 1; 32], EpochScore { tokens, ..PASS });
    }
    scores
}

#[test]
fn scores_decay_by_gamma_and_end_with_the_window() {
    let mut scores = Scores::new(500_000, 3);
    let miner = [1; 32];
    scores.record(10, miner, PASS);
    let one = 1_000u128 << 32;
    assert_eq!(scores.score(10, &miner), one);
    assert_eq!(scores.score(11, &miner), one / 2);
    assert_eq!(scores.score(12, &miner), one / 4);
    assert_eq!(scores.score(13, &miner), 0);
    assert_eq!(scores.score(9, &miner), 0);
    scores.record(11, miner, PASS);
    assert_eq!(scores.score(11, &miner), one + one / 2);
}

#[test]
fn credit_scales_tokens() {
    let mut scores = Scores::new(PPM, 3);
    scores.record(1, [1; 32], EpochScore { credit_ppm: 250_000, ..PASS });
    scores.record(1, [2; 32], EpochScore { credit_ppm: u32::MAX, ..PASS });
    assert_eq!(scores.score(1, &[1; 32]), 250 << 32);
    assert_eq!(scores.score(1, &[2; 32]), 1_000 << 32);
}

#[test]
fn failure_zeroes_the_whole_window_and_cannot_be_washed_off() {
    let mut scores = Scores::new(900_000, 3);
    let miner = [1; 32];
    for epoch in 1..=3 {
        scores.record(epoch, miner, PASS);
    }
    scores.record(3, miner, EpochScore { passed: false, ..PASS });
    scores.record(3, miner, PASS);
    for epoch in 4..=5 {
        scores.record(epoch, miner, PASS);
        assert_eq!(scores.score(epoch, &miner), 0, "epoch {epoch}");
    }
    scores.record(6, miner, PASS);
    assert!(scores.score(6, &miner) > 0);
}

#[test]
fn records_outside_the_window_are_forgotten() {
    let mut scores = Scores::new(PPM, 3);
    for epoch in 0..100 {
        scores.record(epoch, [1; 32], PASS);
    }
    scores.record(50, [2; 32], PASS);
    assert_eq!(scores.epochs(&[1; 32]).count(), 3);
    scores.forget(99);
    assert_eq!(scores.miners().count(), 1);
}

#[test]
fn scores_survive_their_bytes_and_bad_ones_are_refused() {
    let scores = with_tokens(&[5, 6, 7]);
    let bytes = scores.encode();
    assert_eq!(Scores::from_bytes(&bytes).unwrap(), scores);
    assert!(Scores::from_bytes(&bytes[1..]).is_err());
    let greedy = Scores { gamma_ppm: PPM + 1, ..scores.clone() };
    assert!(Scores::from_bytes(&greedy.encode()).is_err());
    let endless = Scores { window: 0, ..scores };
    assert!(Scores::from_bytes(&endless.encode()).is_err());
}

#[test]
fn weights_are_upscaled_shares() {
    let scores = with_tokens(&[100, 50, 0, 25]);
    let (who, values) = weights(&scores, 0, &uids(&[1, 2, 3, 4]), u16::MAX).unwrap();
    assert_eq!(who, [1, 2, 4]);
    // round(0.5 * 65535) = 32768, halves up; round(0.25 * 65535) = 16384.
    assert_eq!(values, [65_535, 32_768, 16_384]);
}

#[test]
fn no_positive_score_sets_no_weights() {
    assert_eq!(weights(&with_tokens(&[0, 0]), 0, &uids(&[1, 2]), u16::MAX), None);
    assert_eq!(weights(&with_tokens(&[5]), 0, &uids(&[2]), u16::MAX), None);
    assert_eq!(weights(&Scores::new(PPM, 3), 0, &uids(&[1]), u16::MAX), None);
}

#[test]
fn clipped_excess_goes_to_the_rest_in_proportion() {
    // 80, 15, 5 percent, at most half: 50, 37.5, 12.5.
    let scores = with_tokens(&[80, 15, 5]);
    let (_, values) = weights(&scores, 0, &uids(&[1, 2, 3]), 32_768).unwrap();
    assert!(values[0] == 65_535 && values[1].abs_diff(49_151) <= 3, "{values:?}");
    assert!(values[2].abs_diff(16_384) <= 3, "{values:?}");
    // What overflows one may overflow the next: 70, 29, 1 percent, at most 40.
    let scores = with_tokens(&[70, 29, 1]);
    let (_, values) = weights(&scores, 0, &uids(&[1, 2, 3]), 26_214).unwrap();
    assert!(values[1].abs_diff(65_535) <= 3 && values[2].abs_diff(32_768) <= 3, "{values:?}");
}

#[test]
fn dust_shares_what_the_limit_leaves_over() {
    let scores = with_tokens(&[u64::MAX, 1, 1]);
    let (_, values) = weights(&scores, 0, &uids(&[1, 2, 3]), 32_768).unwrap();
    assert!(values[0] == 65_535 && values[1].abs_diff(32_768) <= 3, "{values:?}");
    // Without a limit it is too small for a u16 and left out.
    assert_eq!(weights(&scores, 0, &uids(&[1, 2, 3]), u16::MAX), Some((vec![1], vec![65_535])));
}

#[test]
fn too_few_miners_for_the_limit_share_equally() {
    let scores = with_tokens(&[80, 20]);
    let (_, values) = weights(&scores, 0, &uids(&[1, 2]), 10_000).unwrap();
    assert_eq!(values, [65_535, 65_535]);
}

proptest! {
    #[test]
    fn weights_are_valid_monotone_and_within_the_limit(
        tokens in prop::collection::vec(prop_oneof![Just(0u64), 1u64..1_000, any::<u64>()], 1..40),
        max_weight in prop_oneof![Just(u16::MAX), 1u16..u16::MAX],
    ) {
        let scores = with_tokens(&tokens);
        let miners: Vec<u8> = (1..=tokens.len() as u8).collect();
        let Some((who, values)) = weights(&scores, 0, &uids(&miners), max_weight) else {
            prop_assert!(tokens.iter().all(|&tokens| tokens == 0));
            return Ok(());
        };
        prop_assert_eq!(who.len(), values.len());
        prop_assert!(who.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(values.iter().all(|&value| value > 0));
        prop_assert_eq!(values.iter().max(), Some(&u16::MAX));
        let total: u64 = values.iter().map(|&value| u64::from(value)).sum();
        let positive = tokens.iter().filter(|&&tokens| tokens > 0).count() as u64;
        let possible = positive * u64::from(max_weight) >= 65_535;
        // The chain: greatest / total must not exceed limit / 65535.
        let within = 65_535 * 65_535 <= u64::from(max_weight) * total;
        let equal = values.iter().all(|&value| value == u16::MAX);
        prop_assert!(within || (!possible && equal), "{values:?} for {tokens:?}");
        // More tokens never weigh less, but for the unit that makes up for rounding.
        for (i, a) in who.iter().enumerate() {
            for (j, b) in who.iter().enumerate() {
                if tokens[usize::from(*a) - 1] >= tokens[usize::from(*b) - 1] {
                    prop_assert!(u32::from(values[i]) + 1 >= u32::from(values[j]));
                }
            }
        }
    }

    #[test]
    fn score_grows_with_tokens_and_never_overflows(tokens in any::<u64>(), epochs in 1u32..300) {
        let mut scores = Scores::new(PPM, MAX_WINDOW);
        for epoch in 0..epochs {
            scores.record(epoch, [1; 32], EpochScore { tokens, ..PASS });
        }
        let counted = u128::from(epochs.min(MAX_WINDOW));
        prop_assert_eq!(scores.score(epochs - 1, &[1; 32]), (u128::from(tokens) * counted) << 32);
    }
}
