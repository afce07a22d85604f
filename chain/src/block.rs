//! What a role reads of a finalized block.

use subxt::dynamic;
use subxt::ext::scale_value::Value;

use crate::client::{AtBlock, Client, height, rpc};
use crate::error::ReadError;
use crate::neurons::{MAX_NEURONS, Neuron, neurons};
use crate::storage::Storage;
use crate::value::{bytes, field, list, variant};
use crate::{Hash, Hotkey};

/// Longest field of a commitment.
const MAX_FIELD_BYTES: usize = 512;
/// Fields of a commitment.
const MAX_FIELDS: usize = 3;
/// Newest pulses read.
const PULSES: u64 = 8;

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

impl Client {
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
