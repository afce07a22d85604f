//! Errors as a substrate node answers them: codes and words that clients match on.

use crate::{
    api::ApiError,
    chain::{CallError, PoolError, SealError, StateError, invalid_text},
    service::Stopped,
};
use jsonrpsee::types::{ErrorObjectOwned, error::INTERNAL_ERROR_CODE};

/// What a method returns.
pub(super) type Answer<T> = Result<T, ErrorObjectOwned>;

/// The bytes are no extrinsic.
const BAD_FORMAT: i32 = 1001;
/// The runtime failed while judging an extrinsic.
const VERIFICATION: i32 = 1002;
/// The pool's refusals, from the least on.
const INVALID: i32 = 1010;
const UNKNOWN_VALIDITY: i32 = 1011;
const BANNED: i32 = 1012;
const ALREADY_IMPORTED: i32 = 1013;
const TOO_LOW_PRIORITY: i32 = 1014;
const IMMEDIATELY_DROPPED: i32 = 1016;
const UNACTIONABLE: i32 = 1017;
/// A count beyond its limit.
const INVALID_COUNT: i32 = 4002;
/// The state or the runtime did not answer.
const CLIENT: i32 = 4003;
/// A dev method was refused; the first code that JSON-RPC leaves to servers.
const DEV: i32 = -32000;

/// An error with a code, a message and perhaps more.
fn error(code: i32, message: impl Into<String>, data: Option<String>) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(code, message, data)
}

/// The chain's thread does not answer.
pub(super) fn stopped(stopped: Stopped) -> ErrorObjectOwned {
    error(INTERNAL_ERROR_CODE, stopped.to_string(), None)
}

/// More was asked for than one request may.
pub(super) fn too_many(asked: usize, limit: usize) -> ErrorObjectOwned {
    let message = format!("count exceeds maximum value. value: {asked}, max: {limit}");
    error(INVALID_COUNT, message, None)
}

/// A parameter has the right type and no meaning.
pub(super) fn meaningless(message: impl Into<String>) -> ErrorObjectOwned {
    error(jsonrpsee::types::error::INVALID_PARAMS_CODE, message, None)
}

/// A state cannot be read.
pub(super) fn state(cause: &StateError) -> ErrorObjectOwned {
    error(CLIENT, format!("Client error: {cause}"), None)
}

/// A runtime function gave no answer.
pub(super) fn call(cause: &CallError) -> ErrorObjectOwned {
    let message = match cause {
        CallError::State(cause) => return state(cause),
        CallError::UnknownMethod(method) => {
            format!("Client error: Execution failed: Other: Exported method {method} is not found")
        }
        CallError::Panicked(panic) => format!("Client error: Execution failed: {panic}"),
    };
    error(CLIENT, message, None)
}

/// An extrinsic was refused.
pub(super) fn pool(cause: &PoolError) -> ErrorObjectOwned {
    match cause {
        PoolError::Malformed(what) => {
            error(BAD_FORMAT, format!("Extrinsic has invalid format: {what}"), None)
        }
        PoolError::Invalid(invalid) => {
            error(INVALID, "Invalid Transaction", Some(invalid_text(invalid)))
        }
        PoolError::Unknown(unknown) => {
            let text = <&'static str>::from(*unknown).to_owned();
            error(UNKNOWN_VALIDITY, "Unknown Transaction Validity", Some(text))
        }
        PoolError::Panicked(panic) => {
            error(VERIFICATION, format!("Verification Error: {panic}"), Some(panic.message.clone()))
        }
        PoolError::Banned => error(BANNED, "Transaction is temporarily banned", None),
        PoolError::AlreadyImported(hash) => {
            error(ALREADY_IMPORTED, "Transaction Already Imported", Some(format!("{hash:?}")))
        }
        PoolError::TooLowPriority { old, new } => error(
            TOO_LOW_PRIORITY,
            format!("Priority is too low: ({old} vs {new})"),
            Some(
                "The transaction has too low priority to replace another transaction already in \
                 the pool."
                    .to_owned(),
            ),
        ),
        PoolError::Full => error(
            IMMEDIATELY_DROPPED,
            "Immediately Dropped",
            Some("The transaction couldn't enter the pool because of the limit".to_owned()),
        ),
        PoolError::Unactionable => error(
            UNACTIONABLE,
            "Unactionable",
            Some("The transaction provides nothing that would take it out of the pool".to_owned()),
        ),
    }
}

/// No block was sealed.
fn seal(cause: &SealError) -> ErrorObjectOwned {
    error(DEV, cause.to_string(), None)
}

/// The chain did not do what it was asked.
pub(super) fn api(cause: &ApiError) -> ErrorObjectOwned {
    match cause {
        ApiError::Stopped(cause) => stopped(*cause),
        ApiError::Pool(cause) => pool(cause),
        ApiError::Seal(cause) => seal(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sp_runtime::transaction_validity::InvalidTransaction;

    /// Code and data of the answer to a refusal.
    fn answer(cause: PoolError) -> (i32, String) {
        let error = pool(&cause);
        (error.code(), error.data().map(|data| data.get().to_owned()).unwrap_or_default())
    }

    #[test]
    fn refusals_have_the_codes_and_words_that_clients_match_on() {
        assert_eq!(
            answer(PoolError::Invalid(InvalidTransaction::Custom(10))),
            (1010, r#""Custom error: 10""#.to_owned())
        );
        let (code, data) = answer(PoolError::Invalid(InvalidTransaction::Payment));
        assert_eq!(code, 1010);
        assert!(data.contains("Inability to pay some fees"), "{data}");
        assert_eq!(
            answer(PoolError::Invalid(InvalidTransaction::Stale)),
            (1010, r#""Transaction is outdated""#.to_owned())
        );
        assert_eq!(answer(PoolError::Banned).0, 1012);
        assert_eq!(answer(PoolError::AlreadyImported(Default::default())).0, 1013);
        assert_eq!(answer(PoolError::TooLowPriority { old: 1, new: 1 }).0, 1014);
        assert_eq!(answer(PoolError::Full).0, 1016);
    }
}
