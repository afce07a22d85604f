//! Integer clip factors: no contribution may be larger than the manifest or its peers allow.
//!
//! Norms come from the committed per-chunk sums of squares, so every reducer computes the same
//! factors before it has seen a single element.

use crate::protocol::Hotkey;
use codec::{Decode, Encode};
use std::collections::BTreeMap;

/// A clip factor of one: Q16.
pub const CLIP_ONE: u32 = 1 << 16;

/// Contributors below which a median says nothing: one liar could move it at will.
const LEAST_FOR_MEDIAN: usize = 4;

/// The limits on a contribution's root mean square; the manifest's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct ClipRule {
    /// Greatest root mean square of one element, in units of 2^-40.
    pub max_rms: u64,
    /// Greatest multiple of the contributors' median, Q8 (256 = the median itself); used from four
    /// contributors on.
    pub median_multiple: u32,
}

/// The root mean square of `elements` values, in units of 2^-40, from a sum in units of 2^-80.
#[must_use]
pub fn root_mean_square(sum_sq: u128, elements: u64) -> u64 {
    u64::try_from((sum_sq / u128::from(elements.max(1))).isqrt()).unwrap_or(u64::MAX)
}

/// Clip factors (Q16, at most [`CLIP_ONE`]) from the committed sums of squares of the whole stage.
///
/// The median of an even number is the lower one, so that half the contributors cannot raise it.
#[must_use]
pub fn clip_factors(
    sums: &BTreeMap<Hotkey, u128>,
    elements: u64,
    rule: ClipRule,
) -> BTreeMap<Hotkey, u32> {
    let norms = sums.iter().map(|(hotkey, &sum)| (*hotkey, root_mean_square(sum, elements)));
    let norms: BTreeMap<Hotkey, u64> = norms.collect();
    let mut limit = rule.max_rms;
    if norms.len() >= LEAST_FOR_MEDIAN {
        let mut sorted: Vec<u64> = norms.values().copied().collect();
        sorted.sort_unstable();
        let median = sorted[(sorted.len() - 1) / 2];
        let multiple = (u128::from(median) * u128::from(rule.median_multiple)) >> 8;
        limit = limit.min(u64::try_from(multiple).unwrap_or(u64::MAX));
    }
    let factor = |norm: u64| {
        if norm <= limit {
            return CLIP_ONE;
        }
        // Below CLIP_ONE, since limit < norm.
        ((u128::from(limit) << 16) / u128::from(norm)) as u32
    };
    norms.into_iter().map(|(hotkey, norm)| (hotkey, factor(norm))).collect()
}
