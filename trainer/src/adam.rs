//! AdamW over a flat parameter buffer (arXiv 1711.05101), elementwise in a fixed order.

use crate::config::AdamConfig;

/// Keeps the denominator away from zero.
const EPSILON: f32 = 1e-8;

/// The optimizer's state: first and second moments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Adam {
    /// Decaying mean of gradients.
    pub(crate) m: Vec<f32>,
    /// Decaying mean of squared gradients.
    pub(crate) v: Vec<f32>,
    /// Steps taken.
    pub(crate) step: u32,
}

/// The L2 norm of a gradient, summed in order in f64.
pub(crate) fn norm(gradient: &[f32]) -> f64 {
    gradient.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>().sqrt()
}

impl Adam {
    /// No history.
    pub(crate) fn new(len: usize) -> Self {
        Self { m: vec![0.0; len], v: vec![0.0; len], step: 0 }
    }

    /// Takes one step along a gradient whose norm is `norm`, clipped as configured.
    pub(crate) fn step(
        &mut self,
        config: &AdamConfig,
        params: &mut [f32],
        gradient: &[f32],
        norm: f64,
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
        let rate = f64::from(config.lr_micro) / 1e6 * warm.min(1.0);
        let decay = 1.0 - (rate * f64::from(config.weight_decay_milli) / 1000.0) as f32;
        let scale = (rate / correct1) as f32;
        let root = (1.0 / correct2).sqrt() as f32;
        let moments = self.m.iter_mut().zip(&mut self.v);
        for ((param, g), (m, v)) in params.iter_mut().zip(gradient).zip(moments) {
            let g = g * shrink;
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *param = *param * decay - scale * *m / (v.sqrt() * root + EPSILON);
        }
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
        };
        let mut params = [1.0f32, -2.0];
        let mut adam = Adam::new(2);
        let mut expected = [1.0f64, -2.0];
        let (mut m, mut v) = ([0f64; 2], [0f64; 2]);
        for (t, gradient) in [[0.5f32, 0.1], [-0.2, 0.4]].iter().enumerate() {
            adam.step(&config, &mut params, gradient, norm(gradient));
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
        };
        let mut adam = Adam::new(2);
        adam.step(&config, &mut [0.0, 0.0], &[30.0, 40.0], 50.0);
        assert!((norm(&adam.m) - 1.0).abs() < 1e-6);
    }
}
