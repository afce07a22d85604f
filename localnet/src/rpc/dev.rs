//! `dev_*`: what only a dev chain can do.
//!
//! - `dev_seal(count = 1)`: seals blocks at once. Returns the newest `{number, hash}`.
//! - `dev_warp({"blocks": n} | {"to": height} | {"epoch": netuid})`: seals up to there; with an
//!   epoch, up to and with the block that runs the subnet's next one. Returns `{number, hash}`.
//! - `dev_nextEpoch(netuid)`: the height of that block.
//! - `dev_snapshot()`: keeps the chain as it is; a number. `dev_revert(number)`: goes back there.
//! - `dev_setStorage(key, value | null)`: seals a block that writes or removes an entry. Its hash.
//! - `dev_pulse(round, signature)`: seals a block with a pulse of the public beacon. Its hash.
//! - `dev_stateDiff(before, after = newest)`: entries that differ between two heights, as `{key,
//!   item, before, after}`.
//! - `dev_setSealing("manual" | "instant" | {"interval_ms": n})`: when blocks are sealed.
//! - `dev_faults({lose: {method: count}, delay_ms, hold_finality})`: what goes wrong from now on; what
//!   is left out, does not.
//! - `dev_fund(account, rao)`: seals a block that gives an account (SS58 or hex) new rao (a number,
//!   or digits as text). Returns the block's hash.

use super::{
    Faults,
    error::{self, Answer},
};
use crate::{
    accounts::parse_account,
    api::Api,
    chain::{Change, MAX_CHANGES},
    producer::Sealing,
    runtime::{Balance, BlockNumber, Hash},
    service::Head,
};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde::Deserialize;
use serde_json::{Value, json};
use sp_core::Bytes;
use std::{num::NonZeroU64, time::Duration};

/// Blocks in one `dev_seal`, at most.
const MAX_SEAL: u32 = 100_000;

/// The parameter of `dev_setSealing`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SealingParam {
    Manual,
    Instant,
    IntervalMs(NonZeroU64),
}

impl From<SealingParam> for Sealing {
    fn from(param: SealingParam) -> Self {
        match param {
            SealingParam::Manual => Self::Manual,
            SealingParam::Instant => Self::Instant,
            SealingParam::IntervalMs(period) => Self::Interval(Duration::from_millis(period.get())),
        }
    }
}

/// The parameter of `dev_warp`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    Blocks(u32),
    To(BlockNumber),
    Epoch(u16),
}

impl Target {
    /// The height to warp to.
    async fn height(&self, api: &Api) -> Answer<BlockNumber> {
        let number = api.head().number;
        let height = match *self {
            Self::Blocks(blocks) => number.saturating_add(blocks),
            Self::To(height) => height,
            Self::Epoch(netuid) => next_epoch(api, netuid).await?,
        };
        let blocks = height.saturating_sub(number);
        if blocks > MAX_SEAL {
            return Err(error::too_many(blocks as usize, MAX_SEAL as usize));
        }
        Ok(height)
    }
}

/// The height of a subnet's next epoch.
async fn next_epoch(api: &Api, netuid: u16) -> Answer<BlockNumber> {
    let next = api.read(move |chain| chain.next_epoch(netuid)).await.map_err(error::stopped)?;
    next.ok_or_else(|| error::meaningless(format!("there is no subnet {netuid}")))
}

/// A block as it is answered.
fn named(block: &Head) -> Value {
    json!({ "number": block.number, "hash": block.hash })
}

/// A change as it is answered.
fn shown(change: &Change) -> Value {
    let hex = |bytes: &Vec<u8>| format!("0x{}", hex::encode(bytes));
    json!({
        "key": hex(&change.key),
        "item": change.item,
        "before": change.before.as_ref().map(hex),
        "after": change.after.as_ref().map(hex),
    })
}

/// An amount: a number, or digits where a client's numbers are too small for it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Amount {
    Number(Balance),
    Text(String),
}

impl Amount {
    fn rao(&self) -> Answer<Balance> {
        match self {
            Self::Number(rao) => Ok(*rao),
            Self::Text(text) => {
                text.parse().map_err(|_| error::meaningless(format!("`{text}` is no amount")))
            }
        }
    }
}

/// Adds the methods.
pub(super) fn register(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_async_method("dev_seal", |params, api, _| async move {
        let count: u32 = params.sequence().optional_next()?.unwrap_or(1);
        if count > MAX_SEAL {
            return Err(error::too_many(count as usize, MAX_SEAL as usize));
        }
        let head = api.seal(count).await.map_err(|cause| error::api(&cause))?;
        Answer::<Value>::Ok(named(&head))
    })?;
    module.register_async_method("dev_warp", |params, api, _| async move {
        let target: Target = params.one()?;
        let height = target.height(&api).await?;
        let head = api.warp(height).await.map_err(|cause| error::api(&cause))?;
        Answer::<Value>::Ok(named(&head))
    })?;
    module.register_async_method("dev_nextEpoch", |params, api, _| async move {
        next_epoch(&api, params.one()?).await
    })?;
    module.register_async_method("dev_snapshot", |_, api, _| async move {
        api.snapshot().await.map_err(error::stopped)
    })?;
    module.register_async_method("dev_revert", |params, api, _| async move {
        let snapshot: u32 = params.one()?;
        if !api.revert(snapshot).await.map_err(error::stopped)? {
            return Err(error::meaningless(format!("there is no snapshot {snapshot}")));
        }
        let head = api.head();
        Answer::<Value>::Ok(named(&head))
    })?;
    module.register_async_method("dev_setStorage", |params, api, _| async move {
        let (key, value): (Bytes, Option<Bytes>) = params.parse()?;
        let block = api.set_storage(key.0, value.map(|value| value.0)).await;
        Answer::<Hash>::Ok(block.map_err(|cause| error::api(&cause))?.hash)
    })?;
    module.register_async_method("dev_pulse", |params, api, _| async move {
        let (round, signature): (u64, Bytes) = params.parse()?;
        let block = api.pulse(round, signature.0).await;
        Answer::<Hash>::Ok(block.map_err(|cause| error::api(&cause))?.hash)
    })?;
    module.register_async_method("dev_stateDiff", |params, api, _| async move {
        let mut params = params.sequence();
        let before: BlockNumber = params.next()?;
        let after: BlockNumber = params.optional_next()?.unwrap_or(api.head().number);
        let diff = api.read(move |chain| {
            let block = |number| {
                let block = chain.block_at(number).map(|block| block.hash);
                block.ok_or_else(|| error::meaningless(format!("block {number} is not kept")))
            };
            let (before, after) = (block(before)?, block(after)?);
            chain.diff(before, after).map_err(|cause| error::call(&cause.into()))
        });
        let diff = diff.await.map_err(error::stopped)??;
        if diff.len() > MAX_CHANGES {
            return Err(error::too_many(diff.len(), MAX_CHANGES));
        }
        Answer::<Vec<Value>>::Ok(diff.iter().map(shown).collect())
    })?;
    module.register_async_method("dev_setSealing", |params, api, _| async move {
        let sealing: SealingParam = params.one()?;
        api.set_sealing(sealing.into()).await.map_err(|cause| error::api(&cause))?;
        Answer::<bool>::Ok(true)
    })?;
    module.register_async_method("dev_faults", |params, api, _| async move {
        let faults: Faults = params.sequence().optional_next()?.unwrap_or_default();
        if !faults.is_bounded() {
            return Err(error::meaningless("these faults are out of bounds".to_owned()));
        }
        api.set_faults(faults.clone()).await.map_err(error::stopped)?;
        Answer::<Faults>::Ok(faults)
    })?;
    module.register_async_method("dev_fund", |params, api, _| async move {
        let (account, amount): (String, Amount) = params.parse()?;
        let account = parse_account(&account)
            .ok_or_else(|| error::meaningless(format!("`{account}` is no account")))?;
        let block = api.fund(account, amount.rao()?).await.map_err(|cause| error::api(&cause))?;
        Answer::<Hash>::Ok(block.hash)
    })?;
    Ok(())
}
