//! Rows of codes of 8 bits and fewer, many at a time: the exponent, and what follows from it. Kernels make the
//! same bytes (gpu/code.cu), so each operation and the order of sums are part of the form.

use rayon::prelude::*;

use crate::ops::simd::{sum, vectorized};

/// Exponents lie within this magnitude.
pub(super) const MAX_EXPONENT: i32 = 100;
/// The exponent of a row of zeros where values are levels.
const ZEROS: i8 = i8::MIN;
/// Rows that one task goes through.
const ROWS: usize = 128;
/// Levels that are held unpacked.
const HELD: usize = 64;

/// How a row is written, besides its exponent. What implements this is compiled for the CPU's vectors, so all
/// of it is inlined.
pub(super) trait Form {
    /// Writes a row, and returns its exponent.
    fn write(row: &[f32], bytes: &mut [u8]) -> i8;

    /// Says what is wrong with a row of `width` values.
    fn check(bytes: &[u8], exponent: i8, width: usize) -> Result<(), &'static str>;

    /// Reads a row that was checked.
    fn read(bytes: &[u8], exponent: i8, row: &mut [f32]);
}

/// A byte for each value.
pub(super) struct Mantissas;
/// Fewer bits.
pub(super) struct Levels<const BITS: usize>;

/// Writes rows of `width` values: all exponents, then all rows.
pub(super) fn write<F: Form>(values: &[f32], width: usize, code: &mut [u8]) {
    let rows = values.len() / width;
    let (exponents, body) = code.split_at_mut(rows);
    let each = body.len() / rows;
    let places = exponents.par_chunks_mut(ROWS).zip(body.par_chunks_mut(ROWS * each));
    values.par_chunks(ROWS * width).zip(places).for_each(|(values, (exponents, body))| {
        vectorized!({
            let rows = values.chunks_exact(width).zip(body.chunks_exact_mut(each));
            for (exponent, (row, bytes)) in exponents.iter_mut().zip(rows) {
                *exponent = F::write(row, bytes) as u8;
            }
        });
    });
}

/// Says what is wrong with rows of `width` values.
pub(super) fn check<F: Form>(code: &[u8], rows: usize, width: usize) -> Result<(), &'static str> {
    let (exponents, body) = code.split_at(rows);
    let each = body.len() / rows;
    let given = exponents.par_chunks(ROWS).zip(body.par_chunks(ROWS * each));
    given.try_for_each(|(exponents, body)| {
        vectorized!({
            for (exponent, bytes) in exponents.iter().zip(body.chunks_exact(each)) {
                F::check(bytes, *exponent as i8, width)?;
            }
            Ok(())
        })
    })
}

/// Reads rows of `width` values that were checked.
pub(super) fn read<F: Form>(code: &[u8], width: usize, values: &mut [f32]) {
    let rows = values.len() / width;
    let (exponents, body) = code.split_at(rows);
    let each = body.len() / rows;
    let given = exponents.par_chunks(ROWS).zip(body.par_chunks(ROWS * each));
    values.par_chunks_mut(ROWS * width).zip(given).for_each(|(values, (exponents, body))| {
        vectorized!({
            let rows = values.chunks_exact_mut(width).zip(body.chunks_exact(each));
            for (exponent, (row, bytes)) in exponents.iter().zip(rows) {
                F::read(bytes, *exponent as i8, row);
            }
        });
    });
}

impl Form for Mantissas {
    #[inline(always)]
    fn write(row: &[f32], bytes: &mut [u8]) -> i8 {
        let exponent = exponent(row);
        let scale = power(-exponent);
        for (byte, value) in bytes.iter_mut().zip(row) {
            *byte = (value * scale).round_ties_even() as i8 as u8;
        }
        exponent as i8
    }

    #[inline(always)]
    fn check(bytes: &[u8], exponent: i8, _: usize) -> Result<(), &'static str> {
        if i32::from(exponent).abs() > MAX_EXPONENT {
            return Err("exponent out of range");
        }
        // Without a branch, so that vectors do it.
        let has_none = bytes.iter().fold(true, |none, byte| none & (*byte != i8::MIN as u8));
        if has_none { Ok(()) } else { Err("mantissa out of range") }
    }

    #[inline(always)]
    fn read(bytes: &[u8], exponent: i8, row: &mut [f32]) {
        let scale = power(exponent.into());
        for (value, byte) in row.iter_mut().zip(bytes) {
            *value = f32::from(*byte as i8) * scale;
        }
    }
}

impl<const BITS: usize> Form for Levels<BITS> {
    #[inline(always)]
    fn write(row: &[f32], bytes: &mut [u8]) -> i8 {
        let exponent = half_exponent(row);
        if exponent == ZEROS {
            bytes.fill(0);
            return exponent;
        }
        let half = (1 << (BITS - 1)) as f32;
        let unit = 1.0 / (spacing(BITS) * half_power(exponent.into()));
        for (row, bytes) in row.chunks(HELD).zip(bytes.chunks_mut(HELD * BITS / 8)) {
            let mut held = [0u8; HELD];
            for (level, value) in held.iter_mut().zip(row) {
                *level = ((value * unit).floor().clamp(-half, half - 1.0) + half) as u8;
            }
            for (byte, levels) in bytes.iter_mut().zip(held.chunks_exact(8 / BITS)) {
                *byte = 0;
                for (at, level) in levels.iter().enumerate() {
                    *byte |= level << (at * BITS);
                }
            }
        }
        exponent
    }

    #[inline(always)]
    fn check(bytes: &[u8], exponent: i8, width: usize) -> Result<(), &'static str> {
        if exponent == ZEROS {
            let is_zero = bytes.iter().all(|byte| *byte == 0);
            return if is_zero { Ok(()) } else { Err("levels in a row of zeros") };
        }
        if i32::from(exponent).abs() > MAX_EXPONENT {
            return Err("exponent out of range");
        }
        let used = width % (8 / BITS) * BITS;
        if used > 0 && bytes.last().is_some_and(|last| last >> used != 0) {
            return Err("bits that mean nothing");
        }
        Ok(())
    }

    #[inline(always)]
    fn read(bytes: &[u8], exponent: i8, row: &mut [f32]) {
        if exponent == ZEROS {
            return row.fill(0.0);
        }
        let low = 0.5 - (1 << (BITS - 1)) as f32;
        let unit = spacing(BITS) * half_power(exponent.into());
        for (row, bytes) in row.chunks_mut(HELD).zip(bytes.chunks(HELD * BITS / 8)) {
            let mut held = [0u8; HELD];
            for (levels, byte) in held.chunks_exact_mut(8 / BITS).zip(bytes) {
                for (at, level) in levels.iter_mut().enumerate() {
                    *level = byte >> (at * BITS) & ((1 << BITS) - 1) as u8;
                }
            }
            for (value, level) in row.iter_mut().zip(held) {
                *value = (f32::from(level) + low) * unit;
            }
        }
    }
}

/// The distance between levels, where values have a mean square of 1.
#[inline(always)]
pub(crate) fn spacing(bits: usize) -> f32 {
    match bits {
        1 => 1.596,
        2 => 0.9957,
        _ => 0.3352,
    }
}

/// What a row's root mean square is nearest to, as the exponent of a half power of two.
#[inline(always)]
fn half_exponent(row: &[f32]) -> i8 {
    let square = sum(row.len(), |at| row[at] * row[at]) / row.len() as f32;
    if square < power(-MAX_EXPONENT) {
        return ZEROS;
    }
    let exponent = (square.to_bits() >> 23) as i32 - 127;
    let mantissa = square * power(-exponent);
    // The nearest power of two of a square is that of half of it of a root.
    let nearest = exponent + i32::from(mantissa >= std::f32::consts::SQRT_2);
    nearest.clamp(-MAX_EXPONENT, MAX_EXPONENT) as i8
}

/// 2^(exponent / 2).
#[inline(always)]
fn half_power(exponent: i32) -> f32 {
    let rest = if exponent.rem_euclid(2) == 1 { std::f32::consts::SQRT_2 } else { 1.0 };
    power(exponent.div_euclid(2)) * rest
}

/// The least exponent at which a row fits into int8.
#[inline(always)]
fn exponent(row: &[f32]) -> i32 {
    let greatest = row.iter().fold(0f32, |greatest, value| greatest.max(value.abs()));
    if greatest < power(-MAX_EXPONENT) {
        return -MAX_EXPONENT;
    }
    // log2 of the magnitude from the bits: exact, unlike a logarithm.
    let magnitude = ((greatest.to_bits() >> 23) & 0xff) as i32 - 127;
    let guess = (magnitude - 6).clamp(-MAX_EXPONENT, MAX_EXPONENT);
    if (greatest * power(-guess)).round_ties_even() <= 127.0 { guess } else { guess + 1 }
}

/// 2^exponent for exponents within the range of codes.
#[inline(always)]
pub(super) fn power(exponent: i32) -> f32 {
    f32::from_bits(((127 + exponent) as u32) << 23)
}
