//! Loops as vector instructions, of whatever the CPU has.

use std::f32::consts::LOG2_E;

/// Values of the widest vector.
pub(crate) const LANES: usize = 16;

/// Runs loops compiled for AVX-512, AVX2, NEON or none of them, as the CPU has. What they call is compiled so
/// only if it is inlined.
macro_rules! vectorized {
    ($body:expr) => {{
        let once = $crate::ops::simd::Once;
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                let _once = once;
                $body
            },
        )
    }};
}
/// What a closure uses up: it then is called as it is, and inlined however long it is. One that could be called
/// again is called through a function of its own, which is compiled for any CPU.
pub(crate) struct Once;
pub(crate) use vectorized;

/// The sum of `term` over indices below `count`, in an order that does not depend on the CPU.
#[inline(always)]
pub(crate) fn sum(count: usize, term: impl Fn(usize) -> f32) -> f32 {
    let mut sums = [0f32; LANES];
    let whole = count / LANES * LANES;
    for first in (0..whole).step_by(LANES) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += term(first + lane);
        }
    }
    for at in whole..count {
        sums[at - whole] += term(at);
    }
    fold(sums, |a, b| a + b)
}

/// The greatest of some values; NaN is passed over.
#[inline(always)]
pub(crate) fn greatest(values: &[f32]) -> f32 {
    let mut most = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (most, value) in most.iter_mut().zip(chunk) {
            *most = if *value > *most { *value } else { *most };
        }
    }
    for (most, value) in most.iter_mut().zip(rest) {
        *most = if *value > *most { *value } else { *most };
    }
    fold(most, f32::max)
}

/// Halves by halves.
#[inline(always)]
fn fold(mut lanes: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    for half in [8, 4, 2, 1] {
        for at in 0..half {
            lanes[at] = join(lanes[at], lanes[at + half]);
        }
    }
    lanes[0]
}

/// `e^x` to two units in the last place, without branches; 0 below -87.3, and no more than `e^88`.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// Added, it leaves an integer in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    /// The part of ln 2 whose product with an exponent is exact, and the rest.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let small = x < -87.3;
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if small { 0.0 } else { x };
    let shifted = x * LOG2_E + ROUND;
    let power = shifted - ROUND;
    let rest = x - power * LN_2_HIGH - power * LN_2_LOW;
    // The polynomial of Cephes' expf.
    let mut sum = 1.987_569_1e-4;
    for factor in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        sum = sum * rest + factor;
    }
    let value = sum * rest * rest + rest + 1.0;
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    if small { 0.0 } else { value * scale }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_exponential_agrees_with_f64(x in -87_f32..88.0) {
            let expected = f64::from(x).exp();
            let found = vectorized!(exp(x));
            prop_assert!((f64::from(found) / expected - 1.0).abs() < 2.5e-7, "{x}: {found}");
        }

        #[test]
        fn sums_and_greatest_are_those_of_a_plain_loop(values in prop::collection::vec(-9_f32..9.0, 0..70)) {
            let plain: f64 = values.iter().map(|value| f64::from(*value)).sum();
            prop_assert!((f64::from(sum(values.len(), |at| values[at])) - plain).abs() < 1e-4);
            let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            prop_assert_eq!(greatest(&values), most);
        }
    }

    #[test]
    fn extremes_of_the_exponential_are_finite() {
        assert_eq!(
            [exp(f32::NEG_INFINITY), exp(-1e30), exp(-87.4), exp(0.0)],
            [0.0, 0.0, 0.0, 1.0]
        );
        assert!(exp(f32::INFINITY).is_finite() && exp(1e30) > 1e38);
        assert!(exp(f32::NAN).is_nan());
    }
}
