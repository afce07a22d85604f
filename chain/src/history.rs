//! What somebody had and earned at a block.

use subxt::dynamic;
use subxt::ext::scale_decode::DecodeAsType;

use crate::Hotkey;
use crate::client::{AtBlock, Client, rpc};
use crate::error::ReadError;
use crate::neurons::{Neuron, NeuronLite};
use crate::storage::Storage;

/// A coldkey, a hotkey and a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Who owns.
    pub coldkey: Hotkey,
    /// Who acts.
    pub hotkey: Hotkey,
    /// Where.
    pub netuid: u16,
}

/// What they had at a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The block's height.
    pub number: u32,
    /// Its time, unix milliseconds.
    pub timestamp_ms: u64,
    /// The coldkey's free balance, in rao.
    pub balance: u64,
    /// The coldkey's alpha on the hotkey, in rao.
    pub stake: u64,
    /// The hotkey's neuron, with what its last epoch brought; none where it was not registered.
    pub neuron: Option<Neuron>,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Account {
    data: Data,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Data {
    free: u64,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Held {
    stake: u64,
}

impl Client {
    /// Free balance in rao at the last finalized block.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn balance(&self, account: &Hotkey) -> Result<u64, ReadError> {
        balance(&self.latest().await?, account).await
    }

    /// What somebody had at a height.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::Pruned`] where the node no longer has the state.
    pub async fn moment(&self, who: &Holder, number: u32) -> Result<Moment, ReadError> {
        let at = self.at(self.block_hash(number).await?).await?;
        let time = Storage::new(&at, "Timestamp", "the timestamp");
        let (timestamp, balance, stake, neuron) = tokio::try_join!(
            time.get::<_, u64>("Now", ()),
            balance(&at, &who.coldkey),
            stake(&at, who),
            neuron(&at, who)
        )?;
        let timestamp_ms = timestamp.unwrap_or(0);
        Ok(Moment { number, timestamp_ms, balance, stake, neuron })
    }
}

async fn balance(at: &AtBlock, account: &Hotkey) -> Result<u64, ReadError> {
    let of = Storage::new(at, "System", "the balance");
    let found: Option<Account> = of.get("Account", (*account,)).await?;
    Ok(found.map_or(0, |account| account.data.free))
}

async fn stake(at: &AtBlock, who: &Holder) -> Result<u64, ReadError> {
    let call = dynamic::runtime_api_call::<_, Option<Held>>(
        "StakeInfoRuntimeApi",
        "get_stake_info_for_hotkey_coldkey_netuid",
        (who.hotkey, who.coldkey, who.netuid),
    );
    let found = rpc("the stake", at.runtime_apis().call(call)).await?;
    Ok(found.map_or(0, |held| held.stake))
}

async fn neuron(at: &AtBlock, who: &Holder) -> Result<Option<Neuron>, ReadError> {
    const WHAT: &str = "a neuron";
    let of = Storage::new(at, "SubtensorModule", WHAT);
    let Some(uid) = of.get::<_, u16>("Uids", (who.netuid, who.hotkey)).await? else {
        return Ok(None);
    };
    let call = dynamic::runtime_api_call::<_, Option<NeuronLite>>(
        "NeuronInfoRuntimeApi",
        "get_neuron_lite",
        (who.netuid, uid),
    );
    let found = rpc(WHAT, at.runtime_apis().call(call)).await?;
    Ok(found.map(NeuronLite::read))
}
