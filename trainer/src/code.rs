//! The wire form of a bottleneck code and of its gradient.
//!
//! ```text
//! magic u8 | bits u8 | rows u32 | width u32 | body
//! 32 bits:     rows x width little-endian f32
//! 8 bits:      rows exponents i8, then rows x width mantissas i8; value = mantissa * 2^exponent
//! 4, 2, 1 bit: rows exponents i8, then rows of levels, packed from the lowest bit on, each row filled up
//!              to a byte with zeros; value = (level + 1/2 - 2^bits / 2) * step * 2^(exponent / 2)
//! ```
//!
//! A row is one token. At 8 bits the exponent is the least at which the row's greatest magnitude rounds to
//! 127 or less, half to even, from -100 to 100; values beyond 127 x 2^100 have no such code. At fewer bits
//! it tells the row's root mean square, to the nearest half power of two, from -100 to 100, and the step
//! between levels is the one that loses least of a normal variable (Max, "Quantizing for minimum
//! distortion", IRE Trans. 6, 1960); -128, with all levels 0, is a row of zeros.
//! Decoding is strict: exact length, finite values, no mantissa -128, no bit set that means nothing.

mod rows;

use rows::{Levels, MAX_EXPONENT, Mantissas, check, power, read, write};

pub(crate) use rows::spacing;

use crate::Error;
use crate::ops::simd::vectorized;

/// First byte of every code.
const MAGIC: u8 = 0xC0;
/// Bytes before the body.
pub(crate) const HEADER: usize = 10;

/// A code that was checked, as its bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wire<'a> {
    /// Tokens.
    pub(crate) rows: usize,
    /// Dimensions.
    pub(crate) width: usize,
    /// Of each value.
    pub(crate) bits: u32,
    /// What follows the header.
    pub(crate) body: &'a [u8],
}

/// Whether there is a form with so many bits for each value.
pub(crate) fn is_form(bits: u32) -> bool {
    matches!(bits, 32 | 8 | 4 | 2 | 1)
}

/// Bytes of a row of so many values.
pub(crate) fn row_bytes(width: u32, bits: u32) -> u32 {
    if bits == 32 { width * 4 } else { (width * bits).div_ceil(8) + 1 }
}

/// The greatest magnitude that a value may have.
pub(crate) fn limit(bits: u32) -> f32 {
    match bits {
        32 => f32::MAX,
        8 => 127.0 * power(MAX_EXPONENT),
        // A row's mean square, times half a power of two, is within the exponents.
        _ => power(MAX_EXPONENT / 2 - 1),
    }
}

/// Encodes `rows x width` finite values with 32, 8, 4, 2 or 1 bits each.
///
/// # Errors
/// [`Error::Diverged`] for a value that is not finite, or too large for its form, [`Error::Input`] for other
/// bits, or values that are no whole rows.
pub fn encode(values: &[f32], width: usize, bits: u32) -> Result<Vec<u8>, Error> {
    if !is_form(bits) {
        return Err(Error::Input(format!("no code has {bits} bits")));
    }
    let limit = limit(bits);
    // NaN is beyond any limit.
    let fits = vectorized!(values.iter().fold(true, |fits, value| fits & (value.abs() <= limit)));
    if !fits {
        return Err(Error::Diverged("a code"));
    }
    if width == 0 || values.is_empty() || !values.len().is_multiple_of(width) {
        return Err(Error::Input(format!("{} values are no rows of {width}", values.len())));
    }
    let rows = values.len() / width;
    let mut bytes = empty(rows, width, bits);
    let body = &mut bytes[HEADER..];
    match bits {
        32 => {
            let places = body.as_chunks_mut::<4>().0.iter_mut();
            places.zip(values).for_each(|(place, value)| *place = value.to_le_bytes());
        }
        8 => write::<Mantissas>(values, width, body),
        4 => write::<Levels<4>>(values, width, body),
        2 => write::<Levels<2>>(values, width, body),
        _ => write::<Levels<1>>(values, width, body),
    }
    Ok(bytes)
}

/// A code with its header, and zeros where its body goes, for who makes that elsewhere.
pub(crate) fn empty(rows: usize, width: usize, bits: u32) -> Vec<u8> {
    let mut bytes = vec![0; HEADER + rows * row_bytes(width as u32, bits) as usize];
    bytes[..2].copy_from_slice(&[MAGIC, bits as u8]);
    bytes[2..6].copy_from_slice(&(rows as u32).to_le_bytes());
    bytes[6..HEADER].copy_from_slice(&(width as u32).to_le_bytes());
    bytes
}

impl<'a> Wire<'a> {
    /// Checks strictly.
    ///
    /// # Errors
    /// [`Error::Input`] naming what is wrong.
    pub(crate) fn of(bytes: &'a [u8]) -> Result<Self, Error> {
        let bad = |what: &str| Error::Input(format!("not a code: {what}"));
        let (rows, width, bits) = header(bytes)?;
        let body = &bytes[HEADER..];
        // Besides its scale; sizes are whatever somebody sent.
        let each = match bits {
            32 => width.checked_mul(4),
            _ => width.div_ceil(8 / bits as usize).checked_add(1),
        };
        if each.and_then(|each| each.checked_mul(rows)) != Some(body.len()) {
            return Err(bad("wrong length"));
        }
        match bits {
            32 => {
                let mut values = body.as_chunks::<4>().0.iter().copied().map(f32::from_le_bytes);
                values.all(f32::is_finite).then_some(()).ok_or("a value is not finite")
            }
            8 => check::<Mantissas>(body, rows, width),
            4 => check::<Levels<4>>(body, rows, width),
            2 => check::<Levels<2>>(body, rows, width),
            _ => check::<Levels<1>>(body, rows, width),
        }
        .map_err(bad)?;
        Ok(Self { rows, width, bits, body })
    }

    /// Its values, row by row.
    pub(crate) fn values(&self) -> Vec<f32> {
        if self.bits == 32 {
            return self.body.as_chunks::<4>().0.iter().copied().map(f32::from_le_bytes).collect();
        }
        // As long as the bytes that are there say.
        let mut values = vec![0.0; self.rows * self.width];
        match self.bits {
            8 => read::<Mantissas>(self.body, self.width, &mut values),
            4 => read::<Levels<4>>(self.body, self.width, &mut values),
            2 => read::<Levels<2>>(self.body, self.width, &mut values),
            _ => read::<Levels<1>>(self.body, self.width, &mut values),
        }
        values
    }
}

/// Rows, width and bits of a code.
fn header(bytes: &[u8]) -> Result<(usize, usize, u32), Error> {
    let bad = |what: &str| Error::Input(format!("not a code: {what}"));
    let header = bytes.first_chunk::<HEADER>().ok_or_else(|| bad("too short"))?;
    if header[0] != MAGIC || !is_form(header[1].into()) {
        return Err(bad("unknown form"));
    }
    let number = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize
    };
    let (rows, width) = (number(2), number(6));
    if rows == 0 || width == 0 {
        return Err(bad("empty"));
    }
    Ok((rows, width, header[1].into()))
}

/// The values of a code, row by row.
///
/// # Errors
/// [`Error::Input`] for bytes that are no code.
pub fn code_values(bytes: &[u8]) -> Result<Vec<f32>, Error> {
    Ok(Wire::of(bytes)?.values())
}

/// A code of the same form and size whose values are all zero.
///
/// # Errors
/// [`Error::Input`] for bytes that are no code.
pub fn zeroed_code(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let code = Wire::of(bytes)?;
    encode(&vec![0.0; code.rows * code.width], code.width, code.bits)
}

/// A code of the same form and size with random values of the same magnitude.
///
/// # Errors
/// [`Error::Input`] for bytes that are no code.
pub fn scrambled_code(bytes: &[u8], mut random: impl FnMut() -> u64) -> Result<Vec<u8>, Error> {
    let code = Wire::of(bytes)?;
    let mut values = code.values();
    let greatest = values.iter().fold(0f32, |greatest, value| greatest.max(value.abs()));
    for value in &mut values {
        // 24 random bits to -1..1.
        *value = ((random() >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * greatest;
    }
    encode(&values, code.width, code.bits)
}

#[cfg(test)]
mod tests;
