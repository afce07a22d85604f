//! Signing, sending, and what became of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use subxt::config::DefaultExtrinsicParamsBuilder;
use subxt::error::{
    BackendError, DispatchError, ExtrinsicError, RpcError, TransactionEventsError as Events,
};
use subxt::extrinsics::ExtrinsicEvents;
use subxt::tx::TransactionStatus;
use subxt::{ArcMetadata, PolkadotConfig};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::call::Call;
use crate::client::Client;
use crate::error::SubmitError;
use crate::key::Keypair;
use crate::{Hash, Hotkey, remedy};

/// Time until finality.
const FINALITY: Duration = Duration::from_secs(120);
/// Blocks in which an extrinsic may be included.
const ERA: u64 = 64;

/// Where an extrinsic took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The finalized block.
    pub block: Hash,
    /// Its height.
    pub number: u32,
    /// The extrinsic.
    pub extrinsic: Hash,
}

/// A block's client, as subxt hands it on with what it sends.
type At = subxt::client::OnlineClientAtBlockImpl<PolkadotConfig>;
/// What becomes of an extrinsic.
type Progress = subxt::tx::TransactionProgress<PolkadotConfig, At>;
/// An extrinsic in a block.
type InBlock = subxt::tx::TransactionInBlock<PolkadotConfig, At>;

/// Next nonce per account, so that several extrinsics can be on their way at once.
#[derive(Clone, Default)]
pub(crate) struct Nonces(Arc<Mutex<HashMap<Hotkey, u64>>>);

impl Client {
    /// Signs a call, sends it, waits until a finalized block includes it, and checks its success.
    ///
    /// # Errors
    /// [`SubmitError`], with what to do about it.
    pub async fn submit(&self, signer: &Keypair, call: &Call) -> Result<Inclusion, SubmitError> {
        let block = self.include(signer, call).await;
        if block.is_err() {
            // Whether the nonce was used is not known: ask the chain next time.
            self.nonces.0.lock().await.remove(&signer.public());
        }
        let block = block?;
        let events = block.wait_for_success().await.map_err(failed)?;
        let at = block.at().await.map_err(|error| SubmitError::Connection(error.to_string()))?;
        check_sudo(&events, &at.metadata())?;
        Ok(Inclusion {
            block: block.block_hash().0,
            number: u32::try_from(at.block_number()).unwrap_or(u32::MAX),
            extrinsic: block.extrinsic_hash().0,
        })
    }

    /// Sends a call and waits for the finalized block that has it, whatever became of it there.
    async fn include(&self, signer: &Keypair, call: &Call) -> Result<InBlock, SubmitError> {
        let mut progress = self.send(signer, call).await?;
        let finalized = async {
            while let Some(status) = progress.next().await {
                match status.map_err(|error| SubmitError::Connection(error.to_string()))? {
                    TransactionStatus::InFinalizedBlock(block) => return Ok(block),
                    TransactionStatus::Invalid { message } => return Err(rejected(&message)),
                    TransactionStatus::Dropped { message }
                    | TransactionStatus::Error { message } => {
                        return Err(rejected(&message));
                    }
                    _ => {}
                }
            }
            Err(SubmitError::Connection("the subscription ended".into()))
        };
        timeout(FINALITY, finalized).await.map_err(|_| SubmitError::Timeout(FINALITY))?
    }

    async fn send(&self, signer: &Keypair, call: &Call) -> Result<Progress, SubmitError> {
        let lost = |error: &dyn std::fmt::Display| SubmitError::Connection(error.to_string());
        let at = self.latest().await.map_err(|error| lost(&error))?;
        let mut client = at.transactions();
        let payload = call.payload();
        client.validate(&payload).map_err(|error| SubmitError::Encode(error.to_string()))?;
        // Held until the extrinsic is in the pool: nonces must arrive there in order.
        let mut nonces = self.nonces.0.lock().await;
        let account = subxt::utils::AccountId32(signer.public());
        let on_chain = client.account_nonce(&account).await.map_err(|error| lost(&error))?;
        let next = nonces.entry(signer.public()).or_default();
        *next = (*next).max(on_chain);
        let params =
            DefaultExtrinsicParamsBuilder::<PolkadotConfig>::new().mortal(ERA).nonce(*next).build();
        let signable = client
            .create_signed(&payload, signer, params)
            .await
            .map_err(|error| SubmitError::Encode(error.to_string()))?;
        let progress = timeout(FINALITY, signable.submit_and_watch())
            .await
            .map_err(|_| SubmitError::Timeout(FINALITY))?
            .map_err(not_sent)?;
        *next += 1;
        Ok(progress)
    }
}

/// Only the node's own answer is a refusal, and its reason is in the data that comes with it.
fn not_sent(error: ExtrinsicError) -> SubmitError {
    match error {
        ExtrinsicError::ErrorSubmittingTransaction(BackendError::Rpc(RpcError::ClientError(
            subxt::rpcs::Error::User(answer),
        ))) => {
            let data = answer.data.as_ref().map(|data| data.get()).unwrap_or_default();
            rejected(&format!("{} ({}) {data}", answer.message, answer.code))
        }
        error => SubmitError::Connection(error.to_string()),
    }
}

fn rejected(message: &str) -> SubmitError {
    let (name, remedy) = remedy::of_rejection(message);
    SubmitError::Rejected { name, remedy }
}

/// `sudo` succeeds whatever becomes of the call in it: that is in its event.
fn check_sudo(
    events: &ExtrinsicEvents<PolkadotConfig>,
    metadata: &ArcMetadata,
) -> Result<(), SubmitError> {
    for event in events.iter() {
        let event = event.map_err(|error| SubmitError::Connection(error.to_string()))?;
        if (event.pallet_name(), event.event_name()) != ("Sudo", "Sudid") {
            continue;
        }
        // A `Result<(), DispatchError>`.
        if let [1, error @ ..] = event.field_bytes() {
            let error = DispatchError::decode_from(error, metadata.clone());
            let error = error.map_err(|error| SubmitError::Connection(error.to_string()))?;
            return Err(failed(Events::ExtrinsicFailed(error)));
        }
    }
    Ok(())
}

fn failed(error: Events) -> SubmitError {
    let name = match &error {
        Events::ExtrinsicFailed(DispatchError::Module(module)) => {
            module.details().map(|details| details.variant.name.clone()).unwrap_or_default()
        }
        Events::ExtrinsicFailed(other) => other.to_string(),
        other => return SubmitError::Connection(other.to_string()),
    };
    let remedy = remedy::of_name(&name);
    SubmitError::Failed { name, remedy }
}
