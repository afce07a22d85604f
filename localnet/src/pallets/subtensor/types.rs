//! Values that the pallet stores or shows, as clients decode them.

use codec::{Compact, Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{BoundedVec, traits::ConstU32};
use scale_info::TypeInfo;
use sp_core::U256;
use std::collections::BTreeSet;
use substrate_fixed::types::U64F64;

/// Where a neuron serves.
#[derive(
    Clone,
    Debug,
    Default,
    Eq,
    PartialEq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct AxonInfo {
    /// Block of the announcement.
    pub block: u64,
    /// Version of the serving program.
    pub version: u32,
    /// Address, as an integer.
    pub ip: u128,
    /// Port.
    pub port: u16,
    /// 4 or 6.
    pub ip_type: u8,
    /// Free for the subnet's use.
    pub protocol: u8,
    /// Free for the subnet's use.
    pub placeholder1: u8,
    /// Free for the subnet's use.
    pub placeholder2: u8,
}

/// Where a neuron serves metrics.
#[derive(
    Clone,
    Debug,
    Default,
    Eq,
    PartialEq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct PrometheusInfo {
    /// Block of the announcement.
    pub block: u64,
    /// Version of the serving program.
    pub version: u32,
    /// Address, as an integer.
    pub ip: u128,
    /// Port.
    pub port: u16,
    /// 4 or 6.
    pub ip_type: u8,
}

/// A neuron's TLS key.
#[derive(Clone, Debug, Default, Eq, PartialEq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct NeuronCertificate {
    /// The key, of 64 bytes at most.
    pub public_key: BoundedVec<u8, ConstU32<64>>,
    /// Its kind.
    pub algorithm: u8,
}

/// Which consensus a subnet's epochs run.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, Encode, Decode, DecodeWithMemTracking, TypeInfo,
)]
pub enum EpochConsensus {
    /// Yuma Consensus.
    #[default]
    Yuma,
    /// None: one validator's weights are the result.
    Null,
}

/// Locked stake.
#[derive(Clone, Debug, Default, Eq, PartialEq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct LockState {
    /// Alpha, in rao.
    pub locked_mass: u64,
    /// What it counts for.
    pub conviction: U64F64,
    /// Block of the last change.
    pub last_update: u64,
}

/// What a coldkey wants done with its root dividends.
#[derive(Clone, Debug, Default, Eq, PartialEq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum RootClaimTypeEnum {
    /// Sell them.
    #[default]
    Swap,
    /// Keep them.
    Keep,
    /// Keep those of some subnets.
    KeepSubnets {
        /// The subnets.
        subnets: BTreeSet<u16>,
    },
}

/// A non-negative number: `mantissa * 10^exponent`.
///
/// This chain keeps the exponent at -9, so that shares are exact integers of a billionth.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Eq,
    PartialEq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct SafeFloat {
    /// Significant digits.
    pub mantissa: u128,
    /// Power of ten.
    pub exponent: i64,
}

impl SafeFloat {
    /// As many billionths.
    pub(crate) fn from_billionths(mantissa: u128) -> Self {
        let exponent = if mantissa == 0 { 0 } else { -9 };
        Self { mantissa, exponent }
    }

    /// The number in billionths. Exact for what [`Self::from_billionths`] made.
    pub(crate) fn billionths(self) -> u128 {
        self.mantissa
    }
}

/// `value * numerator / denominator`, rounded down; zero for a zero denominator.
pub(crate) fn mul_div(value: u128, numerator: u128, denominator: u128) -> u128 {
    if denominator == 0 {
        return 0;
    }
    let wide = U256::from(value).saturating_mul(U256::from(numerator)) / U256::from(denominator);
    u128::try_from(wide).unwrap_or(u128::MAX)
}

/// One neuron, without weights and bonds.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, TypeInfo)]
pub struct NeuronInfoLite<AccountId> {
    /// Hotkey.
    pub hotkey: AccountId,
    /// Coldkey that owns it.
    pub coldkey: AccountId,
    /// Position in the subnet.
    pub uid: Compact<u16>,
    /// Subnet.
    pub netuid: Compact<u16>,
    /// Has updated within the activity cutoff.
    pub active: bool,
    /// Where it serves.
    pub axon_info: AxonInfo,
    /// Where it serves metrics.
    pub prometheus_info: PrometheusInfo,
    /// Stake, as (coldkey, rao): all of it under the owner.
    pub stake: Vec<(AccountId, Compact<u64>)>,
    /// No longer computed: zero.
    pub rank: Compact<u16>,
    /// Alpha earned in the last epoch, in rao.
    pub emission: Compact<u64>,
    /// Share of the servers' half, of 65535.
    pub incentive: Compact<u16>,
    /// Consensus weight, of 65535.
    pub consensus: Compact<u16>,
    /// No longer computed: zero.
    pub trust: Compact<u16>,
    /// Agreement with the consensus, of 65535.
    pub validator_trust: Compact<u16>,
    /// Share of the validators' half, of 65535.
    pub dividends: Compact<u16>,
    /// Block of the last weights or of the registration.
    pub last_update: Compact<u64>,
    /// May set weights.
    pub validator_permit: bool,
    /// No longer computed: 65535.
    pub pruning_score: Compact<u16>,
}

/// One neuron.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, TypeInfo)]
pub struct NeuronInfo<AccountId> {
    /// Hotkey.
    pub hotkey: AccountId,
    /// Coldkey that owns it.
    pub coldkey: AccountId,
    /// Position in the subnet.
    pub uid: Compact<u16>,
    /// Subnet.
    pub netuid: Compact<u16>,
    /// Has updated within the activity cutoff.
    pub active: bool,
    /// Where it serves.
    pub axon_info: AxonInfo,
    /// Where it serves metrics.
    pub prometheus_info: PrometheusInfo,
    /// Stake, as (coldkey, rao): all of it under the owner.
    pub stake: Vec<(AccountId, Compact<u64>)>,
    /// No longer computed: zero.
    pub rank: Compact<u16>,
    /// Alpha earned in the last epoch, in rao.
    pub emission: Compact<u64>,
    /// Share of the servers' half, of 65535.
    pub incentive: Compact<u16>,
    /// Consensus weight, of 65535.
    pub consensus: Compact<u16>,
    /// No longer computed: zero.
    pub trust: Compact<u16>,
    /// Agreement with the consensus, of 65535.
    pub validator_trust: Compact<u16>,
    /// Share of the validators' half, of 65535.
    pub dividends: Compact<u16>,
    /// Block of the last weights or of the registration.
    pub last_update: Compact<u64>,
    /// May set weights.
    pub validator_permit: bool,
    /// Weights it has set: (uid, weight).
    pub weights: Vec<(Compact<u16>, Compact<u16>)>,
    /// Bonds it holds: (uid, bond).
    pub bonds: Vec<(Compact<u16>, Compact<u16>)>,
    /// No longer computed: 65535.
    pub pruning_score: Compact<u16>,
}
