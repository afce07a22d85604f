//! The wire form of a bottleneck code and of its gradient.
//!
//! ```text
//! magic u8 | kind u8 | rows u32 | width u32 | body
//! kind 0 (f32):  rows x width little-endian f32
//! kind 1 (int8): rows exponents i8, then rows x width mantissas i8; value = mantissa * 2^exponent
//! ```
//!
//! A row is one token. The exponent is the least at which the row's greatest magnitude rounds to
//! 127 or less, half to even, from -100 to 100; values beyond 127 x 2^100 have no int8 code.
//! Decoding is strict: exact length, finite values, no mantissa -128.

use crate::Error;

/// First byte of every code.
const MAGIC: u8 = 0xC0;
/// Bytes before the body.
const HEADER: usize = 10;
/// Exponents lie within this magnitude.
const MAX_EXPONENT: i32 = 100;

/// A decoded code.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Code {
    /// Tokens.
    pub(crate) rows: usize,
    /// Dimensions.
    pub(crate) width: usize,
    /// Row by row.
    pub(crate) values: Vec<f32>,
}

/// Encodes `rows x width` finite values.
///
/// # Errors
/// [`Error::Diverged`] for a value that is not finite, or too large for int8.
pub fn encode(values: &[f32], width: usize, int8: bool) -> Result<Vec<u8>, Error> {
    let limit = if int8 { 127.0 * power(MAX_EXPONENT) } else { f32::MAX };
    // NaN is beyond any limit.
    if !values.iter().all(|value| value.abs() <= limit) {
        return Err(Error::Diverged("a code"));
    }
    let rows = values.len() / width.max(1);
    let mut bytes = Vec::with_capacity(HEADER + values.len() * 4);
    bytes.extend([MAGIC, u8::from(int8)]);
    bytes.extend((rows as u32).to_le_bytes());
    bytes.extend((width as u32).to_le_bytes());
    if !int8 {
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        return Ok(bytes);
    }
    let exponents: Vec<i32> = values.chunks(width).map(exponent).collect();
    bytes.extend(exponents.iter().map(|exponent| *exponent as i8 as u8));
    for (row, exponent) in values.chunks(width).zip(exponents) {
        let scale = power(-exponent);
        bytes.extend(row.iter().map(|value| (value * scale).round_ties_even() as i8 as u8));
    }
    Ok(bytes)
}

/// The least exponent at which a row fits into int8.
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
fn power(exponent: i32) -> f32 {
    f32::from_bits(((127 + exponent) as u32) << 23)
}

/// Decodes strictly.
///
/// # Errors
/// [`Error::Input`] naming what is wrong.
pub(crate) fn decode(bytes: &[u8]) -> Result<Code, Error> {
    let bad = |what: &str| Error::Input(format!("not a code: {what}"));
    let (rows, width, int8) = header(bytes)?;
    let body = &bytes[HEADER..];
    let count = rows.checked_mul(width).ok_or_else(|| bad("too large"))?;
    if !int8 {
        if Some(body.len()) != count.checked_mul(4) {
            return Err(bad("wrong length"));
        }
        let values: Vec<f32> =
            body.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(bad("a value is not finite"));
        }
        return Ok(Code { rows, width, values });
    }
    if Some(body.len()) != count.checked_add(rows) {
        return Err(bad("wrong length"));
    }
    let (exponents, mantissas) = body.split_at(rows);
    let mut values = Vec::with_capacity(count);
    for (exponent, row) in exponents.iter().zip(mantissas.chunks(width)) {
        let exponent = i32::from(*exponent as i8);
        if exponent.abs() > MAX_EXPONENT {
            return Err(bad("exponent out of range"));
        }
        for mantissa in row {
            let mantissa = *mantissa as i8;
            if mantissa == i8::MIN {
                return Err(bad("mantissa out of range"));
            }
            values.push(f32::from(mantissa) * power(exponent));
        }
    }
    Ok(Code { rows, width, values })
}

fn header(bytes: &[u8]) -> Result<(usize, usize, bool), Error> {
    let bad = |what: &str| Error::Input(format!("not a code: {what}"));
    let header = bytes.first_chunk::<HEADER>().ok_or_else(|| bad("too short"))?;
    if header[0] != MAGIC || header[1] > 1 {
        return Err(bad("unknown form"));
    }
    let number = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize
    };
    let (rows, width) = (number(2), number(6));
    if rows == 0 || width == 0 {
        return Err(bad("empty"));
    }
    Ok((rows, width, header[1] == 1))
}

/// The values of a code, row by row.
///
/// # Errors
/// [`Error::Input`] for bytes that are no code.
pub fn code_values(bytes: &[u8]) -> Result<Vec<f32>, Error> {
    decode(bytes).map(|code| code.values)
}

/// A code of the same form and size whose values are all zero.
///
/// # Errors
/// [`Error::Input`] for bytes that are no code.
pub fn zeroed_code(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let code = decode(bytes)?;
    encode(&vec![0.0; code.values.len()], code.width, bytes[1] == 1)
}

/// A code of the same form and size with random values of the same magnitude.
///
/// # Errors
/// [`Error::Input`] for bytes that are no code.
pub fn scrambled_code(bytes: &[u8], mut random: impl FnMut() -> u64) -> Result<Vec<u8>, Error> {
    let mut code = decode(bytes)?;
    let greatest = code.values.iter().fold(0f32, |greatest, value| greatest.max(value.abs()));
    for value in &mut code.values {
        // 24 random bits to -1..1.
        *value = ((random() >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * greatest;
    }
    encode(&code.values, code.width, bytes[1] == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn int8_keeps_values_within_half_a_step_of_their_row(
            values in prop::collection::vec(-1e6f32..1e6, 12),
            scale in -20i32..20,
        ) {
            let values: Vec<f32> = values.iter().map(|value| value * power(scale)).collect();
            let bytes = encode(&values, 4, true).unwrap();
            prop_assert_eq!(bytes.len(), HEADER + 3 + 12);
            let decoded = decode(&bytes).unwrap();
            for (row, back) in values.chunks(4).zip(decoded.values.chunks(4)) {
                let greatest = row.iter().fold(0f32, |g, v| g.max(v.abs()));
                for (value, back) in row.iter().zip(back) {
                    prop_assert!((value - back).abs() <= greatest / 126.0, "{} {}", value, back);
                }
            }
            // Decoded values are exactly representable, so a second trip changes nothing.
            prop_assert_eq!(encode(&decoded.values, 4, true).unwrap(), bytes);
        }

        /// Every finite value, down to the subnormal and up to the greatest.
        #[test]
        fn what_is_encoded_can_be_decoded(
            values in prop::collection::vec(prop::num::f32::ANY, 1..9),
            int8 in any::<bool>(),
        ) {
            match encode(&values, 1, int8) {
                Ok(bytes) => prop_assert_eq!(decode(&bytes).unwrap().rows, values.len()),
                Err(error) => prop_assert!(matches!(error, Error::Diverged(_))),
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes);
            let mut bytes = bytes;
            if bytes.len() > 2 {
                bytes[0] = MAGIC;
                bytes[1] &= 1;
                let _ = decode(&bytes);
            }
        }
    }

    #[test]
    fn truncated_oversized_and_non_finite_codes_are_refused() {
        let good = encode(&[1.0, -2.0, 3.0, 0.5], 2, true).unwrap();
        assert_eq!(decode(&good).unwrap().values, [1.0, -2.0, 3.0, 0.5]);
        assert!(decode(&good[..good.len() - 1]).is_err());
        assert!(decode(&[good.clone(), vec![0]].concat()).is_err());
        let mut huge = good;
        huge[2..6].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(decode(&huge).is_err());
        let mut float = encode(&[1.0, 2.0], 2, false).unwrap();
        let end = float.len();
        float[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(decode(&float).is_err());
        assert!(matches!(encode(&[f32::INFINITY], 1, true), Err(Error::Diverged(_))));
        assert!(matches!(encode(&[f32::NAN], 1, false), Err(Error::Diverged(_))));
        let greatest = 127.0 * power(MAX_EXPONENT);
        assert_eq!(decode(&encode(&[greatest], 1, true).unwrap()).unwrap().values, [greatest]);
        assert!(matches!(encode(&[greatest.next_up()], 1, true), Err(Error::Diverged(_))));
    }

    #[test]
    fn hostile_forms_have_the_shape_of_honest_ones() {
        let good = encode(&[1.0, -2.0, 3.0, 0.5], 2, true).unwrap();
        assert_eq!(code_values(&zeroed_code(&good).unwrap()).unwrap(), [0.0; 4]);
        let mut state = 1u64;
        let scrambled = scrambled_code(&good, || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state
        });
        let scrambled = scrambled.unwrap();
        assert_eq!(scrambled.len(), good.len());
        assert_ne!(scrambled, good);
    }
}
