//! `system_*` and `chainSpec_v1_*`: what the node is.

use super::error::{self, Answer};
use crate::{accounts::parse_account, api::Api, runtime::Nonce};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde_json::json;

/// Name of the chain, as the official localnet has it.
const CHAIN: &str = "Bittensor";

/// Adds the methods.
pub(super) fn register(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_method("system_chain", |_, _, _| CHAIN)?;
    module.register_method("system_chainType", |_, _, _| "Development")?;
    module.register_method("chainSpec_v1_chainName", |_, _, _| CHAIN)?;
    module.register_async_method("chainSpec_v1_genesisHash", |_, api, _| async move {
        api.read(|chain| chain.genesis_hash()).await.map_err(error::stopped)
    })?;
    module.register_method("system_name", |_, _, _| "iota-localnet")?;
    module.register_method("system_version", |_, _, _| env!("CARGO_PKG_VERSION"))?;
    for method in ["system_properties", "chainSpec_v1_properties"] {
        let properties = json!({ "ss58Format": 42, "tokenDecimals": 9, "tokenSymbol": "TAO" });
        module.register_method(method, move |_, _, _| properties.clone())?;
    }
    module.register_method(
        "system_health",
        |_, _, _| json!({ "peers": 0, "isSyncing": false, "shouldHavePeers": false }),
    )?;
    module.register_async_method("system_accountNextIndex", |params, api, _| async move {
        let text: String = params.one()?;
        let account = parse_account(&text)
            .ok_or_else(|| error::meaningless(format!("`{text}` is no account")))?;
        let nonce = api
            .read(move |chain| chain.next_nonce(&account))
            .await
            .map_err(error::stopped)?
            .map_err(|panic| error::call(&panic.into()))?;
        Answer::<Nonce>::Ok(nonce)
    })?;
    module.register_alias("account_nextIndex", "system_accountNextIndex")?;
    Ok(())
}
