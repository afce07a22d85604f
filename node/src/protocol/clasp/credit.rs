//! From fits of consecutive windows to credit multipliers.

use super::{Estimate, Fit};
use crate::protocol::Hotkey;
use std::collections::BTreeMap;

/// When a miner is flagged and what it costs; the manifest's. Fractions are of the mean loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CreditRule {
    /// Effects up to this fraction are never held against anyone.
    pub min_effect: f64,
    /// Significance of one window, in standard deviations of the normal distribution (one-sided).
    pub z: f64,
    /// Excess, as a fraction, at which the multiplier falls to a quarter.
    pub scale: f64,
    /// Fewest records of a miner, and fewest degrees of freedom of a fit, for any statement.
    pub min_records: u32,
}

impl Default for CreditRule {
    /// One percent of the loss, alpha = 1e-4.
    fn default() -> Self {
        Self { min_effect: 0.01, z: 3.719_016_485, scale: 0.02, min_records: 12 }
    }
}

/// What CLASP says of one miner after the last window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Credit {
    /// The last window's estimate; none when there was too little data.
    pub estimate: Option<Estimate>,
    /// Significantly harmful in the last two windows.
    pub flagged: bool,
    /// What its tokens are worth, 0..=1; exactly 1 unless flagged.
    pub multiplier: f64,
}

impl Credit {
    /// The multiplier in parts per million, as `scores` takes it.
    #[must_use]
    pub fn ppm(&self) -> u32 {
        (self.multiplier * 1e6).round() as u32
    }
}

/// Credits after a history of windows, oldest first; a window without a fit is `None`.
///
/// The miners of the last window with a fit are listed; whoever is not has multiplier 1.
#[must_use]
pub fn credits(history: &[Option<Fit>], rule: CreditRule) -> BTreeMap<Hotkey, Credit> {
    let Some(Some(last)) = history.last() else { return BTreeMap::new() };
    let before = history.len().checked_sub(2).and_then(|index| history[index].as_ref());
    let credit = |hotkey: &Hotkey, estimate: &Estimate| {
        let now = excess(last, hotkey, rule);
        let then = before.map_or(0.0, |before| excess(before, hotkey, rule));
        // The weaker of the two windows decides: both must be significant.
        let both = if now < then { now } else { then };
        let ratio = both / rule.scale;
        let multiplier = 1.0 / ((1.0 + ratio) * (1.0 + ratio));
        Credit { estimate: Some(*estimate), flagged: both > 0.0, multiplier }
    };
    last.miners.iter().map(|(hotkey, estimate)| (*hotkey, credit(hotkey, estimate))).collect()
}

/// How far the lower confidence bound lies above the minimum effect, as a fraction of the loss;
/// zero when it does not, or when there is too little data to say.
fn excess(fit: &Fit, hotkey: &Hotkey, rule: CreditRule) -> f64 {
    let Some(estimate) = fit.miners.get(hotkey) else { return 0.0 };
    if estimate.records < rule.min_records || fit.freedom < rule.min_records || fit.level <= 0.0 {
        return 0.0;
    }
    let (lower, _) = estimate.interval(student(rule.z, f64::from(fit.freedom)));
    let excess = lower / fit.level - rule.min_effect;
    if excess > 0.0 { excess } else { 0.0 }
}

/// The quantile of Student's t that belongs to the normal quantile `z` (Cornish-Fisher expansion;
/// Abramowitz and Stegun 26.7.5). Few degrees of freedom make tails heavier.
fn student(z: f64, freedom: f64) -> f64 {
    let (z2, f) = (z * z, freedom);
    let first = (z2 + 1.0) / 4.0;
    let second = ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0;
    let third = (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0;
    z * (1.0 + first / f + second / (f * f) + third / (f * f * f))
}
