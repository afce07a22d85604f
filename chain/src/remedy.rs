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
const REMEDIES: [(&str, &str); 80] = [
    (
        "BadOrigin",
        "sign with the coldkey that owns the subnet or hotkey; some calls are root's alone",
    ),
    ("BalanceTooLow", "fund the coldkey"),
    ("FundsUnavailable", "fund the account"),
    ("NotExpendable", "leave the account its existential deposit of 500 rao"),
    ("BelowMinimum", "send more: an account holds 500 rao at least"),
    ("NotEnoughBalanceToStake", "fund the coldkey, or stake less"),
    ("StakeAmountTooLow", "stake or unstake more at once"),
    ("AmountTooLow", "stake or unstake more at once"),
    ("NotEnoughStakeToWithdraw", "take back no more than `iota stake list` shows"),
    ("InsufficientLiquidity", "trade less: the subnet's pool cannot fill the order"),
    ("SlippageTooHigh", "allow a greater tolerance, trade less, or trade in parts"),
    ("ZeroMaxAmount", "allow a greater tolerance: not even a part can be traded"),
    ("TransferDisallowed", "the subnet's owner has switched transfers of stake off"),
    ("HotkeyAccountDoesntExist", "check the hotkey's address: it was never registered anywhere"),
    ("HotKeyNotRegisteredInNetwork", "register the hotkey on this subnet"),
    ("HotKeyNotRegisteredInSubNet", "register the hotkey on this subnet"),
    ("HotKeyAlreadyRegisteredInSubNet", "the hotkey is registered; nothing is to be done"),
    ("NonAssociatedColdKey", "sign with the coldkey that owns the hotkey"),
    ("ColdkeyInSwapSchedule", "wait until the coldkey's swap is done"),
    ("ColdkeySwapDisputed", "the coldkey's swap is disputed; nothing can be signed with it"),
    ("SubnetNotExists", "check the netuid with `iota subnet list`"),
    ("SubNetRegistrationDisabled", "wait until the subnet's owner allows registrations"),
    ("NoNeuronIdAvailable", "all neurons are immune; try again later"),
    ("RegistrationPriceLimitExceeded", "wait until the price falls, or allow a greater `--limit`"),
    ("RateLimitExceeded", "wait: this was done a short time ago, and may be done once in a while"),
    (
        "TxRateLimitExceeded",
        "wait: this was done a short time ago, and may be done once in a while",
    ),
    ("NetworkTxRateLimitExceeded", "wait: a subnet was created a short time ago"),
    ("SettingWeightsTooFast", "wait for the subnet's weights rate limit"),
    ("CommittingWeightsTooFast", "wait for the subnet's weights rate limit"),
    ("TooManyUnrevealedCommits", "wait until the open commits are shown or expire"),
    ("NeuronNoValidatorPermit", "add stake, and wait one tempo for the permit"),
    ("NotEnoughStakeToSetWeights", "add stake to the hotkey"),
    ("CommitRevealEnabled", "the subnet hides weights: commit and reveal them"),
    ("CommitRevealDisabled", "the subnet takes weights in the clear: set them"),
    ("IncorrectWeightVersionKey", "update to the subnet's weights version"),
    ("IncorrectCommitRevealVersion", "update this program: the chain hides weights in a newer way"),
    ("InvalidRevealRound", "hide the weights again: the beacon's round is over"),
    ("WeightVecNotEqualSize", "give as many weights as uids"),
    ("WeightVecLengthIsLow", "give more weights: see the subnet's min_allowed_weights"),
    ("MaxWeightExceeded", "spread the weights: one has too great a share"),
    ("InputLengthsUnequal", "give as many weights as uids"),
    ("DuplicateUids", "name each uid once"),
    ("UidVecContainInvalidOne", "name uids that `iota metagraph` shows"),
    ("UidsLengthExceedUidsInSubNet", "name uids that `iota metagraph` shows"),
    ("UidNotFound", "name a uid that `iota metagraph` shows"),
    ("MechanismDoesNotExist", "use a mechanism that the subnet has; 0 is the first"),
    ("RevealTooEarly", "wait for the epoch in which the commit is shown"),
    ("ExpiredWeightCommit", "commit anew, and reveal in the following epoch"),
    ("NoWeightsCommitFound", "commit first, or show what was committed"),
    ("CommitNotFound", "commit first, or show what was committed"),
    ("InvalidRevealCommitHashNotMatch", "show exactly what was committed, with its salt"),
    ("CommitBlockNotInRevealRange", "wait for the epoch in which the commit is shown"),
    ("ServingRateLimitExceeded", "wait for the subnet's serving rate limit"),
    ("InvalidIpAddress", "publish an address that others can reach (0.0.0.0 for a local chain)"),
    ("InvalidIpType", "publish an address of version 4 or 6"),
    ("InvalidPort", "publish a port other than 0"),
    ("AccountNotAllowedCommit", "register the hotkey on this subnet"),
    ("SpaceLimitExceeded", "wait for the next tempo to commit more"),
    ("SubtokenDisabled", "the subnet has not started: its owner calls start_call"),
    ("NeedWaitingMoreBlocksToStarCall", "wait: a new subnet may start only after some blocks"),
    ("FirstEmissionBlockNumberAlreadySet", "the subnet has started; nothing is to be done"),
    ("CannotAffordLockCost", "fund the coldkey with the network's lock cost"),
    ("SubnetLimitReached", "wait until a subnet is dissolved"),
    (
        "AdminActionProhibitedDuringWeightsWindow",
        "wait for the next epoch: parameters are frozen just before one",
    ),
    ("DelegateTakeTooLow", "ask for a take that is higher"),
    ("DelegateTakeTooHigh", "ask for a take that is lower"),
    ("InvalidChild", "a hotkey cannot be its own child"),
    ("DuplicateChild", "name each child once"),
    ("TooManyChildren", "name five children at most"),
    ("ProportionOverflow", "lend no more than the whole: shares add up to 1 at most"),
    ("ChildParentInconsistency", "who lends to a hotkey cannot borrow from it"),
    ("NotEnoughStakeToSetChildkeys", "add stake to the hotkey"),
    ("InvalidChildkeyTake", "ask for a take between the chain's least and greatest"),
    (
        "TxChildkeyTakeRateLimitExceeded",
        "wait: a child's take may rise once in a while; it may fall at any time",
    ),
    ("SameNetuid", "name two subnets"),
    ("MaxAllowedUidsGreaterThanDefaultMaxAllowedUids", "allow 256 neurons at most"),
    (
        "TooManyUIDsPerMechanism",
        "set max_allowed_uids so that all mechanisms together have 256 neurons at most",
    ),
    ("InvalidWorkBlock", "work anew: the block is more than five blocks old"),
    ("InvalidDifficulty", "work anew: the difficulty has risen"),
    ("InvalidSeal", "work anew: the chain has another block at that height"),
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

    #[test]
    fn every_code_that_our_calls_can_get_has_a_remedy() {
        // Of EVM keys, proxies and shielded extrinsics, which this program does not send.
        let others = ["EvmKey", "InvalidRealAccount", "Shielded"];
        for name in CUSTOM {
            let is_ours = !others.iter().any(|part| name.contains(part));
            let is_known = REMEDIES.iter().any(|(known, _)| *known == name);
            assert_eq!(is_ours, is_known, "{name}");
        }
    }
}
