//! What a role reads of a finalized block.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use subxt::dynamic;
use subxt::ext::scale_decode::DecodeAsType;
use subxt::ext::scale_value::Value;

use crate::client::{AtBlock, Client, height, rpc};
use crate::error::ReadError;
use crate::storage::Storage;
use crate::value::{bytes, field, list, variant};
use crate::{Hash, Hotkey};

/// Most neurons and commitments read of one subnet.
const MAX_NEURONS: usize = 4096;
/// Longest field of a commitment.
const MAX_FIELD_BYTES: usize = 512;
/// Fields of a commitment.
const MAX_FIELDS: usize = 3;
/// Newest pulses read.
const PULSES: u64 = 8;

/// One neuron of a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neuron {
    /// Position.
    pub uid: u16,
    /// Who acts.
    pub hotkey: Hotkey,
    /// Who owns.
    pub coldkey: Hotkey,
    /// Stake weight over all nominators, in rao.
    pub stake: u64,
    /// Whether it set weights recently.
    pub active: bool,
    /// Whether it may set weights.
    pub validator_permit: bool,
    /// Block of its last weights.
    pub last_update: u64,
    /// Share of the miners' emission, of 65535.
    pub incentive: u16,
    /// Share of the validators' emission, of 65535.
    pub dividends: u16,
    /// Weight the validators agree on, of 65535.
    pub consensus: u16,
    /// How much its weights agree with the others', of 65535.
    pub validator_trust: u16,
    /// Alpha of the last tempo, in rao.
    pub emission: u64,
    /// Where it is reached, if it said so.
    pub axon: Option<(IpAddr, u16)>,
}

/// A drand pulse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Its round.
    pub round: u64,
    /// Its randomness.
    pub randomness: Hash,
}

/// The beacon's schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drand {
    /// Unix time of round 1, in seconds.
    pub genesis_s: u64,
    /// Seconds between rounds.
    pub period_s: u64,
}

/// A hotkey's commitment: who, the block that included it, and its raw fields.
pub type CommittedFields = (Hotkey, u32, Vec<Option<Vec<u8>>>);

/// Everything a role reads of a block.
#[derive(Clone, Debug)]
pub struct BlockView {
    /// Height.
    pub number: u32,
    /// Hash.
    pub hash: Hash,
    /// The chain's timestamp, unix milliseconds.
    pub timestamp_ms: u64,
    /// The subnet's neurons, by uid.
    pub neurons: Vec<Neuron>,
    /// The subnet's commitments.
    pub commitments: Vec<CommittedFields>,
    /// The newest pulses, oldest first; empty where the chain stores none.
    pub pulses: Vec<Pulse>,
    /// The beacon, where the chain stores pulses.
    pub drand: Option<Drand>,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct AxonInfo {
    ip: u128,
    port: u16,
    ip_type: u8,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub(crate) struct NeuronLite {
    hotkey: Hotkey,
    coldkey: Hotkey,
    uid: u16,
    active: bool,
    axon_info: AxonInfo,
    stake: Vec<(Hotkey, u64)>,
    emission: u64,
    incentive: u16,
    consensus: u16,
    validator_trust: u16,
    dividends: u16,
    last_update: u64,
    validator_permit: bool,
}

impl NeuronLite {
    pub(crate) fn read(self) -> Neuron {
        let ip = match self.axon_info.ip_type {
            4 => u32::try_from(self.axon_info.ip).ok().map(|ip| IpAddr::V4(Ipv4Addr::from(ip))),
            6 => Some(IpAddr::V6(Ipv6Addr::from(self.axon_info.ip))),
            _ => None,
        };
        let port = self.axon_info.port;
        Neuron {
            uid: self.uid,
            hotkey: self.hotkey,
            coldkey: self.coldkey,
            stake: self.stake.iter().fold(0, |sum, (_, stake)| sum.saturating_add(*stake)),
            active: self.active,
            validator_permit: self.validator_permit,
            last_update: self.last_update,
            incentive: self.incentive,
            dividends: self.dividends,
            consensus: self.consensus,
            validator_trust: self.validator_trust,
            emission: self.emission,
            axon: ip.filter(|_| port > 0).map(|ip| (ip, port)),
        }
    }
}

impl Client {
    /// The neurons of a subnet at a block, by uid.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn neurons(&self, netuid: u16, at: Hash) -> Result<Vec<Neuron>, ReadError> {
        neurons(&self.at(at).await?, netuid).await
    }

    /// The commitments of a subnet at a block.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn commitments(
        &self,
        netuid: u16,
        at: Hash,
    ) -> Result<Vec<CommittedFields>, ReadError> {
        commitments(&self.at(at).await?, netuid).await
    }

    /// Everything a role reads of a block.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn block_view(&self, netuid: u16, hash: Hash) -> Result<BlockView, ReadError> {
        let at = self.at(hash).await?;
        let number = height(&at);
        let time = Storage::new(&at, "Timestamp", "the timestamp");
        let timestamp_ms = time.get("Now", ()).await?.unwrap_or(0);
        let (pulses, drand) = pulses(&at).await?;
        Ok(BlockView {
            number,
            hash,
            timestamp_ms,
            neurons: neurons(&at, netuid).await?,
            commitments: commitments(&at, netuid).await?,
            pulses,
            drand,
        })
    }
}

async fn neurons(at: &AtBlock, netuid: u16) -> Result<Vec<Neuron>, ReadError> {
    const WHAT: &str = "the neurons";
    let call = dynamic::runtime_api_call::<_, Vec<NeuronLite>>(
        "NeuronInfoRuntimeApi",
        "get_neurons_lite",
        (netuid,),
    );
    let found = rpc(WHAT, at.runtime_apis().call(call)).await?;
    if found.len() > MAX_NEURONS {
        return Err(ReadError::form(WHAT, format!("{} neurons", found.len())));
    }
    Ok(found.into_iter().map(NeuronLite::read).collect())
}

async fn commitments(at: &AtBlock, netuid: u16) -> Result<Vec<CommittedFields>, ReadError> {
    const WHAT: &str = "the commitments";
    let address = dynamic::storage::<(u16, Hotkey), Value>("Commitments", "CommitmentOf");
    if at.storage().entry(address.clone()).is_err() {
        return Ok(Vec::new());
    }
    let mut entries = rpc(WHAT, at.storage().iter(address, (netuid,))).await?;
    let mut found = Vec::new();
    while let Some(entry) = entries.next().await {
        let entry =
            entry.map_err(|error| ReadError::Rpc { what: WHAT, reason: error.to_string() })?;
        let key = entry.key().map_err(|error| ReadError::form(WHAT, error))?;
        let (_, hotkey) = key.decode().map_err(|error| ReadError::form(WHAT, error))?;
        let value: Value =
            entry.value().decode_as::<Value>().map_err(|error| ReadError::form(WHAT, error))?;
        let block = field(&value, "block").and_then(|block| block.as_u128()).unwrap_or(0);
        let info = field(&value, "info").and_then(|info| field(info, "fields"));
        let fields = info.map(list).unwrap_or_default();
        let fields = fields.into_iter().take(MAX_FIELDS).map(raw).collect();
        found.push((hotkey, u32::try_from(block).unwrap_or(u32::MAX), fields));
        if found.len() > MAX_NEURONS {
            return Err(ReadError::form(WHAT, "too many"));
        }
    }
    Ok(found)
}

/// The bytes of a `Data` field; none for an empty one or another kind.
fn raw(data: &Value) -> Option<Vec<u8>> {
    let (name, values) = variant(data)?;
    let is_raw = name.starts_with("Raw") || name == "BigRaw";
    let content = match values.first() {
        Some(value) => bytes(value)?,
        None => Vec::new(),
    };
    (is_raw && content.len() <= MAX_FIELD_BYTES).then_some(content)
}

async fn pulses(at: &AtBlock) -> Result<(Vec<Pulse>, Option<Drand>), ReadError> {
    const WHAT: &str = "the drand pulses";
    let last = dynamic::storage::<(), u64>("Drand", "LastStoredRound");
    if at.storage().entry(last.clone()).is_err() {
        return Ok((Vec::new(), None));
    }
    let Some(last) = rpc(WHAT, at.storage().try_fetch(last, ())).await? else {
        return Ok((Vec::new(), None));
    };
    let last: u64 = last.decode().map_err(|error| ReadError::form(WHAT, error))?;
    let config = dynamic::storage::<(), Value>("Drand", "BeaconConfig");
    let config = rpc(WHAT, at.storage().fetch(config, ())).await?;
    let config: Value = config.decode().map_err(|error| ReadError::form(WHAT, error))?;
    let number = |name| field(&config, name).and_then(|value| value.as_u128());
    let drand = number("genesis_time").zip(number("period")).map(|(genesis, period)| Drand {
        genesis_s: u64::try_from(genesis).unwrap_or(0),
        period_s: u64::try_from(period).unwrap_or(1),
    });
    let mut found = Vec::new();
    for round in last.saturating_sub(PULSES - 1)..=last {
        let address = dynamic::storage::<(u64,), Value>("Drand", "Pulses");
        let Some(pulse) = rpc(WHAT, at.storage().try_fetch(address, (round,))).await? else {
            continue;
        };
        let pulse: Value = pulse.decode().map_err(|error| ReadError::form(WHAT, error))?;
        let randomness = field(&pulse, "randomness").and_then(bytes);
        if let Some(randomness) = randomness.and_then(|bytes| bytes.try_into().ok()) {
            found.push(Pulse { round, randomness });
        }
    }
    Ok((found, drand))
}
