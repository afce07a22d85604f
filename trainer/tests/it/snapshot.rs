//! What a snapshot holds, and that bytes which are none leave a stage alone.

use iota_trainer::{Dataset, Error, Input, Stage, snapshot_params};
use proptest::prelude::*;

use crate::pipeline::{config, microbatch, pass, snapshot_parts, stages, step};

const CONTEXT: u32 = 16;
/// Magic, step and number of parameters.
const HEADER: usize = 16;

/// A pipeline after some steps, with one microbatch waiting for the next step.
fn busy(steps: u64) -> Vec<Stage> {
    let data = Dataset::embedded(CONTEXT).unwrap();
    let mut all = stages(CONTEXT, 12, 8);
    for number in 0..steps {
        step(&mut all, &data, number);
    }
    let (inputs, targets) = microbatch(&data, steps);
    pass(&mut all, &inputs, &targets);
    all
}

/// The snapshot that a step along what has accumulated leads to.
fn next(stage: &mut Stage) -> Vec<u8> {
    stage.step().unwrap();
    stage.snapshot()
}

#[test]
fn moments_and_step_count_are_part_of_a_snapshot() {
    let mut stage = busy(4).swap_remove(1);
    let bytes = next(&mut stage);
    assert_eq!(bytes.len(), HEADER + 12 * stage.param_count());
    assert_eq!(bytes[8..12], 5u32.to_le_bytes());
    let [params, first, second] = snapshot_parts(&bytes, stage.param_count());
    assert_eq!(params, stage.params());
    assert!(first.iter().any(|m| *m != 0.0) && second.iter().any(|v| *v > 0.0));
    // The same parameters without their history do not go the same way.
    let mut fresh = Stage::new(&config(1, CONTEXT, 12, 8)).unwrap();
    fresh.load_params(stage.params()).unwrap();
    assert_eq!((fresh.version(), fresh.accumulated()), (0, 0));
    let mut restored = Stage::new(&config(1, CONTEXT, 12, 8)).unwrap();
    restored.restore(&bytes).unwrap();
    assert_eq!(restored.version(), 5);
    for stage in [&mut stage, &mut fresh, &mut restored] {
        stage.step().unwrap();
    }
    assert_ne!(stage.params(), fresh.params());
    assert_eq!(stage.params(), restored.params());
}

#[test]
fn restoring_drops_what_was_accumulated_and_the_versions_before() {
    let data = Dataset::embedded(CONTEXT).unwrap();
    let (inputs, targets) = microbatch(&data, 9);
    let mut all = busy(3);
    let sent = pass(&mut all, &inputs, &targets);
    let head = &mut all[0];
    assert_eq!(head.accumulated(), 2);
    head.restore(&head.snapshot()).unwrap();
    assert_eq!((head.version(), head.accumulated()), (3, 0));
    let gone = head.backward(2, Input::Tokens(&inputs), &sent.grad).unwrap_err();
    assert!(matches!(gone, Error::Version { version: 2, oldest: 3, newest: 3 }), "{gone}");
    assert!(head.backward(3, Input::Tokens(&inputs), &sent.grad).is_ok());
}

#[test]
fn a_snapshot_with_impossible_values_is_refused() {
    let mut stage = busy(2).swap_remove(1);
    let good = stage.snapshot();
    let count = stage.param_count();
    let with = |place: usize, value: f32| {
        let mut bytes = good.clone();
        bytes[HEADER + 4 * place..][..4].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for place in [0, count - 1, count, 2 * count, 3 * count - 1] {
            assert!(stage.restore(&with(place, value)).is_err(), "{value} at {place}");
        }
    }
    // A mean of squares is not negative; its root would be NaN one step later.
    assert!(stage.restore(&with(2 * count + 5, -1.0)).is_err());
    assert!(stage.snapshot() == good && stage.accumulated() == 1, "unchanged");
}

#[test]
fn a_snapshot_at_the_last_step_there_can_be_does_not_overflow_the_count() {
    let mut stage = stages(CONTEXT, 12, 8).swap_remove(1);
    let mut bytes = stage.snapshot();
    bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    stage.restore(&bytes).unwrap();
    assert!(stage.step().is_err());
    assert!(stage.snapshot() == bytes, "unchanged");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Cut short, grown, or with any other header than its own.
    #[test]
    fn bytes_that_are_no_snapshot_leave_the_stage_and_its_gradient_alone(
        cut in any::<prop::sample::Index>(),
        place in prop_oneof![0usize..8, 12usize..HEADER],
        flip in 1u8..,
        extra in prop::collection::vec(any::<u8>(), 1..20),
    ) {
        let mut stage = Stage::new(&config(1, CONTEXT, 12, 32)).unwrap();
        let good = stage.snapshot();
        let input = float_inputs();
        stage.backward(0, Input::Code(&input), &input).unwrap();
        let mut bent = good.clone();
        bent[place] ^= flip;
        let grown = [&good[..], &extra].concat();
        for broken in [&good[..cut.index(good.len())], &bent, &grown, &extra] {
            prop_assert!(matches!(stage.restore(broken), Err(Error::Input(_))));
            prop_assert!(snapshot_params(broken).is_err() || broken == bent);
        }
        prop_assert!(stage.snapshot() == good);
        prop_assert_eq!(stage.accumulated(), 1);
        let mut untouched = Stage::new(&config(1, CONTEXT, 12, 32)).unwrap();
        untouched.backward(0, Input::Code(&input), &input).unwrap();
        prop_assert!(next(&mut stage) == next(&mut untouched), "the gradient still waits");
    }
}

/// A code and, as well, a gradient: its numbers do not matter here.
fn float_inputs() -> Vec<u8> {
    let values: Vec<f32> = (0..8 * CONTEXT * 12).map(|place| (place as f32).sin()).collect();
    crate::pipeline::float_code(&values, 12)
}
