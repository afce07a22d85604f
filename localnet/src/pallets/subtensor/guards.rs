//! What the pool refuses, so that fee-less calls cannot fill blocks with failures.

use super::{
    Call, CommitRevealWeightsEnabled, Config, Error, Pallet, Uids, commit_reveal::Shown,
    mechanisms::storage_index,
};

/// The codes of `Custom error: N` that clients know.
const STAKE_TOO_LOW: u8 = 1;
const NO_ACCOUNT: u8 = 4;
const RATE_LIMIT: u8 = 6;
const NOT_REGISTERED: u8 = 10;
const INVALID_IP: u8 = 11;
const SERVING_RATE_LIMIT: u8 = 12;
const INVALID_PORT: u8 = 13;
const NO_COMMIT: u8 = 16;
const NOT_DUE: u8 = 17;
const UNEQUAL: u8 = 18;
const NOT_OWNED: u8 = 25;
const TAKE_TOO_LOW: u8 = 26;
const TAKE_TOO_HIGH: u8 = 27;
const BAD_REQUEST: u8 = 255;

impl<T: Config> Pallet<T> {
    /// The code for which the pool refuses a signed call, if any.
    pub fn pool_refusal(who: &T::AccountId, call: &Call<T>) -> Option<u8> {
        Self::guard(who, call).err().map(|error| match error {
            Error::NotEnoughStakeToSetWeights => STAKE_TOO_LOW,
            Error::SettingWeightsTooFast | Error::NetworkTxRateLimitExceeded => RATE_LIMIT,
            Error::HotKeyNotRegisteredInNetwork => NOT_REGISTERED,
            Error::InvalidIpAddress => INVALID_IP,
            Error::ServingRateLimitExceeded => SERVING_RATE_LIMIT,
            Error::InvalidPort => INVALID_PORT,
            Error::NoWeightsCommitFound | Error::InvalidRevealCommitHashNotMatch => NO_COMMIT,
            Error::ExpiredWeightCommit | Error::RevealTooEarly => NOT_DUE,
            Error::InputLengthsUnequal => UNEQUAL,
            Error::HotKeyAccountNotExists => NO_ACCOUNT,
            Error::NonAssociatedColdKey => NOT_OWNED,
            Error::DelegateTakeTooLow => TAKE_TOO_LOW,
            Error::DelegateTakeTooHigh => TAKE_TOO_HIGH,
            _ => BAD_REQUEST,
        })
    }

    fn guard(who: &T::AccountId, call: &Call<T>) -> Result<(), Error<T>> {
        match call {
            Call::set_weights { netuid, .. } => Self::guard_weights(who, *netuid, 0),
            Call::set_mechanism_weights { netuid, mecid, .. } => {
                Self::guard_weights(who, *netuid, *mecid)
            }
            Call::commit_weights { netuid, .. }
            | Call::commit_mechanism_weights { netuid, .. }
            | Call::commit_timelocked_weights { netuid, .. }
            | Call::commit_timelocked_mechanism_weights { netuid, .. }
            | Call::commit_crv3_mechanism_weights { netuid, .. }
                if !Self::has_stake_for_weights(who, *netuid) =>
            {
                Err(Error::NotEnoughStakeToSetWeights)
            }
            Call::serve_axon { netuid, ip, port, ip_type, .. } => {
                Self::check_axon(who, *netuid, *ip_type, *ip, *port)
            }
            Call::register_network { .. } if !Self::may_register_network() => {
                Err(Error::NetworkTxRateLimitExceeded)
            }
            Call::reveal_weights { netuid, uids, values, salt, version_key } => {
                let shown = Shown::new(uids, values, salt, *version_key);
                Self::guard_reveal(who, *netuid, 0, &shown)
            }
            Call::reveal_mechanism_weights { netuid, mecid, uids, values, salt, version_key } => {
                let shown = Shown::new(uids, values, salt, *version_key);
                Self::guard_reveal(who, *netuid, *mecid, &shown)
            }
            Call::batch_reveal_weights {
                uids_list, values_list, salts_list, version_keys, ..
            } => {
                let lengths = [values_list.len(), salts_list.len(), version_keys.len()];
                let is_equal = lengths.iter().all(|length| *length == uids_list.len());
                is_equal.then_some(()).ok_or(Error::InputLengthsUnequal)
            }
            Call::decrease_take { hotkey, take } => Self::check_decrease(who, hotkey, *take),
            Call::increase_take { hotkey, take } => Self::check_increase(who, hotkey, *take),
            _ => Ok(()),
        }
    }

    fn guard_weights(who: &T::AccountId, netuid: u16, mechanism: u8) -> Result<(), Error<T>> {
        if !Self::has_stake_for_weights(who, netuid) {
            return Err(Error::NotEnoughStakeToSetWeights);
        }
        // Under commit-reveal the dispatch refuses, with an error that says why.
        let index = storage_index(netuid, mechanism);
        let uid = Uids::<T>::get(netuid, who);
        let late = uid.is_none_or(|uid| Self::may_set_weights(netuid, index, uid));
        if !late && !CommitRevealWeightsEnabled::<T>::get(netuid) {
            return Err(Error::SettingWeightsTooFast);
        }
        Ok(())
    }

    fn guard_reveal(
        who: &T::AccountId,
        netuid: u16,
        mechanism: u8,
        shown: &Shown,
    ) -> Result<(), Error<T>> {
        match Self::due_commit(who, netuid, mechanism, shown) {
            // Under plain weights the dispatch refuses, with an error that says why.
            Err(Error::CommitRevealDisabled) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
