//! The calls as values.

use std::net::IpAddr;

use subxt::dynamic::Value;
use subxt::tx::DynamicPayload;

use super::{Argument, Call, Field, Hyperparameter};
use crate::Hotkey;

fn number(value: impl Into<u128>) -> Value {
    Value::u128(value.into())
}

fn account(key: &Hotkey) -> Value {
    Value::from_bytes(key)
}

fn list(values: &[u16]) -> Value {
    Value::unnamed_composite(values.iter().map(|value| number(*value)))
}

fn trade(hotkey: &Hotkey, netuid: u16, amount: u64, limit: u64, partial: bool) -> Vec<Value> {
    vec![account(hotkey), number(netuid), number(amount), number(limit), Value::bool(partial)]
}

impl Argument {
    fn value(self) -> Value {
        match self {
            Self::Bool(yes) => Value::bool(yes),
            Self::Number(value) => u128::try_from(value).map_or(Value::i128(value), Value::u128),
        }
    }
}

impl Field {
    fn value(&self) -> Value {
        match self {
            Self::None => Value::unnamed_variant("None", []),
            Self::Bytes(bytes) if bytes.len() <= 128 => {
                Value::unnamed_variant(format!("Raw{}", bytes.len()), [Value::from_bytes(bytes)])
            }
            Self::Bytes(bytes) => Value::unnamed_variant("BigRaw", [Value::from_bytes(bytes)]),
        }
    }
}

impl Hyperparameter {
    fn parts(self) -> (&'static str, &'static str, Value) {
        match self {
            Self::Tempo(v) => ("sudo_set_tempo", "tempo", number(v)),
            Self::WeightsSetRateLimit(v) => {
                ("sudo_set_weights_set_rate_limit", "weights_set_rate_limit", number(v))
            }
            Self::CommitRevealWeightsEnabled(v) => {
                ("sudo_set_commit_reveal_weights_enabled", "enabled", Value::bool(v))
            }
            Self::MaxAllowedValidators(v) => {
                ("sudo_set_max_allowed_validators", "max_allowed_validators", number(v))
            }
            Self::MinAllowedWeights(v) => {
                ("sudo_set_min_allowed_weights", "min_allowed_weights", number(v))
            }
            Self::ServingRateLimit(v) => {
                ("sudo_set_serving_rate_limit", "serving_rate_limit", number(v))
            }
            Self::ImmunityPeriod(v) => ("sudo_set_immunity_period", "immunity_period", number(v)),
            Self::SubtokenEnabled(v) => {
                ("sudo_set_subtoken_enabled", "subtoken_enabled", Value::bool(v))
            }
            Self::SubnetEmissionEnabled(v) => {
                ("sudo_set_subnet_emission_enabled", "enabled", Value::bool(v))
            }
        }
    }
}

impl Call {
    /// Pallet, call and arguments. Arguments are positional: names moved between runtime versions,
    /// their order did not.
    fn parts(&self) -> (&'static str, &str, Vec<Value>) {
        let subtensor = "SubtensorModule";
        match self {
            Self::Transfer { dest, value } => (
                "Balances",
                "transfer_keep_alive",
                vec![Value::unnamed_variant("Id", [account(dest)]), number(*value)],
            ),
            Self::BurnedRegister { netuid, hotkey } => {
                (subtensor, "burned_register", vec![number(*netuid), account(hotkey)])
            }
            Self::RegisterNetwork { hotkey } => {
                (subtensor, "register_network", vec![account(hotkey)])
            }
            Self::StartCall { netuid } => (subtensor, "start_call", vec![number(*netuid)]),
            Self::ServeAxon { netuid, version, at } => {
                let (ip, ip_type) = match at.ip() {
                    IpAddr::V4(ip) => (number(u32::from(ip)), 4_u8),
                    IpAddr::V6(ip) => (number(u128::from(ip)), 6),
                };
                let mut arguments = vec![number(*netuid), number(*version), ip];
                arguments.extend([number(at.port()), number(ip_type)]);
                // Protocol, and two that nobody reads.
                arguments.extend([number(0u8), number(0u8), number(0u8)]);
                (subtensor, "serve_axon", arguments)
            }
            Self::AddStake { hotkey, netuid, amount } => {
                (subtensor, "add_stake", vec![account(hotkey), number(*netuid), number(*amount)])
            }
            Self::RegisterLimit { netuid, hotkey, limit } => (
                subtensor,
                "register_limit",
                vec![number(*netuid), account(hotkey), number(*limit)],
            ),
            Self::AddStakeLimit { hotkey, netuid, amount, limit, partial } => {
                (subtensor, "add_stake_limit", trade(hotkey, *netuid, *amount, *limit, *partial))
            }
            Self::RemoveStake { hotkey, netuid, amount } => {
                (subtensor, "remove_stake", vec![account(hotkey), number(*netuid), number(*amount)])
            }
            Self::RemoveStakeLimit { hotkey, netuid, amount, limit, partial } => {
                (subtensor, "remove_stake_limit", trade(hotkey, *netuid, *amount, *limit, *partial))
            }
            Self::MoveStake { from, to, amount } => (
                subtensor,
                "move_stake",
                vec![
                    account(&from.0),
                    account(&to.0),
                    number(from.1),
                    number(to.1),
                    number(*amount),
                ],
            ),
            Self::TransferStake { coldkey, hotkey, from, to, amount } => (
                subtensor,
                "transfer_stake",
                vec![
                    account(coldkey),
                    account(hotkey),
                    number(*from),
                    number(*to),
                    number(*amount),
                ],
            ),
            Self::SwapStake { hotkey, from, to, amount, limit } => {
                let mut arguments =
                    vec![account(hotkey), number(*from), number(*to), number(*amount)];
                let Some((least, partial)) = limit else {
                    return (subtensor, "swap_stake", arguments);
                };
                arguments.extend([number(*least), Value::bool(*partial)]);
                (subtensor, "swap_stake_limit", arguments)
            }
            Self::SetChildren { hotkey, netuid, children } => {
                let child = |(share, hotkey): &(u64, Hotkey)| {
                    Value::unnamed_composite([number(*share), account(hotkey)])
                };
                let children = Value::unnamed_composite(children.iter().map(child));
                (subtensor, "set_children", vec![account(hotkey), number(*netuid), children])
            }
            Self::SetChildkeyTake { hotkey, netuid, take } => (
                subtensor,
                "set_childkey_take",
                vec![account(hotkey), number(*netuid), number(*take)],
            ),
            Self::PowRegister { netuid, block, nonce, seal, hotkey } => (
                subtensor,
                "pow_register",
                vec![
                    number(*netuid),
                    number(*block),
                    number(*nonce),
                    Value::from_bytes(seal),
                    account(hotkey),
                ],
            ),
            Self::Admin { call, arguments } => {
                ("AdminUtils", call, arguments.iter().map(|a| a.value()).collect())
            }
            Self::SetWeights { netuid, mechanism, dests, weights, version_key } => (
                subtensor,
                "set_mechanism_weights",
                vec![
                    number(*netuid),
                    number(*mechanism),
                    list(dests),
                    list(weights),
                    number(*version_key),
                ],
            ),
            Self::CommitTimelockedWeights { netuid, mechanism, commit, round, version } => (
                subtensor,
                "commit_timelocked_mechanism_weights",
                vec![
                    number(*netuid),
                    number(*mechanism),
                    Value::from_bytes(commit),
                    number(*round),
                    number(*version),
                ],
            ),
            Self::CommitWeights { netuid, mechanism, hash } => (
                subtensor,
                "commit_mechanism_weights",
                vec![number(*netuid), number(*mechanism), Value::from_bytes(hash)],
            ),
            Self::RevealWeights { netuid, mechanism, uids, values, salt, version_key } => (
                subtensor,
                "reveal_mechanism_weights",
                vec![
                    number(*netuid),
                    number(*mechanism),
                    list(uids),
                    list(values),
                    list(salt),
                    number(*version_key),
                ],
            ),
            Self::SetCommitment { netuid, fields } => {
                let fields = Value::unnamed_composite(fields.iter().map(Field::value));
                let info = Value::named_composite([("fields", fields)]);
                ("Commitments", "set_commitment", vec![number(*netuid), info])
            }
            Self::SetHyperparameter { netuid, parameter } => {
                let (call, _, value) = parameter.parts();
                ("AdminUtils", call, vec![number(*netuid), value])
            }
            Self::SetAdminFreezeWindow(blocks) => {
                ("AdminUtils", "sudo_set_admin_freeze_window", vec![number(*blocks)])
            }
            Self::Sudo(call) => ("Sudo", "sudo", vec![call.value()]),
            Self::Batch(calls) => (
                "Utility",
                "batch_all",
                vec![Value::unnamed_composite(calls.iter().map(Self::value))],
            ),
        }
    }

    /// The call as an argument of another call.
    fn value(&self) -> Value {
        let (pallet, call, arguments) = self.parts();
        Value::unnamed_variant(pallet, [Value::unnamed_variant(call, arguments)])
    }

    /// The call as a payload.
    pub(crate) fn payload(&self) -> DynamicPayload<Vec<Value>> {
        let (pallet, call, arguments) = self.parts();
        subxt::dynamic::transaction(pallet, call, arguments)
    }
}
