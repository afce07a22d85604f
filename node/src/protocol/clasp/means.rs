//! The paper's estimator: a miner's mean loss against its siblings', leave-one-out.
//!
//! A z-score within the stage cannot flag anyone among few replicas, since the suspect inflates
//! the very spread it is measured by (with n miners it never exceeds (n-1)/sqrt(n)). So a miner is
//! compared with the *others*, and the standard error comes from the records, not the miners.

use super::{Estimate, Record, Seat, seats};
use crate::protocol::Hotkey;
use std::collections::BTreeMap;

/// Count, mean and sum of squared deviations of one miner's losses.
#[derive(Clone, Copy, Default)]
struct Sample {
    count: f64,
    mean: f64,
    squares: f64,
}

/// Estimates by means. Miners with fewer than two records, or without a sibling that has two, are
/// left out: nothing can be said of them.
#[must_use]
pub fn pathway_means(records: &[Record]) -> BTreeMap<Hotkey, Estimate> {
    let mut samples: BTreeMap<Seat, Sample> =
        seats(records).into_keys().map(|seat| (seat, Sample::default())).collect();
    for record in records {
        for (stage, hotkey) in record.pathway.iter().enumerate() {
            let Some(sample) = samples.get_mut(&(stage, *hotkey)) else { continue };
            // Welford: stable, and one pass in record order.
            sample.count += 1.0;
            let from_mean = record.loss - sample.mean;
            sample.mean += from_mean / sample.count;
            sample.squares += from_mean * (record.loss - sample.mean);
        }
    }
    samples.retain(|_, sample| sample.count >= 2.0);
    let mut estimates = BTreeMap::new();
    for ((stage, hotkey), own) in &samples {
        let siblings = samples
            .range((*stage, [0; 32])..=(*stage, [255; 32]))
            .filter(|((_, sibling), _)| sibling != hotkey)
            .map(|(_, sample)| sample);
        let (mut count, mut mean, mut variance) = (0.0, 0.0, 0.0);
        for sibling in siblings {
            count += 1.0;
            mean += sibling.mean;
            variance += sibling.squares / (sibling.count - 1.0) / sibling.count;
        }
        if count == 0.0 {
            continue;
        }
        let own_variance = own.squares / (own.count - 1.0) / own.count;
        let estimate = Estimate {
            effect: own.mean - mean / count,
            standard_error: (own_variance + variance / (count * count)).sqrt(),
            records: own.count as u32,
        };
        estimates.insert(*hotkey, estimate);
    }
    estimates
}
