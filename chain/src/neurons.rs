//! The neurons of a subnet: by one runtime call, or entry by entry where a chain has none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures::{StreamExt, TryStreamExt, stream};
use subxt::dynamic;
use subxt::ext::scale_decode::DecodeAsType;
use tokio::try_join;

use crate::client::{AtBlock, Client, rpc};
use crate::error::ReadError;
use crate::storage::Storage;
use crate::{Hash, Hotkey};

/// Most neurons read of one subnet.
pub(crate) const MAX_NEURONS: usize = 4096;
/// Neurons that are read at one time, where each is read by itself.
const AT_ONCE: usize = 32;
const WHAT: &str = "the neurons";
const API: &str = "NeuronInfoRuntimeApi";

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

impl AxonInfo {
    /// Where it is, if it is anywhere.
    fn address(&self) -> Option<(IpAddr, u16)> {
        let ip = match self.ip_type {
            4 => u32::try_from(self.ip).ok().map(|ip| IpAddr::V4(Ipv4Addr::from(ip))),
            6 => Some(IpAddr::V6(Ipv6Addr::from(self.ip))),
            _ => None,
        };
        ip.filter(|_| self.port > 0).map(|ip| (ip, self.port))
    }
}

impl NeuronLite {
    pub(crate) fn read(self) -> Neuron {
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
            axon: self.axon_info.address(),
        }
    }
}

impl Client {
    /// The neurons of a subnet at a block, by uid.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn neurons(&self, netuid: u16, at: Hash) -> Result<Vec<Neuron>, ReadError> {
        self.persistently(|| async { neurons(&self.at(at).await?, netuid).await }).await
    }
}

pub(crate) async fn neurons(at: &AtBlock, netuid: u16) -> Result<Vec<Neuron>, ReadError> {
    let api = at.metadata_ref().runtime_api_trait_by_name(API);
    if api.is_none_or(|api| api.method_by_name("get_neurons_lite").is_none()) {
        return Columns::read(at, netuid).await?.neurons(at, netuid).await;
    }
    let call = dynamic::runtime_api_call::<_, Vec<NeuronLite>>(API, "get_neurons_lite", (netuid,));
    let found = rpc(WHAT, at.runtime_apis().call(call)).await?;
    if found.len() > MAX_NEURONS {
        return Err(ReadError::form(WHAT, format!("{} neurons", found.len())));
    }
    Ok(found.into_iter().map(NeuronLite::read).collect())
}

/// What the chain stores of all neurons in one entry each.
struct Columns {
    count: u16,
    active: Vec<bool>,
    permits: Vec<bool>,
    updates: Vec<u64>,
    incentive: Vec<u16>,
    dividends: Vec<u16>,
    consensus: Vec<u16>,
    trust: Vec<u16>,
    emission: Vec<u64>,
}

impl Columns {
    async fn read(at: &AtBlock, netuid: u16) -> Result<Self, ReadError> {
        let of = Storage::new(at, "SubtensorModule", WHAT);
        let key = (netuid,);
        let (count, active, permits, updates) = try_join!(
            of.get::<_, u16>("SubnetworkN", key),
            of.get::<_, Vec<bool>>("Active", key),
            of.get::<_, Vec<bool>>("ValidatorPermit", key),
            of.get::<_, Vec<u64>>("LastUpdate", key),
        )?;
        let (incentive, dividends, consensus, trust, emission) = try_join!(
            of.get::<_, Vec<u16>>("Incentive", key),
            of.get::<_, Vec<u16>>("Dividends", key),
            of.get::<_, Vec<u16>>("Consensus", key),
            of.get::<_, Vec<u16>>("ValidatorTrust", key),
            of.get::<_, Vec<u64>>("Emission", key),
        )?;
        Ok(Self {
            count: count.unwrap_or(0).min(MAX_NEURONS as u16),
            active: active.unwrap_or_default(),
            permits: permits.unwrap_or_default(),
            updates: updates.unwrap_or_default(),
            incentive: incentive.unwrap_or_default(),
            dividends: dividends.unwrap_or_default(),
            consensus: consensus.unwrap_or_default(),
            trust: trust.unwrap_or_default(),
            emission: emission.unwrap_or_default(),
        })
    }

    /// All of them, with what is stored by hotkey.
    async fn neurons(&self, at: &AtBlock, netuid: u16) -> Result<Vec<Neuron>, ReadError> {
        let each = (0..self.count).map(|uid| self.neuron(at, netuid, uid));
        stream::iter(each).buffered(AT_ONCE).try_collect().await
    }

    async fn neuron(&self, at: &AtBlock, netuid: u16, uid: u16) -> Result<Neuron, ReadError> {
        let of = Storage::new(at, "SubtensorModule", WHAT);
        let hotkey: Hotkey = of.get("Keys", (netuid, uid)).await?.unwrap_or_default();
        let (coldkey, stake, axon) = try_join!(
            of.get::<_, Hotkey>("Owner", (hotkey,)),
            of.get::<_, u64>("TotalHotkeyAlpha", (hotkey, netuid)),
            of.get::<_, AxonInfo>("Axons", (netuid, hotkey)),
        )?;
        let index = usize::from(uid);
        Ok(Neuron {
            uid,
            hotkey,
            coldkey: coldkey.unwrap_or_default(),
            stake: stake.unwrap_or(0),
            active: entry(&self.active, index),
            validator_permit: entry(&self.permits, index),
            last_update: entry(&self.updates, index),
            incentive: entry(&self.incentive, index),
            dividends: entry(&self.dividends, index),
            consensus: entry(&self.consensus, index),
            validator_trust: entry(&self.trust, index),
            emission: entry(&self.emission, index),
            axon: axon.and_then(|axon| axon.address()),
        })
    }
}

fn entry<T: Copy + Default>(all: &[T], index: usize) -> T {
    all.get(index).copied().unwrap_or_default()
}
