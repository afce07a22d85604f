//! Without cheats nobody is accused, everybody is paid, and the model learns.

use std::collections::{BTreeMap, BTreeSet};

use iota::report::Report;

use crate::scene::{Play, Scene};

/// What must hold of every run of honest nodes on a good network.
pub(crate) fn check(play: &Play, epochs: u32) {
    assert_eq!(play.failed_audits().len(), 0, "{:?}", play.failed_audits());
    assert_eq!(play.world.failed_calls, [""; 0]);
    let (miners, validators) = (play.miners().len(), 2);
    for epoch in 0..epochs {
        assert_eq!(play.audits()[&epoch], miners * validators, "epoch {epoch}");
        let incentives = play.incentives(epoch);
        let sum: u32 = incentives.iter().copied().map(u32::from).sum();
        assert!((65_500..=65_535).contains(&sum), "epoch {epoch}: {incentives:?}");
        assert!(incentives.iter().all(|incentive| *incentive > 0), "{incentives:?}");
    }
    let low: Vec<_> = play.credits().into_iter().filter(|(_, _, credit)| *credit < 0.9).collect();
    assert!(low.is_empty(), "{low:?}");
    let merges = play.merges();
    assert_eq!(merges.len(), epochs as usize * 3);
    for (what, found) in &merges {
        assert_eq!(found.len(), 1, "all nodes merge {what:?} alike: {found:?}");
        let (_, agreed, contributors) = found.first().unwrap();
        assert!(*agreed && *contributors == 2, "{what:?}: {found:?}");
    }
    let losses = play.losses();
    assert_eq!(losses.len() as u32, epochs + 1);
    assert!(losses[&epochs] < 0.8 * losses[&0], "{losses:?}");
}

#[test]
fn no_audit_fails_and_no_credit_is_low_over_five_seeds() {
    for seed in 1..=5 {
        check(&Scene::new(seed, 5).play(), 5);
    }
}

#[test]
fn validators_with_unequal_stakes_judge_alike() {
    let scene = Scene { stakes: vec![30, 10], ..Scene::new(6, 2) };
    check(&scene.play(), 2);
}

#[test]
fn heads_draw_no_more_than_they_may() {
    let scene = Scene { max_draws: 6, ..Scene::new(8, 2) };
    let play = scene.play();
    let mut drawn: BTreeMap<(u32, String), BTreeSet<u64>> = BTreeMap::new();
    for report in play.reports() {
        if let Report::Draw { epoch, head, k, .. } = report {
            drawn.entry((*epoch, head.clone())).or_default().insert(*k);
        }
    }
    assert!(drawn.len() >= 4, "two heads in two epochs: {drawn:?}");
    assert!(drawn.values().all(|drawn| drawn.iter().copied().eq(0..6)), "{drawn:?}");
}
