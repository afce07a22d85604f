//! The same seed gives the same run: every effect of every node, every block.

use iota::roles::miner::Kind;

use crate::network::Faults;
use crate::scene::Scene;

#[test]
fn equal_seeds_give_equal_traces() {
    let scene =
        Scene { faults: Faults::MANY, ..Scene::new(11, 2).with(1, Kind::GarbageActivations) };
    let (one, two) = (scene.play(), scene.play());
    assert_eq!(one.world.reports, two.world.reports);
    assert_eq!(one.world.trace(), two.world.trace());
}

#[test]
fn another_seed_gives_another_trace() {
    let (one, two) = (Scene::new(11, 1).play(), Scene::new(12, 1).play());
    assert_ne!(one.world.trace(), two.world.trace());
}
