//! Gradients are those of the loss: checked against central differences of the loss itself.
//!
//! The chain under test is forward -> codes -> backward over the wire. With f32 codes it is the
//! derivative of a smooth function, so differences settle it. int8 codes are a staircase, whose
//! slope is passed *straight through* (arXiv 1308.3432): a stage differentiates as though its code
//! left unrounded, at the rounded code it received. The derivative is then defined only behind the
//! last cut (the tail), and elsewhere the rule itself is checked, against the f32 chain.

use iota_trainer::{Dataset, Input, Stage, code_values};

use crate::pipeline::{
    BATCH, config, float_code, microbatch, pass, random, snapshot_parts, stages,
};

const CONTEXT: u32 = 16;
const WIDTH: u32 = 12;
/// Step of the central difference. f32 losses near 5 resolve about 1e-6, so a quotient resolves
/// 1e-4; the curvature over this step costs as much.
const STEP: f32 = 5e-3;
/// Step along one parameter: slopes there are small, so the step is larger. At it, rounding of the
/// loss (1e-6 / 4e-2) and the cubic term both stay near 3e-5.
const COORDINATE_STEP: f32 = 2e-2;
/// What one parameter's slope may be off by, absolutely: three times the above.
const COORDINATE_ERROR: f64 = 1e-4;
/// Parameters tried per stage.
const COORDINATES: usize = 40;

fn text() -> (Vec<u32>, Vec<u32>) {
    let data = Dataset::embedded(CONTEXT).unwrap();
    let (inputs, targets) = microbatch(&data, 3);
    assert_eq!(inputs.len() as u32, BATCH * CONTEXT);
    (inputs, targets)
}

/// Stages whose optimizer neither clips nor remembers, so that their first moment after a step is
/// the mean gradient itself.
fn bare(bits: u32) -> Vec<Stage> {
    let stage = |index| {
        let mut config = config(index, CONTEXT, WIDTH, bits);
        config.adam.beta1_milli = 0;
        config.adam.clip_milli = 0;
        Stage::new(&config).unwrap()
    };
    (0..3).map(stage).collect()
}

/// The mean gradient that a stage of [`bare`] has accumulated.
fn gradient_of(stage: &mut Stage) -> Vec<f32> {
    stage.step().unwrap();
    let [_, moment, _] = snapshot_parts(&stage.snapshot(), stage.param_count());
    moment
}

fn length(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

fn loss(stages: &mut [Stage], inputs: &[u32], targets: &[u32]) -> f64 {
    let head = stages[0].forward(Input::Tokens(inputs)).unwrap();
    let body = stages[1].forward(Input::Code(&head)).unwrap();
    let tail = stages[2].loss_and_grad(Input::Code(&body), targets).unwrap();
    f64::from(tail.loss)
}

/// Slope of `loss` along `direction`, by a central difference.
fn slope(start: &[f32], direction: &[f32], step: f32, mut loss: impl FnMut(&[f32]) -> f64) -> f64 {
    let mut along = |step: f32| {
        let moved: Vec<f32> = start.iter().zip(direction).map(|(p, d)| p + step * d).collect();
        loss(&moved)
    };
    (along(step) - along(-step)) / (2.0 * f64::from(step))
}

/// Compares single entries of a gradient, drawn with a seed, with the slope of the loss.
fn check_entries(start: &[f32], gradient: &[f32], seed: u64, mut loss: impl FnMut(&[f32]) -> f64) {
    let mut random = random(seed);
    let mut telling = 0;
    for _ in 0..COORDINATES {
        let place = random() as usize % start.len();
        let mut direction = vec![0.0; start.len()];
        direction[place] = 1.0;
        let slope = slope(start, &direction, COORDINATE_STEP, &mut loss);
        let entry = f64::from(gradient[place]);
        let error = (slope - entry).abs();
        assert!(error < COORDINATE_ERROR + 0.02 * entry.abs(), "{place}: {slope}, not {entry}");
        telling += usize::from(entry.abs() > 5.0 * COORDINATE_ERROR);
    }
    // Else the tolerance would let a gradient of zeros pass.
    assert!(telling >= COORDINATES / 4, "only {telling} slopes stand out");
}

#[test]
fn every_stage_gets_the_derivative_of_the_loss_along_its_own_gradient() {
    let (inputs, targets) = text();
    for stage in 0..3 {
        let mut all = bare(32);
        let start = all[stage].params().to_vec();
        pass(&mut all, &inputs, &targets);
        let gradient = gradient_of(&mut all[stage]);
        let norm = length(&gradient);
        let direction: Vec<f32> = gradient.iter().map(|g| g / norm as f32).collect();
        let mut moved = stages(CONTEXT, WIDTH, 32);
        let slope = slope(&start, &direction, STEP, |params| {
            moved[stage].load_params(params).unwrap();
            loss(&mut moved, &inputs, &targets)
        });
        assert!((slope - norm).abs() < 0.02 * norm, "stage {stage}: {slope} against {norm}");
    }
}

#[test]
fn single_parameters_of_every_stage_get_the_derivative_of_the_loss() {
    let (inputs, targets) = text();
    for stage in 0..3 {
        let mut all = bare(32);
        let start = all[stage].params().to_vec();
        pass(&mut all, &inputs, &targets);
        let gradient = gradient_of(&mut all[stage]);
        let mut moved = stages(CONTEXT, WIDTH, 32);
        check_entries(&start, &gradient, 11 + stage as u64, |params| {
            moved[stage].load_params(params).unwrap();
            loss(&mut moved, &inputs, &targets)
        });
    }
}

#[test]
fn behind_an_int8_cut_the_tail_gets_the_derivative_of_the_loss() {
    let (inputs, targets) = text();
    let mut all = bare(8);
    let start = all[2].params().to_vec();
    let sent = pass(&mut all, &inputs, &targets);
    let gradient = gradient_of(&mut all[2]);
    let mut tail = bare(8).swap_remove(2);
    check_entries(&start, &gradient, 21, |params| {
        tail.load_params(params).unwrap();
        f64::from(tail.loss_and_grad(Input::Code(&sent.codes[1]), &targets).unwrap().loss)
    });
}

#[test]
fn the_gradient_that_a_tail_sends_is_the_derivative_in_the_code_it_got() {
    let (inputs, targets) = text();
    let mut all = bare(32);
    let sent = pass(&mut all, &inputs, &targets);
    let code = code_values(&sent.codes[1]).unwrap();
    assert_eq!(float_code(&code, WIDTH), sent.codes[1]);
    let gradient = code_values(&sent.tail.grad).unwrap();
    check_entries(&code, &gradient, 31, |code| {
        let code = float_code(code, WIDTH);
        f64::from(all[2].loss_and_grad(Input::Code(&code), &targets).unwrap().loss)
    });
}

#[test]
fn rounding_to_int8_passes_the_slope_straight_through() {
    let (inputs, targets) = text();
    let mut rounded = bare(8);
    let sent = pass(&mut rounded, &inputs, &targets);
    let as_float = |bytes: &[u8]| float_code(&code_values(bytes).unwrap(), WIDTH);
    let (code, grad) = (as_float(&sent.codes[0]), as_float(&sent.tail.grad));
    // What the same body makes of the same numbers when nothing is rounded.
    let mut smooth = bare(32);
    let exact = smooth[1].backward(0, Input::Code(&code), &grad).unwrap().unwrap();
    assert!(gradient_of(&mut rounded[1]) == gradient_of(&mut smooth[1]));
    // Only what goes on over the wire is rounded: by half a step, 1/126 of a row's greatest.
    let (exact, wire) = (code_values(&exact).unwrap(), code_values(&sent.grad).unwrap());
    assert_ne!(exact, wire);
    let rows = exact.chunks(WIDTH as usize).zip(wire.chunks(WIDTH as usize));
    for (exact, wire) in rows {
        let greatest = exact.iter().fold(0f32, |greatest, value| greatest.max(value.abs()));
        for (exact, wire) in exact.iter().zip(wire) {
            assert!((exact - wire).abs() <= greatest / 126.0, "{exact} became {wire}");
        }
    }
}

#[test]
fn a_step_follows_the_mean_of_what_was_accumulated() {
    let data = Dataset::embedded(CONTEXT).unwrap();
    let alone = |number| {
        let (inputs, targets) = microbatch(&data, number);
        let mut all = bare(32);
        pass(&mut all, &inputs, &targets);
        all.iter_mut().map(gradient_of).collect::<Vec<_>>()
    };
    let (first, second) = (alone(3), alone(4));
    let mut both = bare(32);
    for number in [3, 4] {
        let (inputs, targets) = microbatch(&data, number);
        pass(&mut both, &inputs, &targets);
    }
    for (index, stage) in both.iter_mut().enumerate() {
        assert_eq!(stage.accumulated(), 2);
        let mean: Vec<f32> =
            first[index].iter().zip(&second[index]).map(|(a, b)| (a + b) * 0.5).collect();
        assert!(gradient_of(stage) == mean, "stage {index}");
        assert_eq!((stage.accumulated(), stage.version()), (0, 1));
    }
}
