//! Every kind of cheat is seen by the audits, and earns nothing from then on.

use iota::roles::miner::Kind;

use crate::scene::{Play, Scene};

/// Plays three epochs with a cheat at `stage`, and checks that it is caught and not paid.
fn caught(stage: u16, kind: Kind) -> Play {
    let play = Scene::new(7, 3).with(stage, kind).play();
    let cheat = usize::from(stage);
    let failed = play.failed_audits();
    assert_eq!(failed.keys().collect::<Vec<_>>(), [&play.name(cheat)], "{failed:?}");
    for epoch in 0..3 {
        let incentives = play.incentives(epoch);
        let sum: u32 = incentives.iter().copied().map(u32::from).sum();
        assert!((65_500..=65_535).contains(&sum), "epoch {epoch}: {incentives:?}");
        let mut honest = incentives.clone();
        honest.remove(cheat);
        honest.sort_unstable();
        assert!(honest[0] > 0, "epoch {epoch}: {incentives:?}");
        assert!(10 * incentives[cheat] < honest[2], "epoch {epoch}: {incentives:?}");
    }
    play
}

#[test]
fn random_codes_are_caught() {
    caught(0, Kind::GarbageActivations);
}

#[test]
fn random_gradients_of_a_tail_are_caught() {
    caught(2, Kind::GarbageActivations);
}

#[test]
fn gradients_of_zero_are_caught_at_every_stage() {
    for stage in 0..3 {
        caught(stage, Kind::ZeroGradients);
    }
}

#[test]
fn codes_that_are_replayed_are_caught_at_every_stage() {
    for stage in 0..3 {
        caught(stage, Kind::Copies);
    }
}

#[test]
fn a_tail_that_reports_half_of_the_loss_is_caught() {
    caught(2, Kind::FalseLoss);
}

#[test]
fn two_cheats_on_different_stages_are_both_caught() {
    let scene = Scene::new(8, 2).with(0, Kind::Copies).with(2, Kind::FalseLoss);
    let play = scene.play();
    let failed = play.failed_audits();
    assert!(failed.contains_key(&play.name(0)) && failed.contains_key(&play.name(2)), "{failed:?}");
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert_eq!((play.incentives(1)[0], play.incentives(1)[2]), (0, 0));
}

#[test]
fn a_cheat_without_replica_is_caught_and_its_stage_waits() {
    // The cheat's partner dies at once, so that the stage has nobody else.
    let mut play = Scene::new(9, 2).with(1, Kind::ZeroGradients).open();
    play.world.kill(4);
    play.play_to_epoch(2);
    assert!(play.failed_audits().contains_key(&play.name(1)));
    assert_eq!(play.incentives(1)[1], 0);
    assert!(play.world.failed_calls.is_empty(), "{:?}", play.world.failed_calls);
}
