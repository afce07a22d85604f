//! Bonds: a validator's standing claim on a server's success, and the dividends it yields.

use super::{
    I32F32, Input, ONE, Params, ZERO,
    matrix::{self, Row, at, normalize},
    ratio,
};
use substrate_fixed::{transcendental::exp, types::I64F64};

const HALF: I32F32 = I32F32::from_bits(1 << 31);

/// Dividends by uid, and bonds as they are to be stored (each at most one).
pub(super) struct Bonds {
    pub(super) dividends: Vec<I32F32>,
    pub(super) bonds: Vec<Row>,
}

/// Yuma 2: columns of bonds sum to one, and move towards stake times weight.
pub(super) fn yuma2(
    input: &Input,
    weights: &[Row],
    incentive: &[I32F32],
    active_stake: &[I32F32],
) -> Bonds {
    let n = input.neurons.len();
    let mut old = surviving_bonds(input, I32F32::saturating_from_num);
    matrix::normalize_columns(&mut old, n);
    let mut delta = matrix::scale_rows(weights, active_stake);
    matrix::normalize_columns(&mut delta, n);
    let mut bonds = matrix::moving_average(&delta, &old, fixed_alpha(&input.params));
    matrix::normalize_columns(&mut bonds, n);
    let mut dividends = matrix::row_dot(&bonds, incentive);
    normalize(&mut dividends);
    matrix::upscale_columns(&mut bonds, n);
    Bonds { dividends, bonds }
}

/// Yuma 3: each bond moves towards the validator's own weight; stake enters with the dividends.
pub(super) fn yuma3(
    input: &Input,
    weights: &[Row],
    consensus: &[I32F32],
    incentive: &[I32F32],
    active_stake: &[I32F32],
) -> Bonds {
    let n = input.neurons.len();
    let old = surviving_bonds(input, ratio);
    let bonds = if input.params.liquid_alpha && consensus.iter().any(|c| *c != ZERO) {
        let alpha = LiquidAlpha::new(&input.params);
        weights.iter().zip(&old).map(|(w, b)| liquid_row(&alpha, w, b, consensus)).collect()
    } else {
        matrix::moving_average(weights, &old, fixed_alpha(&input.params))
    };
    let mut shares = bonds.clone();
    matrix::normalize_columns(&mut shares, n);
    let mut dividends: Vec<I32F32> = matrix::row_dot(&shares, incentive)
        .into_iter()
        .zip(active_stake)
        .map(|(share, stake)| share.checked_mul(*stake).unwrap_or(ZERO))
        .collect();
    normalize(&mut dividends);
    Bonds { dividends, bonds }
}

/// Stored bonds, without those on neurons that registered since the last epoch.
fn surviving_bonds(input: &Input, scale: impl Fn(u16) -> I32F32) -> Vec<Row> {
    let last_epoch = match input.last_step {
        0 => input.block.saturating_sub(input.params.tempo),
        block => block.saturating_add(1),
    };
    let survives = |to: u16| {
        input.neurons.get(usize::from(to)).is_some_and(|target| last_epoch > target.registered_at)
    };
    input
        .neurons
        .iter()
        .map(|neuron| {
            let kept = neuron.bonds.iter().filter(|(to, _)| survives(*to));
            kept.map(|(to, bond)| (*to, scale(*bond))).collect()
        })
        .collect()
}

/// The rate at which bonds move where it is the same for all.
fn fixed_alpha(params: &Params) -> I32F32 {
    let kept = I64F64::saturating_from_num(params.bonds_moving_average)
        / I64F64::saturating_from_num(1_000_000);
    ONE.saturating_sub(I32F32::saturating_from_num(kept))
}

/// One validator's bonds under liquid alpha. Only columns of the new weights remain.
fn liquid_row(alpha: &LiquidAlpha, weights: &Row, old: &Row, consensus: &[I32F32]) -> Row {
    let sorted_weights = in_column_order(weights, consensus.len());
    let sorted_bonds = in_column_order(old, consensus.len());
    let rate =
        |column: usize| alpha.rate(consensus[column], sorted_weights[column], sorted_bonds[column]);
    let mut decayed = vec![ZERO; consensus.len()];
    for (column, bond) in old {
        if let Some(cell) = decayed.get_mut(usize::from(*column)) {
            *cell = ONE.saturating_sub(rate(usize::from(*column))).saturating_mul(*bond);
        }
    }
    weights
        .iter()
        .filter(|(column, _)| usize::from(*column) < consensus.len())
        .map(|(column, weight)| {
            let gained = rate(usize::from(*column)).saturating_mul(*weight).max(ZERO);
            (*column, at(&decayed, *column).saturating_add(gained).min(ONE))
        })
        .filter(|(_, bond)| *bond > ZERO)
        .collect()
}

/// A row's values by column, as a single pass in rising column order meets them: an entry that
/// comes after one of a greater column is not seen. The real chain computes rates so.
fn in_column_order(row: &Row, columns: usize) -> Vec<I32F32> {
    let mut entries = row.iter().peekable();
    (0..columns)
        .map(|column| {
            while entries.next_if(|(other, _)| usize::from(*other) < column).is_some() {}
            match entries.peek() {
                Some((other, value)) if usize::from(*other) == column => *value,
                _ => ZERO,
            }
        })
        .collect()
}

/// Rates that grow, along a sigmoid, with the distance between weight, bond and consensus.
struct LiquidAlpha {
    low: I32F32,
    high: I32F32,
    /// Steepness over -100, the exponent's factor.
    slope: I32F32,
}

impl LiquidAlpha {
    fn new(params: &Params) -> Self {
        let steepness = I32F32::saturating_from_num(params.alpha_steepness);
        Self {
            low: ratio(params.alpha_values.0),
            high: ratio(params.alpha_values.1),
            slope: steepness.saturating_div(I32F32::saturating_from_num(-100)),
        }
    }

    fn rate(&self, consensus: I32F32, weight: I32F32, bond: I32F32) -> I32F32 {
        let distance = if weight >= bond {
            weight.saturating_sub(consensus)
        } else {
            bond.saturating_sub(weight)
        };
        let centred = distance.min(ONE).max(ZERO).saturating_sub(HALF);
        let power = exp(self.slope.saturating_mul(centred)).unwrap_or(ZERO);
        let sigmoid = ONE.saturating_div(ONE.saturating_add(power));
        let span = self.high.saturating_sub(self.low);
        let rate = self.low.saturating_add(sigmoid.saturating_mul(span));
        rate.min(self.high).max(self.low)
    }
}
