//! The consensus weight of each neuron: the stake-weighted median of the weights it was given.

use super::{
    I32F32, ZERO,
    matrix::{Row, normalize, sum},
};

/// Median of each column over the rows that have stake. `majority` is the share of stake that
/// must stand at or above the median.
pub(super) fn weighted_median_columns(
    stake: &[I32F32],
    rows: &[Row],
    columns: usize,
    majority: I32F32,
) -> Vec<I32F32> {
    let voters: Vec<usize> = (0..stake.len()).filter(|row| stake[*row] > ZERO).collect();
    let mut shares: Vec<I32F32> = voters.iter().map(|row| stake[*row]).collect();
    normalize(&mut shares);
    let total = sum(&shares);
    let minority = total.saturating_sub(majority);
    let mut scores = vec![vec![ZERO; voters.len()]; columns];
    for (voter, row) in voters.iter().enumerate() {
        for (column, value) in &rows[*row] {
            if let Some(column) = scores.get_mut(usize::from(*column)) {
                column[voter] = *value;
            }
        }
    }
    scores.iter().map(|column| weighted_median(&shares, column, minority, total)).collect()
}

/// Binary search for the score at which the stake below it passes `minority`.
///
/// The pivot is the middle element of the remaining ones, not a random one, so that all machines
/// search alike. `total` is the sum of `stake`.
pub(super) fn weighted_median(
    stake: &[I32F32],
    scores: &[I32F32],
    minority: I32F32,
    total: I32F32,
) -> I32F32 {
    let mut rest: Vec<usize> = (0..stake.len()).collect();
    let (mut low, mut high) = (ZERO, total);
    loop {
        let Some(middle) = rest.get(rest.len() / 2) else { return ZERO };
        let pivot = scores[*middle];
        if rest.len() == 1 {
            return pivot;
        }
        let below: Vec<usize> = rest.iter().copied().filter(|i| scores[*i] < pivot).collect();
        let above: Vec<usize> = rest.iter().copied().filter(|i| scores[*i] > pivot).collect();
        let stake_of = |part: &[usize]| part.iter().fold(ZERO, |s, i| s.saturating_add(stake[*i]));
        let low_edge = low.saturating_add(stake_of(&below));
        let high_edge = high.saturating_sub(stake_of(&above));
        if minority < low_edge && !below.is_empty() {
            (high, rest) = (low_edge, below);
        } else if low_edge <= minority && minority < high_edge {
            return pivot;
        } else if high_edge <= minority && !above.is_empty() {
            (low, rest) = (high_edge, above);
        } else {
            return pivot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(values: &[f32]) -> Vec<I32F32> {
        values.iter().map(|value| I32F32::from_num(*value)).collect()
    }

    fn median(stake: &[f32], scores: &[f32], majority: f32) -> f32 {
        let mut stake = fixed(stake);
        normalize(&mut stake);
        let total = sum(&stake);
        let minority = total.saturating_sub(I32F32::from_num(majority));
        weighted_median(&stake, &fixed(scores), minority, total).to_num()
    }

    #[test]
    fn takes_the_score_that_the_majority_of_stake_supports() {
        assert_eq!(median(&[], &[], 0.5), 0.0);
        assert_eq!(median(&[1.0], &[0.7], 0.5), 0.7_f32);
        assert_eq!(median(&[0.49, 0.51], &[0.0, 1.0], 0.5), 1.0);
        assert_eq!(median(&[0.51, 0.49], &[0.0, 1.0], 0.5), 0.0);
        assert_eq!(median(&[0.2, 0.2, 0.6], &[0.5, 0.25, 0.0], 0.5), 0.0);
        assert_eq!(median(&[0.3, 0.3, 0.4], &[0.5, 0.25, 0.0], 0.5), 0.25);
    }

    #[test]
    fn agrees_with_a_scan_over_sorted_scores() {
        let mut state = 7_u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        for _ in 0..300 {
            let n = 1 + next(9) as usize;
            // Stakes and scores are multiples of 1/1024, so sums are exact.
            let stake: Vec<I32F32> =
                (0..n).map(|_| I32F32::from_num(1 + next(20)) / I32F32::from_num(1024)).collect();
            let scores: Vec<I32F32> =
                (0..n).map(|_| I32F32::from_num(next(6)) / I32F32::from_num(8)).collect();
            let total = sum(&stake);
            let minority = total / I32F32::from_num(2);
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by_key(|i| scores[*i]);
            let mut below = ZERO;
            let mut expected = scores[order[n - 1]];
            for i in order {
                below += stake[i];
                if below > minority {
                    expected = scores[i];
                    break;
                }
            }
            assert_eq!(weighted_median(&stake, &scores, minority, total), expected);
        }
    }
}
