//! Muon on a device, rounding where `muon.rs` does.

use half::bf16;

use super::block::multiply;
use super::device::{Array, Device, Out, View};
use super::ops;
use crate::Error;
use crate::adam::{Rule, Segment, Update};
use crate::muon::{ITERATIONS, MOMENTUM, POLYNOMIAL, reach, shrink};

/// What steps of a stage's matrices compute in.
pub(super) struct Scratch<D: Device> {
    /// The direction, what is added to it, and the direction in bf16.
    x: Array<D, f32>,
    more: Array<D, f32>,
    x_half: Array<D, bf16>,
    /// Products of its rows (or columns), the products of these, and the polynomial of them in bf16.
    gram: Array<D, f32>,
    square: Array<D, f32>,
    gram_half: Array<D, bf16>,
}

impl<D: Device> Scratch<D> {
    /// For the largest of the matrices that follow it.
    pub(super) fn new(device: &D, segments: &[Segment]) -> Result<Self, Error> {
        let (mut values, mut short) = (0, 0);
        for Segment { len, rule } in segments {
            if let Rule::Muon { rows, columns } = *rule {
                (values, short) = (values.max(*len), short.max(rows.min(columns)));
            }
        }
        Ok(Self {
            x: Array::new(device, values)?,
            more: Array::new(device, values)?,
            x_half: Array::new(device, values)?,
            gram: Array::new(device, short * short)?,
            square: Array::new(device, short * short)?,
            gram_half: Array::new(device, short * short)?,
        })
    }

    /// Steps a matrix along its gradient; the bf16 copy follows.
    pub(super) fn step(
        &self,
        device: &D,
        (rows, columns): (usize, usize),
        ([params, momentum, gradient], halves): ([View<'_, f32>; 3], View<'_, bf16>),
        update: &Update,
    ) -> Result<(), Error> {
        let Update { share, rate, decay, .. } = *update;
        let x = self.x.all().part(0, rows * columns);
        ops::blend(device, (momentum, MOMENTUM), (gradient, share), None)?;
        momentum.copy_to(device, x)?;
        ops::blend(device, (x, MOMENTUM), (gradient, share), None)?;
        self.orthogonalize(device, rows, columns)?;
        let reach = reach(rows, columns, rate);
        ops::blend(device, (params, decay), (x, -reach), Some(halves))
    }

    /// Replaces the direction by roughly the nearest matrix whose singular values are all 1.
    fn orthogonalize(&self, device: &D, rows: usize, columns: usize) -> Result<(), Error> {
        let (count, short) = (rows * columns, rows.min(columns));
        let [x, more] = [&self.x, &self.more].map(|values| values.all().part(0, count));
        let [gram, square] =
            [&self.gram, &self.square].map(|values| values.all().part(0, short * short));
        let x_half = self.x_half.all().part(0, count);
        let gram_half = self.gram_half.all().part(0, short * short);
        let (matrix, mix) = (x_half.rows(rows, columns), gram_half.rows(short, short));
        let is_wide = rows <= columns;
        let (a, b, c) = POLYNOMIAL;
        let length = ops::norm(device, x)?;
        ops::blend(device, (x, shrink(length)), (x, 0.0), Some(x_half))?;
        for _ in 0..ITERATIONS {
            let (left, right) = if is_wide { (matrix, matrix.t()) } else { (matrix.t(), matrix) };
            multiply(device, left, right, Out::Wide(gram))?;
            ops::halve(device, gram, gram_half)?;
            multiply(device, mix, mix, Out::Wide(square))?;
            ops::blend(device, (square, c), (gram, b), Some(gram_half))?;
            let (left, right) = if is_wide { (mix, matrix) } else { (matrix, mix) };
            multiply(device, left, right, Out::Wide(more))?;
            ops::blend(device, (x, a), (more, 1.0), Some(x_half))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::gpu::emulated;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Two steps, whose sums are in another order.
        #[test]
        fn a_matrix_steps_as_on_the_cpu(rows in 2_usize..40, columns in 2_usize..40, seed: u64) {
            let mut state = seed | 1;
            let mut random = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 40) as f32 / (1 << 23) as f32 - 1.0
            };
            let start: Vec<f32> = (0..rows * columns).map(|_| random()).collect();
            let gradient: Vec<f32> = (0..rows * columns)
                .map(|at| random() * 0.2 + f32::from(at / columns == at % columns) * 4.0)
                .collect();
            let update = Update {
                share: 0.5,
                beta1: 0.9,
                beta2: 0.95,
                rate: 0.1,
                decay: 0.99,
                scale: 1.0,
                root: 1.0,
            };
            let device = &*emulated::device();
            let rule = Rule::Muon { rows, columns };
            let scratch = Scratch::new(device, &[Segment { len: rows * columns, rule }]).unwrap();
            let [params, slope] = [&start, &gradient].map(|values| Array::of(device, values).unwrap());
            let momentum = Array::new(device, rows * columns).unwrap();
            let halves = Array::new(device, rows * columns).unwrap();
            let (mut expected, mut history) = (start.clone(), vec![0.0; rows * columns]);
            for _ in 0..2 {
                let own = [&params, &momentum, &slope].map(Array::all);
                scratch.step(device, (rows, columns), (own, halves.all()), &update).unwrap();
                let along = (&gradient[..], update.share);
                let of = (rows, columns);
                crate::muon::step(of, &mut expected, &mut history, along, update.rate, update.decay);
            }
            let found = params.all().get(device).unwrap();
            let length = |values: &[f32], other: &[f32]| {
                values.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
            };
            let moved = length(&expected, &start);
            prop_assert!(length(&found, &expected) < 0.02 * moved);
            prop_assert!(length(&momentum.all().get(device).unwrap(), &history) < 1e-3);
            let rounded: Vec<bf16> = found.into_iter().map(bf16::from_f32).collect();
            prop_assert_eq!(halves.all().get(device).unwrap(), rounded);
        }
    }
}
