//! Fairness of the schedule, exactness of the reduction, and what survives failures and lies.

use super::*;
use crate::protocol::delta::{Chunk, Delta, compress};
use crate::protocol::{Hash, Hotkey};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn hotkeys(n: usize) -> Vec<Hotkey> {
    (0..n).map(|index| [index as u8 + 1; 32]).collect()
}

/// A thousand chunks of one block.
fn layout() -> Layout {
    Layout::new(64_000, 64, 1_000).unwrap()
}

fn schedule(n: usize, seed: u8) -> Schedule {
    Schedule::new(&hotkeys(n), &layout(), &[seed; 32]).unwrap()
}

#[test]
fn every_pair_reduces_exactly_one_shard_and_shards_cover_the_stage() {
    for n in 2..=24 {
        let schedule = schedule(n, n as u8);
        assert_eq!(schedule.shards.len(), n * (n - 1) / 2);
        let pairs: BTreeSet<_> = schedule
            .shards
            .iter()
            .map(|shard| {
                let (a, b) = shard.reducers;
                assert_ne!(a, b);
                (a.min(b), a.max(b))
            })
            .collect();
        assert_eq!(pairs.len(), schedule.shards.len());
        assert!(pairs.iter().all(|&(_, b)| b < n));
        let mut next = 0;
        for shard in &schedule.shards {
            assert_eq!(shard.chunks.start, next);
            next = shard.chunks.end;
        }
        assert_eq!(next, layout().chunks());
        assert!((0..n).all(|position| schedule.duties(position).count() == n - 1));
    }
}

#[test]
fn traffic_stays_within_three_stages_each_way() {
    let whole = layout().elements as f64;
    for n in 2..=24 {
        let schedule = schedule(n, 7);
        let size = n as f64;
        // Shards are whole chunks; a contributor's own sum to within two chunks of their share.
        let chunk = 64.0;
        let mut sent = 0;
        let mut received = 0;
        for position in 0..n {
            let traffic = schedule.traffic(position);
            let contributor = 2.0 * whole * (1.0 - 1.0 / size);
            let distributor = whole * (1.0 - 2.0 / size);
            let near = |got: u64, wanted: f64, slack: f64| (got as f64 - wanted).abs() <= slack;
            assert!(near(traffic.contributed, contributor, 2.0 * chunk), "n {n}: {traffic:?}");
            assert!(near(traffic.collected, distributor, 2.0 * chunk), "n {n}: {traffic:?}");
            let slack = 2.0 * chunk * size;
            assert!(near(traffic.gathered, contributor, slack), "n {n}: {traffic:?}");
            assert!(near(traffic.distributed, distributor, slack), "n {n}: {traffic:?}");
            assert!(traffic.contributed + traffic.distributed <= 3 * layout().elements);
            assert!(traffic.gathered + traffic.collected <= 3 * layout().elements);
            sent += traffic.contributed + traffic.distributed;
            received += traffic.gathered + traffic.collected;
        }
        assert_eq!(sent, received);
    }
}

#[test]
fn one_contributor_merges_with_itself_and_sends_nothing() {
    let schedule = schedule(1, 0);
    assert_eq!(schedule.shards, [Shard { chunks: 0..1_000, reducers: (0, 0) }]);
    assert_eq!(schedule.traffic(0), Traffic::default());
}

#[test]
fn more_pairs_than_chunks_leaves_shards_empty_but_loses_none() {
    let layout = Layout::new(300, 64, 16).unwrap();
    let schedule = Schedule::new(&hotkeys(12), &layout, &[1; 32]).unwrap();
    let chunks: Vec<usize> =
        schedule.shards.iter().flat_map(|shard| shard.chunks.clone()).collect();
    assert_eq!(chunks, (0..layout.chunks()).collect::<Vec<_>>());
}

#[test]
fn pairing_follows_the_seed() {
    assert_eq!(schedule(8, 1), schedule(8, 1));
    assert_ne!(schedule(8, 1), schedule(8, 2));
    // Over many seeds every pair gets the first shard about equally often: 28 pairs, 28 * 40 draws.
    let mut first = BTreeMap::new();
    for seed in 0..1_120u32 {
        let seed = *blake3::hash(&seed.to_le_bytes()).as_bytes();
        let schedule = Schedule::new(&hotkeys(8), &layout(), &seed).unwrap();
        let (a, b) = schedule.shards[0].reducers;
        *first.entry((a.min(b), a.max(b))).or_insert(0) += 1;
    }
    assert_eq!(first.len(), 28);
    assert!(first.values().all(|&count| (15..=70).contains(&count)), "{first:?}");
}

#[test]
fn unsorted_repeated_or_absent_contributors_are_refused() {
    let [a, b] = [[1; 32], [2; 32]];
    let new = |contributors: &[Hotkey]| Schedule::new(contributors, &layout(), &[0; 32]);
    assert_eq!(new(&[]), Err(ScheduleError::Empty));
    assert_eq!(new(&[b, a]), Err(ScheduleError::NotSorted));
    assert_eq!(new(&[a, a]), Err(ScheduleError::NotSorted));
}

/// The delta of `values` in blocks of 64, one chunk.
fn delta(values: &[f32]) -> Delta {
    let layout = Layout::new(values.len() as u64, 64, 1).unwrap();
    let zeros = vec![0.0; values.len()];
    compress(values, &zeros, &mut zeros.clone(), &layout).unwrap()
}

fn input(hotkey: u8, weight_tokens: u64, chunk: &Chunk) -> Input<'_> {
    Input { hotkey: [hotkey; 32], weight_tokens, clip: CLIP_ONE, chunk }
}

#[test]
fn mean_is_weighted_by_tokens() {
    let (a, b) = (delta(&[1.0, 0.0, -1.0]), delta(&[0.0, 1.0, 1.0]));
    let merged = reduce(&[input(1, 300, &a.chunks[0]), input(2, 100, &b.chunks[0])], 64).unwrap();
    assert_eq!(merged.decode(64), [0.75, 0.25, -0.5]);
}

#[test]
fn half_steps_of_the_mean_round_to_even() {
    let (a, b) = (delta(&[100.0, 2.0, 3.0, -2.0]), delta(&[100.0, 3.0, 4.0, -3.0]));
    let merged = reduce(&[input(1, 7, &a.chunks[0]), input(2, 7, &b.chunks[0])], 64).unwrap();
    assert_eq!(merged.decode(64), [100.0, 2.0, 4.0, -2.0]);
}

#[test]
fn one_input_comes_out_as_it_went_in() {
    let values: Vec<f32> = (0..1_000).map(|index| (index as f32 - 500.0) / 4_000.0).collect();
    let delta = delta(&values);
    assert_eq!(reduce(&[input(1, 12_345, &delta.chunks[0])], 64).unwrap(), delta.chunks[0]);
}

#[test]
fn clipped_input_counts_in_proportion() {
    let a = delta(&[1.0; 4]);
    let half = Input { clip: CLIP_ONE / 2, ..input(1, 10, &a.chunks[0]) };
    assert_eq!(reduce(&[half], 64).unwrap().decode(64), [0.5; 4]);
}

#[test]
fn extremes_do_not_overflow() {
    // The greatest values, weights and number of inputs at once; cancelling ones as well.
    let layout = Layout::new(2, 64, 1).unwrap();
    let values = [[127.0, -127.0], [-127.0, 2f32.powi(-40)]];
    let chunks: Vec<Chunk> = values
        .iter()
        .map(|value| compress(value, &[0.0; 2], &mut [0.0; 2], &layout).unwrap().chunks.remove(0))
        .collect();
    let many = |which: fn(usize) -> usize| -> Vec<Input<'_>> {
        (0..MAX_CONTRIBUTORS)
            .map(|index| {
                let mut hotkey = [0; 32];
                hotkey[..8].copy_from_slice(&(index as u64).to_le_bytes());
                let chunk = &chunks[which(index)];
                Input { hotkey, weight_tokens: MAX_WEIGHT, clip: CLIP_ONE, chunk }
            })
            .collect()
    };
    assert_eq!(reduce(&many(|_| 0), 64).unwrap().decode(64), [127.0, -127.0]);
    assert_eq!(reduce(&many(|index| index % 2), 64).unwrap().decode(64), [0.0, -63.5]);
}

#[test]
fn inputs_out_of_bounds_are_refused() {
    let (a, short) = (delta(&[1.0; 4]), delta(&[1.0; 3]));
    let (a, short) = (&a.chunks[0], &short.chunks[0]);
    assert_eq!(reduce(&[], 64), Err(ReduceError::NoWeight));
    assert_eq!(reduce(&[input(1, 0, a)], 64), Err(ReduceError::NoWeight));
    assert_eq!(reduce(&[input(1, 1, a), input(2, 1, short)], 64), Err(ReduceError::Length));
    for bad in [
        vec![input(1, 1, a), input(1, 1, a)],
        vec![input(1, MAX_WEIGHT + 1, a)],
        vec![Input { clip: CLIP_ONE + 1, ..input(1, 1, a) }],
    ] {
        assert!(matches!(reduce(&bad, 64), Err(ReduceError::Bounds(_))));
    }
}

#[test]
fn clip_factors_bound_the_norm() {
    let unit = 1u64 << 40;
    let of_rms = |rms: u64| (u128::from(rms) * u128::from(rms)) * 100;
    let sums = |rms: &[u64]| -> BTreeMap<Hotkey, u128> {
        hotkeys(rms.len()).into_iter().zip(rms.iter().map(|&rms| of_rms(rms))).collect()
    };
    let rule = ClipRule { max_rms: 4 * unit, median_multiple: 512 };
    let factors =
        |rms: &[u64]| -> Vec<u32> { clip_factors(&sums(rms), 100, rule).into_values().collect() };
    // Three contributors: only the absolute bound.
    assert_eq!(factors(&[unit, unit, 16 * unit]), [CLIP_ONE, CLIP_ONE, CLIP_ONE / 4]);
    // Four: twice the median as well.
    let clipped = factors(&[unit, unit, unit, 16 * unit]);
    assert_eq!(clipped, [CLIP_ONE, CLIP_ONE, CLIP_ONE, CLIP_ONE / 8]);
    // Half of them, however loud, do not raise the limit.
    let loud = factors(&[unit, unit, 4 * unit, 4 * unit]);
    assert_eq!(loud, [CLIP_ONE, CLIP_ONE, CLIP_ONE / 2, CLIP_ONE / 2]);
    assert_eq!(factors(&[0, 0, 0, 0]), [CLIP_ONE; 4]);
}

/// The claims of honest reducers whose result for shard i is `[i; 32]`.
fn honest(schedule: &Schedule) -> Vec<Claim> {
    let claims = schedule.shards.iter().enumerate().flat_map(|(shard, of)| {
        let result = [shard as u8; 32];
        [of.reducers.0, of.reducers.1].map(|position| Claim {
            shard,
            reducer: schedule.contributors[position],
            result,
        })
    });
    claims.collect()
}

#[test]
fn agreement_names_the_liar_once_somebody_recomputes() {
    let schedule = schedule(6, 3);
    let mut claims = honest(&schedule);
    assert!(
        agreement(&schedule, &claims, &BTreeMap::new()).cells.iter().all(|c| *c == Cell::Agree)
    );
    claims[8].result = [99; 32];
    let (shard, liar) = (claims[8].shard, claims[8].reducer);
    let found = agreement(&schedule, &claims, &BTreeMap::new());
    assert_eq!(found.cells[shard], Cell::Disagree);
    assert_eq!((found.disputed, found.liars), (vec![shard], BTreeSet::new()));
    let truth = BTreeMap::from([(shard, [shard as u8; 32])]);
    let found = agreement(&schedule, &claims, &truth);
    assert_eq!((found.disputed, found.liars), (vec![], BTreeSet::from([liar])));
}

#[test]
fn colluding_pairs_equivocators_and_strangers_are_seen_through() {
    let schedule = schedule(6, 3);
    let mut claims = honest(&schedule);
    claims[4].result = [99; 32];
    claims[5].result = [99; 32];
    let pair = BTreeSet::from([claims[4].reducer, claims[5].reducer]);
    let truth = BTreeMap::from([(2, [2; 32])]);
    let found = agreement(&schedule, &claims, &truth);
    assert_eq!((found.cells[2], found.liars), (Cell::Agree, pair));

    let mut claims = honest(&schedule);
    claims.push(Claim { result: [98; 32], ..claims[0] });
    let found = agreement(&schedule, &claims, &BTreeMap::new());
    assert_eq!(
        (found.cells[0], found.liars),
        (Cell::Disagree, BTreeSet::from([claims[0].reducer]))
    );

    let mut claims = honest(&schedule);
    claims.push(Claim { reducer: [200; 32], result: [98; 32], ..claims[0] });
    assert_eq!(agreement(&schedule, &claims, &BTreeMap::new()).cells[0], Cell::Agree);
}

#[test]
fn missing_reducers_show_in_the_matrix() {
    let schedule = schedule(4, 3);
    let claims: Vec<Claim> = honest(&schedule).into_iter().skip(3).collect();
    let found = agreement(&schedule, &claims, &BTreeMap::new());
    assert_eq!(found.cells[..3], [Cell::BothMissing, Cell::OneMissing, Cell::Agree]);
    assert!(found.liars.is_empty() && found.disputed.is_empty());
}

#[test]
fn share_lost_is_the_square_of_the_share_failing() {
    // The shard of a pair is lost only when both fail: k(k-1) / n(n-1) of the elements exactly in
    // expectation, about p squared.
    let n = 20;
    for failing in [2usize, 5, 7, 10] {
        let (mut lost, trials) = (0u64, 60);
        for trial in 0..trials {
            let schedule = schedule(n, trial as u8);
            let mut stream = Stream::new("iota test failures", &[&[trial as u8]]);
            let gone: BTreeSet<usize> = stream.sample(n, failing).into_iter().collect();
            lost += (0..schedule.shards.len())
                .filter(|&shard| {
                    let (a, b) = schedule.shards[shard].reducers;
                    gone.contains(&a) && gone.contains(&b)
                })
                .map(|shard| schedule.elements(shard))
                .sum::<u64>();
        }
        let share = lost as f64 / (trials * layout().elements) as f64;
        let expected = (failing * (failing - 1)) as f64 / (n * (n - 1)) as f64;
        assert!((share - expected).abs() < 0.005, "{failing} of {n} failing: {share} lost");
        assert!(share <= (failing as f64 / n as f64).powi(2) + 0.005);
    }
}

#[test]
fn results_hash_by_content_and_tell_kept_from_zero() {
    let (a, zero) = (delta(&[1.0; 4]).chunks.remove(0), Chunk::zeros(4, 64));
    let hash = |chunks: &[Option<Chunk>]| -> Hash { result_hash(chunks) };
    assert_eq!(hash(&[Some(a.clone())]), hash(&[Some(a.clone())]));
    assert_ne!(hash(&[Some(a)]), hash(&[Some(zero.clone())]));
    assert_ne!(hash(&[Some(zero)]), hash(&[None]));
}

proptest! {
    #[test]
    fn order_of_inputs_changes_no_bit(
        values in prop::collection::vec(prop::collection::vec(-1f32..1.0, 100), 2..7),
        weights in prop::collection::vec(1u64..1_000_000, 7),
        clips in prop::collection::vec(0u32..=CLIP_ONE, 7),
        rotation in 0usize..7,
    ) {
        let deltas: Vec<Delta> = values.iter().map(|values| delta(values)).collect();
        let mut inputs: Vec<Input<'_>> = deltas
            .iter()
            .enumerate()
            .map(|(index, delta)| Input {
                clip: clips[index],
                ..input(index as u8, weights[index], &delta.chunks[0])
            })
            .collect();
        let merged = reduce(&inputs, 64).unwrap();
        let turn = rotation % inputs.len();
        inputs.rotate_left(turn);
        inputs.swap(0, 1);
        prop_assert_eq!(&reduce(&inputs, 64).unwrap(), &merged);
        // And it is the weighted mean, to half a step of the code.
        let total: u64 = weights[..inputs.len()].iter().sum();
        let decoded: Vec<Vec<f32>> = inputs.iter().map(|input| input.chunk.decode(64)).collect();
        let exponents = merged.exponents().to_vec();
        for (element, value) in merged.decode(64).into_iter().enumerate() {
            let mean: f64 = inputs
                .iter()
                .zip(&decoded)
                .map(|(input, decoded)| {
                    let share = input.weight_tokens as f64 / total as f64;
                    share * f64::from(input.clip) / 65_536.0 * f64::from(decoded[element])
                })
                .sum();
            let step = 2f64.powi(i32::from(exponents[element / 64]));
            prop_assert!((mean - f64::from(value)).abs() <= step * 0.500_001);
        }
        // The result is canonical: it decodes from its own bytes.
        let bytes = merged.to_bytes(crate::protocol::delta::Packing::Raw);
        prop_assert_eq!(Chunk::from_bytes(&bytes, 100, 64).unwrap(), merged);
    }
}
