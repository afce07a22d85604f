//! Gradients are those of the loss: checked against differences of the loss itself.

use iota_trainer::{Dataset, Input, Stage};

use crate::pipeline::{BATCH, microbatch, pass, stages};

const CONTEXT: u32 = 16;
/// Step of the central difference. f32 losses near 5 resolve about 1e-6, so a quotient resolves
/// 1e-4; the curvature over this step costs as much.
const STEP: f32 = 5e-3;

fn loss(stages: &mut [Stage], inputs: &[u32], targets: &[u32]) -> f64 {
    let head = stages[0].forward(Input::Tokens(inputs)).unwrap();
    let body = stages[1].forward(Input::Code(&head)).unwrap();
    let tail = stages[2].loss_and_grad(&body, targets).unwrap();
    f64::from(tail.loss)
}

/// Norm and direction of the gradient that a stage has accumulated, as its first step tells them:
/// the first moment after it, which the snapshot holds, points along the gradient.
fn gradient_of(stage: &mut Stage) -> (f64, Vec<f32>) {
    let norm = stage.step().unwrap().grad_norm;
    let snapshot = stage.snapshot();
    let header = snapshot.len() - 12 * stage.param_count();
    let values = snapshot[header..].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
    let moment: Vec<f32> = values.skip(stage.param_count()).take(stage.param_count()).collect();
    let length = moment.iter().map(|m| f64::from(*m).powi(2)).sum::<f64>().sqrt() as f32;
    (f64::from(norm), moment.iter().map(|m| m / length).collect())
}

#[test]
fn every_stage_gets_the_derivative_of_the_loss_along_its_own_gradient() {
    let data = Dataset::embedded(CONTEXT).unwrap();
    let (inputs, targets) = microbatch(&data, 3);
    assert_eq!(inputs.len() as u32, BATCH * CONTEXT);
    // Codes travel as f32: int8 is a staircase, whose slope is passed straight through.
    for stage in 0..3 {
        let mut all = stages(CONTEXT, 12, false);
        let start = all[stage].params().to_vec();
        pass(&mut all, &inputs, &targets);
        let (norm, direction) = gradient_of(&mut all[stage]);
        let along = |sign: f32| -> Vec<f32> {
            start.iter().zip(&direction).map(|(p, d)| p + sign * STEP * d).collect()
        };
        let at = |params: Vec<f32>| {
            let mut moved = stages(CONTEXT, 12, false);
            moved[stage].load_params(&params).unwrap();
            loss(&mut moved, &inputs, &targets)
        };
        let slope = (at(along(1.0)) - at(along(-1.0))) / (2.0 * f64::from(STEP));
        assert!((slope - norm).abs() < 0.02 * norm, "stage {stage}: {slope} against {norm}");
    }
}
