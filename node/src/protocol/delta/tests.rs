//! What compression keeps, what the codec refuses, and what an index pins down.

use super::*;
use crate::protocol::choose::Stream;
use proptest::prelude::*;

/// A deterministic vector of about `scale`, with some exact zeros.
fn noise(seed: &str, elements: usize, scale: f32) -> Vec<f32> {
    let mut stream = Stream::new("iota test", &[seed.as_bytes()]);
    (0..elements)
        .map(|_| match stream.below(8) {
            0 => 0.0,
            _ => (stream.below(2_000_001) as f32 / 1e6 - 1.0) * scale,
        })
        .collect()
}

fn layout() -> Layout {
    Layout::new(1_000, 64, 5).unwrap()
}

#[test]
fn chunks_cover_the_stage_in_whole_blocks() {
    for elements in [1, 63, 64, 65, 1_000, 4_097] {
        for max_chunks in [1, 3, 7, 4_096] {
            let layout = Layout::new(elements, 64, max_chunks).unwrap();
            assert!(layout.chunks() <= max_chunks as usize);
            let mut next = 0;
            for chunk in 0..layout.chunks() {
                assert_eq!(layout.range(chunk).start, next);
                assert_eq!(next % 64, 0);
                assert!(layout.len(chunk) > 0);
                next = layout.range(chunk).end;
            }
            assert_eq!(next as u64, elements);
        }
    }
    assert!(Layout::new(0, 64, 1).is_err());
    assert!(Layout::new(1, 0, 1).is_err());
    assert!(Layout::new(1, 64, MAX_CHUNKS + 1).is_err());
    assert!(Layout::new(MAX_ELEMENTS + 1, 64, 1).is_err());
}

#[test]
fn error_is_at_most_half_a_step_and_returns_as_residual() {
    let layout = layout();
    let (start, end) = (noise("a", 1_000, 0.5), noise("b", 1_000, 0.5));
    let mut residual = vec![0.0; 1_000];
    let delta = compress(&start, &end, &mut residual, &layout).unwrap();
    for (index, value) in delta.decode().into_iter().enumerate() {
        let wanted = start[index] - end[index];
        assert!((wanted - value).abs() <= 1.0 / 127.0, "element {index}: {wanted} as {value}");
        assert_eq!(value + residual[index], wanted);
    }
}

#[test]
fn error_feedback_loses_nothing_over_epochs() {
    // A change far below one step of its block's code arrives after all, only later.
    let layout = Layout::new(64, 64, 1).unwrap();
    let mut end = vec![0.0; 64];
    end[0] = -1.0;
    end[1] = -0.001;
    let mut residual = vec![0.0; 64];
    let mut arrived = 0.0;
    for _ in 0..100 {
        let delta = compress(&[0.0; 64], &end, &mut residual, &layout).unwrap();
        arrived += delta.decode()[1];
    }
    assert!((arrived - 0.1).abs() < 1.0 / 127.0, "{arrived}");
}

#[test]
fn chunks_given_back_are_sent_again_in_full() {
    let layout = layout();
    let (start, end) = (noise("a", 1_000, 0.5), noise("b", 1_000, 0.5));
    let mut residual = vec![0.0; 1_000];
    let delta = compress(&start, &end, &mut residual, &layout).unwrap();
    delta.give_back(0..layout.chunks(), &mut residual);
    for index in 0..1_000 {
        assert_eq!(residual[index], start[index] - end[index]);
    }
}

#[test]
fn refuses_what_is_no_change_of_weights_and_keeps_the_residual() {
    let layout = Layout::new(3, 64, 1).unwrap();
    let mut residual = vec![0.25; 3];
    for bad in [f32::NAN, f32::INFINITY, f32::MAX, 128.0] {
        assert!(compress(&[0.0, bad, 0.0], &[0.0; 3], &mut residual, &layout).is_err(), "{bad}");
    }
    assert!(compress(&[0.0; 2], &[0.0; 3], &mut residual, &layout).is_err());
    assert_eq!(residual, [0.25; 3]);
}

#[test]
fn exponents_are_the_least_at_every_power_of_two() {
    let layout = Layout::new(1, 1, 1).unwrap();
    for power in -60..7 {
        for factor in [1.0f64, 1.5, 1.9, 1.984_375, 1.992, 1.992_187_5, 1.995, 1.999] {
            let value = (factor * 2f64.powi(power)) as f32;
            if value >= 127.5 {
                continue;
            }
            let mut residual = [0.0];
            let delta = compress(&[value], &[0.0], &mut residual, &layout).unwrap();
            let bytes = delta.chunks[0].to_bytes(Packing::Raw);
            assert_eq!(Chunk::from_bytes(&bytes, 1, 1).unwrap(), delta.chunks[0], "{value}");
        }
    }
}

#[test]
fn half_steps_round_to_even() {
    let layout = Layout::new(4, 4, 1).unwrap();
    let mut residual = [0.0; 4];
    let delta = compress(&[100.0, 2.5, 3.5, -2.5], &[0.0; 4], &mut residual, &layout).unwrap();
    assert_eq!(delta.decode(), [100.0, 2.0, 4.0, -2.0]);
    assert_eq!(residual, [0.0, 0.5, -0.5, -0.5]);
}

#[test]
fn bytes_are_pinned() {
    let layout = Layout::new(5, 4, 1).unwrap();
    let mut residual = [0.0; 5];
    let start = [1.0, -0.5, 0.25, 0.0, 0.0];
    let delta = compress(&start, &[0.0; 5], &mut residual, &layout).unwrap();
    // 1.0 = 64 * 2^-6; the second block is zero, at the least exponent.
    let bytes = [0, (-6i8) as u8, (-40i8) as u8, 64, (-32i8) as u8, 16, 0, 0];
    assert_eq!(delta.chunks[0].to_bytes(Packing::Raw), bytes);
    assert_eq!(delta.chunks[0].sum_sq(4), (4096 + 1024 + 256) << (2 * 34));
    let (index, _) = delta.commit(7, 1, &residual);
    assert_eq!(
        hex::encode(index.root()),
        "9f1b9b29fc008de78cb632e8159d902ebbd926074c2e4e283a599d5a0b80fe0d"
    );
}

#[test]
fn sum_of_squares_is_that_of_the_decoded_values() {
    let chunk = {
        let mut residual = vec![0.0; 1_000];
        let layout = Layout::new(1_000, 64, 1).unwrap();
        let values = noise("c", 1_000, 0.01);
        compress(&values, &vec![0.0; 1_000], &mut residual, &layout).unwrap().chunks.remove(0)
    };
    let exact: f64 = chunk.decode(64).iter().map(|value| f64::from(*value).powi(2)).sum();
    let fixed = chunk.sum_sq(64) as f64 / 2f64.powi(80);
    assert!((fixed - exact).abs() <= exact * 1e-12);
}

#[test]
fn zeros_travel_compressed_and_noise_does_not() {
    let zeros = Chunk::zeros(4_096, 64);
    let bytes = zeros.to_bytes(Packing::Smallest);
    assert!(bytes.len() < 100);
    assert_eq!(Chunk::from_bytes(&bytes, 4_096, 64).unwrap(), zeros);
    assert_eq!(zeros.to_bytes(Packing::Raw).len(), 1 + 64 + 4_096);
}

/// One committed chunk set to tamper with.
fn committed() -> (Layout, DeltaIndex, Vec<Vec<u8>>) {
    let layout = layout();
    let mut residual = vec![0.0; 1_000];
    let delta =
        compress(&noise("d", 1_000, 1.0), &vec![0.0; 1_000], &mut residual, &layout).unwrap();
    let (index, blobs) = delta.commit(3, 1, &residual);
    (layout, index, blobs)
}

#[test]
fn index_opens_what_it_names_and_nothing_else() {
    let (layout, index, blobs) = committed();
    for (position, bytes) in blobs.iter().enumerate() {
        assert_eq!(index.open(position, bytes).unwrap().len(), layout.len(position));
    }
    assert_eq!(index.open(0, &blobs[1]), Err(DeltaError::NotNamed(0)));
    assert!(index.open(blobs.len(), &blobs[0]).is_err());
    // As long and with the same norm: one mantissa with the other sign.
    let mut forged = blobs[0].clone();
    let place = forged.len() - 1 - forged.iter().rev().position(|&byte| byte != 0).unwrap();
    forged[place] = forged[place].wrapping_neg();
    assert_eq!(index.open(0, &forged), Err(DeltaError::NotNamed(0)));
    let mut false_norm = index.clone();
    false_norm.chunks[2].sum_sq -= 1;
    assert_eq!(false_norm.open(2, &blobs[2]), Err(DeltaError::NotNamed(2)));
    assert_ne!(false_norm.root(), index.root());
}

#[test]
fn index_of_another_epoch_stage_or_layout_is_refused() {
    let (layout, index, _) = committed();
    let bytes = index.encode();
    assert_eq!(DeltaIndex::decode_for(&bytes, 3, 1, &layout).unwrap(), index);
    assert!(DeltaIndex::decode_for(&bytes, 4, 1, &layout).is_err());
    assert!(DeltaIndex::decode_for(&bytes, 3, 0, &layout).is_err());
    let other = Layout::new(1_000, 32, 5).unwrap();
    assert!(DeltaIndex::decode_for(&bytes, 3, 1, &other).is_err());
    let mut fewer = index;
    fewer.chunks.pop();
    assert!(DeltaIndex::decode_for(&fewer.encode(), 3, 1, &layout).is_err());
    assert!(DeltaIndex::decode_for(&vec![0; MAX_INDEX_BYTES + 1], 3, 1, &layout).is_err());
    assert!(DeltaIndex::decode_for(&[bytes, vec![0]].concat(), 3, 1, &layout).is_err());
}

#[test]
fn largest_index_fits_its_byte_limit() {
    let (_, mut index, _) = committed();
    index.chunks = vec![index.chunks[0]; MAX_CHUNKS as usize];
    assert!(index.encode().len() <= MAX_INDEX_BYTES);
}

#[test]
fn only_the_canonical_form_decodes() {
    let bytes = |body: &[i8]| -> Vec<u8> {
        std::iter::once(0).chain(body.iter().map(|&value| value as u8)).collect()
    };
    let refused = |body: &[i8]| Chunk::from_bytes(&bytes(body), 2, 2).unwrap_err();
    assert!(Chunk::from_bytes(&bytes(&[-3, 64, -127]), 2, 2).is_ok());
    assert_eq!(refused(&[-3, 64, -128]), DeltaError::NotCanonical("mantissa"));
    assert_eq!(refused(&[1, 64, 0]), DeltaError::NotCanonical("exponent"));
    assert_eq!(refused(&[-41, 64, 0]), DeltaError::NotCanonical("exponent"));
    assert_eq!(refused(&[-3, 63, 0]), DeltaError::NotCanonical("exponent is not the least"));
    assert_eq!(refused(&[-3, 64]), DeltaError::NotCanonical("length"));
    assert_eq!(refused(&[-3, 64, 0, 0]), DeltaError::NotCanonical("length"));
    assert_eq!(Chunk::from_bytes(&[], 2, 2).unwrap_err(), DeltaError::NotCanonical("no bytes"));
    assert_eq!(Chunk::from_bytes(&[2, 0], 2, 2).unwrap_err(), DeltaError::NotCanonical("flag"));
    // A bomb: a short frame of far more zeros than the layout has elements.
    let bomb = [vec![1], zstd::bulk::compress(&vec![0; 1 << 20], 3).unwrap()].concat();
    assert!(Chunk::from_bytes(&bomb, 4_096, 64).is_err());
}

proptest! {
    #[test]
    fn every_chunk_survives_its_bytes(values in prop::collection::vec(-120f32..120.0, 1..400), block in 1u32..130, shift in 0i32..40) {
        let values: Vec<f32> = values.iter().map(|value| value * 2f32.powi(-shift)).collect();
        let layout = Layout::new(values.len() as u64, block, 3).unwrap();
        let zeros = vec![0.0; values.len()];
        let mut residual = zeros.clone();
        let delta = compress(&values, &zeros, &mut residual, &layout).unwrap();
        for (index, chunk) in delta.chunks.iter().enumerate() {
            for packing in [Packing::Raw, Packing::Smallest] {
                let bytes = chunk.to_bytes(packing);
                prop_assert_eq!(&Chunk::from_bytes(&bytes, layout.len(index), block).unwrap(), chunk);
            }
        }
        for ((value, decoded), left) in values.iter().zip(delta.decode()).zip(residual) {
            prop_assert_eq!(decoded + left, *value);
        }
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), elements in 0usize..300, block in 1u32..70) {
        let _ = Chunk::from_bytes(&bytes, elements, block);
        let _ = DeltaIndex::decode_for(&bytes, 0, 0, &layout());
    }
}
