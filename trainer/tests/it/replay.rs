//! A stage can be stopped, moved and repeated: what an auditor and a restarted miner rely on.

use iota_trainer::{Dataset, Error, Input, Options, Precision, Stage, snapshot_params};

use crate::pipeline::{config, microbatch, pass, step};

const CONTEXT: u32 = 16;

fn data() -> Dataset {
    Dataset::embedded(CONTEXT).unwrap()
}

/// Stages that can go back to earlier versions.
fn remembering() -> Vec<Stage> {
    let options = Options { keep_versions: true, ..Options::default() };
    let stage = |index| Stage::with(&config(index, CONTEXT, 12, 8), options).unwrap();
    (0..3).map(stage).collect()
}

/// A pipeline after some steps.
fn trained(steps: u64) -> Vec<Stage> {
    let mut all = remembering();
    let data = data();
    for number in 0..steps {
        step(&mut all, &data, number);
    }
    all
}

#[test]
fn a_restored_snapshot_goes_on_as_if_nothing_had_happened() {
    let mut all = trained(5);
    let mut restored: Vec<Stage> = (0..3)
        .map(|index| {
            let mut stage = Stage::new(&config(index, CONTEXT, 12, 8)).unwrap();
            stage.restore(&all[usize::from(index)].snapshot()).unwrap();
            stage
        })
        .collect();
    for number in 5..9 {
        let (old, new) = (step(&mut all, &data(), number), step(&mut restored, &data(), number));
        assert_eq!(old.to_bits(), new.to_bits());
    }
    for (old, new) in all.iter().zip(&restored) {
        assert_eq!(old.version(), 9);
        assert_eq!(old.snapshot(), new.snapshot());
        assert_eq!(snapshot_params(&old.snapshot()).unwrap(), old.params());
    }
}

#[test]
fn a_broken_snapshot_is_refused_and_changes_nothing() {
    let mut stage = trained(2).swap_remove(1);
    let good = stage.snapshot();
    let mut not_finite = good.clone();
    let end = not_finite.len();
    not_finite[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let other = Stage::new(&config(0, CONTEXT, 12, 8)).unwrap().snapshot();
    for broken in [&good[..good.len() - 1], &good[..7], &[], &not_finite, &other] {
        assert!(stage.restore(broken).is_err());
        assert!(stage.snapshot() == good, "unchanged");
    }
}

#[test]
fn a_replay_gives_the_code_and_the_gradient_that_were_sent() {
    let mut live = trained(3);
    let (inputs, targets) = microbatch(&data(), 3);
    let snapshots: Vec<Vec<u8>> = live.iter().map(Stage::snapshot).collect();
    let sent = pass(&mut live, &inputs, &targets);
    let again = |index: u16| {
        let mut stage = Stage::new(&config(index, CONTEXT, 12, 8)).unwrap();
        stage.restore(&snapshots[usize::from(index)]).unwrap();
        stage
    };
    let (code, grad) = again(0).replay(3, Input::Tokens(&inputs), &sent.grad).unwrap();
    assert_eq!((code, grad), (sent.codes[0].clone(), None));
    let input = Input::Code(&sent.codes[0]);
    let (code, grad) = again(1).replay(3, input, &sent.tail.grad).unwrap();
    assert_eq!((code, grad), (sent.codes[1].clone(), Some(sent.grad)));
    let tail = again(2).loss_and_grad(Input::Code(&sent.codes[1]), &targets).unwrap();
    assert_eq!((tail.loss.to_bits(), &tail.grad), (sent.tail.loss.to_bits(), &sent.tail.grad));
}

/// Whatever a stage computes with, an auditor who has its bytes finds the same ones.
#[test]
fn a_replay_agrees_in_bf16_with_recomputed_activations_and_tokens_at_the_cuts() {
    iota_trainer::use_threads(1);
    let build = |index, recompute| {
        let mut config = config(index, CONTEXT, 12, 8);
        config.model.precision = Precision::Bf16;
        (config.cut.token_width, config.cut.token_span) = (8, 4);
        config.adam.muon = true;
        Stage::with(&config, Options { recompute, keep_versions: true, ..Options::default() })
            .unwrap()
    };
    let mut live: Vec<Stage> = (0..3).map(|index| build(index, index == 1)).collect();
    for number in 0..3 {
        step(&mut live, &data(), number);
    }
    let (inputs, targets) = microbatch(&data(), 3);
    let mut auditor = build(1, false);
    auditor.restore(&live[1].snapshot()).unwrap();
    let sent = pass(&mut live, &inputs, &targets);
    let input = Input::CodeAndTokens(&sent.codes[0], &inputs);
    let (code, grad) = auditor.replay(3, input, &sent.tail.grad).unwrap();
    assert_eq!((code, grad), (sent.codes[1].clone(), Some(sent.grad)));
    live[1].step().unwrap();
    auditor.step().unwrap();
    assert!(live[1].snapshot() == auditor.snapshot());
    let bare = auditor.replay(3, Input::Code(&sent.codes[0]), &sent.tail.grad);
    assert!(matches!(bare, Err(Error::Input(_))), "tokens are missing: {bare:?}");
}

#[test]
fn a_gradient_that_comes_late_is_taken_at_the_version_of_its_forward_pass() {
    let mut all = trained(1);
    let (inputs, targets) = microbatch(&data(), 7);
    let sent = pass(&mut all, &inputs, &targets);
    let mut late = trained(1);
    for number in 1..4 {
        step(&mut late, &data(), number);
    }
    let head = &mut late[0];
    let (code, _) = head.replay(1, Input::Tokens(&inputs), &sent.grad).unwrap();
    assert_eq!(code, sent.codes[0]);
    let gone = trained(12)[0].replay(1, Input::Tokens(&inputs), &sent.grad);
    assert!(matches!(gone, Err(Error::Version { version: 1, newest: 12, .. })), "{gone:?}");
}

#[test]
fn a_flight_lands_at_the_version_it_left_with_while_an_auditor_could_repeat_it() {
    let data = data();
    let (inputs, targets) = microbatch(&data, 20);
    let (mut all, mut auditor) = (remembering(), remembering().swap_remove(0));
    let grad = pass(&mut all, &inputs, &targets).grad;
    let mut stage = Stage::new(&config(0, CONTEXT, 12, 8)).unwrap();
    let flights: Vec<_> = (0..2).map(|_| stage.depart(Input::Tokens(&inputs)).unwrap()).collect();
    let [(code, late), (_, too_late)] = flights.try_into().unwrap();
    for (number, flight) in [(7, Some(late)), (1, None)] {
        for _ in 0..number {
            let input = Input::Tokens(&inputs);
            for stage in [&mut stage, &mut auditor] {
                stage.backward(stage.version(), input, &grad).unwrap();
                stage.step().unwrap();
            }
        }
        let Some(flight) = flight else { continue };
        stage.land(flight, &grad).unwrap();
        assert_eq!(auditor.replay(0, Input::Tokens(&inputs), &grad).unwrap().0, code);
        assert_eq!((stage.version(), stage.accumulated()), (7, 1));
    }
    assert!(stage.snapshot() == auditor.snapshot());
    let gone = stage.land(too_late, &grad);
    assert!(matches!(gone, Err(Error::Version { version: 0, newest: 8, .. })), "{gone:?}");
    let (_, flight) = stage.depart(Input::Tokens(&inputs)).unwrap();
    let params = stage.params().to_vec();
    stage.load_params(&params).unwrap();
    assert!(stage.land(flight, &grad).is_err(), "parameters were loaded in between");
    assert_eq!(stage.accumulated(), 0);
}

#[test]
fn the_last_eight_versions_are_kept_and_each_replays_its_own_code() {
    let data = data();
    let (inputs, targets) = microbatch(&data, 20);
    let mut all = remembering();
    let grad = pass(&mut all, &inputs, &targets).grad;
    let mut codes = Vec::new();
    for number in 0..10 {
        codes.push(all[0].forward(Input::Tokens(&inputs)).unwrap());
        step(&mut all, &data, number);
    }
    codes.push(all[0].forward(Input::Tokens(&inputs)).unwrap());
    assert!(codes.windows(2).all(|pair| pair[0] != pair[1]), "each step changes the code");
    for (version, code) in codes.iter().enumerate() {
        match all[0].replay(version as u32, Input::Tokens(&inputs), &grad) {
            Ok((again, _)) => assert!(version >= 3 && again == *code, "version {version}"),
            Err(Error::Version { oldest: 3, newest: 10, .. }) => assert!(version < 3, "{version}"),
            Err(other) => panic!("version {version}: {other}"),
        }
    }
    assert_eq!(all[0].accumulated(), 8);
}

#[test]
fn what_a_peer_may_send_is_refused_without_a_trace() {
    let mut all = trained(1);
    let (inputs, targets) = microbatch(&data(), 1);
    let sent = pass(&mut all, &inputs, &targets);
    for stage in &mut all {
        stage.step().unwrap();
    }
    let version = all[1].version();
    let code = &sent.codes[0];
    let mut bent = code.clone();
    bent[0] ^= 0xff;
    for bad in [&code[..code.len() - 1], &[], &bent[..], &vec![0xff; code.len()][..]] {
        assert!(all[1].forward(Input::Code(bad)).is_err());
        assert!(all[1].backward(version, Input::Code(bad), &sent.tail.grad).is_err());
        assert!(all[1].backward(version, Input::Code(code), bad).is_err());
        assert!(all[2].loss_and_grad(Input::Code(bad), &targets).is_err());
    }
    let mut foreign = inputs.clone();
    foreign[3] = 256;
    assert!(all[0].forward(Input::Tokens(&foreign)).is_err());
    assert!(all[0].forward(Input::Tokens(&inputs[1..])).is_err());
    assert!(all[0].forward(Input::Code(code)).is_err(), "a head takes tokens");
    assert!(all[2].loss_and_grad(Input::Code(&sent.codes[1]), &foreign).is_err());
    assert!(all.iter().all(|stage| stage.accumulated() == 0));
}
