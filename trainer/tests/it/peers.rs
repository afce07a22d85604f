//! What peers may send: any bytes, any numbers. A refusal is an error and leaves no trace.

use iota_trainer::{Ablation, Dataset, Error, Input, Stage, code, code_values, held_out_loss};
use proptest::prelude::*;

use crate::pipeline::{BATCH, Pass, config, float_code, microbatch, pass, stages};

const CONTEXT: u32 = 16;
const WIDTH: u32 = 12;
/// Tokens of a microbatch.
const ROWS: usize = (BATCH * CONTEXT) as usize;
/// Bytes before a code's body.
const HEADER: usize = 10;

/// A pipeline at version 0 with nothing accumulated, and what honest peers send.
fn scene(bits: u32) -> (Vec<Stage>, Pass, Vec<u32>, Vec<u32>) {
    let data = Dataset::embedded(CONTEXT).unwrap();
    let (inputs, targets) = microbatch(&data, 1);
    let sent = pass(&mut stages(CONTEXT, WIDTH, bits), &inputs, &targets);
    (stages(CONTEXT, WIDTH, bits), sent, inputs, targets)
}

/// Every way in for a code or a gradient refuses these bytes, and nothing is accumulated.
fn refused(all: &mut [Stage], sent: &Pass, inputs: &[u32], targets: &[u32], bad: &[u8]) -> bool {
    let [code, _] = &sent.codes;
    let is_input = |error: Option<Error>| matches!(error, Some(Error::Input(_)));
    is_input(all[1].forward(Input::Code(bad)).err())
        && is_input(all[1].backward(0, Input::Code(bad), &sent.tail.grad).err())
        && is_input(all[1].backward(0, Input::Code(code), bad).err())
        && is_input(all[0].backward(0, Input::Tokens(inputs), bad).err())
        && is_input(all[2].loss_and_grad(Input::Code(bad), targets).err())
        && all.iter().all(|stage| stage.accumulated() == 0)
}

#[test]
fn codes_and_gradients_of_another_size_are_refused() {
    let (mut all, sent, inputs, targets) = scene(8);
    let (row, wide) = (vec![0.5; WIDTH as usize], vec![0.5; ROWS * WIDTH as usize]);
    let others = [
        float_code(&row, WIDTH),
        float_code(&wide[WIDTH as usize..], WIDTH),
        float_code(&[&wide[..], &row].concat(), WIDTH),
        // As many values, other rows.
        float_code(&wide, WIDTH / 2),
        float_code(&wide, WIDTH * 2),
    ];
    for other in &others {
        assert!(code_values(other).is_ok(), "well formed in itself");
        assert!(refused(&mut all, &sent, &inputs, &targets, other));
    }
}

/// More bits than the run allows tell more, and take more of a link.
#[test]
fn codes_of_other_bits_are_refused() {
    let (mut all, sent, inputs, targets) = scene(4);
    let values = vec![0.5; ROWS * WIDTH as usize];
    for bits in [32, 8, 2, 1] {
        let other = code::encode(&values, WIDTH as usize, bits).unwrap();
        assert!(refused(&mut all, &sent, &inputs, &targets, &other), "{bits} bits");
    }
}

/// Headers of nothing: their lengths add up.
#[test]
fn codes_without_rows_or_without_dimensions_are_refused() {
    let (mut all, sent, inputs, targets) = scene(8);
    for kind in [32u8, 8] {
        for (rows, width, body) in [(0u32, WIDTH, 0), (1, 0, usize::from(kind == 8)), (0, 0, 0)] {
            let mut empty = vec![0xC0, kind];
            empty.extend([rows.to_le_bytes(), width.to_le_bytes()].concat());
            empty.resize(HEADER + body, 0);
            assert!(refused(&mut all, &sent, &inputs, &targets, &empty));
        }
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let (mut all, sent, inputs, targets) = scene(32);
    for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for place in [0, 1, ROWS * WIDTH as usize - 1] {
            let mut values = vec![0.5; ROWS * WIDTH as usize];
            values[place] = bad;
            assert!(refused(&mut all, &sent, &inputs, &targets, &float_code(&values, WIDTH)));
        }
    }
}

#[test]
fn token_ids_beyond_the_vocabulary_and_wrong_lengths_are_refused() {
    let (mut all, sent, inputs, targets) = scene(8);
    let mut lists = vec![Vec::new(), inputs[1..].to_vec(), [&inputs[..], &[0]].concat()];
    for id in [256, u32::MAX] {
        for place in [0, ROWS - 1] {
            let mut list = inputs.clone();
            list[place] = id;
            lists.push(list);
        }
    }
    for list in &lists {
        assert!(matches!(all[0].forward(Input::Tokens(list)), Err(Error::Input(_))));
        let back = all[0].backward(0, Input::Tokens(list), &sent.grad);
        assert!(matches!(back, Err(Error::Input(_))));
        let tail = all[2].loss_and_grad(Input::Code(&sent.codes[1]), list);
        assert!(matches!(tail, Err(Error::Input(_))));
    }
    let mut greatest = inputs.clone();
    greatest[0] = 255;
    assert!(all[0].forward(Input::Tokens(&greatest)).is_ok());
    assert!(all[2].loss_and_grad(Input::Code(&sent.codes[1]), &targets).is_ok());
}

#[test]
fn work_for_another_stage_is_refused() {
    let (mut all, sent, inputs, targets) = scene(8);
    let [head, body] = &sent.codes;
    let refusals = [
        all[0].forward(Input::Code(head)).err(),
        all[1].forward(Input::Tokens(&inputs)).err(),
        all[2].forward(Input::Code(body)).err(),
        all[0].backward(0, Input::Code(head), &sent.grad).err(),
        all[1].backward(0, Input::Tokens(&inputs), &sent.tail.grad).err(),
        all[2].backward(0, Input::Code(body), &sent.tail.grad).err(),
        all[0].loss_and_grad(Input::Code(head), &targets).err(),
        all[1].loss_and_grad(Input::Code(body), &targets).err(),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, Some(Error::Input(_))), "{refusal:?}");
    }
    assert!(all.iter().all(|stage| stage.accumulated() == 0));
}

#[test]
fn a_backward_pass_at_a_version_that_was_never_reached_is_refused() {
    let (mut all, sent, inputs, _) = scene(8);
    for version in [1, u32::MAX] {
        let refusal = all[0].backward(version, Input::Tokens(&inputs), &sent.grad).unwrap_err();
        assert!(matches!(refusal, Error::Version { oldest: 0, newest: 0, .. }), "{refusal}");
    }
    assert_eq!(all[0].accumulated(), 0);
}

/// Finite numbers whose products are not: one such message must not spoil the honest ones that
/// wait for the same step, nor the step itself.
#[test]
fn a_gradient_that_overflows_is_not_accumulated() {
    let (mut all, sent, inputs, _) = scene(32);
    let (mut honest, ..) = scene(32);
    let huge = float_code(&vec![f32::MAX; ROWS * WIDTH as usize], WIDTH);
    for stages in [&mut all, &mut honest] {
        stages[0].backward(0, Input::Tokens(&inputs), &sent.grad).unwrap();
        stages[1].backward(0, Input::Code(&sent.codes[0]), &sent.tail.grad).unwrap();
    }
    let head = all[0].backward(0, Input::Tokens(&inputs), &huge);
    assert!(matches!(head, Err(Error::Diverged(_))), "{head:?}");
    let body = all[1].backward(0, Input::Code(&sent.codes[0]), &huge);
    assert!(matches!(body, Err(Error::Diverged(_))), "{body:?}");
    for (stage, honest) in all.iter_mut().zip(&mut honest).take(2) {
        assert_eq!(stage.accumulated(), 1);
        stage.step().unwrap();
        honest.step().unwrap();
        assert!(stage.snapshot() == honest.snapshot());
    }
}

/// The greatest form of 8 bits that decodes: what an honest stage makes of it must decode as well, or
/// the next stage would blame the honest one.
#[test]
fn what_a_stage_makes_of_the_greatest_numbers_is_refused_or_can_be_read() {
    let (mut all, sent, ..) = scene(8);
    for exponent in 80u8..=100 {
        let mut greatest = sent.tail.grad.clone();
        greatest[HEADER..HEADER + ROWS].fill(exponent);
        greatest[HEADER + ROWS..].fill(127);
        assert!(code_values(&greatest).is_ok());
        let code = all[1].forward(Input::Code(&greatest));
        let grad = all[1].backward(0, Input::Code(&sent.codes[0]), &greatest);
        for made in [code.map(Some), grad].into_iter().flatten().flatten() {
            assert!(code_values(&made).is_ok(), "exponent {exponent}");
        }
    }
}

/// Where no clipping bounds a step, squares of gradients may overflow.
#[test]
fn a_step_that_diverges_leaves_the_stage_as_it_was() {
    let (_, sent, inputs, _) = scene(32);
    let mut config = config(0, CONTEXT, WIDTH, 32);
    config.adam.clip_milli = 0;
    let mut stage = Stage::new(&config).unwrap();
    let before = stage.snapshot();
    let large = float_code(&vec![1e25; ROWS * WIDTH as usize], WIDTH);
    stage.backward(0, Input::Tokens(&inputs), &large).unwrap();
    for _ in 0..2 {
        assert!(matches!(stage.step(), Err(Error::Diverged(_))));
        assert_eq!((stage.version(), stage.accumulated()), (0, 1));
        assert!(stage.snapshot() == before);
    }
    assert!(stage.backward(0, Input::Tokens(&inputs), &sent.grad).is_ok());
}

#[test]
fn parameters_of_another_size_or_not_finite_are_refused() {
    let mut stage = stages(CONTEXT, WIDTH, 8).swap_remove(1);
    let params = stage.params().to_vec();
    let mut bad = params.clone();
    bad[7] = f32::NAN;
    assert!(matches!(stage.load_params(&bad), Err(Error::Diverged(_))));
    assert!(matches!(stage.load_params(&params[1..]), Err(Error::Input(_))));
    assert!(matches!(stage.load_params(&[]), Err(Error::Input(_))));
    assert_eq!(stage.params(), params);
}

/// A peer's snapshot may hold moments that no training makes: where the second is 0, the first would be
/// divided by almost nothing.
#[test]
fn a_snapshot_whose_moments_would_make_parameters_infinite_is_refused() {
    let mut stage = stages(CONTEXT, WIDTH, 8).swap_remove(1);
    let (good, count) = (stage.snapshot(), stage.param_count());
    let first = good.len() - 8 * count;
    for (moment, taken) in [(1e37_f32, false), (1e20, true)] {
        let mut bytes = good.clone();
        bytes[first..first + 4].copy_from_slice(&moment.to_le_bytes());
        assert_eq!(stage.restore(&bytes).is_ok(), taken, "{moment}");
    }
    for _ in 0..50 {
        stage.step().unwrap();
    }
    assert!(stage.params().iter().all(|param| param.is_finite()));
}

#[test]
fn a_held_out_loss_of_what_does_not_belong_together_is_refused() {
    let data = Dataset::embedded(CONTEXT).unwrap();
    let all = stages(CONTEXT, WIDTH, 8);
    let params: Vec<&[f32]> = all.iter().map(Stage::params).collect();
    let [head, body, tail] = [&all[0], &all[1], &all[2]];
    let loss = |stages: &[&Stage], params: &[&[f32]], data: &Dataset, batch| {
        held_out_loss(stages, params, data, batch, Ablation::None)
    };
    let order = [head, body, tail];
    assert!(loss(&order, &params, &data, BATCH).is_ok());
    let backwards = [params[1], params[0], params[2]];
    let other = Dataset::embedded(CONTEXT * 2).unwrap();
    let refusals = [
        loss(&[], &[], &data, BATCH),
        loss(&order, &params[..2], &data, BATCH),
        loss(&order, &backwards, &data, BATCH),
        loss(&[tail, body, head], &backwards, &data, BATCH),
        loss(&[head, body], &params[..2], &data, BATCH),
        loss(&order, &params, &other, BATCH),
        loss(&order, &params, &data, BATCH + 1),
        loss(&order, &params, &data, u32::MAX),
        loss(&order, &params, &data, 0),
    ];
    for (index, refusal) in refusals.into_iter().enumerate() {
        assert!(matches!(refusal, Err(Error::Input(_))), "{index}: {refusal:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// A code or gradient of which some bytes are others: taken or refused, never a panic, and a
    /// refusal accumulates nothing.
    #[test]
    fn bent_codes_and_gradients_never_panic(
        bits in prop::sample::select(vec![32, 8, 4, 2, 1]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        in_header in any::<bool>(),
    ) {
        let (mut all, sent, inputs, targets) = scene(bits);
        let bend = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let reach = if in_header { HEADER } else { bytes.len() };
            changes.iter().for_each(|(place, value)| bytes[place.index(reach)] = *value);
            bytes
        };
        let (code, grad) = (bend(&sent.codes[0]), bend(&sent.tail.grad));
        let _ = all[1].forward(Input::Code(&code));
        let taken = [
            all[0].backward(0, Input::Tokens(&inputs), &bend(&sent.grad)).is_ok(),
            all[1].backward(0, Input::Code(&code), &grad).is_ok(),
            all[2].loss_and_grad(Input::Code(&bend(&sent.codes[1])), &targets).is_ok(),
        ];
        for (stage, taken) in all.iter_mut().zip(taken) {
            prop_assert_eq!(stage.accumulated(), u32::from(taken));
            // What was taken does not stop the run: clipping bounds it.
            prop_assert!(stage.step().is_ok());
        }
    }
}
