//! AdamW over a flat parameter buffer (arXiv 1711.05101), elementwise in a fixed order.

use std::ops::Range;

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::config::AdamConfig;
use crate::muon::Matrix;
use crate::ops::simd::vectorized;

/// Keeps the denominator away from zero.
const EPSILON: f32 = 1e-8;

/// The optimizer's state: first and second moments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Adam {
    /// Decaying mean of gradients.
    pub(crate) m: Buffer<f32>,
    /// Decaying mean of squared gradients.
    pub(crate) v: Buffer<f32>,
    /// Steps taken.
    pub(crate) step: u32,
    /// What the learning rate is multiplied with, beyond the settings.
    pub(crate) scale: f32,
}

/// Values that one task goes through; norms are summed over so many, then over tasks, so that the
/// number of threads changes nothing.
const CHUNK: usize = 1 << 16;

/// The L2 norm of a gradient, summed in f64. Not finite if a value is not.
pub(crate) fn norm(gradient: &[f32]) -> f64 {
    let squares = |chunk: &[f32]| {
        vectorized(|| {
            let (lanes, rest) = chunk.as_chunks::<8>();
            let mut sums = [0f64; 8];
            for lane in lanes {
                for (sum, g) in sums.iter_mut().zip(lane) {
                    *sum += f64::from(*g) * f64::from(*g);
                }
            }
            let rest: f64 = rest.iter().map(|g| f64::from(*g) * f64::from(*g)).sum();
            sums.iter().sum::<f64>() + rest
        })
    };
    let parts: Vec<f64> = gradient.par_chunks(CHUNK).map(squares).collect();
    parts.iter().sum::<f64>().sqrt()
}

/// Adds a gradient to others.
pub(crate) fn accumulate(sums: &mut [f32], gradient: &[f32]) {
    sums.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK)).for_each(|(sums, gradient)| {
        vectorized(|| sums.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g));
    });
}

impl Adam {
    /// No history.
    pub(crate) fn new(len: usize) -> Self {
        Self { m: Buffer::new(len), v: Buffer::new(len), step: 0, scale: 1.0 }
    }

    /// Takes one step along `share` times a gradient, whose norm then is `norm`, clipped as configured;
    /// `matrices`, in order, follow Muon, with their momentum in the place of the first moment.
    pub(crate) fn step(
        &mut self,
        config: &AdamConfig,
        params: &mut [f32],
        (gradient, share): (&[f32], f32),
        norm: f64,
        matrices: &[Matrix],
    ) {
        self.step += 1;
        let clip = f64::from(config.clip_milli) / 1000.0;
        let shrink = if clip > 0.0 && norm > clip { (clip / norm) as f32 } else { 1.0 };
        let beta1 = config.beta1_milli as f32 / 1000.0;
        let beta2 = config.beta2_milli as f32 / 1000.0;
        // Powers by multiplication: the same bits everywhere, unlike a library's pow.
        let power = |base: f32| (0..self.step.min(10_000)).fold(1f64, |p, _| p * f64::from(base));
        let (correct1, correct2) = (1.0 - power(beta1), 1.0 - power(beta2));
        let warm = f64::from(self.step) / f64::from(config.warmup_steps.max(1));
        let rate = f64::from(config.lr_micro) / 1e6 * warm.min(1.0) * f64::from(self.scale);
        let decay = 1.0 - (rate * f64::from(config.weight_decay_milli) / 1000.0) as f32;
        let scale = (rate / correct1) as f32;
        let root = (1.0 / correct2).sqrt() as f32;
        let elementwise =
            |range: Range<usize>, m: &mut [f32], v: &mut [f32], params: &mut [f32]| {
                let moments = m.par_chunks_mut(CHUNK).zip(v.par_chunks_mut(CHUNK));
                let values = params.par_chunks_mut(CHUNK).zip(gradient[range].par_chunks(CHUNK));
                values.zip(moments).for_each(|((params, gradient), (m, v))| {
                    vectorized(|| {
                        for (((param, g), m), v) in params.iter_mut().zip(gradient).zip(m).zip(v) {
                            let g = g * share * shrink;
                            *m = beta1 * *m + (1.0 - beta1) * g;
                            *v = beta2 * *v + (1.0 - beta2) * g * g;
                            *param = *param * decay - scale * *m / (v.sqrt() * root + EPSILON);
                        }
                    });
                });
            };
        let mut done = 0;
        for matrix in matrices {
            let (before, own) = (done..matrix.first, matrix.first..matrix.end());
            let (m, v) = (&mut self.m, &mut self.v);
            let plain = &mut params[before.clone()];
            elementwise(before.clone(), &mut m[before.clone()], &mut v[before], plain);
            let along = (&gradient[own.clone()], share * shrink);
            matrix.step(&mut params[own.clone()], &mut m[own], along, rate as f32, decay);
            done = matrix.end();
        }
        let rest = done..params.len();
        let (m, v) = (&mut self.m[rest.clone()], &mut self.v[rest.clone()]);
        elementwise(rest.clone(), m, v, &mut params[rest]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The update of arXiv 1711.05101, algorithm 2, in f64: lr 0.1, betas 0.9 and 0.95, decay 0.1, on
    /// [1.0, -2.0] with the gradients [0.5, 0.1] and then [-0.2, 0.4].
    #[test]
    fn two_steps_agree_with_the_paper() {
        let config = AdamConfig {
            lr_micro: 100_000,
            beta1_milli: 900,
            beta2_milli: 950,
            weight_decay_milli: 100,
            clip_milli: 0,
            warmup_steps: 0,
            muon: false,
        };
        let mut params = [1.0f32, -2.0];
        let mut adam = Adam::new(2);
        let mut expected = [1.0f64, -2.0];
        let (mut m, mut v) = ([0f64; 2], [0f64; 2]);
        for (t, gradient) in [[0.5f32, 0.1], [-0.2, 0.4]].iter().enumerate() {
            adam.step(&config, &mut params, (gradient, 1.0), norm(gradient), &[]);
            for i in 0..2 {
                let g = f64::from(gradient[i]);
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.95 * v[i] + 0.05 * g * g;
                let t = t as i32 + 1;
                let (mh, vh) = (m[i] / (1.0 - 0.9f64.powi(t)), v[i] / (1.0 - 0.95f64.powi(t)));
                expected[i] = expected[i] * (1.0 - 0.1 * 0.1) - 0.1 * mh / (vh.sqrt() + 1e-8);
            }
        }
        for (param, expected) in params.iter().zip(expected) {
            assert!((f64::from(*param) - expected).abs() < 1e-5, "{param} {expected}");
        }
    }

    #[test]
    fn a_large_gradient_is_clipped_to_the_norm() {
        let config = AdamConfig {
            lr_micro: 1000,
            beta1_milli: 0,
            beta2_milli: 999,
            weight_decay_milli: 0,
            clip_milli: 1000,
            warmup_steps: 0,
            muon: false,
        };
        let mut adam = Adam::new(2);
        adam.step(&config, &mut [0.0, 0.0], (&[30.0, 40.0], 1.0), 50.0, &[]);
        assert!((norm(&adam.m) - 1.0).abs() < 1e-6);
    }
}
