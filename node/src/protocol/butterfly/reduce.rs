//! The reduction: a weighted mean in integers, bit for bit the same at every reducer.
//!
//! For one element, with weights w (tokens), clip factors c (Q16) and codes q * 2^e:
//!
//! ```text
//! numerator   = sum of w c q 2^(e + 40)          units of 2^-56
//! denominator = sum of w * 2^16
//! mean        = numerator / denominator          units of 2^-40
//! ```
//!
//! The mean is encoded again in int8 blocks: the exponent is the least at which every mantissa,
//! rounded half to even from the exact fraction, lies within +-127. Integer sums do not depend on
//! the order of the inputs.
//!
//! **Overflow bound**: |q| < 2^7, 2^(e+40) <= 2^40, c <= 2^16, w <= 2^40, at most 2^10 inputs, so
//! |numerator| < 2^113, and denominator * 2^40 <= 2^(40+10+16+40) = 2^106: both far below 2^127.

use super::{CLIP_ONE, MAX_CONTRIBUTORS};
use crate::protocol::Hotkey;
use crate::protocol::delta::{Chunk, MAX_EXPONENT, MIN_EXPONENT};

/// Greatest weight of one input, in tokens.
pub const MAX_WEIGHT: u64 = 1 << 40;

/// One contributor's part of a chunk.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Whose it is.
    pub hotkey: Hotkey,
    /// Tokens verified in both neighbours' logs.
    pub weight_tokens: u64,
    /// Clip factor, Q16, at most one.
    pub clip: u32,
    /// The decoded chunk.
    pub chunk: &'a Chunk,
}

/// Why inputs cannot be reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReduceError {
    /// No input carries weight: the chunk keeps its parameters.
    #[error("no input carries weight")]
    NoWeight,
    /// Chunks of different lengths.
    #[error("inputs differ in length")]
    Length,
    /// Too many inputs, a weight or a clip factor out of range, or a hotkey twice.
    #[error("inputs are out of bounds: {0}")]
    Bounds(&'static str),
}

/// Reduces one chunk from all its inputs, in any order.
///
/// # Errors
/// `NoWeight`, `Length` or `Bounds`; the same ones at every reducer.
pub fn reduce(inputs: &[Input<'_>], block: u32) -> Result<Chunk, ReduceError> {
    check(inputs)?;
    let tokens: u128 = inputs.iter().map(|input| u128::from(input.weight_tokens)).sum();
    let elements = inputs.first().map_or(0, |input| input.chunk.len());
    if tokens == 0 {
        return Err(ReduceError::NoWeight);
    }
    let denominator = tokens << 16;
    let mut merged = Chunk { exponents: Vec::new(), mantissas: Vec::with_capacity(elements) };
    let mut sums = vec![0i128; block as usize];
    let mut parts: Vec<_> = inputs
        .iter()
        .map(|input| (i128::from(input.weight_tokens) * i128::from(input.clip), input.chunk))
        .map(|(factor, chunk)| (factor, chunk.blocks(block)))
        .collect();
    for start in (0..elements).step_by(block as usize) {
        let sums = &mut sums[..(elements - start).min(block as usize)];
        sums.fill(0);
        for (factor, blocks) in &mut parts {
            let Some((exponent, mantissas)) = blocks.next() else {
                return Err(ReduceError::Length);
            };
            let scaled = *factor << (exponent - MIN_EXPONENT);
            for (sum, &mantissa) in sums.iter_mut().zip(mantissas) {
                *sum += scaled * i128::from(mantissa);
            }
        }
        encode(sums, denominator, &mut merged);
    }
    Ok(merged)
}

/// Refuses inputs outside the bounds that the arithmetic relies on.
fn check(inputs: &[Input<'_>]) -> Result<(), ReduceError> {
    let mut hotkeys: Vec<&Hotkey> = inputs.iter().map(|input| &input.hotkey).collect();
    hotkeys.sort_unstable();
    if hotkeys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(ReduceError::Bounds("a contributor appears twice"));
    }
    if inputs.len() > MAX_CONTRIBUTORS {
        return Err(ReduceError::Bounds("too many inputs"));
    }
    for input in inputs {
        if input.weight_tokens > MAX_WEIGHT {
            return Err(ReduceError::Bounds("weight"));
        }
        if input.clip > CLIP_ONE {
            return Err(ReduceError::Bounds("clip factor"));
        }
        if input.chunk.len() != inputs[0].chunk.len() {
            return Err(ReduceError::Length);
        }
    }
    Ok(())
}

/// Appends one block of exact fractions `sums / denominator` (units of 2^-40) to `merged`.
fn encode(sums: &[i128], denominator: u128, merged: &mut Chunk) {
    let greatest = sums.iter().map(|sum| sum.unsigned_abs()).max().unwrap_or(0);
    // Below this shift the quotient is 2^8 or more.
    let bits = |value: u128| 128 - value.leading_zeros();
    let first = bits(greatest).saturating_sub(bits(denominator) + 8) as i8;
    let exponent = (MIN_EXPONENT.saturating_add(first)..MAX_EXPONENT)
        .find(|&exponent| divide(greatest, denominator << (exponent - MIN_EXPONENT)) <= 127)
        // A mean of values within +-127 lies within +-127.
        .unwrap_or(MAX_EXPONENT);
    let divisor = denominator << (exponent - MIN_EXPONENT);
    merged.exponents.push(exponent);
    merged.mantissas.extend(sums.iter().map(|&sum| {
        let magnitude = divide(sum.unsigned_abs(), divisor) as i8;
        if sum < 0 { -magnitude } else { magnitude }
    }));
}

/// Division rounded half to even.
fn divide(numerator: u128, denominator: u128) -> u128 {
    let (quotient, remainder) = (numerator / denominator, numerator % denominator);
    let twice = remainder * 2;
    let up = twice > denominator || (twice == denominator && quotient % 2 == 1);
    quotient + u128::from(up)
}
