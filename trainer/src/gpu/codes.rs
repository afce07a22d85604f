//! Codes that kernels write and read, against those of the CPU.

use proptest::prelude::*;

use super::device::Array;
use super::{Gpu, emulated, ops};
use crate::code::{self, HEADER, Wire, code_values, encode};
use crate::config::{CutConfig, StageConfig};
use crate::cpu::plain::tests::{for_gpu, stage};
use crate::engine::{Engine, Source};
use crate::model::Model;

const FORMS: [u32; 4] = [8, 4, 2, 1];

/// What the kernel writes for the first `width` values of rows of `step`.
fn written(values: &[f32], step: usize, width: usize, bits: u32) -> Vec<u8> {
    let device = &*emulated::device();
    let rows = values.len() / step;
    let mut bytes = code::empty(rows, width, bits);
    let given = Array::of(device, values).unwrap();
    let made = Array::of(device, &vec![0xaa; bytes.len() - HEADER]).unwrap();
    ops::write_code(device, (given.all(), step), made.all(), (rows, width), bits).unwrap();
    made.all().read(device, &mut bytes[HEADER..]).unwrap();
    bytes
}

fn read(code: Wire<'_>) -> Vec<f32> {
    let device = &*emulated::device();
    let given = Array::of(device, code.body).unwrap();
    let made = Array::new(device, code.rows * code.width).unwrap();
    let size = (code.rows, code.width);
    ops::read_code(device, given.all(), made.all(), size, code.bits).unwrap();
    made.all().get(device).unwrap()
}

/// Rows of any magnitude, zeros and the least ones among them.
fn rows() -> impl Strategy<Value = (Vec<f32>, usize, usize)> {
    (1_usize..100, 0_usize..9, 1_usize..6).prop_flat_map(|(width, beside, rows)| {
        let row = (prop::collection::vec(-1f32..1.0, width + beside), -130_i32..60).prop_map(
            |(row, scale)| row.into_iter().map(|value| value * 2f32.powi(scale)).collect(),
        );
        let rows = prop::collection::vec::<BoxedStrategy<Vec<f32>>>(row.boxed(), rows);
        rows.prop_map(move |rows| (rows.concat(), width + beside, width))
    })
}

proptest! {
    #[test]
    fn kernels_write_and_read_the_bytes_of_the_cpu(
        (values, step, width) in rows(),
        bits in prop::sample::select(FORMS.to_vec()),
    ) {
        let found = written(&values, step, width, bits);
        let first: Vec<f32> = values.chunks(step).flat_map(|row| &row[..width]).copied().collect();
        match encode(&first, width, bits) {
            Ok(expected) => {
                prop_assert_eq!(&found, &expected);
                let code = Wire::of(&found).unwrap();
                prop_assert_eq!(read(code), code.values());
            }
            Err(_) => prop_assert!(found[HEADER..][..values.len() / step].contains(&ops::NOT_A_CODE)),
        }
    }

    #[test]
    fn what_is_not_finite_is_told(
        (mut values, step, width) in rows(),
        bits in prop::sample::select(FORMS.to_vec()),
        bad in prop::sample::select(vec![f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY]),
        place: prop::sample::Index,
    ) {
        let at = place.index(values.len() / step * width);
        values[at / width * step + at % width] = bad;
        let found = written(&values, step, width, bits);
        prop_assert_eq!(found[HEADER + at / width], ops::NOT_A_CODE);
    }
}

/// A stage's code and the gradient of its source, given those of its neighbours.
fn pass(config: &StageConfig, given: [&[u8]; 2]) -> [Vec<u8>; 2] {
    let [code, dcode] = given.map(|bytes| Wire::of(bytes).unwrap());
    let mut gpu = Gpu::new(emulated::device(), Model::new(config), false).unwrap();
    let tokens: Vec<u32> = (0..code.rows as u32).map(|row| row % config.model.vocab).collect();
    let beside = if config.cut.token_width > 0 { &tokens[..] } else { &[] };
    let mut pass = gpu.forward(&gpu.weights(), Source::Code(code, beside)).unwrap();
    let made = pass.code().unwrap();
    [made, gpu.backward(pass, dcode).unwrap().unwrap()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whether the stream itself is the code, or a few values of it.
    #[test]
    fn a_stage_with_fewer_bits_is_the_same_with_its_codes_rounded(
        config in stage().prop_map(for_gpu),
        bits in prop::sample::select(FORMS.to_vec()),
    ) {
        let wide = StageConfig { stage: 1, ..config };
        let few = StageConfig { cut: CutConfig { bits, ..wide.cut }, ..wide };
        let (width, rows) = (wide.cut.width as usize, (wide.batch * wide.model.context) as usize);
        let values = |seed: u32| -> Vec<f32> {
            let value = |at: u32| (seed ^ at.wrapping_mul(2_654_435_761)) as f32 / 4e9 - 0.5;
            (0..(rows * width) as u32).map(value).collect()
        };
        let given = [1, 2].map(|seed| encode(&values(seed), width, bits).unwrap());
        let as_wide = given.clone().map(|code| encode(&code_values(&code).unwrap(), width, 32).unwrap());
        let found = pass(&few, given.each_ref().map(|code| &code[..]));
        let expected = pass(&wide, as_wide.each_ref().map(|code| &code[..]));
        for (found, expected) in found.into_iter().zip(expected) {
            let rounded = encode(&code_values(&expected).unwrap(), width, bits).unwrap();
            prop_assert_eq!(found, rounded);
        }
    }
}
