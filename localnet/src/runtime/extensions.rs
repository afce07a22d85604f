//! The transaction extensions that differ from FRAME's own. Wallets and SDKs build the signed payload from the
//! identifiers in the metadata, so each one of the real chain has its place here.

use super::{AccountId, MevShield, Nonce, Runtime, RuntimeCall, SubtensorModule};
use crate::{pallets::mev_shield::Call as MevShieldCall, shield::Hidden};
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{dispatch::Pays, pallet_prelude::TransactionSource};
use scale_info::TypeInfo;
use sp_runtime::{
    impl_tx_ext_default,
    traits::{DispatchInfoOf, DispatchOriginOf, TransactionExtension, ValidateResult},
    transaction_validity::{InvalidTransaction, TransactionValidityError, ValidTransaction},
};

/// Codes of `Custom error: N` that clients know.
const FAILED_SHIELDED_TX_PARSING: u8 = 23;
const INVALID_SHIELDED_TX_KEY: u8 = 24;

/// Declares a unit type that is a transaction extension's name and nothing else.
macro_rules! unit_extension {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, Eq, PartialEq, Encode, Decode, DecodeWithMemTracking, TypeInfo,
        )]
        pub struct $name;
    };
}

unit_extension! {
    /// Refuses in the pool a `Sudo` call that the sudo key has not signed.
    SudoTransactionExtension
}
unit_extension! {
    /// Refuses in the pool a hidden extrinsic that the chain cannot open.
    CheckShieldedTxValidity
}
unit_extension! {
    /// Refuses in the pool what the subtensor pallet would refuse at dispatch.
    SubtensorTransactionExtension
}
unit_extension! {
    /// On the real chain: raises the priority of drand pulses. There are no pulse extrinsics here.
    DrandPriority
}

/// Checks and counts the sender's nonce.
///
/// FRAME's own refuses senders that have never held a balance. Hotkeys never do, and their calls
/// are fee-less: those pass here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct CheckNonce(#[codec(compact)] pub Nonce);

impl TransactionExtension<RuntimeCall> for CheckNonce {
    const IDENTIFIER: &'static str = "CheckNonce";
    type Implicit = ();
    /// The sender, unless there is none.
    type Val = Option<AccountId>;
    type Pre = ();

    fn validate(
        &self,
        origin: DispatchOriginOf<RuntimeCall>,
        _call: &RuntimeCall,
        info: &DispatchInfoOf<RuntimeCall>,
        _len: usize,
        _implicit: (),
        _inherited: &impl Encode,
        _source: TransactionSource,
    ) -> ValidateResult<Self::Val, RuntimeCall> {
        let Ok(who) = frame_system::ensure_signed(origin.clone()) else {
            return Ok((ValidTransaction::default(), None, origin));
        };
        let account = frame_system::Account::<Runtime>::get(&who);
        let unpaid = account.providers == 0 && account.sufficients == 0;
        if unpaid && info.pays_fee == Pays::Yes {
            return Err(InvalidTransaction::Payment.into());
        }
        if self.0 < account.nonce {
            return Err(InvalidTransaction::Stale.into());
        }
        let tag = |nonce: Nonce| (who.clone(), nonce).encode();
        let requires = match self.0.checked_sub(1) {
            Some(before) if account.nonce < self.0 => vec![tag(before)],
            _ => Vec::new(),
        };
        let validity =
            ValidTransaction { requires, provides: vec![tag(self.0)], ..Default::default() };
        Ok((validity, Some(who), origin))
    }

    fn prepare(
        self,
        sender: Self::Val,
        _origin: &DispatchOriginOf<RuntimeCall>,
        _call: &RuntimeCall,
        _info: &DispatchInfoOf<RuntimeCall>,
        _len: usize,
    ) -> Result<(), TransactionValidityError> {
        let Some(who) = sender else { return Ok(()) };
        if self.0 > frame_system::Account::<Runtime>::get(&who).nonce {
            return Err(InvalidTransaction::Future.into());
        }
        frame_system::Pallet::<Runtime>::inc_account_nonce(&who);
        Ok(())
    }

    impl_tx_ext_default!(RuntimeCall; weight);
}

impl TransactionExtension<RuntimeCall> for SudoTransactionExtension {
    const IDENTIFIER: &'static str = "SudoTransactionExtension";
    type Implicit = ();
    type Val = ();
    type Pre = ();

    fn validate(
        &self,
        origin: DispatchOriginOf<RuntimeCall>,
        call: &RuntimeCall,
        _info: &DispatchInfoOf<RuntimeCall>,
        _len: usize,
        _implicit: (),
        _inherited: &impl Encode,
        _source: TransactionSource,
    ) -> ValidateResult<(), RuntimeCall> {
        if matches!(call, RuntimeCall::Sudo(_)) {
            let key = pallet_sudo::Key::<Runtime>::get();
            let signer = frame_system::ensure_signed(origin.clone()).ok();
            if signer.is_none() || signer != key {
                return Err(InvalidTransaction::BadSigner.into());
            }
        }
        Ok((ValidTransaction::default(), (), origin))
    }

    impl_tx_ext_default!(RuntimeCall; weight prepare);
}

impl TransactionExtension<RuntimeCall> for CheckShieldedTxValidity {
    const IDENTIFIER: &'static str = "CheckShieldedTxValidity";
    type Implicit = ();
    type Val = ();
    type Pre = ();

    fn validate(
        &self,
        origin: DispatchOriginOf<RuntimeCall>,
        call: &RuntimeCall,
        _info: &DispatchInfoOf<RuntimeCall>,
        _len: usize,
        _implicit: (),
        _inherited: &impl Encode,
        _source: TransactionSource,
    ) -> ValidateResult<(), RuntimeCall> {
        if let RuntimeCall::MevShield(MevShieldCall::submit_encrypted { ciphertext }) = call {
            let hidden = Hidden::parse(ciphertext)
                .ok_or(InvalidTransaction::Custom(FAILED_SHIELDED_TX_PARSING))?;
            if !MevShield::is_known_key(&hidden.key_hash) {
                return Err(InvalidTransaction::Custom(INVALID_SHIELDED_TX_KEY).into());
            }
        }
        Ok((ValidTransaction::default(), (), origin))
    }

    impl_tx_ext_default!(RuntimeCall; weight prepare);
}

impl TransactionExtension<RuntimeCall> for SubtensorTransactionExtension {
    const IDENTIFIER: &'static str = "SubtensorTransactionExtension";
    type Implicit = ();
    type Val = ();
    type Pre = ();

    fn validate(
        &self,
        origin: DispatchOriginOf<RuntimeCall>,
        call: &RuntimeCall,
        _info: &DispatchInfoOf<RuntimeCall>,
        _len: usize,
        _implicit: (),
        _inherited: &impl Encode,
        _source: TransactionSource,
    ) -> ValidateResult<(), RuntimeCall> {
        if let RuntimeCall::SubtensorModule(call) = call
            && let Ok(who) = frame_system::ensure_signed(origin.clone())
            && let Some(code) = SubtensorModule::pool_refusal(&who, call)
        {
            return Err(InvalidTransaction::Custom(code).into());
        }
        Ok((ValidTransaction::default(), (), origin))
    }

    impl_tx_ext_default!(RuntimeCall; weight prepare);
}

impl TransactionExtension<RuntimeCall> for DrandPriority {
    const IDENTIFIER: &'static str = "DrandPriority";
    type Implicit = ();
    type Val = ();
    type Pre = ();
    impl_tx_ext_default!(RuntimeCall; weight validate prepare);
}
