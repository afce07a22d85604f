//! `dev_*`: what only a dev chain can do.
//!
//! - `dev_seal(count = 1)`: seals blocks at once. Returns the newest `{number, hash}`.
//! - `dev_setSealing("manual" | "instant" | {"interval_ms": n})`: when blocks are sealed.
//! - `dev_fund(account, rao)`: seals a block that gives an account (SS58 or hex) new rao (a number,
//!   or digits as text). Returns the block's hash.

use super::error::{self, Answer};
use crate::{
    accounts::parse_account,
    api::Api,
    producer::Sealing,
    runtime::{Balance, Hash},
};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde::Deserialize;
use serde_json::{Value, json};
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
        Answer::<Value>::Ok(json!({ "number": head.number, "hash": head.hash }))
    })?;
    module.register_async_method("dev_setSealing", |params, api, _| async move {
        let sealing: SealingParam = params.one()?;
        api.set_sealing(sealing.into()).await.map_err(|cause| error::api(&cause))?;
        Answer::<bool>::Ok(true)
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
