//! Rotary positions (arXiv 2104.09864), in place, over rows of heads (B, T, H, E).

use rayon::prelude::*;

use super::simd::vectorized;
use super::value::Value;

/// Rows of a task.
const ROWS: usize = 64;

/// What all blocks of a stage share: the rotary angles of each token and pair, (T, E / 2).
pub(crate) struct Angles {
    cos: Vec<f32>,
    sin: Vec<f32>,
    tokens: usize,
    half: usize,
}

impl Angles {
    pub(crate) fn new(tokens: usize, each: usize, theta: f64) -> Self {
        let half = each / 2;
        let angle = |place: usize| {
            let (token, pair) = (place / half, place % half);
            token as f64 * theta.powf(-(pair as f64) / half as f64)
        };
        let table =
            |of: fn(f64) -> f64| (0..tokens * half).map(|at| of(angle(at)) as f32).collect();
        Self { cos: table(f64::cos), sin: table(f64::sin), tokens, half }
    }

    /// Cosines and sines, tokens, and pairs of a head.
    pub(crate) fn table(&self) -> (&[f32], &[f32], usize, usize) {
        (&self.cos, &self.sin, self.tokens, self.half)
    }

    /// Rotates rows of so many values.
    pub(crate) fn rotate<T: Value>(&self, rows: &mut [T], width: usize) {
        self.turn(rows, width, 1.0);
    }

    /// Rotates them back: the gradient of rows from that of the rotated ones.
    pub(crate) fn rotate_back<T: Value>(&self, rows: &mut [T], width: usize) {
        self.turn(rows, width, -1.0);
    }

    fn turn<T: Value>(&self, rows: &mut [T], width: usize, sign: f32) {
        rows.par_chunks_mut(ROWS * width).enumerate().for_each(|(chunk, rows)| {
            vectorized!({
                for (at, row) in rows.chunks_exact_mut(width).enumerate() {
                    self.turn_row(row, (chunk * ROWS + at) % self.tokens, sign);
                }
            });
        });
    }

    #[inline(always)]
    fn turn_row<T: Value>(&self, row: &mut [T], token: usize, sign: f32) {
        let half = self.half;
        let (cos, sin) = (&self.cos[token * half..][..half], &self.sin[token * half..][..half]);
        for head in row.chunks_exact_mut(2 * half) {
            let (first, second) = head.split_at_mut(half);
            for at in 0..half {
                let (a, b, sin) = (first[at].wide(), second[at].wide(), sign * sin[at]);
                first[at] = T::near(a * cos[at] - b * sin);
                second[at] = T::near(b * cos[at] + a * sin);
            }
        }
    }
}
