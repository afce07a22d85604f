//! Codes that kernels write and read, against those of the CPU.

use std::sync::Arc;

use proptest::prelude::*;

use super::device::{Array, Device};
use super::{Gpu, emulated, ops};
use crate::code::{self, HEADER, Wire, code_values, encode};
use crate::config::{AdamConfig, CutConfig, ModelConfig, Precision, StageConfig};
use crate::cpu::plain::tests::{for_gpu, stage};
use crate::engine::{Engine, Source};
use crate::model::Model;
use crate::stage::{Input, Stage};
use crate::{Error, Options};

const FORMS: [u32; 4] = [8, 4, 2, 1];
/// Beyond what a kernel may write.
const BESIDE: usize = 64;

/// What the kernel writes for the first `width` values of rows of `step`, without a header.
fn written(device: &impl Device, values: &[f32], step: usize, width: usize, bits: u32) -> Vec<u8> {
    let rows = values.len() / step;
    let len = code::empty(rows, width, bits).len() - HEADER;
    let given = Array::of(device, values).unwrap();
    let made = Array::of(device, &vec![0xaa; len + BESIDE]).unwrap();
    let place = made.all().part(0, len);
    ops::write_code(device, (given.all(), step), place, (rows, width), bits).unwrap();
    let mut bytes = made.all().get(device).unwrap();
    assert_eq!(bytes.split_off(len), [0xaa; BESIDE]);
    bytes
}

/// The bits of each value that the kernel reads.
fn read(device: &impl Device, code: Wire<'_>) -> Vec<u32> {
    let count = code.rows * code.width;
    let given = Array::of(device, code.body).unwrap();
    let made = Array::of(device, &vec![7.5; count + BESIDE]).unwrap();
    let size = (code.rows, code.width);
    ops::read_code(device, given.all(), made.all().part(0, count), size, code.bits).unwrap();
    let mut values = made.all().get(device).unwrap();
    assert_eq!(values.split_off(count), [7.5; BESIDE]);
    values.into_iter().map(f32::to_bits).collect()
}

/// Rows of one length, their distance and width, of which each may be beyond what a form can tell.
#[derive(Clone, Debug)]
struct Rows {
    values: Vec<f32>,
    step: usize,
    width: usize,
}

/// A row of any magnitude: of random values, of halves (ties of what is rounded), of zeros of both signs; or at
/// the limits of forms.
fn row(len: usize) -> impl Strategy<Value = Vec<f32>> {
    let scaled = |row: Vec<f32>, scale: i32| {
        row.into_iter().map(|value| value * 2f32.powi(scale)).collect::<Vec<_>>()
    };
    let values = prop::collection::vec(-1f32..1.0, len);
    let halves = prop::collection::vec((-254_i32..=254).prop_map(|value| value as f32 / 2.0), len);
    let zeros = prop::collection::vec(prop::sample::select(vec![0.0, -0.0]), len);
    let limits: Vec<f32> = [8, 4].map(code::limit).iter().flat_map(|l| [*l, l.next_up()]).collect();
    let limits = prop::collection::vec(prop::sample::select(limits), len);
    prop_oneof![
        4 => (values, -130_i32..108).prop_map(move |(row, scale)| scaled(row, scale)),
        4 => (halves, -110_i32..102).prop_map(move |(row, scale)| scaled(row, scale)),
        1 => zeros,
        1 => limits,
    ]
}

/// Widths at which a warp goes around once or more often are among them.
fn rows() -> impl Strategy<Value = Rows> {
    let width = prop_oneof![1_usize..40, 254_usize..260, 500_usize..530];
    (width, 0_usize..9, 1_usize..4).prop_flat_map(|(width, beside, rows)| {
        let step = width + beside;
        let rows = prop::collection::vec(row(step).boxed(), rows);
        rows.prop_map(move |rows: Vec<Vec<f32>>| Rows { values: rows.concat(), step, width })
    })
}

/// Likewise, with a value that is not finite.
fn not_finite() -> impl Strategy<Value = Rows> {
    let bad = vec![f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    let place = any::<prop::sample::Index>();
    (rows(), prop::sample::select(bad), place).prop_map(|(mut rows, bad, place)| {
        let at = place.index(rows.values.len() / rows.step * rows.width);
        rows.values[at / rows.width * rows.step + at % rows.width] = bad;
        rows
    })
}

/// Each row has the bytes of the CPU, or has no code there either; those that have one are read as there.
fn agree(device: &impl Device, Rows { values, step, width }: &Rows, bits: u32) {
    let found = written(device, values, *step, *width, bits);
    let (exponents, body) = found.split_at(values.len() / step);
    let bytes = exponents.iter().zip(body.chunks(body.len() / exponents.len()));
    let mut good = Vec::new();
    for (row, (exponent, body)) in values.chunks(*step).zip(bytes) {
        let Ok(expected) = encode(&row[..*width], *width, bits) else {
            assert_eq!(*exponent, ops::NOT_A_CODE);
            continue;
        };
        assert_eq!(([*exponent].as_slice(), body), expected[HEADER..].split_at(1));
        good.extend(&row[..*width]);
    }
    if !good.is_empty() {
        let bytes = encode(&good, *width, bits).unwrap();
        let code = Wire::of(&bytes).unwrap();
        let values: Vec<u32> = code.values().into_iter().map(f32::to_bits).collect();
        assert_eq!(read(device, code), values);
    }
}

proptest! {
    #[test]
    fn kernels_write_and_read_the_bytes_of_the_cpu(
        rows in rows(),
        bits in prop::sample::select(FORMS.to_vec()),
    ) {
        agree(&*emulated::device(), &rows, bits);
    }

    #[test]
    fn a_row_that_is_not_finite_is_told_and_alone(
        rows in not_finite(),
        bits in prop::sample::select(FORMS.to_vec()),
    ) {
        agree(&*emulated::device(), &rows, bits);
    }

    #[cfg(feature = "cuda")]
    #[test]
    fn so_do_kernels_on_a_gpu(
        rows in rows(),
        bad in not_finite(),
        bits in prop::sample::select(FORMS.to_vec()),
    ) {
        if let Some(device) = super::lent() {
            agree(&*device, &rows, bits);
            agree(&*device, &bad, bits);
        }
    }
}

/// A stage's code and the gradient of its source, given those of its neighbours.
fn pass<D: Device>(device: Arc<D>, config: &StageConfig, given: [&[u8]; 2]) -> [Vec<u8>; 2] {
    let [code, dcode] = given.map(|bytes| Wire::of(bytes).unwrap());
    let mut gpu = Gpu::new(device, Model::new(config), false).unwrap();
    let tokens: Vec<u32> = (0..code.rows as u32).map(|row| row % config.model.vocab).collect();
    let beside = if config.cut.token_width > 0 { &tokens[..] } else { &[] };
    let mut pass = gpu.forward(&gpu.weights(), Source::Code(code, beside)).unwrap();
    let made = pass.code().unwrap();
    [made, gpu.backward(pass, dcode).unwrap().unwrap()]
}

/// A stage with fewer bits is the same stage with its codes rounded, whether the stream itself is the code or a
/// few values of it.
fn rounds<D: Device>(device: &Arc<D>, config: &StageConfig, bits: u32) {
    let wide = StageConfig { stage: 1, ..*config };
    let few = StageConfig { cut: CutConfig { bits, ..wide.cut }, ..wide };
    let (width, rows) = (wide.cut.width as usize, (wide.batch * wide.model.context) as usize);
    let values = |seed: u32| -> Vec<f32> {
        let value = |at: u32| (at + (seed << 20)).wrapping_mul(2_654_435_761) as f32 / 4e9 - 0.5;
        (0..(rows * width) as u32).map(value).collect()
    };
    let given = [1, 2].map(|seed| encode(&values(seed), width, bits).unwrap());
    let as_wide =
        given.each_ref().map(|code| encode(&code_values(code).unwrap(), width, 32).unwrap());
    let found = pass(Arc::clone(device), &few, given.each_ref().map(|code| &code[..]));
    let expected = pass(Arc::clone(device), &wide, as_wide.each_ref().map(|code| &code[..]));
    for (found, expected) in found.into_iter().zip(expected) {
        assert_eq!(found, encode(&code_values(&expected).unwrap(), width, bits).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_stage_with_fewer_bits_is_the_same_with_its_codes_rounded(
        config in stage().prop_map(for_gpu),
        bits in prop::sample::select(FORMS.to_vec()),
    ) {
        rounds(&emulated::device(), &config, bits);
    }

    #[cfg(feature = "cuda")]
    #[test]
    fn so_is_one_on_a_gpu(
        config in stage().prop_map(for_gpu),
        bits in prop::sample::select(FORMS.to_vec()),
    ) {
        if let Some(device) = super::lent() {
            rounds(&device, &config, bits);
        }
    }
}

const BODY: StageConfig = StageConfig {
    model: ModelConfig {
        vocab: 32,
        d_model: 16,
        layers: 3,
        heads: 2,
        kv_heads: 1,
        d_ffn: 24,
        context: 8,
        rope_theta: 10_000,
        precision: Precision::Bf16,
    },
    cut: CutConfig { width: 8, bits: 8, residual: true, token_width: 0, token_span: 1 },
    adam: AdamConfig {
        lr_micro: 1_000,
        beta1_milli: 900,
        beta2_milli: 950,
        weight_decay_milli: 0,
        clip_milli: 1_000,
        warmup_steps: 0,
        muon: false,
    },
    stages: 3,
    stage: 1,
    batch: 1,
    seed: [1; 32],
};

/// The greatest numbers that can be sent: what becomes of them can be read or is refused, and the stage goes on
/// as if they had not come.
fn outlasts<D: Device>(device: &Arc<D>) {
    let stage = || {
        let gpu = Gpu::new(Arc::clone(device), Model::new(&BODY), false).unwrap();
        Stage::computed_by(&BODY, Options::default(), Box::new(gpu))
    };
    let (mut stage, mut honest, rows) = (stage(), stage(), BODY.model.context as usize);
    let good = encode(&vec![0.5; rows * 8], 8, 8).unwrap();
    let mut refused = 0;
    for exponent in (70..=100_u8).step_by(5) {
        let mut greatest = good.clone();
        greatest[HEADER..HEADER + rows].fill(exponent);
        greatest[HEADER + rows..].fill(127);
        let code = stage.forward(Input::Code(&greatest)).map(Some);
        let before = stage.accumulated();
        let grad = stage.backward(0, Input::Code(&good), &greatest);
        assert_eq!(stage.accumulated(), before + u32::from(grad.is_ok()));
        for made in [code, grad] {
            match made {
                Ok(made) => assert!(Wire::of(&made.unwrap()).is_ok(), "exponent {exponent}"),
                Err(Error::Diverged(_)) => refused += 1,
                Err(error) => panic!("exponent {exponent}: {error}"),
            }
        }
    }
    assert!(refused > 0);
    let [found, expected] =
        [&mut stage, &mut honest].map(|stage| stage.replay(0, Input::Code(&good), &good).unwrap());
    assert!(found == expected);
    assert!(stage.step().unwrap().grad_norm.is_finite());
    assert!(stage.params().iter().all(|value| value.is_finite()));
}

#[test]
fn what_kernels_make_of_the_greatest_numbers_can_be_read_or_is_refused() {
    outlasts(&emulated::device());
}

#[cfg(feature = "cuda")]
#[test]
fn so_is_what_a_gpu_makes_of_them() {
    if let Some(device) = super::lent() {
        outlasts(&device);
    }
}
