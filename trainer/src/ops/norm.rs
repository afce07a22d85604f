//! Root-mean-square norm over rows (arXiv 1910.07467): `y = scale * x / sqrt(mean(x^2) + e)`.

use rayon::prelude::*;

use super::simd::{sum, vectorized};
use super::value::Value;

/// Added to the mean square before its root.
const EPSILON: f32 = 1e-5;
/// Rows of a task: gradients of the scale are summed over so many, then over tasks, so that the number
/// of threads changes nothing.
const ROWS: usize = 64;

/// The norm of rows (N, D), and one over the root mean square of each.
pub(crate) fn forward<T: Value>(x: &[f32], scale: &[f32], inverse: &mut [f32], out: &mut [T]) {
    let width = scale.len();
    let rows = x.par_chunks(ROWS * width).zip(out.par_chunks_mut(ROWS * width));
    rows.zip(inverse.par_chunks_mut(ROWS)).for_each(|((x, out), inverse)| {
        vectorized!({
            for (at, inverse) in inverse.iter_mut().enumerate() {
                let x = &x[at * width..][..width];
                let squares = sum(width, |at| x[at] * x[at]);
                *inverse = 1.0 / (squares / width as f32 + EPSILON).sqrt();
                apply(x, scale, *inverse, &mut out[at * width..][..width]);
            }
        });
    });
}

/// The norm again, given its inverse roots.
pub(crate) fn again<T: Value>(x: &[f32], scale: &[f32], inverse: &[f32], out: &mut [T]) {
    let width = scale.len();
    let rows = x.par_chunks(ROWS * width).zip(out.par_chunks_mut(ROWS * width));
    rows.zip(inverse.par_chunks(ROWS)).for_each(|((x, out), inverse)| {
        vectorized!({
            for (at, inverse) in inverse.iter().enumerate() {
                let place = at * width..(at + 1) * width;
                apply(&x[place.clone()], scale, *inverse, &mut out[place]);
            }
        });
    });
}

#[inline(always)]
fn apply<T: Value>(x: &[f32], scale: &[f32], inverse: f32, out: &mut [T]) {
    for ((out, x), scale) in out.iter_mut().zip(x).zip(scale) {
        *out = T::near(x * inverse * scale);
    }
}

/// Adds the gradient of `x` to `dx`, and writes that of the scale.
pub(crate) fn backward(
    x: &[f32],
    scale: &[f32],
    inverse: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    dscale: &mut [f32],
) {
    let width = scale.len();
    let rows = x.par_chunks(ROWS * width).zip(dy.par_chunks(ROWS * width));
    let rows = rows.zip(dx.par_chunks_mut(ROWS * width)).zip(inverse.par_chunks(ROWS));
    let parts: Vec<Vec<f32>> = rows
        .map(|(((x, dy), dx), inverse)| {
            let mut part = vec![0.0; width];
            vectorized!({
                for (at, inverse) in inverse.iter().enumerate() {
                    let place = at * width..(at + 1) * width;
                    let dx = &mut dx[place.clone()];
                    row((&x[place.clone()], scale, *inverse), &dy[place], dx, &mut part);
                }
            });
            part
        })
        .collect();
    dscale.fill(0.0);
    for part in &parts {
        dscale.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
}

/// `dx += inverse (scale dy - x inverse^2 mean(scale dy x))`.
#[inline(always)]
fn row((x, scale, inverse): (&[f32], &[f32], f32), dy: &[f32], dx: &mut [f32], dscale: &mut [f32]) {
    let width = x.len();
    let (scale, dy) = (&scale[..width], &dy[..width]);
    let along = sum(width, |at| x[at] * dy[at] * scale[at]);
    let along = along * inverse * inverse / width as f32;
    for ((((x, dy), scale), dx), dscale) in x.iter().zip(dy).zip(scale).zip(dx).zip(dscale) {
        *dx += inverse * (dy * scale - x * along);
        *dscale += dy * x * inverse;
    }
}
