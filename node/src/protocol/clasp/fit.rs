//! Robust least squares: Huber's loss by iterated reweighting, with a ridge on miners' effects.
//!
//! The ridge is a prior of about `ridge` records that say "no effect": it keeps the system solvable
//! when routing leaves combinations of miners undetermined, and the standard errors then show that
//! the data said nothing. The covariance is Huber's for M-estimators with his small-sample factor.

use super::{Estimate, MAX_MINERS, Record, design::Design, linalg::Cholesky};
use crate::protocol::Hotkey;
use std::collections::BTreeMap;

/// Constants of the fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitRule {
    /// Residuals beyond this many standard deviations count linearly.
    pub huber: f64,
    /// Strength of the prior on each effect, in records.
    pub ridge: f64,
    /// Reweighting rounds; fixed, so that the result is a function of the records.
    pub rounds: u32,
}

impl Default for FitRule {
    fn default() -> Self {
        Self { huber: 1.5, ridge: 0.5, rounds: 20 }
    }
}

/// What the model says of one window.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Mean loss of the window, nats per token.
    pub level: f64,
    /// Loss per nat of surprisal; 0 when the surprisal does not vary.
    pub surprisal: f64,
    /// Robust standard deviation of the noise, nats per token.
    pub noise: f64,
    /// Records less parameters.
    pub freedom: u32,
    /// Effects in leave-one-out form: a miner against the mean of its siblings.
    pub miners: BTreeMap<Hotkey, Estimate>,
}

/// Fits one window of [`super::usable`] records; `None` when they are too few to leave any freedom,
/// differ in depth, seat a hotkey at two stages, or name too many miners.
#[must_use]
pub fn fit(records: &[Record], rule: FitRule) -> Option<Fit> {
    let depth = records.first()?.pathway.len();
    if depth == 0 || records.iter().any(|record| record.pathway.len() != depth) {
        return None;
    }
    let design = Design::new(records);
    let mut hotkeys: Vec<&Hotkey> = design.miners.iter().map(|miner| &miner.hotkey).collect();
    hotkeys.sort_unstable();
    let twice = hotkeys.windows(2).any(|pair| pair[0] == pair[1]);
    if twice || hotkeys.len() > MAX_MINERS || records.len() <= design.columns {
        return None;
    }
    let freedom = records.len() - design.columns;
    let mut weights = vec![1.0; records.len()];
    let mut state = solve(&design, &weights, rule.ridge)?;
    let mut scale = spread(&state.residuals, design.columns);
    for _ in 0..rule.rounds {
        for (weight, residual) in weights.iter_mut().zip(&state.residuals) {
            let size = residual.abs() / (rule.huber * scale);
            *weight = if size > 1.0 { 1.0 / size } else { 1.0 };
        }
        state = solve(&design, &weights, rule.ridge)?;
        scale = spread(&state.residuals, design.columns);
    }
    let variance = noise_variance(&state.residuals, rule.huber * scale, design.columns);
    // The covariance is of the unweighted design: reweighting is in the noise variance already.
    let plain =
        Cholesky::new(&normal(&design, &vec![1.0; records.len()], rule.ridge), design.columns)?;
    let effect = |contrast: &[(usize, f64)]| -> f64 {
        contrast.iter().map(|(column, value)| value * state.coefficients[*column]).sum()
    };
    let mut miners = BTreeMap::new();
    for miner in design.miners.iter().filter(|miner| miner.siblings > 1) {
        let mut direction = vec![0.0; design.columns];
        miner.contrast.iter().for_each(|(column, value)| direction[*column] = *value);
        // Effects sum to zero, so the siblings' mean is -effect / (n - 1).
        let against = miner.siblings as f64 / (miner.siblings as f64 - 1.0);
        let estimate = Estimate {
            effect: against * effect(&miner.contrast),
            standard_error: against * (variance * plain.variance(&direction)).sqrt(),
            records: miner.records,
        };
        miners.insert(miner.hotkey, estimate);
    }
    let slope = |(column, deviation): (usize, f64)| state.coefficients[column] / deviation;
    Some(Fit {
        level: state.coefficients[0],
        surprisal: design.surprisal.map_or(0.0, slope),
        noise: scale,
        freedom: freedom as u32,
        miners,
    })
}

/// A weighted solution.
struct Solution {
    coefficients: Vec<f64>,
    residuals: Vec<f64>,
}

/// X' W X plus the ridge, lower triangle, row-major.
fn normal(design: &Design, weights: &[f64], ridge: f64) -> Vec<f64> {
    let size = design.columns;
    let mut matrix = vec![0.0; size * size];
    for (row, weight) in design.rows.iter().zip(weights) {
        for (i, left) in row {
            for (j, right) in row.iter().filter(|(j, _)| j <= i) {
                matrix[i * size + j] += weight * left * right;
            }
        }
    }
    for column in design.covariates..size {
        matrix[column * size + column] += ridge;
    }
    matrix
}

/// Solves the weighted system; `None` when it is singular.
fn solve(design: &Design, weights: &[f64], ridge: f64) -> Option<Solution> {
    let factor = Cholesky::new(&normal(design, weights, ridge), design.columns)?;
    let mut right = vec![0.0; design.columns];
    for ((row, loss), weight) in design.rows.iter().zip(&design.losses).zip(weights) {
        row.iter().for_each(|(column, value)| right[*column] += weight * value * loss);
    }
    let coefficients = factor.solve(&right);
    let predict = |row: &[(usize, f64)]| -> f64 {
        row.iter().map(|(column, value)| value * coefficients[*column]).sum()
    };
    let residuals = design.rows.iter().zip(&design.losses).map(|(row, loss)| loss - predict(row));
    let residuals = residuals.collect();
    Some(Solution { coefficients, residuals })
}

/// Robust standard deviation: 1.4826 times the median of the residuals' sizes, leaving out as many
/// of the least as there are parameters (they could be fitted to zero).
fn spread(residuals: &[f64], parameters: usize) -> f64 {
    let mut sizes: Vec<f64> = residuals.iter().map(|residual| residual.abs()).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    let left = &sizes[parameters.min(sizes.len() - 1)..];
    // A perfect fit has no noise; the floor keeps weights and standard errors finite.
    (1.4826 * left[left.len() / 2]).max(1e-9)
}

/// Huber's variance of one record's noise as it enters the coefficients' covariance.
fn noise_variance(residuals: &[f64], cut: f64, parameters: usize) -> f64 {
    let (count, parameters) = (residuals.len() as f64, parameters as f64);
    let squares: f64 = residuals.iter().map(|residual| residual.abs().min(cut).powi(2)).sum();
    let within = residuals.iter().filter(|residual| residual.abs() <= cut).count() as f64 / count;
    // At least half lie within the cut, since the spread comes from their median.
    let within = within.max(0.5);
    let small = 1.0 + parameters / count * (1.0 - within) / within;
    small * small * squares / (count - parameters) / (within * within)
}
