//! AdamW over a flat parameter buffer (arXiv 1711.05101), elementwise in a fixed order.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::config::AdamConfig;
use crate::muon;
use crate::ops::simd::vectorized;

/// How parameters follow their gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    /// AdamW, at a rate that counts so many times.
    Adam(f32),
    /// A matrix follows Muon, with its momentum in the place of the first moment.
    Muon { rows: usize, columns: usize },
}

/// A stretch of the parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) len: usize,
    pub(crate) rule: Rule,
}

/// Keeps the denominator away from zero.
const EPSILON: f32 = 1e-8;

/// The optimizer's state.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    /// Decaying mean of gradients.
    pub(crate) m: Buffer<f32>,
    /// Decaying mean of squared gradients.
    pub(crate) v: Buffer<f32>,
}

/// The numbers of one step: whatever device takes it, it does so with these.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update {
    /// What the gradient is multiplied with: its share, clipped.
    pub(crate) share: f32,
    pub(crate) beta1: f32,
    pub(crate) beta2: f32,
    /// The learning rate.
    pub(crate) rate: f32,
    /// What a parameter is multiplied with.
    pub(crate) decay: f32,
    /// The rate over the first moment's correction.
    pub(crate) scale: f32,
    /// One over the root of the second moment's correction.
    pub(crate) root: f32,
}

/// Values that one task goes through; norms are summed over so many, then over tasks, so that the
/// number of threads changes nothing.
const CHUNK: usize = 1 << 16;

/// The L2 norm of a gradient, summed in f64. Not finite if a value is not.
pub(crate) fn norm(gradient: &[f32]) -> f64 {
    let squares = |chunk: &[f32]| {
        vectorized!({
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
        vectorized!(sums.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g));
    });
}

impl Moments {
    /// No history.
    pub(crate) fn new(len: usize) -> Self {
        Self { m: Buffer::new(len), v: Buffer::new(len) }
    }
}

impl Update {
    /// Of step number `step`, from 1 on, along `share` times a gradient, whose norm then is `norm`; the
    /// settings' learning rate counts `factor` times.
    pub(crate) fn new(config: &AdamConfig, step: u32, factor: f32, share: f32, norm: f64) -> Self {
        let clip = f64::from(config.clip_milli) / 1000.0;
        let shrink = if clip > 0.0 && norm > clip { (clip / norm) as f32 } else { 1.0 };
        let beta1 = config.beta1_milli as f32 / 1000.0;
        let beta2 = config.beta2_milli as f32 / 1000.0;
        // Powers by multiplication: the same bits everywhere, unlike a library's pow.
        let power = |base: f32| (0..step.min(10_000)).fold(1f64, |p, _| p * f64::from(base));
        let (correct1, correct2) = (1.0 - power(beta1), 1.0 - power(beta2));
        let warm = f64::from(step) / f64::from(config.warmup_steps.max(1));
        let rate = f64::from(config.lr_micro) / 1e6 * warm.min(1.0) * f64::from(factor);
        Self {
            share: share * shrink,
            beta1,
            beta2,
            rate: rate as f32,
            decay: 1.0 - (rate * f64::from(config.weight_decay_milli) / 1000.0) as f32,
            scale: (rate / correct1) as f32,
            root: (1.0 / correct2).sqrt() as f32,
        }
    }

    /// The same at a rate that counts `factor` times.
    pub(crate) fn slower(&self, factor: f32) -> Self {
        let decay = 1.0 - (1.0 - self.decay) * factor;
        Self { rate: self.rate * factor, scale: self.scale * factor, decay, ..*self }
    }

    /// Takes the step; `segments` cover the parameters.
    pub(crate) fn apply(
        &self,
        params: &mut [f32],
        moments: &mut Moments,
        gradient: &[f32],
        segments: &[Segment],
    ) {
        let Moments { m, v } = moments;
        let mut first = 0;
        for Segment { len, rule } in segments {
            let own = first..first + len;
            let (params, m, v) =
                (&mut params[own.clone()], &mut m[own.clone()], &mut v[own.clone()]);
            let gradient = &gradient[own];
            match *rule {
                Rule::Adam(factor) => self.slower(factor).elementwise(params, (m, v), gradient),
                Rule::Muon { rows, columns } => {
                    let along = (gradient, self.share);
                    muon::step((rows, columns), params, m, along, self.rate, self.decay);
                }
            }
            first += len;
        }
    }

    fn elementwise(&self, params: &mut [f32], (m, v): (&mut [f32], &mut [f32]), gradient: &[f32]) {
        let Self { share, beta1, beta2, decay, scale, root, .. } = *self;
        let moments = m.par_chunks_mut(CHUNK).zip(v.par_chunks_mut(CHUNK));
        let values = params.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
        values.zip(moments).for_each(|((params, gradient), (m, v))| {
            vectorized!({
                for (((param, g), m), v) in params.iter_mut().zip(gradient).zip(m).zip(v) {
                    let g = g * share;
                    *m = beta1 * *m + (1.0 - beta1) * g;
                    *v = beta2 * *v + (1.0 - beta2) * g * g;
                    *param = *param * decay - scale * *m / (v.sqrt() * root + EPSILON);
                }
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: [Segment; 1] = [Segment { len: 2, rule: Rule::Adam(1.0) }];

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
        let mut moments = Moments::new(2);
        let mut expected = [1.0f64, -2.0];
        let (mut m, mut v) = ([0f64; 2], [0f64; 2]);
        for (t, gradient) in [[0.5f32, 0.1], [-0.2, 0.4]].iter().enumerate() {
            let update = Update::new(&config, t as u32 + 1, 1.0, 1.0, norm(gradient));
            update.apply(&mut params, &mut moments, gradient, &WHOLE);
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
        let mut moments = Moments::new(2);
        let update = Update::new(&config, 1, 1.0, 1.0, 50.0);
        update.apply(&mut [0.0, 0.0], &mut moments, &[30.0, 40.0], &WHOLE);
        assert!((norm(&moments.m) - 1.0).abs() < 1e-6);
    }
}
