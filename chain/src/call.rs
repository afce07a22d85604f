//! The extrinsics we send, as values that are encoded against the chain's metadata.

use subxt::dynamic::Value;
use subxt::tx::DynamicPayload;

use crate::{Hash, Hotkey};

/// One field of a `Commitments` slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// Nothing.
    None,
    /// Bytes: up to 128 as `Raw`, up to 512 as `BigRaw`.
    Bytes(Vec<u8>),
}

/// An argument of a call that is named at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Yes or no.
    Bool(bool),
    /// A whole number of any width.
    Number(i128),
}

/// A subnet parameter that AdminUtils sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hyperparameter {
    /// Blocks per tempo.
    Tempo(u16),
    /// Blocks between two weight settings.
    WeightsSetRateLimit(u64),
    /// Whether weights are committed and revealed.
    CommitRevealWeightsEnabled(bool),
    /// Validators with a permit at most.
    MaxAllowedValidators(u16),
    /// Weights per setting at least.
    MinAllowedWeights(u16),
    /// Blocks between two serve_axon calls.
    ServingRateLimit(u64),
    /// Blocks in which a new neuron cannot be pruned.
    ImmunityPeriod(u16),
    /// Whether alpha can be staked.
    SubtokenEnabled(bool),
    /// Whether the subnet gets emission.
    SubnetEmissionEnabled(bool),
}

/// An extrinsic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// Send TAO.
    Transfer {
        /// To whom.
        dest: Hotkey,
        /// Rao.
        value: u64,
    },
    /// Register a hotkey for the current burn.
    BurnedRegister {
        /// The subnet.
        netuid: u16,
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// Create a subnet, owned by the signer.
    RegisterNetwork {
        /// The owner's hotkey, which becomes uid 0.
        hotkey: Hotkey,
    },
    /// Start a subnet's emission.
    StartCall {
        /// The subnet.
        netuid: u16,
    },
    /// Publish where a hotkey is reached.
    ServeAxon {
        /// The subnet.
        netuid: u16,
        /// Protocol version.
        version: u32,
        /// The address as an integer.
        ip: u128,
        /// The port.
        port: u16,
        /// 4 or 6.
        ip_type: u8,
    },
    /// Stake TAO on a hotkey.
    AddStake {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: u16,
        /// Rao.
        amount: u64,
    },
    /// Register a hotkey if that costs no more than a limit.
    RegisterLimit {
        /// The subnet.
        netuid: u16,
        /// The hotkey.
        hotkey: Hotkey,
        /// Rao at most.
        limit: u64,
    },
    /// Stake TAO on a hotkey, at a price up to a limit.
    AddStakeLimit {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: u16,
        /// Rao.
        amount: u64,
        /// Rao of TAO for one alpha at most.
        limit: u64,
        /// Whether to stake as much as the limit lets pass, rather than nothing.
        partial: bool,
    },
    /// Take stake back from a hotkey.
    RemoveStake {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: u16,
        /// Alpha, in rao.
        amount: u64,
    },
    /// Take stake back from a hotkey, at a price down to a limit.
    RemoveStakeLimit {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: u16,
        /// Alpha, in rao.
        amount: u64,
        /// Rao of TAO for one alpha at least.
        limit: u64,
        /// Whether to take back as much as the limit lets pass, rather than nothing.
        partial: bool,
    },
    /// Set any parameter that AdminUtils has a call for.
    Admin {
        /// The call.
        call: String,
        /// Its arguments.
        arguments: Vec<Argument>,
    },
    /// Set weights in the clear.
    SetWeights {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// Uids.
        dests: Vec<u16>,
        /// Their weights.
        weights: Vec<u16>,
        /// The subnet's weights version.
        version_key: u64,
    },
    /// Commit to weights that the chain opens when the beacon has signed a round.
    CommitTimelockedWeights {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// The ciphertext.
        commit: Vec<u8>,
        /// The round.
        round: u64,
        /// The version of what is hidden.
        version: u16,
    },
    /// Commit to weights by their hash.
    CommitWeights {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// The hash.
        hash: Hash,
    },
    /// Show weights of which the chain has the hash.
    RevealWeights {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// Uids.
        uids: Vec<u16>,
        /// Their weights.
        values: Vec<u16>,
        /// What was hashed with them.
        salt: Vec<u16>,
        /// The version they were committed with.
        version_key: u64,
    },
    /// Replace the hotkey's commitment.
    SetCommitment {
        /// The subnet.
        netuid: u16,
        /// Up to three fields.
        fields: Vec<Field>,
    },
    /// Set a parameter of a subnet.
    SetHyperparameter {
        /// The subnet.
        netuid: u16,
        /// The parameter.
        parameter: Hyperparameter,
    },
    /// Set how many blocks before an epoch parameters are frozen.
    SetAdminFreezeWindow(u16),
    /// As root.
    Sudo(Box<Call>),
    /// All or nothing, in one extrinsic.
    Batch(Vec<Call>),
}

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
            Self::ServeAxon { netuid, version, ip, port, ip_type } => (
                subtensor,
                "serve_axon",
                vec![
                    number(*netuid),
                    number(*version),
                    number(*ip),
                    number(*port),
                    number(*ip_type),
                    number(0u8),
                    number(0u8),
                    number(0u8),
                ],
            ),
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
