//! Lost messages, dead and restarted processes: the run goes on, and no honest miner is accused.

use crate::network::Faults;
use crate::scene::Scene;

#[test]
fn a_bad_network_costs_speed_and_merges_but_accuses_nobody() {
    for seed in [21, 22, 143] {
        let play = Scene { faults: Faults::MANY, ..Scene::new(seed, 3) }.play();
        assert_eq!(play.failed_audits().len(), 0, "{:?}", play.failed_audits());
        let losses = play.losses();
        assert!(losses[&3] < 0.85 * losses[&0], "seed {seed}: {losses:?}");
    }
}

#[test]
fn a_miner_that_dies_while_it_trains_stops_nobody() {
    let mut play = Scene::new(31, 3).open();
    play.play_to_block(0, 6);
    play.world.kill(1);
    play.play_to_epoch(3);
    assert_eq!(play.failed_audits().len(), 0, "{:?}", play.failed_audits());
    let incentives = play.incentives(2);
    assert_eq!(incentives[1], 0, "{incentives:?}");
    assert!(incentives.iter().filter(|incentive| **incentive > 0).count() == 5, "{incentives:?}");
    let losses = play.losses();
    assert!(losses[&3] < losses[&1] && losses[&1] < losses[&0], "{losses:?}");
}

#[test]
fn a_miner_that_comes_back_fetches_its_stage_and_earns_again() {
    let mut play = Scene::new(32, 4).open();
    play.play_to_block(0, 6);
    play.world.kill(3);
    play.play_to_block(1, 10);
    play.restart(3);
    play.play_to_epoch(4);
    assert_eq!(play.failed_audits().len(), 0, "{:?}", play.failed_audits());
    assert!(play.incentives(3)[3] > 0, "{:?}", play.incentives(3));
    for ((epoch, stage), found) in play.merges() {
        assert_eq!(found.len(), 1, "all nodes merge ({epoch}, {stage}) alike: {found:?}");
    }
}

#[test]
fn a_miner_that_restarts_between_two_epochs_goes_on_without_its_residual() {
    let mut play = Scene::new(35, 3).open();
    play.play_to_block(0, 27);
    play.world.kill(2);
    play.play_to_block(0, 28);
    play.restart(2);
    play.play_to_epoch(3);
    assert_eq!(play.failed_audits().len(), 0, "{:?}", play.failed_audits());
    assert!(play.incentives(2)[2] > 0, "{:?}", play.incentives(2));
}

#[test]
fn a_validator_that_restarts_sets_weights_again() {
    let mut play = Scene::new(33, 4).open();
    play.play_to_block(1, 10);
    play.world.kill(7);
    play.play_to_block(1, 12);
    play.restart(7);
    play.play_to_epoch(4);
    assert_eq!(play.failed_audits().len(), 0, "{:?}", play.failed_audits());
    assert_eq!(play.audits()[&3], 12);
    assert!(play.incentives(3).iter().all(|incentive| *incentive > 0));
}

#[test]
fn a_stage_that_lost_all_its_miners_goes_on_from_what_validators_hold() {
    let mut play = Scene::new(34, 4).open();
    play.play_to_block(1, 6);
    play.world.kill(1);
    play.world.kill(4);
    play.play_to_block(1, 20);
    play.restart(1);
    play.restart(4);
    play.play_to_epoch(4);
    assert_eq!(play.failed_audits().len(), 0, "{:?}", play.failed_audits());
    for epoch in [0, 2, 3] {
        assert!(play.merges().contains_key(&(epoch, 1)), "epoch {epoch}");
    }
    assert!(play.incentives(3)[1] > 0 && play.incentives(3)[4] > 0, "{:?}", play.incentives(3));
    let losses = play.losses();
    assert!(losses[&4] < losses[&2], "{losses:?}");
}
