//! A pipeline learns from text, and what it learns goes through the cuts.

use iota_trainer::{Ablation, Dataset, Input, Stage, held_out_loss};

use crate::pipeline::{BATCH, STAGES, microbatch, stages, step};

const CONTEXT: u32 = 64;
/// Optimizer steps: enough that text is predicted better than by counting bytes.
const STEPS: u64 = 150;

fn held_out(stages: &[Stage], data: &Dataset, ablation: Ablation) -> f64 {
    let params: Vec<&[f32]> = stages.iter().map(Stage::params).collect();
    let stages: Vec<&Stage> = stages.iter().collect();
    held_out_loss(&stages, &params, data, BATCH, ablation).unwrap()
}

#[test]
fn text_is_learned_and_every_cut_carries_some_of_it() {
    let data = Dataset::embedded(CONTEXT).unwrap();
    let mut stages = stages(CONTEXT, 12, 8);
    let before = held_out(&stages, &data, Ablation::None);
    assert!((before - 256f64.ln()).abs() < 0.5, "nothing is known at first: {before}");
    for number in 0..STEPS {
        step(&mut stages, &data, number);
    }
    let after = held_out(&stages, &data, Ablation::None);
    // A model that is only output biases cannot go below the entropy of single bytes.
    assert!(after < 0.9 * data.unigram_entropy().unwrap(), "{before} -> {after}");
    for cut in 0..STAGES - 1 {
        let without = held_out(&stages, &data, Ablation::ZeroCut(cut));
        assert!(without > after + 0.3, "cut {cut}: {after} -> {without}");
    }
    // Zeros leave a model without biases nothing at all: it says ln 256. Codes of other text leave
    // it all but this text. The cuts lie in series, so one comparison speaks for each of them.
    let (inputs, targets) = microbatch(&data, STEPS);
    let (others, _) = microbatch(&data, STEPS + 1);
    let mut loss = |inputs: &[u32]| {
        let head = stages[0].forward(Input::Tokens(inputs)).unwrap();
        let body = stages[1].forward(Input::Code(&head)).unwrap();
        stages[2].loss_and_grad(Input::Code(&body), &targets).unwrap().loss
    };
    let (own, foreign) = (loss(&inputs), loss(&others));
    assert!(foreign > own + 1.0, "{own} -> {foreign}");
}

#[test]
fn equal_seeds_learn_alike_bit_for_bit() {
    let data = Dataset::embedded(CONTEXT).unwrap();
    let trajectory = || -> Vec<u32> {
        let mut stages = stages(CONTEXT, 12, 8);
        (0..12).map(|number| step(&mut stages, &data, number).to_bits()).collect()
    };
    assert_eq!(trajectory(), trajectory());
}
