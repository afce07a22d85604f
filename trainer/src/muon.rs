//! Muon: a matrix steps along its orthogonalised momentum (Jordan et al., and arXiv 2502.16982, whose scale
//! makes AdamW's learning rates fit). Products are of bf16, as the authors compute them: the iteration makes
//! differences grow, so all devices round at the same places.

use crate::config::Precision;
use crate::ops::product::{Mat, Out, Panels, Part, Threads, multiply};

/// Newton-Schulz iterations, and the polynomial of each.
pub(crate) const ITERATIONS: usize = 5;
pub(crate) const POLYNOMIAL: (f32, f32, f32) = (3.4445, -4.7750, 2.0315);
/// Decay of the momentum.
pub(crate) const MOMENTUM: f32 = 0.95;
/// Root mean square of AdamW's usual steps.
const STEP: f32 = 0.2;

/// Steps a matrix along `factor` times a gradient; `momentum` has its history.
pub(crate) fn step(
    (rows, columns): (usize, usize),
    params: &mut [f32],
    momentum: &mut [f32],
    (gradient, factor): (&[f32], f32),
    rate: f32,
    decay: f32,
) {
    for (momentum, g) in momentum.iter_mut().zip(gradient) {
        *momentum = MOMENTUM * *momentum + g * factor;
    }
    let ahead = momentum.iter().zip(gradient).map(|(m, g)| MOMENTUM * m + g * factor).collect();
    let direction = orthogonal(ahead, rows, columns);
    let scale = reach(rows, columns, rate);
    for (param, direction) in params.iter_mut().zip(direction) {
        *param = *param * decay - scale * direction;
    }
}

/// What a matrix's direction is multiplied with.
pub(crate) fn reach(rows: usize, columns: usize, rate: f32) -> f32 {
    rate * STEP * (rows.max(columns) as f32).sqrt()
}

/// What brings the singular values of a matrix of this length to at most 1.
pub(crate) fn shrink(length: f64) -> f32 {
    1.0 / (length + 1e-7) as f32
}

/// Roughly the nearest matrix whose singular values are all 1.
fn orthogonal(mut x: Vec<f32>, rows: usize, columns: usize) -> Vec<f32> {
    let squares: f64 = x.iter().map(|value| f64::from(*value) * f64::from(*value)).sum();
    let shrink = shrink(squares.sqrt());
    x.iter_mut().for_each(|value| *value *= shrink);
    let short = rows.min(columns);
    let (a, b, c) = POLYNOMIAL;
    let (mut gram, mut gram2) = (vec![0.0; short * short], vec![0.0; short * short]);
    let mut next = x.clone();
    for _ in 0..ITERATIONS {
        if rows <= columns {
            product(
                &mut gram,
                Mat::new(&x, rows, columns),
                Mat::new(&x, rows, columns).t(),
                (short, columns, short),
            );
        } else {
            product(
                &mut gram,
                Mat::new(&x, rows, columns).t(),
                Mat::new(&x, rows, columns),
                (short, rows, short),
            );
        }
        product(
            &mut gram2,
            Mat::new(&gram, short, short),
            Mat::new(&gram, short, short),
            (short, short, short),
        );
        for (gram, gram2) in gram.iter_mut().zip(&gram2) {
            *gram = b * *gram + c * gram2;
        }
        if rows <= columns {
            product(
                &mut next,
                Mat::new(&gram, short, short),
                Mat::new(&x, rows, columns),
                (rows, short, columns),
            );
        } else {
            product(
                &mut next,
                Mat::new(&x, rows, columns),
                Mat::new(&gram, short, short),
                (rows, short, columns),
            );
        }
        x.iter_mut().zip(&next).for_each(|(x, next)| *x = a * *x + next);
    }
    x
}

fn product(
    out: &mut [f32],
    left: Mat<'_, f32>,
    right: Mat<'_, f32>,
    (rows, depth, columns): (usize, usize, usize),
) {
    let left = Panels::left(Precision::Bf16, left, Threads::All);
    let right = Panels::right(Precision::Bf16, right, Threads::All);
    let part = Part { rows, depth, columns };
    multiply(Out::set(out, columns), &left, &right, part, Threads::All);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Five iterations bring singular values of a well-conditioned matrix to 0.7 to 1.2: rows (or
        /// columns) then are nearly orthonormal.
        #[test]
        fn a_direction_is_nearly_orthogonal(rows in 2_usize..40, columns in 2_usize..40, seed: u64) {
            let mut state = seed | 1;
            let mut random = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 40) as f32 / (1 << 23) as f32 - 1.0
            };
            // A diagonal keeps the singular values away from zero.
            let x: Vec<f32> = (0..rows * columns)
                .map(|at| random() * 0.2 + f32::from(at / columns == at % columns) * 4.0)
                .collect();
            let made = orthogonal(x, rows, columns);
            let (short, is_wide) = (rows.min(columns), rows <= columns);
            let at = |i: usize, j: usize| made[if is_wide { i * columns + j } else { j * columns + i }];
            for i in 0..short {
                let length: f32 = (0..rows.max(columns)).map(|j| at(i, j) * at(i, j)).sum();
                prop_assert!((0.4..1.6).contains(&length), "row {i}: {length}");
            }
        }
    }
}
