//! `author_*` and `payment_*`: sending extrinsics.

use super::{
    error::{self, Answer},
    subscription::send,
};
use crate::{api::Api, runtime::Hash};
use codec::{Decode, Encode};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use pallet_transaction_payment::RuntimeDispatchInfo;
use sp_core::Bytes;

/// Adds the methods.
pub(super) fn register(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_async_method("author_submitExtrinsic", |params, api, _| async move {
        let extrinsic: Bytes = params.one()?;
        let hash = api.submit(extrinsic.0).await.map_err(|cause| error::api(&cause))?;
        Answer::<Hash>::Ok(hash)
    })?;
    module.register_async_method("author_pendingExtrinsics", |_, api, _| async move {
        let pending = api.read(|chain| chain.pending()).await.map_err(error::stopped)?;
        Answer::Ok(pending.iter().map(|bytes| Bytes(bytes.to_vec())).collect::<Vec<_>>())
    })?;
    module.register_subscription(
        "author_submitAndWatchExtrinsic",
        "author_extrinsicUpdate",
        "author_unwatchExtrinsic",
        |params, pending, api, _| async move {
            let extrinsic = match params.one::<Bytes>() {
                Ok(extrinsic) => extrinsic.0,
                Err(error) => return pending.reject(error).await,
            };
            let mut statuses = match api.submit_and_watch(extrinsic).await {
                Ok(statuses) => statuses,
                Err(cause) => return pending.reject(error::api(&cause)).await,
            };
            let Ok(sink) = pending.accept().await else { return };
            loop {
                let status = tokio::select! {
                    status = statuses.recv() => status,
                    () = sink.closed() => None,
                };
                let Some(status) = status else { return };
                if send(&sink, &status).await.is_err() {
                    return;
                }
            }
        },
    )?;
    module.register_async_method("payment_queryInfo", |params, api, _| async move {
        let mut params = params.sequence();
        let mut args = params.next::<Bytes>()?.0;
        let at: Option<Hash> = params.optional_next()?;
        let len = u32::try_from(args.len()).unwrap_or(u32::MAX);
        args.extend(len.encode());
        let encoded = api
            .read(move |chain| chain.call("TransactionPaymentApi_query_info", &args, at))
            .await
            .map_err(error::stopped)?
            .map_err(|cause| error::call(&cause))?;
        let info = RuntimeDispatchInfo::<u64>::decode(&mut encoded.as_slice())
            .expect("the runtime returns its own type");
        Answer::Ok(info)
    })?;
    Ok(())
}
