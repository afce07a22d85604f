//! A whole subnet in one answer, or the parts of it that were asked for.

use super::{Committed, compact};
use crate::pallets::subtensor::{
    Active, AdjustmentAlpha, AdjustmentInterval, AlphaDividendsPerSubnet, AlphaValues, AxonInfo,
    Axons, BlockAtRegistration, BlocksSinceLastStep, BondsMovingAverage, Burn, ChainIdentityV2,
    CommitRevealWeightsEnabled, Config, Consensus, Difficulty, Dividends, Emission, IdentitiesV2,
    ImmunityPeriod, Incentive, Kappa, LastMechansimStepBlock, LastUpdate, LiquidAlphaOn,
    MaxAllowedUids, MaxAllowedValidators, MaxBurn, MaxDifficulty, MaxRegistrationsPerBlock,
    MaxWeightsLimit, MinAllowedWeights, MinBurn, MinDifficulty, NetworkPowRegistrationAllowed,
    NetworkRegisteredAt, NetworkRegistrationAllowed, NetworksAdded, Owner, Pallet,
    RevealPeriodEpochs, Rho, ServingRateLimit, SubnetAlphaIn, SubnetAlphaInEmission,
    SubnetAlphaOut, SubnetAlphaOutEmission, SubnetIdentitiesV3, SubnetIdentityV3,
    SubnetMovingPrice, SubnetOwner, SubnetOwnerHotkey, SubnetTAO, SubnetTaoInEmission,
    SubnetVolume, SubnetworkN, TargetRegistrationsPerInterval, Tempo, ValidatorPermit,
    WeightsSetRateLimit, WeightsVersionKey, mechanisms::storage_index,
};
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;
use substrate_fixed::types::I96F32;

/// A TAO or alpha amount by hotkey, in rao.
type ByHotkey<AccountId> = Vec<(AccountId, Compact<u64>)>;

/// Declares both views from one table: index, name, type and value of each part. The `late` parts
/// are in the selective view only, as on the real chain.
macro_rules! metagraph {
    (
        |$net:ident|
        both { $($index:literal $name:ident: $type:ty = $value:expr;)* }
        late { $($late_index:literal $late:ident: $late_type:ty = $late_value:expr;)* }
    ) => {
        /// A subnet with its neurons as columns. Amounts are rao, shares of 65535.
        #[expect(missing_docs, reason = "the names are the chain's; docs/LOCALNET.md says what they are")]
        #[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, TypeInfo)]
        pub struct Metagraph<AccountId> {
            pub netuid: Compact<u16>,
            $(pub $name: $type,)*
        }

        /// The parts of a subnet that were asked for.
        #[expect(missing_docs, reason = "the names are the chain's; docs/LOCALNET.md says what they are")]
        #[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, TypeInfo)]
        pub struct SelectiveMetagraph<AccountId> {
            pub netuid: Compact<u16>,
            $(pub $name: Option<$type>,)*
            $(pub $late: Option<$late_type>,)*
        }

        impl<T: Config> Pallet<T> {
            /// A subnet with its neurons.
            pub fn metagraph($net: u16) -> Option<Metagraph<T::AccountId>> {
                NetworksAdded::<T>::get($net)
                    .then(|| Metagraph { netuid: Compact($net), $($name: $value,)* })
            }

            /// The parts of a subnet whose indices are asked for.
            pub fn selective_metagraph(
                $net: u16,
                parts: &[u16],
            ) -> Option<SelectiveMetagraph<T::AccountId>> {
                NetworksAdded::<T>::get($net).then(|| SelectiveMetagraph {
                    netuid: Compact($net),
                    $($name: parts.contains(&$index).then(|| $value),)*
                    $($late: parts.contains(&$late_index).then(|| $late_value),)*
                })
            }
        }
    };
}

metagraph! { |net|
    both {
        1 name: Vec<Compact<u8>> = Self::subnet_name(net);
        2 symbol: Vec<Compact<u8>> = Self::symbol(net);
        3 identity: Option<SubnetIdentityV3> = SubnetIdentitiesV3::<T>::get(net);
        4 network_registered_at: Compact<u64> = Compact(NetworkRegisteredAt::<T>::get(net));
        5 owner_hotkey: AccountId = SubnetOwnerHotkey::<T>::get(net);
        6 owner_coldkey: AccountId = SubnetOwner::<T>::get(net);
        7 block: Compact<u64> = Compact(Self::now());
        8 tempo: Compact<u16> = Compact(Tempo::<T>::get(net));
        9 last_step: Compact<u64> = Compact(LastMechansimStepBlock::<T>::get(net));
        10 blocks_since_last_step: Compact<u64> = Compact(BlocksSinceLastStep::<T>::get(net));
        11 subnet_emission: Compact<u64> = Compact(SubnetTaoInEmission::<T>::get(net));
        12 alpha_in: Compact<u64> = Compact(SubnetAlphaIn::<T>::get(net));
        13 alpha_out: Compact<u64> = Compact(SubnetAlphaOut::<T>::get(net));
        14 tao_in: Compact<u64> = Compact(SubnetTAO::<T>::get(net));
        15 alpha_out_emission: Compact<u64> = Compact(SubnetAlphaOutEmission::<T>::get(net));
        16 alpha_in_emission: Compact<u64> = Compact(SubnetAlphaInEmission::<T>::get(net));
        17 tao_in_emission: Compact<u64> = Compact(SubnetTaoInEmission::<T>::get(net));
        18 pending_alpha_emission: Compact<u64> = Compact(Self::pending_emission(net));
        19 pending_root_emission: Compact<u64> = Compact(0);
        20 subnet_volume: Compact<u128> = Compact(SubnetVolume::<T>::get(net));
        21 moving_price: I96F32 = SubnetMovingPrice::<T>::get(net);
        22 rho: Compact<u16> = Compact(Rho::<T>::get(net));
        23 kappa: Compact<u16> = Compact(Kappa::<T>::get(net));
        24 min_allowed_weights: Compact<u16> = Compact(MinAllowedWeights::<T>::get(net));
        25 max_weights_limit: Compact<u16> = Compact(MaxWeightsLimit::<T>::get(net));
        26 weights_version: Compact<u64> = Compact(WeightsVersionKey::<T>::get(net));
        27 weights_rate_limit: Compact<u64> = Compact(WeightsSetRateLimit::<T>::get(net));
        28 activity_cutoff: Compact<u64> = Compact(Self::activity_cutoff(net));
        29 max_validators: Compact<u16> = Compact(MaxAllowedValidators::<T>::get(net));
        30 num_uids: Compact<u16> = Compact(SubnetworkN::<T>::get(net));
        31 max_uids: Compact<u16> = Compact(MaxAllowedUids::<T>::get(net));
        32 burn: Compact<u64> = Compact(Burn::<T>::get(net));
        33 difficulty: Compact<u64> = Compact(Difficulty::<T>::get(net));
        34 registration_allowed: bool = NetworkRegistrationAllowed::<T>::get(net);
        35 pow_registration_allowed: bool = NetworkPowRegistrationAllowed::<T>::get(net);
        36 immunity_period: Compact<u16> = Compact(ImmunityPeriod::<T>::get(net));
        37 min_difficulty: Compact<u64> = Compact(MinDifficulty::<T>::get(net));
        38 max_difficulty: Compact<u64> = Compact(MaxDifficulty::<T>::get(net));
        39 min_burn: Compact<u64> = Compact(MinBurn::<T>::get(net));
        40 max_burn: Compact<u64> = Compact(MaxBurn::<T>::get(net));
        41 adjustment_alpha: Compact<u64> = Compact(AdjustmentAlpha::<T>::get(net));
        42 adjustment_interval: Compact<u16> = Compact(AdjustmentInterval::<T>::get(net));
        43 target_regs_per_interval: Compact<u16> =
            Compact(TargetRegistrationsPerInterval::<T>::get(net));
        44 max_regs_per_block: Compact<u16> = Compact(MaxRegistrationsPerBlock::<T>::get(net));
        45 serving_rate_limit: Compact<u64> = Compact(ServingRateLimit::<T>::get(net));
        46 commit_reveal_weights_enabled: bool = CommitRevealWeightsEnabled::<T>::get(net);
        47 commit_reveal_period: Compact<u64> = Compact(RevealPeriodEpochs::<T>::get(net));
        48 liquid_alpha_enabled: bool = LiquidAlphaOn::<T>::get(net);
        49 alpha_high: Compact<u16> = Compact(AlphaValues::<T>::get(net).1);
        50 alpha_low: Compact<u16> = Compact(AlphaValues::<T>::get(net).0);
        51 bonds_moving_avg: Compact<u64> = Compact(BondsMovingAverage::<T>::get(net));
        52 hotkeys: Vec<AccountId> = Self::hotkeys(net);
        53 coldkeys: Vec<AccountId> = by_hotkey::<T, _>(net, |key| Owner::<T>::get(key));
        54 identities: Vec<Option<ChainIdentityV2>> =
            by_hotkey::<T, _>(net, |key| IdentitiesV2::<T>::get(Owner::<T>::get(key)));
        55 axons: Vec<AxonInfo> =
            by_hotkey::<T, _>(net, |key| Axons::<T>::get(net, key).unwrap_or_default());
        56 active: Vec<bool> = Active::<T>::get(net);
        57 validator_permit: Vec<bool> = ValidatorPermit::<T>::get(net);
        58 pruning_score: Vec<Compact<u16>> = Vec::new();
        59 last_update: Vec<Compact<u64>> = compact(&LastUpdate::<T>::get(net));
        60 emission: Vec<Compact<u64>> = compact(&Emission::<T>::get(net));
        61 dividends: Vec<Compact<u16>> = compact(&Dividends::<T>::get(net));
        62 incentives: Vec<Compact<u16>> = compact(&Incentive::<T>::get(net));
        63 consensus: Vec<Compact<u16>> = compact(&Consensus::<T>::get(net));
        64 trust: Vec<Compact<u16>> = Vec::new();
        65 rank: Vec<Compact<u16>> = Vec::new();
        66 block_at_registration: Vec<Compact<u64>> = (0..SubnetworkN::<T>::get(net))
            .map(|uid| Compact(BlockAtRegistration::<T>::get(net, uid)))
            .collect();
        67 alpha_stake: Vec<Compact<u64>> =
            by_hotkey::<T, _>(net, |key| Compact(Self::validating_stake(key, net)));
        68 tao_stake: Vec<Compact<u64>> = by_hotkey::<T, _>(net, |_| Compact(0));
        69 total_stake: Vec<Compact<u64>> =
            by_hotkey::<T, _>(net, |key| Compact(Self::validating_stake(key, net)));
        70 tao_dividends_per_hotkey: ByHotkey<AccountId> =
            by_hotkey::<T, _>(net, |key| (key.clone(), Compact(0)));
        71 alpha_dividends_per_hotkey: ByHotkey<AccountId> = by_hotkey::<T, _>(net, |key| {
            (key.clone(), Compact(AlphaDividendsPerSubnet::<T>::get(net, key)))
        });
    }
    late {
        72 validators: Vec<Compact<u16>> = ValidatorPermit::<T>::get(net)
            .into_iter()
            .zip(0..)
            .filter_map(|(permitted, uid)| permitted.then_some(Compact(uid)))
            .collect();
        73 commitments: Vec<(AccountId, Vec<Compact<u8>>)> = by_hotkey::<T, _>(net, |key| {
            T::Committed::committed(net, key).map(|bytes| (key.clone(), super::text(bytes)))
        })
        .into_iter()
        .flatten()
        .collect();
    }
}

impl<T: Config> Pallet<T> {
    /// A mechanism of a subnet with its neurons: some columns are its own.
    pub fn mechagraph(netuid: u16, mechanism: u8) -> Option<Metagraph<T::AccountId>> {
        let of_subnet = Self::has_mechanism(netuid, mechanism).then(|| Self::metagraph(netuid));
        let index = storage_index(netuid, mechanism);
        of_subnet.flatten().map(|graph| Metagraph {
            netuid: Compact(index),
            last_update: compact(&LastUpdate::<T>::get(index)),
            incentives: compact(&Incentive::<T>::get(index)),
            ..graph
        })
    }

    /// Each mechanism of each subnet.
    pub fn mechagraphs() -> Vec<Option<Metagraph<T::AccountId>>> {
        let of_subnet = |netuid| {
            Self::mechanisms(netuid).map(move |mechanism| Self::mechagraph(netuid, mechanism))
        };
        Self::all_netuids().into_iter().flat_map(of_subnet).collect()
    }

    /// The parts of a mechanism whose indices are asked for.
    pub fn selective_mechagraph(
        netuid: u16,
        mechanism: u8,
        parts: &[u16],
    ) -> Option<SelectiveMetagraph<T::AccountId>> {
        let exists = Self::has_mechanism(netuid, mechanism);
        let of_subnet = exists.then(|| Self::selective_metagraph(netuid, parts));
        let index = storage_index(netuid, mechanism);
        of_subnet.flatten().map(|graph| SelectiveMetagraph {
            netuid: Compact(index),
            last_update: graph.last_update.map(|_| compact(&LastUpdate::<T>::get(index))),
            incentives: graph.incentives.map(|_| compact(&Incentive::<T>::get(index))),
            ..graph
        })
    }
}

/// A value for each of a subnet's hotkeys.
fn by_hotkey<T: Config, V>(netuid: u16, value: impl Fn(&T::AccountId) -> V) -> Vec<V> {
    Pallet::<T>::hotkeys(netuid).iter().map(value).collect()
}
