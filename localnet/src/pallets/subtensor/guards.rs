//! What the pool refuses, so that fee-less calls cannot fill blocks with failures.

use super::{Call, CommitRevealWeightsEnabled, Config, Error, Pallet, Uids};

/// The codes of `Custom error: N` that clients know.
const STAKE_TOO_LOW: u8 = 1;
const RATE_LIMIT: u8 = 6;
const NOT_REGISTERED: u8 = 10;
const INVALID_IP: u8 = 11;
const SERVING_RATE_LIMIT: u8 = 12;
const INVALID_PORT: u8 = 13;
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
            _ => BAD_REQUEST,
        })
    }

    fn guard(who: &T::AccountId, call: &Call<T>) -> Result<(), Error<T>> {
        match call {
            Call::set_weights { netuid, .. } | Call::set_mechanism_weights { netuid, .. } => {
                if !Self::has_stake_for_weights(who, *netuid) {
                    return Err(Error::NotEnoughStakeToSetWeights);
                }
                // Under commit-reveal the dispatch refuses, with an error that says why.
                let uid = Uids::<T>::get(netuid, who);
                let late = uid.is_none_or(|uid| Self::may_set_weights(*netuid, uid));
                if !late && !CommitRevealWeightsEnabled::<T>::get(netuid) {
                    return Err(Error::SettingWeightsTooFast);
                }
                Ok(())
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
            _ => Ok(()),
        }
    }
}
