//! A subnet's hyperparameters.

use crate::pallets::subtensor::{
    ActivityCutoffFactorMilli, AdjustmentAlpha, AdjustmentInterval, AlphaSigmoidSteepness,
    AlphaValues, BondsMovingAverage, BondsResetOn, BurnHalfLife, CommitRevealWeightsEnabled,
    Config, Difficulty, ImmunityPeriod, Kappa, LiquidAlphaOn, MaxAllowedValidators, MaxBurn,
    MaxDifficulty, MaxRegistrationsPerBlock, MaxWeightsLimit, MinAllowedWeights, MinBurn,
    MinDifficulty, NetworkRegistrationAllowed, NetworksAdded, Pallet, RevealPeriodEpochs, Rho,
    ServingRateLimit, SubtokenEnabled, TargetRegistrationsPerInterval, Tempo, TransferToggle,
    WeightsSetRateLimit, WeightsVersionKey, Yuma3On,
};
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;
use substrate_fixed::types::{I32F32, U64F64};

/// Declares the two views of the hyperparameters from one table: what both have, and what the
/// second has besides.
macro_rules! hyperparameters {
    (
        |$netuid:ident|
        both { $($name:ident: $type:ty = $value:expr,)* }
        second { $($more:ident: $more_type:ty = $more_value:expr,)* }
    ) => {
        /// Hyperparameters, as the chain's clients name them.
        #[expect(missing_docs, reason = "the names are the chain's; docs/LOCALNET.md says what they do")]
        #[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, TypeInfo)]
        pub struct SubnetHyperparams {
            $(pub $name: $type,)*
        }

        /// Hyperparameters with those that came later.
        #[expect(missing_docs, reason = "the names are the chain's; docs/LOCALNET.md says what they do")]
        #[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, TypeInfo)]
        pub struct SubnetHyperparamsV2 {
            $(pub $name: $type,)*
            $(pub $more: $more_type,)*
        }

        impl<T: Config> Pallet<T> {
            /// A subnet's hyperparameters.
            pub fn hyperparameters($netuid: u16) -> Option<SubnetHyperparams> {
                NetworksAdded::<T>::get($netuid).then(|| SubnetHyperparams { $($name: $value,)* })
            }

            /// A subnet's hyperparameters with those that came later.
            pub fn hyperparameters_v2($netuid: u16) -> Option<SubnetHyperparamsV2> {
                NetworksAdded::<T>::get($netuid).then(|| SubnetHyperparamsV2 {
                    $($name: $value,)*
                    $($more: $more_value,)*
                })
            }

            /// A subnet's hyperparameters by name, which can grow without a new type.
            pub fn hyperparameter_entries($netuid: u16) -> Option<Vec<HyperparamEntry>> {
                let mut entries = Vec::new();
                let all = Self::hyperparameters_v2($netuid)?;
                $(entries.push(HyperparamEntry::new(stringify!($name), all.$name));)*
                $(entries.push(HyperparamEntry::new(stringify!($more), all.$more));)*
                let half_life = Compact(BurnHalfLife::<T>::get($netuid));
                entries.push(HyperparamEntry::new("burn_half_life", half_life));
                let increase = Self::burn_increase($netuid);
                entries.push(HyperparamEntry::new("burn_increase_mult", increase));
                let factor = Compact(ActivityCutoffFactorMilli::<T>::get($netuid));
                entries.push(HyperparamEntry::new("activity_cutoff_factor", factor));
                Some(entries)
            }
        }
    };
}

hyperparameters! { |netuid|
    both {
        rho: Compact<u16> = Compact(Rho::<T>::get(netuid)),
        kappa: Compact<u16> = Compact(Kappa::<T>::get(netuid)),
        immunity_period: Compact<u16> = Compact(ImmunityPeriod::<T>::get(netuid)),
        min_allowed_weights: Compact<u16> = Compact(MinAllowedWeights::<T>::get(netuid)),
        max_weights_limit: Compact<u16> = Compact(MaxWeightsLimit::<T>::get(netuid)),
        tempo: Compact<u16> = Compact(Tempo::<T>::get(netuid)),
        min_difficulty: Compact<u64> = Compact(MinDifficulty::<T>::get(netuid)),
        max_difficulty: Compact<u64> = Compact(MaxDifficulty::<T>::get(netuid)),
        weights_version: Compact<u64> = Compact(WeightsVersionKey::<T>::get(netuid)),
        weights_rate_limit: Compact<u64> = Compact(WeightsSetRateLimit::<T>::get(netuid)),
        adjustment_interval: Compact<u16> = Compact(AdjustmentInterval::<T>::get(netuid)),
        activity_cutoff: Compact<u64> = Compact(Self::activity_cutoff(netuid)),
        registration_allowed: bool = NetworkRegistrationAllowed::<T>::get(netuid),
        target_regs_per_interval: Compact<u16> =
            Compact(TargetRegistrationsPerInterval::<T>::get(netuid)),
        min_burn: Compact<u64> = Compact(MinBurn::<T>::get(netuid)),
        max_burn: Compact<u64> = Compact(MaxBurn::<T>::get(netuid)),
        bonds_moving_avg: Compact<u64> = Compact(BondsMovingAverage::<T>::get(netuid)),
        max_regs_per_block: Compact<u16> = Compact(MaxRegistrationsPerBlock::<T>::get(netuid)),
        serving_rate_limit: Compact<u64> = Compact(ServingRateLimit::<T>::get(netuid)),
        max_validators: Compact<u16> = Compact(MaxAllowedValidators::<T>::get(netuid)),
        adjustment_alpha: Compact<u64> = Compact(AdjustmentAlpha::<T>::get(netuid)),
        difficulty: Compact<u64> = Compact(Difficulty::<T>::get(netuid)),
        commit_reveal_period: Compact<u64> = Compact(RevealPeriodEpochs::<T>::get(netuid)),
        commit_reveal_weights_enabled: bool = CommitRevealWeightsEnabled::<T>::get(netuid),
        alpha_high: Compact<u16> = Compact(AlphaValues::<T>::get(netuid).1),
        alpha_low: Compact<u16> = Compact(AlphaValues::<T>::get(netuid).0),
        liquid_alpha_enabled: bool = LiquidAlphaOn::<T>::get(netuid),
    }
    second {
        alpha_sigmoid_steepness: I32F32 = I32F32::from_num(AlphaSigmoidSteepness::<T>::get(netuid)),
        yuma_version: Compact<u16> = Compact(if Yuma3On::<T>::get(netuid) { 3 } else { 2 }),
        subnet_is_active: bool = SubtokenEnabled::<T>::get(netuid),
        transfers_enabled: bool = TransferToggle::<T>::get(netuid),
        bonds_reset_enabled: bool = BondsResetOn::<T>::get(netuid),
        user_liquidity_enabled: bool = false,
    }
}

/// A hyperparameter by name.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, TypeInfo)]
pub struct HyperparamEntry {
    /// Its name, as in [`SubnetHyperparamsV2`].
    pub name: Vec<u8>,
    /// Its value.
    pub value: HyperparamValue,
}

/// A hyperparameter's value.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, TypeInfo)]
pub enum HyperparamValue {
    /// Yes or no.
    Bool(bool),
    /// A number.
    U16(Compact<u16>),
    /// A number.
    U32(Compact<u32>),
    /// A number.
    U64(Compact<u64>),
    /// A number.
    U128(Compact<u128>),
    /// TAO, in rao.
    TaoBalance(Compact<u64>),
    /// A signed fixed-point number.
    I32F32(I32F32),
    /// A fixed-point number.
    U64F64(U64F64),
}

impl HyperparamEntry {
    fn new(name: &str, value: impl Into<HyperparamValue>) -> Self {
        let value = match (name, value.into()) {
            ("min_burn" | "max_burn", HyperparamValue::U64(rao)) => {
                HyperparamValue::TaoBalance(rao)
            }
            (_, value) => value,
        };
        Self { name: name.as_bytes().to_vec(), value }
    }
}

/// Declares from what a value is made.
macro_rules! from {
    ($($type:ty => $variant:ident),*) => {$(
        impl From<$type> for HyperparamValue {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

from! {
    bool => Bool,
    Compact<u16> => U16,
    Compact<u32> => U32,
    Compact<u64> => U64,
    I32F32 => I32F32,
    U64F64 => U64F64
}

impl<T: Config> Pallet<T> {
    fn burn_increase(netuid: u16) -> U64F64 {
        crate::pallets::subtensor::BurnIncreaseMult::<T>::get(netuid)
    }
}
