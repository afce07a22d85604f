//! Reading a subnet's rules for weights.

use iota_timelock::{PublicKey, QUICKNET_GENESIS_S, QUICKNET_PERIOD_S};
use subxt::dynamic;
use subxt::ext::scale_value::Value;
use tokio::try_join;

use super::hidden::storage_index;
use super::rules::{Hiding, WeightRules};
use super::schedule::Schedule;
use crate::client::{AtBlock, Client, height, rpc};
use crate::error::ReadError;
use crate::storage::Storage;
use crate::value::{bytes, field};
use crate::{Hash, Hotkey};

const WHAT: &str = "the subnet's rules for weights";
const TIMELOCK: &str = "commit_timelocked_mechanism_weights";
/// Most epochs of which commits wait to be shown: the chain drops older ones.
const MAX_EPOCHS: usize = 256;
/// Milliseconds between blocks where the chain does not say.
const BLOCK_MS: u64 = 12_000;

impl Client {
    /// What weights of a hotkey meet on a subnet, at the last finalized block.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn weight_rules(
        &self,
        netuid: u16,
        mechanism: u8,
        hotkey: &Hotkey,
    ) -> Result<WeightRules, ReadError> {
        let at = self.latest().await?;
        let index = storage_index(netuid, mechanism);
        let of = Storage::new(&at, "SubtensorModule", WHAT);
        let (uid, owner, mechanisms, neurons, version_key, rate_limit, least, max_share) = try_join!(
            of.get::<_, u16>("Uids", (netuid, *hotkey)),
            of.get::<_, Hotkey>("SubnetOwnerHotkey", (netuid,)),
            of.get::<_, u8>("MechanismCountCurrent", (netuid,)),
            of.get::<_, u16>("SubnetworkN", (netuid,)),
            of.get::<_, u64>("WeightsVersionKey", (netuid,)),
            of.get::<_, u64>("WeightsSetRateLimit", (netuid,)),
            of.get::<_, u16>("MinAllowedWeights", (netuid,)),
            of.get::<_, u16>("MaxWeightsLimit", (netuid,)),
        )?;
        let (exists, updates, permits, hides) = try_join!(
            of.get::<_, bool>("NetworksAdded", (netuid,)),
            of.get::<_, Vec<u64>>("LastUpdate", (index,)),
            of.get::<_, Vec<bool>>("ValidatorPermit", (netuid,)),
            of.get::<_, bool>("CommitRevealWeightsEnabled", (netuid,)),
        )?;
        let clock = Storage::new(&at, "Timestamp", WHAT);
        let now = clock.get::<_, u64>("Now", ()).await?;
        let place = uid.map(usize::from);
        let hiding = match hides {
            Some(true) => Some(hiding(&at, netuid, index, hotkey).await?),
            _ => None,
        };
        let block = height(&at);
        Ok(WeightRules {
            block,
            best: self.best().await?.max(block),
            timestamp_ms: now.ok_or_else(|| ReadError::form(WHAT, "no time"))?,
            has_mechanism: exists == Some(true) && mechanism < mechanisms.unwrap_or(1),
            neurons: neurons.unwrap_or(0),
            uid,
            is_owner: owner == Some(*hotkey),
            permit: place.is_some_and(|at| permits.unwrap_or_default().get(at) == Some(&true)),
            version_key: version_key.unwrap_or(0),
            last_update: place
                .and_then(|at| updates.unwrap_or_default().get(at).copied())
                .unwrap_or(0),
            rate_limit: rate_limit.unwrap_or(0),
            least: least.unwrap_or(0),
            max_share: max_share.unwrap_or(u16::MAX),
            hiding,
        })
    }
}

async fn hiding(
    at: &AtBlock,
    netuid: u16,
    index: u16,
    hotkey: &Hotkey,
) -> Result<Hiding, ReadError> {
    let of = Storage::new(at, "SubtensorModule", WHAT);
    let drand = Storage::new(at, "Drand", WHAT);
    let calls = at.metadata_ref().pallet_by_name("SubtensorModule");
    let timelocks = calls.is_some_and(|pallet| pallet.call_variant_by_name(TIMELOCK).is_some());
    let (version, period, open_timelocked, hashed, config) = try_join!(
        of.get::<_, u16>("CommitRevealWeightsVersion", ()),
        of.get::<_, u64>("RevealPeriodEpochs", (netuid,)),
        open_timelocked(at, timelocks, index, hotkey),
        of.get::<_, Vec<(Hash, u64, u64, u64)>>("WeightCommits", (index, *hotkey)),
        drand.get::<_, Value>("BeaconConfig", ()),
    )?;
    let (beacon, genesis_s, period_s) = match config {
        None => (PublicKey::quicknet(), QUICKNET_GENESIS_S, QUICKNET_PERIOD_S),
        Some(config) => {
            beacon(&config).ok_or_else(|| ReadError::form(WHAT, "the beacon is not readable"))?
        }
    };
    let slot = at.constants().entry(dynamic::constant::<u64>("Aura", "SlotDuration"));
    let (period, schedule) = (period.unwrap_or(1), schedule(&of, netuid).await?);
    let epoch = schedule.epoch_at(at.block_number().saturating_add(1));
    let is_open = |commit: &&(Hash, u64, u64, u64)| commit.1.saturating_add(period) >= epoch;
    Ok(Hiding {
        timelock_version: timelocks.then_some(version.unwrap_or(0)),
        period,
        schedule,
        open_timelocked,
        open_hashed: hashed.unwrap_or_default().iter().filter(is_open).count(),
        beacon,
        genesis_s,
        period_s,
        block_ms: slot.unwrap_or(BLOCK_MS),
    })
}

/// The hotkey's timelocked commits that wait to be shown.
async fn open_timelocked(
    at: &AtBlock,
    timelocks: bool,
    index: u16,
    hotkey: &Hotkey,
) -> Result<usize, ReadError> {
    if !timelocks {
        return Ok(0);
    }
    let address = dynamic::storage::<(u16, u64), Vec<(Hotkey, u64, Vec<u8>, u64)>>(
        "SubtensorModule",
        "TimelockedWeightCommits",
    );
    let mut entries = rpc(WHAT, at.storage().iter(address, (index,))).await?;
    let (mut open, mut read) = (0, 0);
    while let Some(entry) = rpc(WHAT, async { entries.next().await.transpose() }).await? {
        read += 1;
        if read > MAX_EPOCHS {
            return Err(ReadError::form(WHAT, "commits of too many epochs"));
        }
        let commits = entry.value().decode().map_err(|error| ReadError::form(WHAT, error))?;
        open += commits.iter().filter(|(who, ..)| who == hotkey).count();
    }
    Ok(open)
}

fn beacon(config: &Value) -> Option<(PublicKey, u64, u64)> {
    let number = |name| field(config, name)?.as_u128().and_then(|value| u64::try_from(value).ok());
    let key = PublicKey::from_bytes(&bytes(field(config, "public_key")?)?).ok()?;
    Some((key, number("genesis_time")?, number("period")?))
}

async fn schedule(of: &Storage<'_>, netuid: u16) -> Result<Schedule, ReadError> {
    let tempo = of.get::<_, u16>("Tempo", (netuid,)).await?.unwrap_or(0);
    if !of.has("LastEpochBlock") {
        return Ok(Schedule::Modulo { tempo, netuid });
    }
    let (last, pending, index, since) = try_join!(
        of.get::<_, u64>("LastEpochBlock", (netuid,)),
        of.get::<_, u64>("PendingEpochAt", (netuid,)),
        of.get::<_, u64>("SubnetEpochIndex", (netuid,)),
        of.get::<_, u64>("BlocksSinceLastStep", (netuid,)),
    )?;
    let [last, pending, index, since] =
        [last, pending, index, since].map(Option::unwrap_or_default);
    Ok(Schedule::Stateful { tempo, last, pending, index, since })
}
