//! Signing and sending.

use std::time::Duration;

use sp_crypto_hashing::blake2_256;
use subxt::PolkadotConfig;
use subxt::client::OnlineClientAtBlockImpl;
use subxt::config::DefaultExtrinsicParamsBuilder;
use subxt::dynamic::Value;
use subxt::error::ExtrinsicError;
use subxt::tx::{DynamicPayload, SignableTransaction};
use tokio::sync::oneshot;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout, timeout_at};

use crate::Hotkey;
use crate::call::Call;
use crate::client::{AtBlock, Client, height, rpc};
use crate::courier::{Account, Answer, Inclusion, Outcome};
use crate::error::{ReadError, SubmitError};
use crate::key::{Keypair, to_ss58};
use crate::outbox::Signed;

/// A call that is not signed yet.
type Signable<'a> = SignableTransaction<
    'a,
    PolkadotConfig,
    OnlineClientAtBlockImpl<PolkadotConfig>,
    DynamicPayload<Vec<Value>>,
>;

/// Time until finality.
const FINALITY: Duration = Duration::from_secs(120);
/// Blocks in which an extrinsic may be included.
const ERA: u32 = 64;
/// Times that a call is signed: anew only where the extrinsic before can never be included.
const SIGNINGS: u32 = 2;
/// Nonces tried where other programs use the same account.
const NONCES: u32 = 4;

impl Client {
    /// Signs a call, sends it, waits until a finalized block includes it, and checks its success.
    ///
    /// It takes effect once at most: through lost connections the same bytes are sent again, and
    /// the call is signed anew only after its era has passed without it. Dropping the future does
    /// not take back what is signed.
    ///
    /// # Errors
    /// [`SubmitError`], with what to do about it.
    pub async fn submit(&self, signer: &Keypair, call: &Call) -> Result<Inclusion, SubmitError> {
        let (client, signer, call) = (self.clone(), signer.clone(), call.clone());
        // Its own task: who stops waiting must not leave a gap in the nonces.
        let delivered = tokio::spawn(async move { client.deliver(&signer, &call).await });
        delivered.await.map_err(|stopped| SubmitError::Connection(stopped.to_string()))?
    }

    async fn deliver(&self, signer: &Keypair, call: &Call) -> Result<Inclusion, SubmitError> {
        for _ in 0..SIGNINGS {
            let account = self.courier.account(signer.public());
            let deadline = Instant::now() + FINALITY;
            let outcome = {
                // Others of this account may be before it.
                let _in_order = timeout_at(deadline, account.order.lock()).await.map_err(late)?;
                self.send(&account, signer, call, deadline).await?
            };
            match timeout(FINALITY, outcome).await {
                Err(elapsed) => return Err(late(elapsed)),
                Ok(Err(_)) => return Err(lost("the chain was not reached again")),
                Ok(Ok(Outcome::Included(included))) => return included,
                Ok(Ok(Outcome::Lapsed)) => tracing::debug!("an extrinsic lapsed"),
            }
        }
        Err(SubmitError::Lapsed)
    }

    /// Signs a call and gets it into a pool; what will have become of it.
    async fn send(
        &self,
        account: &Account,
        signer: &Keypair,
        call: &Call,
        deadline: Instant,
    ) -> Result<oneshot::Receiver<Outcome>, SubmitError> {
        for _ in 0..NONCES {
            let signing = self.sign_when_connected(account, signer, call);
            let (signed, block) = timeout_at(deadline, signing).await.map_err(late)??;
            // Before it is sent: else a block might come that nobody looks into.
            let outcome = self.watch(&signed, block);
            match self.push_until(&signed, deadline).await {
                Answer::Taken => return Ok(outcome),
                Answer::Used => {
                    self.courier.withdraw(&signed);
                    account.nonces().used(signed.nonce);
                }
                Answer::Refused(error) => {
                    self.courier.withdraw(&signed);
                    account.nonces().give_back(signed.nonce);
                    return Err(error);
                }
                Answer::Lost(reason) => return Err(lost(&reason)),
            }
        }
        Err(SubmitError::Rejected {
            name: "NonceUsed".into(),
            remedy: "other programs use this account at the same time; stop them, or try again"
                .into(),
        })
    }

    /// Sends an extrinsic until a node has answered. Once an answer was lost, the extrinsic may be
    /// in a pool or in a block, whatever the next answer says: then its fate is to be awaited.
    async fn push_until(&self, signed: &Signed, deadline: Instant) -> Answer {
        let mut is_first = true;
        loop {
            let connection = self.link.current();
            match self.push(&connection, signed).await {
                Answer::Lost(reason) if Instant::now() >= deadline => return Answer::Lost(reason),
                Answer::Lost(reason) => {
                    tracing::debug!(reason, "extrinsic not sent");
                    is_first = false;
                    if let Err(error @ ReadError::OtherChain { .. }) =
                        self.recover(&connection).await
                    {
                        return Answer::Lost(error.to_string());
                    }
                }
                answer if is_first => return answer,
                _ => return Answer::Taken,
            }
        }
    }

    /// As [`Self::sign`], again over a new connection where one was lost.
    async fn sign_when_connected(
        &self,
        account: &Account,
        signer: &Keypair,
        call: &Call,
    ) -> Result<(Signed, u32), SubmitError> {
        loop {
            let connection = self.link.current();
            match self.sign(account, signer, call).await {
                Err(SubmitError::Connection(reason)) => {
                    tracing::debug!(reason, "extrinsic not signed");
                    self.recover(&connection).await.map_err(|error| lost(&error.to_string()))?;
                }
                signed => return signed,
            }
        }
    }

    /// Signs a call with the account's next nonce; with it, the newest finalized block.
    async fn sign(
        &self,
        account: &Account,
        signer: &Keypair,
        call: &Call,
    ) -> Result<(Signed, u32), SubmitError> {
        let at = self.latest().await.map_err(|error| lost(&error.to_string()))?;
        let next = self.next_nonce(&signer.public()).await;
        let next = next.map_err(|error| lost(&error.to_string()))?;
        // From here on nothing waits: who is cut off in between would leave a nonce taken.
        let nonce = account.nonces().take(next);
        let payload = call.payload();
        let signable = signable_at(&at, &payload, nonce);
        let signed = signable.and_then(|mut signable| signable.sign(signer));
        let signed = signed.inspect_err(|_| account.nonces().give_back(nonce));
        let signed = signed.map_err(|error| SubmitError::Encode(error.to_string()))?.into_encoded();
        let block = height(&at);
        let signed = Signed {
            hash: blake2_256(&signed),
            bytes: signed.into(),
            account: signer.public(),
            nonce,
            lapses: block.saturating_add(ERA),
        };
        Ok((signed, block))
    }

    /// The first nonce that neither the chain nor the node's pool knows to be used.
    pub(crate) async fn next_nonce(&self, account: &Hotkey) -> Result<u64, ReadError> {
        let params = subxt::rpcs::rpc_params![to_ss58(account)];
        let connection = self.link.current();
        let next = connection.rpc.request::<u64>("system_accountNextIndex", params);
        rpc("the nonce", next).await
    }
}

/// A call, to be signed for a block and its era.
pub(crate) fn signable_at<'a>(
    at: &AtBlock,
    payload: &'a DynamicPayload<Vec<Value>>,
    nonce: u64,
) -> Result<Signable<'a>, ExtrinsicError> {
    let params = DefaultExtrinsicParamsBuilder::<PolkadotConfig>::new()
        .mortal_from_unchecked(ERA.into(), at.block_number(), at.block_hash())
        .nonce(nonce)
        .build();
    at.transactions().create_signable_offline(payload, params)
}

fn late(_: Elapsed) -> SubmitError {
    SubmitError::Timeout(FINALITY)
}

fn lost(reason: &str) -> SubmitError {
    SubmitError::Connection(reason.to_owned())
}
