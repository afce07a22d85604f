//! What a refusal means and what to do about it.

/// Pool rejections of the chain by their custom code (`Custom error: N`).
const CUSTOM: [&str; 28] = [
    "ColdkeyInSwapSchedule",
    "StakeAmountTooLow",
    "BalanceTooLow",
    "SubnetNotExists",
    "HotkeyAccountDoesntExist",
    "NotEnoughStakeToWithdraw",
    "RateLimitExceeded",
    "InsufficientLiquidity",
    "SlippageTooHigh",
    "TransferDisallowed",
    "HotKeyNotRegisteredInNetwork",
    "InvalidIpAddress",
    "ServingRateLimitExceeded",
    "InvalidPort",
    "ZeroMaxAmount",
    "InvalidRevealRound",
    "CommitNotFound",
    "CommitBlockNotInRevealRange",
    "InputLengthsUnequal",
    "UidNotFound",
    "EvmKeyAssociateRateLimitExceeded",
    "ColdkeySwapDisputed",
    "InvalidRealAccount",
    "FailedShieldedTxParsing",
    "InvalidShieldedTxPubKeyHash",
    "NonAssociatedColdKey",
    "DelegateTakeTooLow",
    "DelegateTakeTooHigh",
];

/// What to do about an error, by its name.
const REMEDIES: [(&str, &str); 22] = [
    ("BalanceTooLow", "fund the coldkey"),
    ("NotEnoughBalanceToStake", "fund the coldkey, or stake less"),
    ("HotKeyNotRegisteredInNetwork", "register the hotkey on this subnet"),
    ("HotKeyNotRegisteredInSubNet", "register the hotkey on this subnet"),
    ("HotKeyAlreadyRegisteredInSubNet", "the hotkey is registered; nothing is to be done"),
    ("NonAssociatedColdKey", "sign with the coldkey that owns the hotkey"),
    ("SubnetNotExists", "check the netuid"),
    ("SubNetRegistrationDisabled", "wait until the subnet's owner allows registrations"),
    ("NoNeuronIdAvailable", "all neurons are immune; try again later"),
    ("RateLimitExceeded", "wait for the subnet's rate limit"),
    ("SettingWeightsTooFast", "wait for the subnet's weights rate limit"),
    ("NeuronNoValidatorPermit", "add stake, and wait one tempo for the permit"),
    ("NotEnoughStakeToSetWeights", "add stake to the hotkey"),
    ("CommitRevealEnabled", "the subnet hides weights: commit and reveal them"),
    ("IncorrectWeightVersionKey", "update to the subnet's weights version"),
    ("ServingRateLimitExceeded", "wait for the subnet's serving rate limit"),
    ("InvalidIpAddress", "publish an address that others can reach (0.0.0.0 for a local chain)"),
    ("InvalidPort", "publish a port other than 0"),
    ("AccountNotAllowedCommit", "register the hotkey on this subnet"),
    ("SpaceLimitExceeded", "wait for the next tempo to commit more"),
    ("SubtokenDisabled", "the subnet has not started: its owner calls start_call"),
    ("CannotAffordLockCost", "fund the coldkey with the network's lock cost"),
];

/// Name and remedy of a pool rejection's text.
pub(crate) fn of_rejection(text: &str) -> (String, String) {
    let code = text.split("Custom error: ").nth(1);
    let digits = code.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    let index = digits.and_then(|digits| digits.parse::<usize>().ok());
    match index.and_then(|index| CUSTOM.get(index)) {
        Some(name) => ((*name).to_owned(), of_name(name)),
        None if text.contains("Inability to pay") => {
            ("cannot pay the fee".to_owned(), "fund the account".to_owned())
        }
        None => ("not accepted".to_owned(), text.to_owned()),
    }
}

/// Remedy of an error's name.
pub(crate) fn of_name(name: &str) -> String {
    let known = REMEDIES.iter().find(|(known, _)| *known == name);
    known
        .map_or("the chain refused; see the pallet's documentation", |(_, remedy)| remedy)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_codes_become_names_with_remedies() {
        let (name, remedy) = of_rejection("Invalid Transaction (1010): \"Custom error: 10\"");
        assert_eq!(name, "HotKeyNotRegisteredInNetwork");
        assert_eq!(remedy, "register the hotkey on this subnet");
        assert_eq!(of_rejection("Custom error: 6").0, "RateLimitExceeded");
        assert_eq!(of_rejection("Custom error: 999").0, "not accepted");
    }
}
