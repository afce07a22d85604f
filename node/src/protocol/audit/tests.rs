//! What counts as alike, which windows are looked at, and evidence as bytes.

use super::*;

const LOOSE: Tolerance =
    Tolerance { min_cosine_ppm: 990_000, max_norm_error_ppm: 20_000, exact: false };

#[test]
fn equal_bits_pass_every_tolerance() {
    let values = [1.0, -2.0, 0.0];
    assert_eq!(compare(&values, &values), Similarity::SAME);
    assert!(Similarity::SAME.within(Tolerance::EXACT) && Similarity::SAME.within(LOOSE));
    assert_eq!(compare(&[], &[]), Similarity::SAME);
}

#[test]
fn one_bit_fails_exactness_and_passes_a_tolerance() {
    let expected = [1.0f32, -2.0, 3.0];
    let got = [f32::from_bits(1f32.to_bits() + 1), -2.0, 3.0];
    let similarity = compare(&expected, &got);
    assert_eq!((similarity.cosine_ppm, similarity.rel_norm_ppm), (1_000_000, 1_000_000));
    assert!(!similarity.within(Tolerance::EXACT) && similarity.within(LOOSE));
    // So does the sign of a zero: bits are bits.
    assert!(!compare(&[0.0], &[-0.0]).within(Tolerance::EXACT));
}

#[test]
fn direction_and_length_are_both_judged() {
    let expected = [3.0, 4.0];
    let scaled = compare(&expected, &[6.0, 8.0]);
    assert_eq!((scaled.cosine_ppm, scaled.rel_norm_ppm), (1_000_000, 2_000_000));
    let turned = compare(&expected, &[-4.0, 3.0]);
    assert_eq!((turned.cosine_ppm, turned.rel_norm_ppm), (0, 1_000_000));
    assert_eq!(compare(&expected, &[-3.0, -4.0]).cosine_ppm, -1_000_000);
    assert!(!scaled.within(LOOSE) && !turned.within(LOOSE));
}

#[test]
fn zeros_garbage_and_other_lengths_fail() {
    assert!(!compare(&[1.0, 1.0], &[0.0, 0.0]).within(LOOSE));
    assert!(!compare(&[0.0, 0.0], &[1.0, 1.0]).within(LOOSE));
    assert!(compare(&[0.0], &[-0.0]).within(LOOSE));
    assert_eq!(compare(&[1.0], &[f32::NAN]), Similarity::NONE);
    assert_eq!(compare(&[1.0], &[f32::INFINITY]), Similarity::NONE);
    assert_eq!(compare(&[1.0], &[1.0, 1.0]), Similarity::NONE);
    assert!(!Similarity::NONE.within(LOOSE));
}

#[test]
fn windows_are_distinct_in_range_and_unlike_between_auditors() {
    let (seed, miner) = ([1; 32], [9; 32]);
    let of = |validator: u8| choose_windows(&seed, &[validator; 32], &miner, 50, 5);
    assert_eq!(of(1), of(1));
    assert!((2..10).any(|validator| of(validator) != of(1)));
    assert!(of(1).windows(2).all(|pair| pair[0] < pair[1]) && of(1)[4] < 50);
    assert_ne!(of(1), choose_windows(&[2; 32], &[1; 32], &miner, 50, 5));
    assert_eq!(choose_windows(&seed, &[1; 32], &miner, 2, 5), [0, 1]);
    assert!(choose_windows(&seed, &[1; 32], &miner, 0, 5).is_empty());
}

#[test]
fn evidence_survives_its_bytes_and_its_hash_is_pinned() {
    let mb = MicrobatchId { epoch: 1, head: 2, k: 3 };
    let similarity = Similarity { cosine_ppm: -5, rel_norm_ppm: 7, exact: false };
    let failures = [
        Failure::WithheldLog,
        Failure::WithheldInput { mb },
        Failure::OutputMismatch { mb, similarity },
        Failure::UpdateMismatch { step: 4, similarity },
        Failure::LossMismatch { mb, claimed: 1f32.to_bits(), recomputed: 3f32.to_bits() },
    ];
    for failure in failures {
        let evidence =
            Evidence { epoch: 1, stage: 2, miner: [3; 32], log_root: [4; 32], window: 5, failure };
        assert_eq!(Evidence::from_bytes(&evidence.encode()).unwrap(), evidence);
        if failure == Failure::WithheldLog {
            assert_eq!(
                hex::encode(evidence.hash()),
                "c2d1381e2904fbf340ea04e8178ab58967d797a67523d4bcfa00f48a96038d18"
            );
        }
    }
    assert!(Evidence::from_bytes(&[0; MAX_EVIDENCE_BYTES + 1]).is_err());
    assert!(!Verdict::Fail(Failure::BadLog).passed() && Verdict::Pass.passed());
}

#[test]
fn failures_say_what_differs() {
    let mb = MicrobatchId { epoch: 1, head: 2, k: 3 };
    let similarity = Similarity { cosine_ppm: 123_400, rel_norm_ppm: 2_000_000, exact: false };
    assert_eq!(
        Failure::OutputMismatch { mb, similarity }.to_string(),
        "output of microbatch 1/2/3 differs (cosine 0.1234, norm x2.0000)"
    );
    let loss = Failure::LossMismatch { mb, claimed: 1f32.to_bits(), recomputed: 3f32.to_bits() };
    assert_eq!(loss.to_string(), "loss of microbatch 1/2/3 is 3.0000, not 1.0000");
}
