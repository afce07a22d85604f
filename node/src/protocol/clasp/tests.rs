//! Simulated swarms: who is found, who is wrongly accused, and what confuses which estimator.
//!
//! The swarm of most tests is the paper's: 5 stages of 5 miners, honest losses N(4.5, 0.2). Rates
//! are asserted over fixed seeds, so a change of the estimators that moves them shows.

use super::*;
use crate::protocol::choose::Stream;

/// Seeded normal and uniform draws.
struct Noise(Stream);

impl Noise {
    fn new(seed: u64) -> Self {
        Self(Stream::new("iota test clasp", &[&seed.to_le_bytes()]))
    }

    fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u64) as usize
    }
}

fn miner(stage: usize, replica: usize) -> Hotkey {
    let mut hotkey = [0; 32];
    hotkey[0] = stage as u8;
    hotkey[1] = replica as u8;
    hotkey
}

/// Stages, replicas, and the bad miners with the factor by which they raise mean and deviation.
struct Swarm {
    stages: usize,
    replicas: usize,
    bad: Vec<(Hotkey, f64)>,
}

impl Swarm {
    fn paper(factor: f64) -> Self {
        Self { stages: 5, replicas: 5, bad: vec![(miner(2, 3), factor)] }
    }

    fn factor(&self, pathway: &[Hotkey]) -> f64 {
        let of = |(hotkey, factor): &(Hotkey, f64)| {
            if pathway.contains(hotkey) { *factor } else { 1.0 }
        };
        self.bad.iter().map(of).product()
    }

    /// Records over evenly random pathways.
    fn records(&self, noise: &mut Noise, count: usize) -> Vec<Record> {
        let record = |time: usize| {
            let pathway: Vec<Hotkey> =
                (0..self.stages).map(|stage| miner(stage, noise.below(self.replicas))).collect();
            let factor = self.factor(&pathway);
            let loss = 4.5 * factor + 0.2 * factor * noise.normal();
            Record { pathway, loss, time: time as f64, surprisal: 0.0 }
        };
        (0..count).map(record).collect()
    }

    /// The credits after two windows of `count` records each.
    fn judge(&self, seed: u64, count: usize) -> BTreeMap<Hotkey, Credit> {
        let mut noise = Noise::new(seed);
        let mut window = || fit(&self.records(&mut noise, count), FitRule::default());
        credits(&[window(), window()], CreditRule::default())
    }
}

fn flagged(credits: &BTreeMap<Hotkey, Credit>) -> Vec<Hotkey> {
    credits.iter().filter(|(_, credit)| credit.flagged).map(|(hotkey, _)| *hotkey).collect()
}

/// Effect over standard error.
fn z(estimate: &Estimate) -> f64 {
    estimate.effect / estimate.standard_error
}

/// Swarms out of 100 seeds in which the bad miner is flagged, and honest miners flagged in all.
fn rates(swarm: &Swarm, count: usize) -> (usize, usize) {
    let (mut found, mut wrong) = (0, 0);
    for seed in 0..100 {
        let credits = swarm.judge(seed, count);
        for hotkey in flagged(&credits) {
            let bad = swarm.bad.iter().any(|(bad, _)| *bad == hotkey);
            found += usize::from(bad);
            wrong += usize::from(!bad);
        }
    }
    (found, wrong)
}

#[test]
fn paper_experiment_finds_the_bad_miner_and_accuses_nobody_else() {
    // +10 %: 150 records a window (30 per miner) always suffice, 100 nearly always.
    assert_eq!(rates(&Swarm::paper(1.10), 150), (100, 0));
    let (found, wrong) = rates(&Swarm::paper(1.10), 100);
    assert!(found >= 90 && wrong == 0, "{found} found, {wrong} wrong");
    // Smaller harm takes more records: +5 % with 400, +3 % with 1500.
    let (found, wrong) = rates(&Swarm::paper(1.05), 400);
    assert!(found >= 95 && wrong == 0, "{found} found, {wrong} wrong");
    let (found, wrong) = rates(&Swarm::paper(1.03), 1_500);
    assert!(found >= 95 && wrong == 0, "{found} found, {wrong} wrong");
}

#[test]
fn siblings_of_a_bad_miner_look_better_for_it() {
    let records = Swarm::paper(1.10).records(&mut Noise::new(1), 1_000);
    for miners in [fit(&records, FitRule::default()).unwrap().miners, pathway_means(&records)] {
        assert!((miners[&miner(2, 3)].effect - 0.45).abs() < 0.1);
        for sibling in [0, 1, 2, 4] {
            assert!(miners[&miner(2, sibling)].effect < -0.05);
        }
    }
}

#[test]
fn honest_swarms_keep_full_credit_and_errors_are_calibrated() {
    let swarm = Swarm { stages: 5, replicas: 5, bad: Vec::new() };
    for seed in 0..200 {
        let credits = swarm.judge(seed, 100);
        assert_eq!(credits.len(), 25);
        assert!(credits.values().all(|credit| credit.multiplier == 1.0), "seed {seed}");
    }
    // The standard errors mean what they say: of 10,000 effects, 1 % exceed 2.326 of them, and
    // 0.01 % exceed 3.719 (binomial spread allowed for).
    for estimator in
        [|records: &[Record]| fit(records, FitRule::default()).unwrap().miners, pathway_means]
    {
        let scores: Vec<f64> = (0..400)
            .flat_map(|seed| {
                let records = swarm.records(&mut Noise::new(seed), 200);
                estimator(&records).values().map(z).collect::<Vec<_>>()
            })
            .collect();
        let above = |limit: f64| scores.iter().filter(|score| **score > limit).count();
        assert!((60..=150).contains(&above(2.326)), "{}", above(2.326));
        assert!(above(3.719) <= 6, "{}", above(3.719));
    }
}

#[test]
fn two_replicas_are_enough_to_tell_which() {
    let swarm = Swarm { stages: 3, replicas: 2, bad: vec![(miner(1, 0), 1.10)] };
    let (found, wrong) = rates(&swarm, 60);
    assert!(found >= 98 && wrong == 0, "{found} found, {wrong} wrong");
    let fit = fit(&swarm.records(&mut Noise::new(3), 400), FitRule::default()).unwrap();
    let [bad, good] = [fit.miners[&miner(1, 0)], fit.miners[&miner(1, 1)]];
    assert!((bad.effect - 0.45).abs() < 0.08 && (bad.effect + good.effect).abs() < 1e-9);
}

#[test]
fn several_bad_miners_in_one_stage_and_across_stages_are_found() {
    let bad = vec![(miner(1, 0), 1.1), (miner(1, 4), 1.1), (miner(3, 2), 1.1)];
    let swarm = Swarm { stages: 5, replicas: 5, bad };
    let (found, wrong) = rates(&swarm, 400);
    assert!(found >= 295 && wrong == 0, "{found} of 300 found, {wrong} wrong");
}

/// Records in which `miner(1, 0)`, honest, gets nine tenths of its work from `miner(0, 0)`, bad.
fn unbalanced(noise: &mut Noise, count: usize) -> Vec<Record> {
    let swarm = Swarm { stages: 3, replicas: 4, bad: vec![(miner(0, 0), 1.1)] };
    let mut records = swarm.records(noise, count);
    for record in &mut records {
        if record.pathway[0] == miner(0, 0) && noise.uniform() < 0.9 {
            record.pathway[1] = miner(1, 0);
        }
    }
    records
}

#[test]
fn fit_untangles_unbalanced_routing_and_means_do_not() {
    for seed in 0..20 {
        let mut noise = Noise::new(seed);
        let windows = [unbalanced(&mut noise, 400), unbalanced(&mut noise, 400)];
        let fits = windows.each_ref().map(|window| fit(window, FitRule::default()));
        let credits = credits(&fits, CreditRule::default());
        assert_eq!(flagged(&credits), [miner(0, 0)], "seed {seed}");
        let means = pathway_means(&windows[1]);
        assert!(z(&means[&miner(1, 0)]) > 3.719, "seed {seed}");
    }
}

#[test]
fn falling_loss_does_not_accuse_who_worked_early() {
    let swarm = Swarm { stages: 3, replicas: 2, bad: Vec::new() };
    for seed in 0..20 {
        let mut noise = Noise::new(seed);
        let mut window = || {
            let mut records = swarm.records(&mut noise, 300);
            for (index, record) in records.iter_mut().enumerate() {
                // The loss falls by a quarter along a curve; one miner all but leaves halfway.
                record.loss += 1.5 * (-2.0 * record.time / 300.0).exp();
                if index > 150 && noise.uniform() < 0.95 {
                    record.pathway[1] = miner(1, 1);
                }
            }
            records
        };
        let windows = [window(), window()];
        let fits = windows.each_ref().map(|window| fit(window, FitRule::default()));
        let credits = credits(&fits, CreditRule::default());
        assert!(credits.values().all(|credit| credit.multiplier == 1.0), "seed {seed}");
        assert!(z(&pathway_means(&windows[0])[&miner(1, 0)]) > 3.719, "seed {seed}");
    }
}

#[test]
fn hard_text_is_not_held_against_its_head() {
    let swarm = Swarm { stages: 3, replicas: 2, bad: Vec::new() };
    let mut noise = Noise::new(5);
    let mut records = swarm.records(&mut noise, 400);
    for record in &mut records {
        let hard = if record.pathway[0] == miner(0, 0) { 0.3 } else { 0.0 };
        record.surprisal = 5.0 + hard + 0.5 * noise.normal();
        record.loss += 0.9 * (record.surprisal - 5.0);
    }
    let fit = fit(&records, FitRule::default()).unwrap();
    assert!((fit.surprisal - 0.9).abs() < 0.06, "{}", fit.surprisal);
    assert!(z(&fit.miners[&miner(0, 0)]) < 3.0);
    assert!(z(&pathway_means(&records)[&miner(0, 0)]) > 3.719);
}

#[test]
fn wild_losses_neither_accuse_nor_hide() {
    let swarm = Swarm::paper(1.10);
    let mut noise = Noise::new(9);
    let mut window = || {
        let mut records = swarm.records(&mut noise, 300);
        // A twentieth of all records is junk; an honest miner has more than its share.
        for record in &mut records {
            let likely = if record.pathway[1] == miner(1, 1) { 0.1 } else { 0.04 };
            if noise.uniform() < likely {
                record.loss = 4.5 + 40.0 * noise.uniform();
            }
        }
        fit(&records, FitRule::default())
    };
    let credits = credits(&[window(), window()], CreditRule::default());
    assert_eq!(flagged(&credits), [miner(2, 3)]);
}

#[test]
fn miners_that_only_appear_together_are_not_told_apart() {
    let swarm = Swarm { stages: 3, replicas: 3, bad: vec![(miner(0, 0), 1.1)] };
    let mut noise = Noise::new(4);
    let mut records = swarm.records(&mut noise, 600);
    for record in &mut records {
        record.pathway[1] = miner(1, usize::from(record.pathway[0][1]));
    }
    let miners = fit(&records, FitRule::default()).unwrap().miners;
    let [guilty, companion] = [miners[&miner(0, 0)], miners[&miner(1, 0)]];
    assert!((guilty.effect - companion.effect).abs() < 0.05);
    // The standard error admits it: several times that of the stage that is told apart.
    assert!(guilty.standard_error > 3.0 * miners[&miner(2, 0)].standard_error);
}

#[test]
fn one_bad_window_is_no_flag_and_a_good_one_ends_it() {
    let mut noise = Noise::new(2);
    let bad = fit(&Swarm::paper(1.1).records(&mut noise, 300), FitRule::default());
    let good = fit(&Swarm::paper(1.0).records(&mut noise, 300), FitRule::default());
    let multiplier =
        |history: &[Option<Fit>]| credits(history, CreditRule::default())[&miner(2, 3)].multiplier;
    assert_eq!(multiplier(std::slice::from_ref(&bad)), 1.0);
    assert_eq!(multiplier(&[good.clone(), bad.clone()]), 1.0);
    assert_eq!(multiplier(&[None, bad.clone()]), 1.0);
    assert!(multiplier(&[good.clone(), bad.clone(), bad.clone()]) < 0.2);
    assert_eq!(multiplier(&[bad.clone(), bad.clone(), good]), 1.0);
    assert!(credits(&[bad, None], CreditRule::default()).is_empty());
}

#[test]
fn multiplier_falls_smoothly_with_the_harm() {
    let of = |factor: f64| {
        let credit = Swarm::paper(factor).judge(6, 1_000)[&miner(2, 3)];
        assert_eq!(credit.flagged, credit.multiplier < 1.0);
        assert_eq!(credit.ppm(), (credit.multiplier * 1e6).round() as u32);
        credit.multiplier
    };
    let multipliers = [1.0, 1.01, 1.03, 1.05, 1.1, 1.3].map(of);
    assert_eq!(multipliers[..2], [1.0, 1.0]);
    assert!(multipliers.windows(2).all(|pair| pair[1] <= pair[0]), "{multipliers:?}");
    assert!(multipliers[4] < 0.1 && multipliers[5] < 0.02, "{multipliers:?}");
}

#[test]
fn too_little_data_says_nothing() {
    let swarm = Swarm::paper(2.0);
    // Fewer records than parameters, none, one replica per stage, a miner seen a few times.
    assert!(fit(&swarm.records(&mut Noise::new(1), 20), FitRule::default()).is_none());
    assert!(fit(&[], FitRule::default()).is_none());
    let alone = Swarm { stages: 2, replicas: 1, bad: Vec::new() };
    let fitted = fit(&alone.records(&mut Noise::new(1), 50), FitRule::default()).unwrap();
    assert!(fitted.miners.is_empty());
    let mut records = Swarm::paper(1.0).records(&mut Noise::new(1), 300);
    for record in records.iter_mut().take(11) {
        record.pathway[0] = miner(0, 9);
        record.loss = 9.0;
    }
    let window = fit(&records, FitRule::default());
    assert!(z(&window.as_ref().unwrap().miners[&miner(0, 9)]) > 3.719);
    let credit = credits(&[window.clone(), window], CreditRule::default())[&miner(0, 9)];
    assert!(!credit.flagged && credit.multiplier == 1.0);
}

#[test]
fn records_of_failed_tails_and_malformed_ones_are_dropped() {
    let mut records = Swarm::paper(1.0).records(&mut Noise::new(1), 100);
    let failed = BTreeSet::from([miner(4, 2)]);
    let tail = records.iter().filter(|record| record.pathway[4] == miner(4, 2)).count();
    assert!(tail > 0);
    assert_eq!(usable(&records, 5, &failed).len(), 100 - tail);
    records[0].loss = f64::NAN;
    records[1].pathway.pop();
    records[2].time = f64::INFINITY;
    assert_eq!(usable(&records, 5, &BTreeSet::new()).len(), 97);
    // A hotkey at two stages is no swarm at all.
    let twice = vec![Record { pathway: vec![miner(0, 0); 5], ..records[3].clone() }; 100];
    assert!(fit(&twice, FitRule::default()).is_none());
}

#[test]
fn constant_losses_are_a_perfect_fit_not_a_flag() {
    let mut records = Swarm::paper(1.0).records(&mut Noise::new(1), 300);
    records.iter_mut().for_each(|record| record.loss = 4.5);
    let window = fit(&records, FitRule::default());
    assert!((window.as_ref().unwrap().level - 4.5).abs() < 1e-9);
    let credits = credits(&[window.clone(), window], CreditRule::default());
    assert!(credits.values().all(|credit| credit.multiplier == 1.0));
}

#[test]
fn numbers_are_pinned_to_the_bit() {
    // Integer losses, so that no library function has a say.
    let mut noise = Noise::new(11);
    let records: Vec<Record> = (0..200)
        .map(|time| Record {
            pathway: (0..3).map(|stage| miner(stage, noise.below(3))).collect(),
            loss: noise.below(1_000) as f64 / 256.0,
            time: f64::from(time),
            surprisal: noise.below(100) as f64 / 16.0,
        })
        .collect();
    let estimate = fit(&records, FitRule::default()).unwrap().miners[&miner(1, 2)];
    let bits = [estimate.effect.to_bits(), estimate.standard_error.to_bits()];
    assert_eq!(bits, [13_818_975_306_527_571_240, 4_595_585_415_104_303_614]);
}
