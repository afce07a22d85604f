//! A token depends on itself and on those before it in its sequence, forward and backward.
//!
//! Bit for bit: a masked token weighs exactly zero, so it does not even move a rounding.

use iota_trainer::{Input, Stage, code_values};

use crate::pipeline::{BATCH, config, random, stages};

const CONTEXT: u32 = 16;
const WIDTH: u32 = 12;
/// The token that is changed: of this sequence, at this place.
const SEQUENCE: usize = 2;
const PLACE: usize = 9;

fn tokens(seed: u64) -> Vec<u32> {
    let mut random = random(seed);
    (0..BATCH * CONTEXT).map(|_| (random() % 256) as u32).collect()
}

/// The same tokens with another one at the place.
fn changed(tokens: &[u32]) -> Vec<u32> {
    let mut changed = tokens.to_vec();
    changed[SEQUENCE * CONTEXT as usize + PLACE] ^= 1;
    changed
}

/// Which tokens' rows of two codes differ, as sequence and place.
fn differing(one: &[u8], other: &[u8]) -> Vec<(usize, usize)> {
    let (one, other) = (code_values(one).unwrap(), code_values(other).unwrap());
    let rows = one.chunks(WIDTH as usize).zip(other.chunks(WIDTH as usize)).enumerate();
    let differing = rows.filter(|(_, (one, other))| one != other);
    differing.map(|(row, _)| (row / CONTEXT as usize, row % CONTEXT as usize)).collect()
}

#[test]
fn a_token_reaches_itself_and_those_after_it_in_its_sequence_only() {
    let all = stages(CONTEXT, WIDTH, 32);
    let inputs = tokens(1);
    let codes = [inputs.clone(), changed(&inputs)].map(|tokens| {
        let head = all[0].forward(Input::Tokens(&tokens)).unwrap();
        let body = all[1].forward(Input::Code(&head)).unwrap();
        [head, body]
    });
    let later: Vec<_> = (PLACE..CONTEXT as usize).map(|place| (SEQUENCE, place)).collect();
    let [before, after] = &codes;
    for (before, after) in before.iter().zip(after) {
        assert_eq!(differing(before, after), later);
    }
}

#[test]
fn what_is_to_be_predicted_reaches_the_gradients_of_those_before_only() {
    let all = stages(CONTEXT, WIDTH, 32);
    let head = all[0].forward(Input::Tokens(&tokens(1))).unwrap();
    let code = all[1].forward(Input::Code(&head)).unwrap();
    let targets = tokens(2);
    let grads = [targets.clone(), changed(&targets)].map(|targets| {
        let fresh = |stage| Stage::new(&config(stage, CONTEXT, WIDTH, 32)).unwrap();
        let tail = fresh(2).loss_and_grad(Input::Code(&code), &targets).unwrap().grad;
        let body = fresh(1).backward(0, Input::Code(&head), &tail).unwrap().unwrap();
        [tail, body]
    });
    let earlier: Vec<_> = (0..=PLACE).map(|place| (SEQUENCE, place)).collect();
    let [before, after] = &grads;
    for (before, after) in before.iter().zip(after) {
        assert_eq!(differing(before, after), earlier);
    }
}
