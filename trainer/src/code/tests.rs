//! Codes keep what they say they keep, and refuse what is none.

use proptest::prelude::*;

use super::*;

fn decode(bytes: &[u8]) -> Result<Vec<f32>, Error> {
    Wire::of(bytes).map(|code| code.values())
}

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
        for (row, back) in values.chunks(4).zip(decoded.chunks(4)) {
            let greatest = row.iter().fold(0f32, |g, v| g.max(v.abs()));
            for (value, back) in row.iter().zip(back) {
                prop_assert!((value - back).abs() <= greatest / 126.0, "{} {}", value, back);
            }
        }
        // Decoded values are exactly representable, so a second trip changes nothing.
        prop_assert_eq!(encode(&decoded, 4, 8).unwrap(), bytes);
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
            let back = decode(&bytes).unwrap();
            let lost = length(&mut values.iter().zip(&back).map(|(a, b)| a - b));
            let share = lost / length(&mut values.iter().copied());
            prop_assert!(share < most, "{} of {} bits", share, bits);
        }
    }

    /// A row's bytes do not depend on the rows beside it, however many there are.
    #[test]
    fn rows_are_encoded_one_by_one(
        width in 1_usize..150,
        rows in 1_usize..300,
        bits in prop::sample::select(vec![8, 4, 2, 1]),
        seed: u32,
    ) {
        let value = |at: usize| (seed ^ (at as u32).wrapping_mul(2_654_435_761)) as f32 / 4e9 - 0.5;
        let values: Vec<f32> = (0..rows * width).map(value).collect();
        let bytes = encode(&values, width, bits).unwrap();
        let (scales, body) = bytes[HEADER..].split_at(rows);
        let each = body.len() / rows;
        let back = decode(&bytes).unwrap();
        for (at, row) in values.chunks(width).enumerate() {
            let alone = encode(row, width, bits).unwrap();
            prop_assert_eq!(&alone[HEADER..HEADER + 1], &scales[at..=at]);
            prop_assert_eq!(&alone[HEADER + 1..], &body[at * each..][..each]);
            prop_assert_eq!(&decode(&alone).unwrap(), &back[at * width..][..width]);
        }
    }

    /// Every finite value, down to the subnormal and up to the greatest.
    #[test]
    fn what_is_encoded_can_be_decoded(
        values in prop::collection::vec(prop::num::f32::ANY, 1..9),
        bits in prop::sample::select(vec![32, 8, 4, 2, 1]),
    ) {
        match encode(&values, 1, bits) {
            Ok(bytes) => prop_assert_eq!(decode(&bytes).unwrap().len(), values.len()),
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
    assert_eq!(decode(&good).unwrap(), [1.0, -2.0, 3.0, 0.5]);
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
    assert_eq!(decode(&encode(&[greatest], 1, 8).unwrap()).unwrap(), [greatest]);
    assert!(matches!(encode(&[greatest.next_up()], 1, 8), Err(Error::Diverged(_))));
}

#[test]
fn packed_rows_have_one_form() {
    let good = encode(&[1.0, -2.0, 3.0, 0.0, 0.0, 0.0], 3, 2).unwrap();
    assert_eq!(good.len(), HEADER + 4);
    assert_eq!(decode(&good).unwrap()[3..], [0.0; 3]);
    for (at, byte) in [(HEADER, 101), (HEADER, 0x80), (HEADER + 2, 0x40), (HEADER + 3, 1)] {
        let mut bad = good.clone();
        bad[at] = byte;
        assert!(decode(&bad).is_err(), "byte {at}");
    }
    assert!(encode(&[1.0], 1, 3).is_err());
    assert!(encode(&[], 1, 4).is_err());
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
