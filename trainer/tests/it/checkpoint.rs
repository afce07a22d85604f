//! Stages on disk: what was written is what is read, or an error says what is wrong.

use iota_trainer::{Checkpoint, Dataset, Error, Input, Precision, Stage};

use crate::pipeline::{STAGES, config, microbatch, step};

const CONTEXT: u32 = 16;

fn stages(precision: Precision) -> Vec<Stage> {
    iota_trainer::use_threads(1);
    let stage = |index| {
        let mut config = config(index, CONTEXT, 12, 8);
        config.model.precision = precision;
        (config.cut.token_width, config.cut.token_span) = (8, 4);
        config.adam.muon = precision == Precision::Bf16;
        Stage::new(&config).unwrap()
    };
    (0..STAGES).map(stage).collect()
}

#[test]
fn a_run_cut_in_half_ends_with_the_same_bits_as_an_uncut_one() {
    let data = Dataset::embedded(CONTEXT).unwrap();
    for precision in [Precision::F32, Precision::Bf16] {
        let folder = tempfile::tempdir().unwrap();
        let mut uncut = stages(precision);
        for number in 0..4 {
            step(&mut uncut, &data, number);
        }
        for (index, stage) in uncut.iter().enumerate() {
            stage.checkpoint().write(&folder.path().join(format!("{index}"))).unwrap();
        }
        let mut resumed = stages(precision);
        for (index, stage) in resumed.iter_mut().enumerate() {
            let checkpoint = Checkpoint::read(&folder.path().join(format!("{index}"))).unwrap();
            stage.resume(&checkpoint).unwrap();
        }
        for number in 4..8 {
            let (a, b) = (step(&mut uncut, &data, number), step(&mut resumed, &data, number));
            assert_eq!(a.to_bits(), b.to_bits());
        }
        for (a, b) in uncut.iter().zip(&resumed) {
            assert!(a.snapshot() == b.snapshot());
        }
    }
}

#[test]
fn a_damaged_file_is_refused_wherever_a_bit_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stage");
    let stage = stages(Precision::F32).swap_remove(1);
    let mut written = stage.checkpoint();
    written.notes.insert("epoch".into(), "7".into());
    written.write(&path).unwrap();
    assert_eq!(Checkpoint::read(&path).unwrap(), written);
    let good = std::fs::read(&path).unwrap();
    let places = (0..good.len()).step_by(good.len() / 97).chain([good.len() - 1]);
    for place in places {
        let mut bytes = good.clone();
        bytes[place] ^= 4;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(Checkpoint::read(&path), Err(Error::Text { .. })), "byte {place}");
    }
    for end in [0, 7, good.len() / 2, good.len() - 1] {
        std::fs::write(&path, &good[..end]).unwrap();
        assert!(matches!(Checkpoint::read(&path), Err(Error::Text { .. })), "{end} bytes");
    }
    assert!(matches!(Checkpoint::read(&folder.path().join("none")), Err(Error::Read { .. })));
}

#[test]
fn a_checkpoint_of_another_stage_or_without_moments_is_not_resumed() {
    let mut all = stages(Precision::F32);
    let (inputs, _) = microbatch(&Dataset::embedded(CONTEXT).unwrap(), 1);
    let before = all[0].forward(Input::Tokens(&inputs)).unwrap();
    let other = all[1].checkpoint();
    assert!(matches!(all[0].resume(&other), Err(Error::Input(_))));
    let mut bare = all[0].checkpoint();
    bare.moments = None;
    assert!(matches!(all[0].resume(&bare), Err(Error::Input(_))));
    assert_eq!(all[0].forward(Input::Tokens(&inputs)).unwrap(), before);
    let mut short = all[0].checkpoint();
    short.params.pop();
    let folder = tempfile::tempdir().unwrap();
    assert!(short.write(&folder.path().join("stage")).is_err());
}
