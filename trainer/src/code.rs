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

use crate::Error;

/// First byte of every code.
const MAGIC: u8 = 0xC0;
/// Bytes before the body.
const HEADER: usize = 10;
/// Exponents lie within this magnitude.
const MAX_EXPONENT: i32 = 100;
/// The exponent of a row of zeros where values are levels.
const ZEROS: i8 = i8::MIN;

/// A decoded code.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Code {
    /// Tokens.
    pub(crate) rows: usize,
    /// Dimensions.
    pub(crate) width: usize,
    /// Of each value.
    pub(crate) bits: u32,
    /// Row by row.
    pub(crate) values: Vec<f32>,
}

/// Whether there is a form with so many bits for each value.
pub(crate) fn is_form(bits: u32) -> bool {
    matches!(bits, 32 | 8 | 4 | 2 | 1)
}

/// Bytes of a row of so many values.
pub(crate) fn row_bytes(width: u32, bits: u32) -> u32 {
    if bits == 32 { width * 4 } else { (width * bits).div_ceil(8) + 1 }
}

/// Encodes `rows x width` finite values with 32, 8, 4, 2 or 1 bits each.
///
/// # Errors
/// [`Error::Diverged`] for a value that is not finite, or too large for its form, [`Error::Input`] for other
/// bits, or values that are no whole rows.
pub fn encode(values: &[f32], width: usize, bits: u32) -> Result<Vec<u8>, Error> {
    let limit = match bits {
        32 => f32::MAX,
        8 => 127.0 * power(MAX_EXPONENT),
        // A row's mean square, times half a power of two, is within the exponents.
        _ if is_form(bits) => power(MAX_EXPONENT / 2 - 1),
        _ => return Err(Error::Input(format!("no code has {bits} bits"))),
    };
    // NaN is beyond any limit.
    if !values.iter().all(|value| value.abs() <= limit) {
        return Err(Error::Diverged("a code"));
    }
    if width == 0 || !values.len().is_multiple_of(width) {
        return Err(Error::Input(format!("{} values are no rows of {width}", values.len())));
    }
    let rows = values.len() / width;
    let mut bytes = Vec::with_capacity(HEADER + rows * row_bytes(width as u32, bits) as usize);
    bytes.extend([MAGIC, bits as u8]);
    bytes.extend((rows as u32).to_le_bytes());
    bytes.extend((width as u32).to_le_bytes());
    match bits {
        32 => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        8 => {
            let exponents: Vec<i32> = values.chunks(width).map(exponent).collect();
            bytes.extend(exponents.iter().map(|exponent| *exponent as i8 as u8));
            for (row, exponent) in values.chunks(width).zip(exponents) {
                let scale = power(-exponent);
                bytes.extend(row.iter().map(|v| (v * scale).round_ties_even() as i8 as u8));
            }
        }
        _ => {
            let scales: Vec<i8> = values.chunks(width).map(half_exponent).collect();
            bytes.extend(scales.iter().map(|scale| *scale as u8));
            for (row, scale) in values.chunks(width).zip(scales) {
                pack(row, scale, bits, &mut bytes);
            }
        }
    }
    Ok(bytes)
}

/// The distance between levels, where values have a mean square of 1.
fn step(bits: u32) -> f32 {
    match bits {
        1 => 1.596,
        2 => 0.9957,
        _ => 0.3352,
    }
}

/// What a row's root mean square is nearest to, as the exponent of a half power of two.
fn half_exponent(row: &[f32]) -> i8 {
    let square = row.iter().map(|value| value * value).sum::<f32>() / row.len() as f32;
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
fn half_power(exponent: i32) -> f32 {
    let rest = if exponent.rem_euclid(2) == 1 { std::f32::consts::SQRT_2 } else { 1.0 };
    power(exponent.div_euclid(2)) * rest
}

/// Appends a row of levels.
fn pack(row: &[f32], scale: i8, bits: u32, bytes: &mut Vec<u8>) {
    let each = 8 / bits as usize;
    let half = (1 << (bits - 1)) as f32;
    let unit = if scale == ZEROS { 0.0 } else { 1.0 / (step(bits) * half_power(scale.into())) };
    for values in row.chunks(each) {
        let mut byte = 0;
        for (at, value) in values.iter().enumerate() {
            let level = (value * unit).floor().clamp(-half, half - 1.0) + half;
            let level = if scale == ZEROS { 0 } else { level as u8 };
            byte |= level << (at as u32 * bits);
        }
        bytes.push(byte);
    }
}

/// Reads a row of levels.
fn unpack(
    row: &[u8],
    scale: i8,
    bits: u32,
    width: usize,
    values: &mut Vec<f32>,
) -> Result<(), Error> {
    let bad = |what: &str| Error::Input(format!("not a code: {what}"));
    let each = 8 / bits as usize;
    let half = (1 << (bits - 1)) as f32;
    let is_zero = scale == ZEROS;
    if !is_zero && i32::from(scale).abs() > MAX_EXPONENT {
        return Err(bad("exponent out of range"));
    }
    let unit = if is_zero { 0.0 } else { step(bits) * half_power(scale.into()) };
    let mask = ((1u16 << bits) - 1) as u8;
    for at in 0..width {
        let level = row[at / each] >> (at % each * bits as usize) & mask;
        if is_zero && level != 0 {
            return Err(bad("levels in a row of zeros"));
        }
        values.push((f32::from(level) + 0.5 - half) * unit);
    }
    let used = width % each * bits as usize;
    if used > 0 && row[width / each] >> used != 0 {
        return Err(bad("bits that mean nothing"));
    }
    Ok(())
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
    let (rows, width, bits) = header(bytes)?;
    let body = &bytes[HEADER..];
    let count = rows.checked_mul(width).ok_or_else(|| bad("too large"))?;
    if bits < 8 {
        let each = width.div_ceil(8 / bits as usize);
        if Some(body.len()) != each.checked_add(1).and_then(|each| each.checked_mul(rows)) {
            return Err(bad("wrong length"));
        }
        let (scales, levels) = body.split_at(rows);
        let mut values = Vec::with_capacity(count);
        for (scale, row) in scales.iter().zip(levels.chunks(each)) {
            unpack(row, *scale as i8, bits, width, &mut values)?;
        }
        return Ok(Code { rows, width, bits, values });
    }
    if bits == 32 {
        if Some(body.len()) != count.checked_mul(4) {
            return Err(bad("wrong length"));
        }
        let values: Vec<f32> =
            body.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(bad("a value is not finite"));
        }
        return Ok(Code { rows, width, bits, values });
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
    Ok(Code { rows, width, bits, values })
}

/// Rows, width and bits of a code.
pub(crate) fn header(bytes: &[u8]) -> Result<(usize, usize, u32), Error> {
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
    decode(bytes).map(|code| code.values)
}

/// A code of the same form and size whose values are all zero.
///
/// # Errors
/// [`Error::Input`] for bytes that are no code.
pub fn zeroed_code(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let code = decode(bytes)?;
    encode(&vec![0.0; code.values.len()], code.width, code.bits)
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
    encode(&code.values, code.width, code.bits)
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
            let bytes = encode(&values, 4, 8).unwrap();
            prop_assert_eq!(bytes.len(), HEADER + 3 + 12);
            let decoded = decode(&bytes).unwrap();
            for (row, back) in values.chunks(4).zip(decoded.values.chunks(4)) {
                let greatest = row.iter().fold(0f32, |g, v| g.max(v.abs()));
                for (value, back) in row.iter().zip(back) {
                    prop_assert!((value - back).abs() <= greatest / 126.0, "{} {}", value, back);
                }
            }
            // Decoded values are exactly representable, so a second trip changes nothing.
            prop_assert_eq!(encode(&decoded.values, 4, 8).unwrap(), bytes);
        }

        /// What Max's uniform quantizers lose of a normal variable, in parts of its variance: 0.363, 0.119
        /// and 0.0115; scales that are half powers of two lose a little more.
        #[test]
        fn few_bits_lose_as_little_as_they_must(seed: u64, scale in -40i32..30) {
            let mut state = seed;
            let mut uniform = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 40) as f32 / (1 << 24) as f32 - 0.5
            };
            // The sum of twelve is near normal, with variance 1.
            let values: Vec<f32> =
                (0..4096).map(|_| (0..12).map(|_| uniform()).sum::<f32>() * power(scale)).collect();
            let length = |of: &mut dyn Iterator<Item = f32>| of.map(|v| f64::from(v).powi(2)).sum::<f64>();
            for (bits, most) in [(1, 0.40), (2, 0.15), (4, 0.017)] {
                let bytes = encode(&values, 64, bits).unwrap();
                prop_assert_eq!(bytes.len(), HEADER + 64 * row_bytes(64, bits) as usize);
                let back = decode(&bytes).unwrap().values;
                let lost = length(&mut values.iter().zip(&back).map(|(a, b)| a - b));
                let share = lost / length(&mut values.iter().copied());
                prop_assert!(share < most, "{} of {} bits", share, bits);
            }
        }

        /// Every finite value, down to the subnormal and up to the greatest.
        #[test]
        fn what_is_encoded_can_be_decoded(
            values in prop::collection::vec(prop::num::f32::ANY, 1..9),
            bits in prop::sample::select(vec![32, 8, 4, 2, 1]),
        ) {
            match encode(&values, 1, bits) {
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
                bytes[1] = [32, 8, 4, 2, 1][usize::from(bytes[1]) % 5];
                let _ = decode(&bytes);
            }
        }
    }

    #[test]
    fn truncated_oversized_and_non_finite_codes_are_refused() {
        let good = encode(&[1.0, -2.0, 3.0, 0.5], 2, 8).unwrap();
        assert_eq!(decode(&good).unwrap().values, [1.0, -2.0, 3.0, 0.5]);
        assert!(decode(&good[..good.len() - 1]).is_err());
        assert!(decode(&[good.clone(), vec![0]].concat()).is_err());
        let mut huge = good;
        huge[2..6].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(decode(&huge).is_err());
        let mut float = encode(&[1.0, 2.0], 2, 32).unwrap();
        let end = float.len();
        float[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(decode(&float).is_err());
        assert!(matches!(encode(&[f32::INFINITY], 1, 8), Err(Error::Diverged(_))));
        assert!(matches!(encode(&[f32::NAN], 1, 32), Err(Error::Diverged(_))));
        let greatest = 127.0 * power(MAX_EXPONENT);
        assert_eq!(decode(&encode(&[greatest], 1, 8).unwrap()).unwrap().values, [greatest]);
        assert!(matches!(encode(&[greatest.next_up()], 1, 8), Err(Error::Diverged(_))));
    }

    #[test]
    fn packed_rows_have_one_form() {
        let good = encode(&[1.0, -2.0, 3.0, 0.0, 0.0, 0.0], 3, 2).unwrap();
        assert_eq!(good.len(), HEADER + 4);
        assert_eq!(decode(&good).unwrap().values[3..], [0.0; 3]);
        for (at, byte) in [(HEADER, 101), (HEADER, 0x80), (HEADER + 2, 0x40), (HEADER + 3, 1)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert!(decode(&bad).is_err(), "byte {at}");
        }
        assert!(encode(&[1.0], 1, 3).is_err());
    }

    #[test]
    fn hostile_forms_have_the_shape_of_honest_ones() {
        let good = encode(&[1.0, -2.0, 3.0, 0.5], 2, 8).unwrap();
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
