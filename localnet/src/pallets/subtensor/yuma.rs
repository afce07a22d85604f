//! Yuma Consensus: from stakes, weights and bonds to incentives, dividends and emission.
//!
//! One pure function, [`run`], in 32.32 fixed point with saturating arithmetic, so that each
//! machine gets the same bits. The order of operations is that of the real chain's sparse epoch;
//! the integers of its tests are the tests of this module. Reading inputs from storage and paying
//! the emission are the caller's part.
//!
//! Both rule sets are here: *Yuma 2* (bonds follow stake-weighted clipped weights) and *Yuma 3*
//! (each validator's bonds follow its own weights, at a rate that may depend on how far the weight
//! is from the consensus: "liquid alpha").

mod bonds;
mod matrix;
mod median;
#[cfg(test)]
mod tests;

use matrix::{Row, normalize, sum};
use substrate_fixed::types::{I32F32, I64F64, I96F32};

const ZERO: I32F32 = I32F32::from_bits(0);
const ONE: I32F32 = I32F32::from_bits(1 << 32);

/// A subnet's hyperparameters, as they stand in storage.
#[derive(Clone, Debug)]
pub struct Params {
    /// Share of stake that a weight must have behind it to pass the clip, of 65535.
    pub kappa: u16,
    /// How far bonds follow clipped (65535) rather than plain (0) weights.
    pub bonds_penalty: u16,
    /// Share of old bonds kept per epoch, in millionths.
    pub bonds_moving_average: u64,
    /// Use the Yuma 3 rules.
    pub yuma3: bool,
    /// With Yuma 3, let the bonds' rate depend on the distance from the consensus.
    pub liquid_alpha: bool,
    /// Least and greatest rate under liquid alpha, of 65535.
    pub alpha_values: (u16, u16),
    /// Steepness of liquid alpha's sigmoid, in hundredths.
    pub alpha_steepness: i16,
    /// Most validator permits.
    pub max_validators: u16,
    /// Stake below this counts as none.
    pub stake_threshold: u64,
    /// Blocks after its last update for which a neuron counts as active.
    pub activity_cutoff: u64,
    /// Epoch length in blocks, used where no epoch has run before.
    pub tempo: u64,
}

/// One neuron's part of the input.
#[derive(Clone, Debug, Default)]
pub struct Neuron {
    /// Block of its last weights or of its registration.
    pub last_update: u64,
    /// Block of its registration.
    pub registered_at: u64,
    /// Stake weight: own and inherited alpha, and root TAO by its weight.
    pub stake: I64F64,
    /// Whether it holds a validator permit now.
    pub permit: bool,
    /// Weights it has set: (uid, weight of 65535), in the order they were set.
    pub weights: Vec<(u16, u16)>,
    /// Bonds it holds: (uid, bond of 65535).
    pub bonds: Vec<(u16, u16)>,
    /// Block of its earliest open weight commit, where commit-reveal is on.
    pub commit_block: Option<u64>,
}

/// What an epoch starts from.
#[derive(Clone, Debug)]
pub struct Input {
    /// Hyperparameters.
    pub params: Params,
    /// Number of the block that runs the epoch.
    pub block: u64,
    /// Block of the last epoch that ran, or 0.
    pub last_step: u64,
    /// Uid of the subnet owner's hotkey: always permitted, may weigh itself.
    pub owner: Option<u16>,
    /// All neurons by uid.
    pub neurons: Vec<Neuron>,
    /// Alpha to distribute, in rao.
    pub emission: u64,
}

/// What an epoch yields, by uid. Shares are of 65535, rounded down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Updated within the activity cutoff.
    pub active: Vec<bool>,
    /// Normalised stake.
    pub stake_weight: Vec<u16>,
    /// Stake-weighted median of the weights given to a neuron.
    pub consensus: Vec<u16>,
    /// Share of the servers' half.
    pub incentive: Vec<u16>,
    /// Share of the validators' half.
    pub dividends: Vec<u16>,
    /// How much of a validator's weight the consensus kept.
    pub validator_trust: Vec<u16>,
    /// Validator permits from now on.
    pub permits: Vec<bool>,
    /// Bonds of each permitted validator; empty for the rest.
    pub bonds: Vec<Vec<(u16, u16)>>,
    /// Emission as a server, in rao.
    pub server_emission: Vec<u64>,
    /// Emission as a validator, in rao.
    pub validator_emission: Vec<u64>,
    /// Emission together, in rao. May differ from the sum of both by one rao.
    pub emission: Vec<u64>,
}

/// Runs one epoch.
///
/// Uids in weights or bonds that no neuron has are ignored. Cost is about the number of weights
/// times the number of permitted validators.
pub fn run(input: &Input) -> Output {
    let n = input.neurons.len();
    let params = &input.params;
    let active: Vec<bool> = input
        .neurons
        .iter()
        .map(|neuron| neuron.last_update.saturating_add(params.activity_cutoff) >= input.block)
        .collect();
    let stake = normalized_stake(input);
    let permits_now: Vec<bool> =
        (0..n).map(|uid| input.neurons[uid].permit || is_owner(input, uid)).collect();
    let permits: Vec<bool> = top_k_nonzero(&stake, usize::from(params.max_validators))
        .into_iter()
        .enumerate()
        .map(|(uid, permit)| permit || is_owner(input, uid))
        .collect();

    let mut active_stake: Vec<I32F32> =
        (0..n).map(|uid| if active[uid] && permits_now[uid] { stake[uid] } else { ZERO }).collect();
    normalize(&mut active_stake);

    let weights = usable_weights(input, &permits_now);
    let kappa = ratio(params.kappa);
    let consensus = median::weighted_median_columns(&active_stake, &weights, n, kappa);
    let clipped = matrix::clip_columns(&weights, &consensus);
    let validator_trust: Vec<I32F32> = clipped.iter().map(|row| matrix::row_sum(row)).collect();
    let mut incentive = matrix::column_dot(&clipped, &active_stake, n);
    normalize(&mut incentive);

    let bond_weights = matrix::interpolate(&weights, &clipped, n, ratio(params.bonds_penalty));
    let bonds::Bonds { dividends, bonds } = if params.yuma3 {
        bonds::yuma3(input, &bond_weights, &consensus, &incentive, &active_stake)
    } else {
        bonds::yuma2(input, &bond_weights, &incentive, &active_stake)
    };

    let mut output = Output {
        active,
        stake_weight: to_u16(&stake),
        consensus: to_u16(&consensus),
        incentive: to_u16(&incentive),
        dividends: to_u16(&dividends),
        validator_trust: to_u16(&validator_trust),
        bonds: bonds
            .iter()
            .zip(&permits)
            .map(|(row, permit)| if *permit { stored(row) } else { Vec::new() })
            .collect(),
        permits,
        ..Output::default()
    };
    split_emission(input.emission, &stake, &active_stake, incentive, dividends, &mut output);
    output
}

fn is_owner(input: &Input, uid: usize) -> bool {
    input.owner.is_some_and(|owner| usize::from(owner) == uid)
}

/// Stake shares, with stakes below the threshold taken as zero. The owner is exempt.
fn normalized_stake(input: &Input) -> Vec<I32F32> {
    let counted: Vec<I64F64> = input
        .neurons
        .iter()
        .enumerate()
        .map(|(uid, neuron)| {
            let whole = neuron.stake.saturating_to_num::<u64>();
            let counts = is_owner(input, uid) || whole >= input.params.stake_threshold;
            if counts { neuron.stake } else { I64F64::from_bits(0) }
        })
        .collect();
    let total = counted.iter().fold(I64F64::from_bits(0), |sum, s| sum.saturating_add(*s));
    counted
        .into_iter()
        .map(|stake| stake.checked_div(total).unwrap_or(stake))
        .map(I32F32::saturating_from_num)
        .collect()
}

/// Weights that count, row-normalised: from permitted validators, not to oneself (the owner may),
/// and not to a neuron that registered after the weights were set or committed.
fn usable_weights(input: &Input, permits: &[bool]) -> Vec<Row> {
    let neurons = &input.neurons;
    let mut rows: Vec<Row> = neurons
        .iter()
        .enumerate()
        .map(|(uid, neuron)| {
            if !permits[uid] {
                return Row::new();
            }
            neuron
                .weights
                .iter()
                .filter(|(to, _)| {
                    let Some(target) = neurons.get(usize::from(*to)) else { return false };
                    let to_itself = usize::from(*to) == uid && !is_owner(input, uid);
                    let committed = neuron.commit_block.unwrap_or(u64::MAX);
                    !to_itself
                        && neuron.last_update > target.registered_at
                        && committed >= target.registered_at
                })
                .map(|(to, weight)| (*to, I32F32::saturating_from_num(*weight)))
                .collect()
        })
        .collect();
    matrix::normalize_rows(&mut rows);
    rows
}

/// Marks the `k` greatest non-zero values. Among equals the later ones win.
fn top_k_nonzero(values: &[I32F32], k: usize) -> Vec<bool> {
    let mut marked: Vec<bool> = values.iter().map(|value| *value != ZERO).collect();
    if values.len() < k {
        return marked;
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by_key(|uid| values[*uid]);
    for uid in &order[..values.len() - k] {
        marked[*uid] = false;
    }
    marked
}

/// Divides the emission by incentive and dividends; by stake where nobody earned anything.
fn split_emission(
    emission: u64,
    stake: &[I32F32],
    active_stake: &[I32F32],
    mut server: Vec<I32F32>,
    mut validator: Vec<I32F32>,
    output: &mut Output,
) {
    let mut combined: Vec<I32F32> =
        server.iter().zip(&validator).map(|(i, d)| i.saturating_add(*d)).collect();
    let total = sum(&combined);
    matrix::divide(&mut server, total);
    matrix::divide(&mut validator, total);
    matrix::divide(&mut combined, total);
    if total == ZERO {
        let by_stake = if sum(active_stake) == ZERO { stake } else { active_stake };
        validator = by_stake.to_vec();
        combined = by_stake.to_vec();
    }
    let whole = I96F32::saturating_from_num(emission);
    let pay = |shares: &[I32F32]| -> Vec<u64> {
        let part = |share: &I32F32| I96F32::saturating_from_num(*share).saturating_mul(whole);
        shares.iter().map(|share| part(share).saturating_to_num::<u64>()).collect()
    };
    output.server_emission = pay(&server);
    output.validator_emission = pay(&validator);
    output.emission = pay(&combined);
}

/// `part` of 65535, as a share.
fn ratio(part: u16) -> I32F32 {
    I32F32::saturating_from_num(part) / I32F32::from_bits(i64::from(u16::MAX) << 32)
}

fn share_to_u16(share: I32F32) -> u16 {
    share.saturating_mul(I32F32::saturating_from_num(u16::MAX)).saturating_to_num::<u16>()
}

fn to_u16(shares: &[I32F32]) -> Vec<u16> {
    shares.iter().copied().map(share_to_u16).collect()
}

fn stored(row: &Row) -> Vec<(u16, u16)> {
    row.iter().map(|(uid, bond)| (*uid, share_to_u16(*bond))).collect()
}
