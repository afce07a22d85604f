//! What a call would cost.

use codec::{Compact, Decode, Encode};
use subxt::rpcs::rpc_params;
use subxt::utils::{AccountId32, MultiSignature};

use crate::Hotkey;
use crate::call::Call;
use crate::client::{Client, rpc};
use crate::error::ReadError;
use crate::submit::signable_at;

const WHAT: &str = "the fee";

impl Client {
    /// The fee of a call at the last finalized block, in rao. Nothing is signed for it: the node
    /// gets bytes of the same length in place of a signature, which it does not look at.
    ///
    /// # Errors
    /// [`ReadError`]; also where the chain does not know the call.
    pub async fn fee(&self, account: &Hotkey, call: &Call) -> Result<u64, ReadError> {
        let at = self.latest().await?;
        let nonce = self.next_nonce(account).await?;
        let signed = signable_at(&at, &call.payload(), nonce)
            .and_then(|mut signable| {
                let (account, signature) =
                    (AccountId32(*account), MultiSignature::Sr25519([1; 64]));
                signable.sign_with_account_and_signature(&account, &signature)
            })
            .map_err(|error| ReadError::form(WHAT, error))?
            .into_encoded();
        let asked = [&signed[..], &(signed.len() as u32).encode()].concat();
        let asked = format!("0x{}", hex::encode(asked));
        let block = format!("0x{}", hex::encode(at.block_hash().0));
        let params = rpc_params!["TransactionPaymentApi_query_info", asked, block];
        let connection = self.link.current();
        let answer = rpc(WHAT, connection.rpc.request::<String>("state_call", params)).await?;
        let bytes = answer.strip_prefix("0x").and_then(|hex| hex::decode(hex).ok());
        bytes.and_then(|bytes| partial_fee(&bytes)).ok_or_else(|| ReadError::form(WHAT, answer))
    }
}

/// The fee in a `RuntimeDispatchInfo`: weight (two compact numbers), class, and a balance, which is
/// a u64 on Subtensor and a u128 elsewhere.
fn partial_fee(mut bytes: &[u8]) -> Option<u64> {
    let (_, _, _) = <(Compact<u64>, Compact<u64>, u8)>::decode(&mut bytes).ok()?;
    match bytes.len() {
        8 => u64::decode(&mut bytes).ok(),
        16 => u64::try_from(u128::decode(&mut bytes).ok()?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_read_in_both_widths_of_a_balance() {
        let head = (Compact(70_000u64), Compact(3u64), 0u8).encode();
        assert_eq!(partial_fee(&[&head[..], &9u64.encode()].concat()), Some(9));
        assert_eq!(partial_fee(&[&head[..], &9u128.encode()].concat()), Some(9));
        assert_eq!(partial_fee(&[&head[..], &u128::MAX.encode()].concat()), None);
        assert_eq!(partial_fee(&[&head[..], &[1, 2, 3]].concat()), None);
    }
}
