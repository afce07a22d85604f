//! Why a call is refused. Indices are those of spec version 425; gaps are errors that no call here
//! can give.

use frame_support::pallet_macros::pallet_section;

#[pallet_section]
mod errors {
    #[pallet::error]
    #[derive(PartialEq)]
    pub enum Error<T> {
        /// An axon's address type is neither 4 nor 6.
        #[codec(index = 1)]
        InvalidIpType,
        /// An axon's address is one that nobody can reach.
        #[codec(index = 2)]
        InvalidIpAddress,
        /// An axon's port is 0.
        #[codec(index = 3)]
        InvalidPort,
        /// The hotkey is not registered on the subnet.
        #[codec(index = 4)]
        HotKeyNotRegisteredInSubNet,
        /// No coldkey has ever used this hotkey.
        #[codec(index = 5)]
        HotKeyAccountNotExists,
        /// The hotkey is not registered where it wants to serve.
        #[codec(index = 6)]
        HotKeyNotRegisteredInNetwork,
        /// The hotkey belongs to another coldkey.
        #[codec(index = 7)]
        NonAssociatedColdKey,
        /// Less stake is there than was asked for.
        #[codec(index = 9)]
        NotEnoughStakeToWithdraw,
        /// The stake is below the threshold for weights.
        #[codec(index = 10)]
        NotEnoughStakeToSetWeights,
        /// The coldkey's balance is too low.
        #[codec(index = 12)]
        NotEnoughBalanceToStake,
        /// Only permitted validators may weigh others.
        #[codec(index = 15)]
        NeuronNoValidatorPermit,
        /// There are not as many weights as uids.
        #[codec(index = 16)]
        WeightVecNotEqualSize,
        /// A uid is weighed twice.
        #[codec(index = 17)]
        DuplicateUids,
        /// A weighed uid does not exist.
        #[codec(index = 18)]
        UidVecContainInvalidOne,
        /// Fewer weights than the subnet demands.
        #[codec(index = 19)]
        WeightVecLengthIsLow,
        /// The hotkey is registered already.
        #[codec(index = 21)]
        HotKeyAlreadyRegisteredInSubNet,
        /// One weight is above the subnet's limit.
        #[codec(index = 27)]
        MaxWeightExceeded,
        /// The last weights are too recent.
        #[codec(index = 29)]
        SettingWeightsTooFast,
        /// The subnet demands a newer version key.
        #[codec(index = 30)]
        IncorrectWeightVersionKey,
        /// The last axon is too recent.
        #[codec(index = 31)]
        ServingRateLimitExceeded,
        /// More weights than there are neurons.
        #[codec(index = 32)]
        UidsLengthExceedUidsInSubNet,
        /// The newest subnet is too recent.
        #[codec(index = 33)]
        NetworkTxRateLimitExceeded,
        /// The delegate's last change of its take is too recent.
        #[codec(index = 34)]
        DelegateTxRateLimitExceeded,
        /// The subnet takes no registrations.
        #[codec(index = 37)]
        SubNetRegistrationDisabled,
        /// The root is not registered to in this way.
        #[codec(index = 42)]
        RegistrationNotPermittedOnRootSubnet,
        /// Weights on the root are set otherwise.
        #[codec(index = 47)]
        CanNotSetRootNetworkWeights,
        /// The subnet is full and nobody can be pruned.
        #[codec(index = 48)]
        NoNeuronIdAvailable,
        /// A delegate's take may only be lowered by this call, and not below the least.
        #[codec(index = 49)]
        DelegateTakeTooLow,
        /// A delegate's take is above the highest, or above the last one where it should fall.
        #[codec(index = 50)]
        DelegateTakeTooHigh,
        /// The hotkey has no open commit.
        #[codec(index = 51)]
        NoWeightsCommitFound,
        /// No open commit has the hash of what is shown.
        #[codec(index = 52)]
        InvalidRevealCommitHashNotMatch,
        /// The subnet wants weights to be committed first.
        #[codec(index = 53)]
        CommitRevealEnabled,
        /// The subnet takes plain weights only.
        #[codec(index = 54)]
        CommitRevealDisabled,
        /// Liquid alpha is off.
        #[codec(index = 55)]
        LiquidAlphaDisabled,
        /// Alpha's upper value is too low.
        #[codec(index = 56)]
        AlphaHighTooLow,
        /// Alpha's lower value is out of range.
        #[codec(index = 57)]
        AlphaLowOutOfRange,
        /// The stake is below the threshold for children.
        #[codec(index = 11)]
        NotEnoughStakeToSetChildkeys,
        /// The work is for a block that is too old, or not there yet.
        #[codec(index = 24)]
        InvalidWorkBlock,
        /// The work's seal is above the target.
        #[codec(index = 25)]
        InvalidDifficulty,
        /// The work's seal is not that of its nonce.
        #[codec(index = 26)]
        InvalidSeal,
        /// A hotkey cannot be its own child.
        #[codec(index = 60)]
        InvalidChild,
        /// A child is named twice.
        #[codec(index = 61)]
        DuplicateChild,
        /// The children's shares are more than the whole.
        #[codec(index = 62)]
        ProportionOverflow,
        /// More than five children.
        #[codec(index = 63)]
        TooManyChildren,
        /// The last change of this kind is too recent.
        #[codec(index = 64)]
        TxRateLimitExceeded,
        /// A child's take is out of range.
        #[codec(index = 71)]
        InvalidChildkeyTake,
        /// The last increase of a child's take is too recent.
        #[codec(index = 72)]
        TxChildkeyTakeRateLimitExceeded,
        /// Too many epochs from a commit to its reveal.
        #[codec(index = 112)]
        RevealPeriodTooLarge,
        /// Too few epochs from a commit to its reveal.
        #[codec(index = 113)]
        RevealPeriodTooSmall,
        /// Who lends to a hotkey cannot borrow from it.
        #[codec(index = 122)]
        ChildParentInconsistency,
        /// The neurons leave no room for as many mechanisms.
        #[codec(index = 124)]
        TooManyUIDsPerMechanism,
        /// A part of an identity is too long.
        #[codec(index = 73)]
        InvalidIdentity,
        /// The subnet has no such mechanism.
        #[codec(index = 74)]
        MechanismDoesNotExist,
        /// No such subnet.
        #[codec(index = 76)]
        SubnetNotExists,
        /// The hotkey has as many open commits as may be.
        #[codec(index = 77)]
        TooManyUnrevealedCommits,
        /// The epoch in which the commit could be shown is over.
        #[codec(index = 78)]
        ExpiredWeightCommit,
        /// The epoch in which the commit can be shown has not come.
        #[codec(index = 79)]
        RevealTooEarly,
        /// A batch's lists differ in length.
        #[codec(index = 80)]
        InputLengthsUnequal,
        /// The last commit is too recent.
        #[codec(index = 81)]
        CommittingWeightsTooFast,
        /// The amount is below the least one.
        #[codec(index = 82)]
        AmountTooLow,
        /// The pool cannot fill the order.
        #[codec(index = 83)]
        InsufficientLiquidity,
        /// The price would pass the order's limit.
        #[codec(index = 84)]
        SlippageTooHigh,
        /// The subnet forbids transfers of stake.
        #[codec(index = 85)]
        TransferDisallowed,
        /// The subnet has started already.
        #[codec(index = 88)]
        FirstEmissionBlockNumberAlreadySet,
        /// It is too early to start the subnet.
        #[codec(index = 89)]
        NeedWaitingMoreBlocksToStarCall,
        /// Alpha of this subnet cannot be traded yet.
        #[codec(index = 94)]
        SubtokenDisabled,
        /// The subnets are the same.
        #[codec(index = 96)]
        SameNetuid,
        /// A number is too large.
        #[codec(index = 104)]
        Overflow,
        /// Owners may not change this so short before an epoch.
        #[codec(index = 107)]
        AdminActionProhibitedDuringWeightsWindow,
        /// Another subnet has this symbol.
        #[codec(index = 109)]
        SymbolAlreadyInUse,
        /// The chain runs another version of commit-reveal.
        #[codec(index = 110)]
        IncorrectCommitRevealVersion,
        /// The beacon has passed the round.
        #[codec(index = 111)]
        InvalidRevealRound,
        /// The value is out of range.
        #[codec(index = 114)]
        InvalidValue,
        /// There are as many subnets as may be.
        #[codec(index = 115)]
        SubnetLimitReached,
        /// The balance does not cover the subnet's cost.
        #[codec(index = 116)]
        CannotAffordLockCost,
        /// This hotkey is the destination already.
        #[codec(index = 119)]
        SameAutoStakeHotkeyAlreadySet,
        /// A registration costs more than the caller's limit.
        #[codec(index = 135)]
        RegistrationPriceLimitExceeded,
        /// The tempo is out of the owner's range.
        #[codec(index = 143)]
        TempoOutOfBounds,
        /// The activity cutoff's factor is out of range.
        #[codec(index = 144)]
        ActivityCutoffFactorMilliOutOfBounds,
        /// An epoch is triggered already.
        #[codec(index = 145)]
        EpochTriggerAlreadyPending,
        /// The regular epoch is too near.
        #[codec(index = 146)]
        AutoEpochAlreadyImminent,
    }
}
