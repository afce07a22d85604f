//! Equal settings and inputs give equal bits: across instances, repetitions and forms of codes.

use iota_trainer::{Dataset, Input, Stage};
use proptest::prelude::*;

use crate::pipeline::{Pass, config, microbatch, pass, random, stages};

const CONTEXT: u32 = 16;

/// The bits of all that one microbatch puts on the wire.
fn wire(pass: Pass) -> [Vec<u8>; 5] {
    let [head, body] = pass.codes;
    [head, body, pass.tail.loss.to_bits().to_le_bytes().to_vec(), pass.tail.grad, pass.grad]
}

#[test]
fn two_instances_send_the_same_bytes_and_take_the_same_step() {
    let data = Dataset::embedded(CONTEXT).unwrap();
    for bits in [32, 8, 4, 2, 1] {
        let (mut one, mut other) = (stages(CONTEXT, 12, bits), stages(CONTEXT, 12, bits));
        for number in 0..3 {
            let (inputs, targets) = microbatch(&data, number);
            let sent = [pass(&mut one, &inputs, &targets), pass(&mut other, &inputs, &targets)];
            let [one_sent, other_sent] = sent.map(wire);
            assert!(one_sent == other_sent, "microbatch {number}");
            for (one, other) in one.iter_mut().zip(&mut other) {
                let (one_step, other_step) = (one.step().unwrap(), other.step().unwrap());
                assert_eq!(one_step.grad_norm.to_bits(), other_step.grad_norm.to_bits());
                assert!(one.snapshot() == other.snapshot(), "microbatch {number}");
            }
        }
    }
}

#[test]
fn repeating_a_microbatch_repeats_its_bytes_and_a_forward_pass_leaves_no_trace() {
    let data = Dataset::embedded(CONTEXT).unwrap();
    let (inputs, targets) = microbatch(&data, 5);
    let mut all = stages(CONTEXT, 12, 8);
    let before: Vec<Vec<u8>> = all.iter().map(Stage::snapshot).collect();
    let code = all[0].forward(Input::Tokens(&inputs)).unwrap();
    assert_eq!((code, all[0].accumulated()), (all[0].forward(Input::Tokens(&inputs)).unwrap(), 0));
    let first = wire(pass(&mut all, &inputs, &targets));
    let second = wire(pass(&mut all, &inputs, &targets));
    assert!(first == second);
    assert!(all.iter().all(|stage| stage.accumulated() == 2 && stage.version() == 0));
    let after: Vec<Vec<u8>> = all.iter().map(Stage::snapshot).collect();
    assert!(before == after, "what is accumulated is not part of a snapshot");
}

#[test]
fn parameters_start_from_seed_and_stage_alone() {
    let at = |stage, seed: u8| {
        let mut config = config(stage, CONTEXT, 12, 8);
        config.seed = [seed; 32];
        Stage::new(&config).unwrap()
    };
    assert_eq!(at(1, 7).params(), at(1, 7).params());
    assert_ne!(at(1, 7).params(), at(1, 8).params());
    let mut other = config(1, CONTEXT, 12, 32);
    other.batch = 3;
    other.adam.lr_micro = 1;
    assert_eq!(Stage::new(&other).unwrap().params(), at(1, 7).params());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Any text, not only English: the bytes of a microbatch are drawn.
    #[test]
    fn any_tokens_give_the_same_bytes_twice(seed in any::<u64>()) {
        let mut random = random(seed);
        let mut draw = || -> Vec<u32> {
            (0..8 * CONTEXT).map(|_| (random() % 256) as u32).collect()
        };
        let (inputs, targets) = (draw(), draw());
        let sent = [0, 1].map(|_| wire(pass(&mut stages(CONTEXT, 12, 8), &inputs, &targets)));
        prop_assert!(sent[0] == sent[1]);
    }
}
