//! Two vectors compared by direction and length, in integers that fit a message.

use codec::{Decode, Encode};
use std::fmt;

/// Parts per million in one.
pub const PPM: u32 = 1_000_000;

/// How alike a recomputed and a committed vector are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Similarity {
    /// Cosine of the angle between them, -1,000,000..=1,000,000.
    pub cosine_ppm: i32,
    /// Length of the committed over the recomputed one; 1,000,000 for equal lengths, saturating.
    pub rel_norm_ppm: u32,
    /// Equal bit for bit.
    pub exact: bool,
}

/// What is accepted between two device classes; measured, not guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Tolerance {
    /// Least cosine.
    pub min_cosine_ppm: i32,
    /// Greatest distance of the relative norm from one.
    pub max_norm_error_ppm: u32,
    /// Accept nothing but equality: the device class is the same.
    pub exact: bool,
}

impl Tolerance {
    /// Bit equality, for equal device classes.
    pub const EXACT: Self = Self { min_cosine_ppm: PPM as i32, max_norm_error_ppm: 0, exact: true };
}

impl Similarity {
    /// Equal bit for bit.
    pub const SAME: Self = Self { cosine_ppm: PPM as i32, rel_norm_ppm: PPM, exact: true };
    /// Nothing in common: another length, or a committed value that is not finite.
    pub const NONE: Self = Self { cosine_ppm: -(PPM as i32), rel_norm_ppm: 0, exact: false };

    /// Whether the tolerance accepts this.
    #[must_use]
    pub fn within(&self, tolerance: Tolerance) -> bool {
        let close = self.cosine_ppm >= tolerance.min_cosine_ppm
            && self.rel_norm_ppm.abs_diff(PPM) <= tolerance.max_norm_error_ppm;
        self.exact || (!tolerance.exact && close)
    }
}

impl fmt::Display for Similarity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cosine, norm) = (f64::from(self.cosine_ppm), f64::from(self.rel_norm_ppm));
        let one = f64::from(PPM);
        write!(f, "cosine {:.4}, norm x{:.4}", cosine / one, norm / one)
    }
}

/// Compares what was committed (`got`) with what was recomputed (`expected`).
///
/// Two zero vectors are alike; a zero vector and another have cosine 0. Sums are f64 in order.
#[must_use]
pub fn compare(expected: &[f32], got: &[f32]) -> Similarity {
    let comparable = expected.len() == got.len() && got.iter().all(|value| value.is_finite());
    if !comparable {
        return Similarity::NONE;
    }
    let exact = expected.iter().zip(got).all(|(a, b)| a.to_bits() == b.to_bits());
    if exact {
        return Similarity::SAME;
    }
    let (mut dot, mut expected_sq, mut got_sq) = (0f64, 0f64, 0f64);
    for (a, b) in expected.iter().zip(got) {
        let (a, b) = (f64::from(*a), f64::from(*b));
        dot += a * b;
        expected_sq += a * a;
        got_sq += b * b;
    }
    let one = f64::from(PPM);
    // Float-to-integer casts saturate, and a NaN (0 / 0) becomes 0.
    let (cosine, norm) = match (expected_sq > 0.0, got_sq > 0.0) {
        (false, false) => (one, one),
        _ => {
            (dot / (expected_sq.sqrt() * got_sq.sqrt()) * one, (got_sq / expected_sq).sqrt() * one)
        }
    };
    // Rounding may carry the quotient just past one.
    let cosine_ppm = (cosine.round() as i32).clamp(-(PPM as i32), PPM as i32);
    Similarity { cosine_ppm, rel_norm_ppm: norm.round() as u32, exact: false }
}
