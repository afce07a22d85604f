//! From scores to the u16 weights of an extrinsic.

use super::Scores;
use crate::protocol::Hotkey;
use std::collections::BTreeMap;

/// One in the fixed point of this file: Q48.
const ONE: u128 = 1 << 48;
/// The greatest weight on chain.
const U16_MAX: u128 = u16::MAX as u128;

/// Weights of the miners on chain at the end of `epoch`: uids ascending and their values.
///
/// Shares are clipped to `max_weight` (of 65535, as in the chain's `MaxWeightsLimit`), the excess
/// going to the rest in proportion, until none is above; with too few miners for that, all share
/// equally. Then the chain's own rule quantises: `round(share * 65535 / greatest share)`. Values
/// that round to zero are left out. `None` when no score is positive: then no weights are set.
#[must_use]
pub fn weights(
    scores: &Scores,
    epoch: u32,
    uids: &BTreeMap<Hotkey, u16>,
    max_weight: u16,
) -> Option<(Vec<u16>, Vec<u16>)> {
    let mut positive: Vec<(u16, u128)> = uids
        .iter()
        .map(|(hotkey, uid)| (*uid, scores.score(epoch, hotkey)))
        .filter(|(_, score)| *score > 0)
        .collect();
    positive.sort_unstable();
    let greatest = positive.iter().map(|(_, score)| *score).max()?;
    // Shares need no more than 48 bits; scores may have 104. Positive ones stay positive.
    let shift = (128 - greatest.leading_zeros()).saturating_sub(48);
    let raw: Vec<u128> = positive.iter().map(|(_, score)| (score >> shift).max(1)).collect();
    let mut values = quantise(&clip(&raw, max_weight));
    fit(&mut values, max_weight);
    let uids = positive.iter().map(|(uid, _)| *uid);
    Some(uids.zip(values).filter(|(_, value)| *value > 0).unzip())
}

/// Shares (Q48, summing to one but for rounding) of which none exceeds the limit, if possible.
fn clip(raw: &[u128], max_weight: u16) -> Vec<u128> {
    let limit = u128::from(max_weight) * ONE / U16_MAX;
    let mut clipped = vec![false; raw.len()];
    loop {
        let above = clipped.iter().filter(|clipped| **clipped).count() as u128;
        let rest: u128 = raw.iter().zip(&clipped).filter(|(_, c)| !**c).map(|(raw, _)| raw).sum();
        // What the clipped ones leave to the rest.
        let left = ONE.saturating_sub(limit * above);
        if rest == 0 || left == 0 {
            return vec![ONE / raw.len() as u128; raw.len()];
        }
        let share = |index: usize| raw[index] * left / rest;
        let more: Vec<usize> =
            (0..raw.len()).filter(|&index| !clipped[index] && share(index) > limit).collect();
        if more.is_empty() {
            let of = |index: usize| if clipped[index] { limit } else { share(index) };
            return (0..raw.len()).map(of).collect();
        }
        more.into_iter().for_each(|index| clipped[index] = true);
    }
}

/// Scales so that the greatest share becomes 65535; halves round up, as on chain.
fn quantise(shares: &[u128]) -> Vec<u16> {
    let greatest = shares.iter().copied().max().unwrap_or(0).max(1);
    shares.iter().map(|share| ((share * U16_MAX * 2 + greatest) / (greatest * 2)) as u16).collect()
}

/// Makes up for rounding: raises lesser values until the greatest is within the limit again.
fn fit(values: &mut [u16], max_weight: u16) {
    let greatest = values.iter().copied().max().unwrap_or(0);
    let limit = u64::from(max_weight);
    let total = |values: &[u16]| values.iter().map(|value| u64::from(*value)).sum::<u64>();
    let mut missing =
        (u64::from(greatest) * 65535).div_ceil(limit.max(1)).saturating_sub(total(values));
    while missing > 0 {
        let before = missing;
        for value in values.iter_mut().filter(|value| **value < greatest && **value > 0) {
            if missing == 0 {
                return;
            }
            *value += 1;
            missing -= 1;
        }
        if missing == before {
            return;
        }
    }
}
