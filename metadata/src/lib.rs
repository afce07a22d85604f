//! Declare the chain interface we rely on and check a chain against it.
//!
//! What we rely on is data: calls with their number of arguments, storage entries, runtime APIs. A
//! gap in something required stops a client from connecting; a gap in something optional names what
//! it disables. Nothing is checked by index: names are the interface.

use std::fmt;

use subxt::Metadata;

/// One thing the chain lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What is missing or differs, as `Pallet.item`.
    pub what: String,
    /// What was expected and found.
    pub problem: String,
    /// What it disables; none when nothing works without it.
    pub disables: Option<&'static str>,
}

/// What a chain lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// All gaps.
    pub gaps: Vec<Gap>,
}

/// What is relied on.
enum Item {
    /// A call with this many arguments.
    Call(&'static str, &'static str, usize),
    /// A storage entry.
    Storage(&'static str, &'static str),
    /// A method of a runtime API.
    Api(&'static str, &'static str),
}

/// Everything relied on, with what is disabled without it.
const RELIED_ON: &[(Item, Option<&str>)] = &[
    (Item::Storage("System", "Account"), None),
    (Item::Storage("Timestamp", "Now"), None),
    (Item::Storage("SubtensorModule", "Keys"), None),
    (Item::Storage("SubtensorModule", "Owner"), None),
    (
        Item::Api("NeuronInfoRuntimeApi", "get_neurons_lite"),
        Some("reading the neurons at once: they are read one by one"),
    ),
    (Item::Call("SubtensorModule", "burned_register", 2), Some("registration")),
    (Item::Call("SubtensorModule", "serve_axon", 8), Some("being found by peers")),
    (Item::Call("SubtensorModule", "set_mechanism_weights", 5), Some("setting weights")),
    (Item::Call("SubtensorModule", "commit_timelocked_mechanism_weights", 5), Some(HIDDEN)),
    (Item::Call("SubtensorModule", "commit_mechanism_weights", 3), Some(HIDDEN)),
    (Item::Call("SubtensorModule", "reveal_mechanism_weights", 6), Some(HIDDEN)),
    (Item::Storage("SubtensorModule", "Uids"), Some("setting weights")),
    (Item::Storage("SubtensorModule", "SubnetworkN"), Some("setting weights")),
    (Item::Storage("SubtensorModule", "CommitRevealWeightsEnabled"), Some("setting weights")),
    (Item::Storage("SubtensorModule", "LastUpdate"), Some("waiting for the weights rate limit")),
    (Item::Storage("SubtensorModule", "ValidatorPermit"), Some("setting weights")),
    (Item::Storage("SubtensorModule", "Tempo"), Some(HIDDEN)),
    (Item::Storage("SubtensorModule", "RevealPeriodEpochs"), Some(HIDDEN)),
    (Item::Storage("Drand", "BeaconConfig"), Some(HIDDEN)),
    (Item::Call("SubtensorModule", "register_limit", 3), Some("registration up to a limit")),
    (Item::Storage("SubtensorModule", "Burn"), Some("showing what a registration costs")),
    (Item::Call("SubtensorModule", "add_stake", 3), Some("staking")),
    (Item::Call("SubtensorModule", "add_stake_limit", 5), Some("staking at a limited price")),
    (Item::Call("SubtensorModule", "remove_stake", 3), Some("unstaking")),
    (Item::Call("SubtensorModule", "remove_stake_limit", 5), Some("unstaking at a limited price")),
    (Item::Api("SwapRuntimeApi", "current_alpha_price"), Some("quoting stake")),
    (Item::Api("SwapRuntimeApi", "current_alpha_price_all"), Some("listing subnets")),
    (Item::Api("SwapRuntimeApi", "sim_swap_tao_for_alpha"), Some("quoting stake")),
    (Item::Api("SwapRuntimeApi", "sim_swap_alpha_for_tao"), Some("quoting stake")),
    (Item::Api("StakeInfoRuntimeApi", "get_stake_info_for_coldkey"), Some("listing stake")),
    (Item::Api("SubnetInfoRuntimeApi", "get_all_dynamic_info"), Some("listing subnets")),
    (
        Item::Api("SubnetRegistrationRuntimeApi", "get_network_registration_cost"),
        Some("showing what a subnet costs"),
    ),
    (Item::Call("SubtensorModule", "register_network", 1), Some("creating a subnet")),
    (Item::Call("SubtensorModule", "start_call", 1), Some("starting a subnet")),
    (Item::Call("Commitments", "set_commitment", 2), Some("committing work, votes and vetoes")),
    (Item::Storage("Commitments", "CommitmentOf"), Some("reading work, votes and vetoes")),
    (Item::Storage("Drand", "Pulses"), Some("randomness that no block author can grind")),
    (Item::Storage("Drand", "LastStoredRound"), Some("randomness that no block author can grind")),
    (Item::Call("Balances", "transfer_keep_alive", 2), Some("transfers")),
    (Item::Call("SubtensorModule", "move_stake", 5), Some(MOVED)),
    (Item::Call("SubtensorModule", "transfer_stake", 5), Some(MOVED)),
    (Item::Call("SubtensorModule", "swap_stake", 4), Some(MOVED)),
    (Item::Call("SubtensorModule", "swap_stake_limit", 6), Some(MOVED)),
    (Item::Call("SubtensorModule", "set_children", 3), Some(LENT)),
    (Item::Call("SubtensorModule", "set_childkey_take", 3), Some(LENT)),
    (Item::Storage("SubtensorModule", "ChildKeys"), Some(LENT)),
    (Item::Storage("SubtensorModule", "ParentKeys"), Some(LENT)),
    (Item::Storage("SubtensorModule", "PendingChildKeys"), Some(LENT)),
    (Item::Storage("SubtensorModule", "ChildkeyTake"), Some(LENT)),
    (Item::Api("NeuronInfoRuntimeApi", "get_neuron_lite"), Some("history")),
    (Item::Api("StakeInfoRuntimeApi", "get_stake_info_for_hotkey_coldkey_netuid"), Some("history")),
];

/// What needs more than plain weights.
const HIDDEN: &str = "weights on subnets that hide them";
const MOVED: &str = "moving stake";
const LENT: &str = "lending stake to child hotkeys";

/// How metadata begins, in ASCII and in hex.
const MAGIC: &[u8] = b"meta";
const MAGIC_HEX: &[u8] = b"6d657461";
/// The first version that names runtime APIs.
const OLDEST: u8 = 15;
/// Bytes of length prefixes and the like that may stand before it.
const MAX_LEAD: usize = 64;

/// Number of things relied on.
#[must_use]
pub fn count() -> usize {
    RELIED_ON.len()
}

/// Reads metadata (version 15 or 16) as it is found in files: encoded, with or without the prefixes
/// of the runtime's answer, or that in hex, or the JSON of a node's answer.
///
/// # Errors
/// What is wrong with the bytes.
pub fn parse(bytes: &[u8]) -> Result<Metadata, String> {
    let near = &bytes[..bytes.len().min(MAX_LEAD)];
    let encoded = if let Some(start) = find(near, MAGIC) {
        bytes[start..].to_vec()
    } else if let Some(start) = find(near, MAGIC_HEX) {
        let hex: Vec<u8> =
            bytes[start..].iter().copied().take_while(u8::is_ascii_hexdigit).collect();
        hex::decode(hex).map_err(|error| error.to_string())?
    } else {
        return Err("there is no metadata in it".to_owned());
    };
    if encoded.get(MAGIC.len()).is_some_and(|version| *version < OLDEST) {
        let asked = "ask the chain for `Metadata_metadata_at_version` 15";
        return Err(format!("metadata of this version does not name runtime APIs; {asked}"));
    }
    Metadata::decode_from(&encoded).map_err(|error| error.to_string())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Checks a chain's metadata against everything relied on.
#[must_use]
pub fn check(metadata: &Metadata) -> Report {
    let gap = |(item, disables): &(Item, Option<&'static str>)| {
        let (what, problem) = item.problem(metadata)?;
        Some(Gap { what, problem, disables: *disables })
    };
    Report { gaps: RELIED_ON.iter().filter_map(gap).collect() }
}

impl Item {
    /// What is wrong with the item on this chain, if anything.
    fn problem(&self, metadata: &Metadata) -> Option<(String, String)> {
        let missing = || "missing".to_owned();
        match self {
            Self::Call(pallet, call, arguments) => {
                let what = format!("{pallet}.{call}");
                let found = metadata
                    .pallet_by_name(pallet)
                    .and_then(|pallet| pallet.call_variant_by_name(call).map(|c| c.fields.len()));
                match found {
                    None => Some((what, missing())),
                    Some(found) if found != *arguments => {
                        Some((what, format!("takes {found} arguments, expected {arguments}")))
                    }
                    Some(_) => None,
                }
            }
            Self::Storage(pallet, entry) => {
                let found = metadata
                    .pallet_by_name(pallet)
                    .and_then(|pallet| pallet.storage()?.entry_by_name(entry).map(|_| ()));
                found.is_none().then(|| (format!("{pallet}.{entry}"), missing()))
            }
            Self::Api(api, method) => {
                let found = metadata
                    .runtime_api_trait_by_name(api)
                    .and_then(|api| api.method_by_name(method).map(|_| ()));
                found.is_none().then(|| (format!("{api}.{method}"), missing()))
            }
        }
    }
}

impl Report {
    /// Whether nothing works on this chain.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.gaps.iter().any(|gap| gap.disables.is_none())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, gap) in self.gaps.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let disables = gap.disables.unwrap_or("everything");
            write!(f, "- {}: {} (disables {disables})", gap.what, gap.problem)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
