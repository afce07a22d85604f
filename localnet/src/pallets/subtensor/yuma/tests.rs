//! The real chain's epoch vectors (subtensor `tests/epoch.rs`): exact integers for Yuma 2, tables
//! with a tolerance of 1e-3 for Yuma 3.

use super::*;

/// A subnet whose epochs are run by hand, as those tests do.
struct Subnet {
    input: Input,
}

impl Subnet {
    /// Registers one neuron per stake at block 0, then runs an epoch that gives out permits.
    fn new(stakes: &[u64]) -> Self {
        let params = Params {
            kappa: 32_767,
            bonds_penalty: u16::MAX,
            bonds_moving_average: 900_000,
            yuma3: false,
            liquid_alpha: false,
            alpha_values: (45_875, 58_982),
            alpha_steepness: 1000,
            max_validators: stakes.len() as u16,
            stake_threshold: 0,
            activity_cutoff: 5000,
            tempo: 1,
        };
        let neurons = stakes
            .iter()
            .map(|stake| Neuron { stake: I64F64::from_num(*stake), ..Neuron::default() })
            .collect();
        let input =
            Input { params, block: 0, last_step: 0, owner: None, neurons, emission: 1_000_000_000 };
        Self { input }
    }

    fn with_permits(stakes: &[u64]) -> Self {
        let mut subnet = Self::new(stakes);
        subnet.epoch();
        subnet.input.block = 1;
        subnet
    }

    fn set_weights(&mut self, uid: usize, weights: &[(u16, u16)]) {
        self.input.neurons[uid].weights = weights.to_vec();
        self.input.neurons[uid].last_update = self.input.block;
    }

    /// Replaces a neuron, as a registration on a full subnet does.
    fn replace(&mut self, uid: usize) {
        self.input.neurons[uid] = Neuron {
            last_update: self.input.block,
            registered_at: self.input.block,
            ..Neuron::default()
        };
        for neuron in &mut self.input.neurons {
            neuron.weights.retain(|(to, _)| usize::from(*to) != uid);
            neuron.bonds.retain(|(to, _)| usize::from(*to) != uid);
        }
    }

    fn epoch(&mut self) -> Output {
        let output = run(&self.input);
        for (uid, neuron) in self.input.neurons.iter_mut().enumerate() {
            neuron.permit = output.permits[uid];
            neuron.bonds = output.bonds[uid].clone();
        }
        output
    }

    fn next_epoch(&mut self) -> Output {
        self.input.block += 1;
        self.epoch()
    }

    fn bond(&self, from: usize, to: u16) -> u16 {
        let bonds = &self.input.neurons[from].bonds;
        bonds.iter().find(|(uid, _)| *uid == to).map_or(0, |(_, bond)| *bond)
    }

    fn bonds_to(&self, to: u16) -> Vec<u16> {
        (0..4).map(|from| self.bond(from, to)).collect()
    }
}

#[test]
fn bonds_follow_weights_over_eight_epochs() {
    let mut subnet = Subnet::with_permits(&[1, 2, 3, 4, 0, 0, 0, 0]);
    let even = [(4, 16_383), (5, 32_767), (6, 49_149), (7, 65_535)];
    for uid in 0..4 {
        subnet.set_weights(uid, &even);
    }
    let servers = [49_998_779, 100_000_610, 149_996_337, 200_004_272];

    let output = subnet.epoch();
    assert_eq!(output.emission[..4], [49_999_998, 99_999_999, 150_000_000, 200_000_001]);
    assert_eq!(output.emission[4..], servers);
    assert_eq!(subnet.bonds_to(4), [16_383, 32_767, 49_151, 65_535]);

    subnet.set_weights(0, &[(0, 65_535)]);
    let output = subnet.next_epoch();
    assert_eq!(output.emission[..4], [44_998_351, 101_110_561, 151_667_215, 202_223_870]);
    assert_eq!(output.emission[4..], servers);
    assert_eq!(subnet.bonds_to(4), [14_582, 32_767, 49_151, 65_535]);

    subnet.set_weights(1, &[(1, 65_535)]);
    let output = subnet.next_epoch();
    assert_eq!(output.emission[..4], [40_496_805, 90_999_783, 157_929_636, 210_573_773]);
    assert_eq!(output.emission[4..], servers);
    assert_eq!(subnet.bonds_to(4), [12_603, 28_321, 49_151, 65_535]);

    // Only a minority weighs any server: no consensus, so stake is paid.
    subnet.set_weights(2, &[(2, 65_535)]);
    let output = subnet.next_epoch();
    assert_eq!(output.incentive, [0; 8]);
    assert_eq!(output.emission[..4], [99_999_999, 199_999_999, 299_999_999, 399_999_999]);
    assert_eq!(subnet.bonds_to(7), [12_602, 28_320, 49_150, 65_535]);

    subnet.set_weights(2, &[(7, 65_535)]);
    let output = subnet.next_epoch();
    assert_eq!(
        output.emission,
        [36_443_733, 81_898_628, 163_565_493, 218_092_144, 0, 0, 0, 500_000_000]
    );
    assert_eq!(subnet.bonds_to(7), [10_951, 24_609, 49_150, 65_535]);

    let expected = [
        ([32_799_427, 73_706_612, 168_638_129, 224_855_830], [9559, 21_482, 49_150, 65_535]),
        ([29_518_068, 66_336_137, 173_203_134, 230_942_659], [8376, 18_824, 49_150, 65_535]),
    ];
    for (emission, bonds) in expected {
        assert_eq!(subnet.next_epoch().emission[..4], emission);
        assert_eq!(subnet.bonds_to(7), bonds);
    }
    let output = subnet.next_epoch();
    assert_eq!(output.emission[..4], [26_565_175, 59_701_871, 177_311_856, 236_421_095]);
}

#[test]
fn stake_without_recent_weights_does_not_count() {
    let mut subnet = Subnet::with_permits(&[1, 1, 1, 1]);
    let half = [(2, 65_535), (3, 65_535)];
    subnet.set_weights(0, &half);
    subnet.set_weights(1, &half);
    let output = subnet.epoch();
    assert_eq!(output.dividends[..2], [32_767, 32_767]);
    assert_eq!(output.emission, [250_000_000; 4]);
    for uid in 0..2 {
        assert_eq!(
            (subnet.bond(uid, 0), subnet.bond(uid, 2), subnet.bond(uid, 3)),
            (0, 65_535, 65_535)
        );
    }

    subnet.input.block = 5002;
    subnet.set_weights(0, &half);
    let output = subnet.epoch();
    assert_eq!(output.active, [true, false, false, false]);
    assert_eq!(output.dividends[..2], [36_044, 29_490]);
    assert_eq!(output.emission[..2], [274_999_999, 224_999_999]);
    assert_eq!((subnet.bond(0, 2), subnet.bond(1, 3)), (65_535, 53_619));

    subnet.set_weights(1, &half);
    let output = subnet.next_epoch();
    assert_eq!(output.dividends[..2], [35_716, 29_818]);
    assert_eq!(output.emission[..2], [272_501_132, 227_498_866]);
    assert_eq!((subnet.bond(0, 2), subnet.bond(1, 3)), (65_535, 54_712));
}

#[test]
fn weights_and_bonds_on_a_replaced_neuron_lapse() {
    let mut subnet = Subnet::with_permits(&[1, 1, 1, 1]);
    subnet.input.params.tempo = 0;
    let two_to_one = [(2, 65_535), (3, 32_768)];
    subnet.set_weights(0, &two_to_one);
    subnet.set_weights(1, &two_to_one);
    subnet.set_weights(2, &[(2, 65_535)]);
    subnet.set_weights(3, &[(3, 65_535)]);
    let output = subnet.epoch();
    assert_eq!(output.emission, [250_000_000, 250_000_000, 333_331_637, 166_668_361]);

    let stale = subnet.input.neurons[1].clone();
    subnet.replace(3);
    // Weights that still name the uid must lapse by their age.
    subnet.input.neurons[1] = stale;
    subnet.input.block += 1;
    subnet.set_weights(0, &two_to_one);
    let output = subnet.epoch();
    assert_eq!(output.dividends[0], 32_767);
    assert_eq!(output.emission, [250_000_000, 250_000_000, 500_000_000, 0]);
    assert_eq!(output.incentive, [0, 0, 65_535, 0]);
    assert_eq!(subnet.bond(0, 2), 65_535);
}

#[test]
fn bonds_on_a_neuron_newer_than_the_last_epoch_are_cleared() {
    let mut subnet = Subnet::with_permits(&[1, 1, 0, 0]);
    let weights = [(2, 65_535), (3, 32_768)];
    subnet.set_weights(0, &weights);
    subnet.set_weights(1, &weights);
    subnet.next_epoch();
    assert_eq!(subnet.bond(0, 3), 65_535);
    subnet.input.last_step = subnet.input.block;
    subnet.input.neurons[0].bonds = vec![(2, 30_000), (3, 65_535)];
    subnet.input.neurons[1].bonds = vec![(2, 65_535), (3, 30_000)];
    subnet.input.block += 5;
    subnet.input.neurons[3].registered_at = subnet.input.block;
    subnet.input.block += 1;
    subnet.set_weights(0, &weights);
    subnet.set_weights(1, &weights);
    subnet.next_epoch();
    // Server 2 keeps an uneven past, server 3 starts from the even weights alone.
    assert_eq!(subnet.bonds_to(3)[..2], [65_535, 65_535]);
    assert!(subnet.bond(0, 2) < subnet.bond(1, 2));
}

#[test]
fn stake_is_paid_where_no_weight_counts() {
    let mut subnet = Subnet::new(&[1, 0]);
    assert_eq!(subnet.epoch().emission, [1_000_000_000, 0]);
    subnet.input.block = 1;
    subnet.set_weights(1, &[(1, 65_535)]);
    assert_eq!(subnet.epoch().emission, [1_000_000_000, 0]);
    subnet.input.block = 2;
    subnet.set_weights(0, &[(1, 65_535)]);
    subnet.input.neurons[1].registered_at = 2;
    assert_eq!(subnet.epoch().emission, [1_000_000_000, 0]);
    subnet.input.block = 3;
    subnet.set_weights(0, &[(1, 65_535)]);
    assert_eq!(subnet.epoch().emission, [500_000_000, 500_000_000]);
}

#[test]
fn permits_go_to_the_greatest_stakes_above_the_threshold() {
    for (n, validators) in [(2_u64, 1_u64), (4, 2), (8, 4)] {
        for increasing in [false, true] {
            let first: Vec<u64> = (0..n)
                .map(|uid| match (uid < validators, increasing) {
                    (true, true) => uid + n,
                    (false, true) => uid,
                    (true, false) => 1,
                    (false, false) => 0,
                })
                .collect();
            let mut subnet = Subnet::new(&first);
            subnet.input.params.max_validators = validators as u16;
            subnet.input.params.stake_threshold = validators;
            let permits = subnet.epoch().permits;
            let expected: Vec<bool> = (0..n as usize)
                .map(|uid| uid < validators as usize && first[uid] >= validators)
                .collect();
            assert_eq!(permits, expected);

            for uid in validators as usize..n as usize {
                subnet.input.neurons[uid].stake += I64F64::from_num(2 * n);
            }
            let permits = subnet.next_epoch().permits;
            let expected: Vec<bool> = (0..n).map(|uid| uid >= validators).collect();
            assert_eq!(permits, expected);
        }
    }
}

#[test]
fn equal_stakes_give_the_permit_to_the_higher_uid() {
    let mut subnet = Subnet::new(&[5, 5, 5, 0]);
    subnet.input.params.max_validators = 2;
    assert_eq!(subnet.epoch().permits, [false, true, true, false]);
    subnet.input.owner = Some(0);
    assert_eq!(subnet.epoch().permits, [true, true, true, false]);
}

#[test]
fn only_the_owner_may_weigh_itself() {
    let mut subnet = Subnet::with_permits(&[5, 0]);
    subnet.input.owner = Some(0);
    subnet.set_weights(0, &[(0, 32_767), (1, 32_767)]);
    let output = subnet.next_epoch();
    assert_eq!(output.server_emission[0], output.server_emission[1]);
    subnet.input.owner = None;
    assert_eq!(subnet.epoch().server_emission[0], 0);
}

#[test]
fn unequal_stakes_lose_what_the_consensus_does_not_share() {
    // Two thirds of stake weigh server 2 alone; the rest weigh server 3.
    let mut subnet = Subnet::with_permits(&[2, 1, 0, 0]);
    subnet.set_weights(0, &[(2, 65_535)]);
    subnet.set_weights(1, &[(3, 65_535)]);
    let output = subnet.epoch();
    assert_eq!(output.incentive, [0, 0, 65_535, 0]);
    assert_eq!(output.validator_trust, [65_535, 0, 0, 0]);
    assert_eq!(output.dividends[1], 0);
}

/// A Yuma 3 subnet: kappa one half, liquid alpha between 0.1 and 0.3, no bonds penalty.
fn yuma3(stakes: &[u64]) -> Subnet {
    let mut subnet = Subnet::new(stakes);
    let params = &mut subnet.input.params;
    params.yuma3 = true;
    params.liquid_alpha = true;
    params.alpha_values = (6553, 19_660);
    params.bonds_penalty = 0;
    params.bonds_moving_average = 975_000;
    params.max_validators = 3;
    subnet.input.block = 1;
    subnet.epoch();
    subnet
}

/// For each epoch: the weights set before it (empty: none), the bonds on the servers by validator,
/// and the validators' dividends.
type Epoch<'a> = (&'a [&'a [u16]], [&'a [f64]; 3], [f64; 3]);

fn check(subnet: &mut Subnet, epochs: &[Epoch<'_>]) {
    let close = |found: u16, expected: f64| (f64::from(found) / 65_535.0 - expected).abs() <= 1e-3;
    for (number, (weights, bonds, dividends)) in epochs.iter().enumerate() {
        for (uid, weights) in weights.iter().enumerate() {
            let weights: Vec<(u16, u16)> = (3..).zip(weights.iter().copied()).collect();
            subnet.set_weights(uid, &weights);
        }
        let output = subnet.next_epoch();
        for (uid, dividend) in dividends.iter().enumerate() {
            assert!(close(output.dividends[uid], *dividend), "epoch {number} dividend {uid}");
            for (server, bond) in (3..).zip(bonds[uid]) {
                let found = subnet.bond(uid, server);
                assert!(close(found, *bond), "epoch {number}: bond {uid} {server}: {found}");
            }
        }
    }
}

const M: u16 = u16::MAX;
const H: u16 = u16::MAX / 2;

#[test]
fn yuma3_the_majority_moves_first() {
    check(
        &mut yuma3(&[8, 1, 1, 0, 0]),
        &[
            (&[&[M, 0], &[M, 0], &[M, 0]], [&[0.1013, 0.0]; 3], [0.8, 0.1, 0.1]),
            (
                &[&[0, M], &[M, 0], &[M, 0]],
                [&[0.0908, 0.1013], &[0.3697, 0.0], &[0.3697, 0.0]],
                [1.0, 0.0, 0.0],
            ),
            (
                &[&[0, M], &[0, M], &[M, 0]],
                [&[0.0815, 0.1924], &[0.3170, 0.1013], &[0.5580, 0.0]],
                [0.9382, 0.0618, 0.0],
            ),
            (
                &[&[0, M], &[0, M], &[0, M]],
                [&[0.0731, 0.2742], &[0.2765, 0.1924], &[0.4306, 0.1013]],
                [0.8819, 0.0773, 0.0407],
            ),
            (
                &[],
                [&[0.0656, 0.3478], &[0.2435, 0.2742], &[0.3589, 0.1924]],
                [0.8564, 0.0844, 0.0592],
            ),
            (
                &[],
                [&[0.0588, 0.4139], &[0.2157, 0.3478], &[0.3089, 0.2742]],
                [0.8418, 0.0884, 0.0697],
            ),
        ],
    );
}

#[test]
fn yuma3_the_majority_moves_second() {
    check(
        &mut yuma3(&[8, 1, 1, 0, 0]),
        &[
            (&[&[M, 0], &[M, 0], &[M, 0]], [&[0.1013, 0.0]; 3], [0.8, 0.1, 0.1]),
            (
                &[&[M, 0], &[0, M], &[M, 0]],
                [&[0.1924, 0.0], &[0.0908, 0.2987], &[0.1924, 0.0]],
                [0.8446, 0.0498, 0.1056],
            ),
            (
                &[&[0, M], &[0, M], &[M, 0]],
                [&[0.1715, 0.1013], &[0.0815, 0.3697], &[0.4336, 0.0]],
                [0.6868, 0.3132, 0.0],
            ),
            (
                &[&[0, M], &[0, M], &[0, M]],
                [&[0.1531, 0.1924], &[0.0731, 0.4336], &[0.3608, 0.1013]],
                [0.7421, 0.2090, 0.0489],
            ),
            (
                &[],
                [&[0.1369, 0.2742], &[0.0656, 0.4910], &[0.3103, 0.1924]],
                [0.7625, 0.1706, 0.0669],
            ),
            (
                &[],
                [&[0.1225, 0.3478], &[0.0588, 0.5426], &[0.2712, 0.2742]],
                [0.7730, 0.1508, 0.0762],
            ),
        ],
    );
}

#[test]
fn yuma3_the_majority_moves_last() {
    check(
        &mut yuma3(&[8, 1, 1, 0, 0]),
        &[
            (&[&[M, 0], &[M, 0], &[M, 0]], [&[0.1013, 0.0]; 3], [0.8, 0.1, 0.1]),
            (
                &[&[M, 0], &[0, M], &[M, 0]],
                [&[0.1924, 0.0], &[0.0908, 0.2987], &[0.1924, 0.0]],
                [0.8446, 0.0498, 0.1056],
            ),
            (
                &[&[M, 0], &[0, M], &[0, M]],
                [&[0.2742, 0.0], &[0.0815, 0.5081], &[0.1715, 0.2987]],
                [0.8966, 0.0333, 0.0701],
            ),
            (
                &[&[0, M], &[0, M], &[0, M]],
                [&[0.2416, 0.1013], &[0.0731, 0.5580], &[0.1531, 0.3697]],
                [0.4663, 0.3210, 0.2127],
            ),
            (
                &[],
                [&[0.2141, 0.1924], &[0.0656, 0.6028], &[0.1369, 0.4336]],
                [0.5976, 0.2340, 0.1683],
            ),
            (
                &[],
                [&[0.1903, 0.2742], &[0.0588, 0.6430], &[0.1225, 0.4910]],
                [0.6592, 0.1932, 0.1475],
            ),
        ],
    );
}

#[test]
fn yuma3_one_epoch_away_costs_dividends() {
    let stay: &[&[u16]] = &[&[M, 0], &[M, 0], &[M, 0]];
    let stray: &[&[u16]] = &[&[M, 0], &[M, 0], &[0, M]];
    check(
        &mut yuma3(&[33, 33, 34, 0, 0]),
        &[
            (stay, [&[0.1013, 0.0]; 3], [0.33, 0.33, 0.34]),
            (stay, [&[0.1924, 0.0]; 3], [0.33, 0.33, 0.34]),
            (stray, [&[0.2742, 0.0], &[0.2742, 0.0], &[0.1715, 0.2987]], [0.3782, 0.3782, 0.2436]),
            (stay, [&[0.3478, 0.0], &[0.3478, 0.0], &[0.2554, 0.2618]], [0.3628, 0.3628, 0.2745]),
            (stay, [&[0.4139, 0.0], &[0.4139, 0.0], &[0.3309, 0.2312]], [0.3541, 0.3541, 0.2917]),
            (stay, [&[0.4733, 0.0], &[0.4733, 0.0], &[0.3987, 0.2051]], [0.3487, 0.3487, 0.3026]),
        ],
    );
}

#[test]
fn yuma3_without_liquid_alpha_moves_at_one_rate() {
    let stay: &[&[u16]] = &[&[M, 0], &[M, 0], &[M, 0]];
    let stray: &[&[u16]] = &[&[M, 0], &[M, 0], &[0, M]];
    let mut subnet = yuma3(&[33, 33, 34, 0, 0]);
    subnet.input.params.liquid_alpha = false;
    check(
        &mut subnet,
        &[
            (stay, [&[0.0250, 0.0]; 3], [0.33, 0.33, 0.34]),
            (stay, [&[0.0494, 0.0]; 3], [0.33, 0.33, 0.34]),
            (stray, [&[0.0731, 0.0], &[0.0731, 0.0], &[0.0481, 0.0250]], [0.3734, 0.3734, 0.2532]),
            (stay, [&[0.0963, 0.0], &[0.0963, 0.0], &[0.0719, 0.0244]], [0.3611, 0.3611, 0.2779]),
            (stay, [&[0.1189, 0.0], &[0.1189, 0.0], &[0.0951, 0.0238]], [0.3541, 0.3541, 0.2919]),
            (stay, [&[0.1409, 0.0], &[0.1409, 0.0], &[0.1178, 0.0232]], [0.3495, 0.3495, 0.3009]),
        ],
    );
}

#[test]
fn yuma3_a_server_that_all_agree_on_gains_steadily() {
    check(
        &mut yuma3(&[8, 1, 1, 0, 0, 0]),
        &[
            (&[&[H, 0, H], &[H, 0, H], &[H, 0, H]], [&[0.0507, 0.0, 0.0507]; 3], [0.8, 0.1, 0.1]),
            (
                &[&[H, 0, H], &[0, H, H], &[H, 0, H]],
                [&[0.0962, 0.0, 0.0962], &[0.0455, 0.1000, 0.0962], &[0.0962, 0.0, 0.0962]],
                [0.8226, 0.0745, 0.1028],
            ),
            (
                &[&[0, H, H], &[0, H, H], &[H, 0, H]],
                [&[0.0863, 0.0507, 0.1371], &[0.0408, 0.1405, 0.1371], &[0.1770, 0.0, 0.1371]],
                [0.7750, 0.1685, 0.0565],
            ),
            (
                &[&[0, H, H], &[0, H, H], &[0, H, H]],
                [&[0.0774, 0.0962, 0.1739], &[0.0367, 0.1770, 0.1739], &[0.1579, 0.0507, 0.1739]],
                [0.7864, 0.1372, 0.0764],
            ),
            (
                &[],
                [&[0.0694, 0.1371, 0.2069], &[0.0329, 0.2097, 0.2069], &[0.1411, 0.0962, 0.2069]],
                [0.7912, 0.1241, 0.0847],
            ),
            (
                &[],
                [&[0.0623, 0.1739, 0.2366], &[0.0296, 0.2391, 0.2366], &[0.1263, 0.1371, 0.2366]],
                [0.7937, 0.1173, 0.0890],
            ),
        ],
    );
}
