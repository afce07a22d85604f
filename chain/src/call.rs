//! The extrinsics we send, as values that are encoded against the chain's metadata.

use std::net::SocketAddr;

use crate::{Hash, Hotkey};

mod encode;

/// One field of a `Commitments` slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// Nothing.
    None,
    /// Bytes: up to 128 as `Raw`, up to 512 as `BigRaw`.
    Bytes(Vec<u8>),
}

/// An argument of a call that is named at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Yes or no.
    Bool(bool),
    /// A whole number of any width.
    Number(i128),
}

/// A subnet parameter that AdminUtils sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hyperparameter {
    /// Blocks per tempo.
    Tempo(u16),
    /// Blocks between two weight settings.
    WeightsSetRateLimit(u64),
    /// Whether weights are committed and revealed.
    CommitRevealWeightsEnabled(bool),
    /// Validators with a permit at most.
    MaxAllowedValidators(u16),
    /// Weights per setting at least.
    MinAllowedWeights(u16),
    /// Blocks between two serve_axon calls.
    ServingRateLimit(u64),
    /// Blocks in which a new neuron cannot be pruned.
    ImmunityPeriod(u16),
    /// Whether alpha can be staked.
    SubtokenEnabled(bool),
    /// Whether the subnet gets emission.
    SubnetEmissionEnabled(bool),
}

/// An extrinsic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// Send TAO.
    Transfer {
        /// To whom.
        dest: Hotkey,
        /// Rao.
        value: u64,
    },
    /// Register a hotkey for the current burn.
    BurnedRegister {
        /// The subnet.
        netuid: u16,
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// Create a subnet, owned by the signer.
    RegisterNetwork {
        /// The owner's hotkey, which becomes uid 0.
        hotkey: Hotkey,
    },
    /// Start a subnet's emission.
    StartCall {
        /// The subnet.
        netuid: u16,
    },
    /// Publish where a hotkey is reached.
    ServeAxon {
        /// The subnet.
        netuid: u16,
        /// Protocol version.
        version: u32,
        /// Where.
        at: SocketAddr,
    },
    /// Stake TAO on a hotkey.
    AddStake {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: u16,
        /// Rao.
        amount: u64,
    },
    /// Register a hotkey if that costs no more than a limit.
    RegisterLimit {
        /// The subnet.
        netuid: u16,
        /// The hotkey.
        hotkey: Hotkey,
        /// Rao at most.
        limit: u64,
    },
    /// Stake TAO on a hotkey, at a price up to a limit.
    AddStakeLimit {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: u16,
        /// Rao.
        amount: u64,
        /// Rao of TAO for one alpha at most.
        limit: u64,
        /// Whether to stake as much as the limit lets pass, rather than nothing.
        partial: bool,
    },
    /// Take stake back from a hotkey.
    RemoveStake {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: u16,
        /// Alpha, in rao.
        amount: u64,
    },
    /// Take stake back from a hotkey, at a price down to a limit.
    RemoveStakeLimit {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: u16,
        /// Alpha, in rao.
        amount: u64,
        /// Rao of TAO for one alpha at least.
        limit: u64,
        /// Whether to take back as much as the limit lets pass, rather than nothing.
        partial: bool,
    },
    /// Move stake from a hotkey and subnet to others.
    MoveStake {
        /// Where it lies.
        from: (Hotkey, u16),
        /// Where it goes.
        to: (Hotkey, u16),
        /// Alpha of the first subnet, in rao.
        amount: u64,
    },
    /// Give stake on a hotkey to another coldkey.
    TransferStake {
        /// Who gets it.
        coldkey: Hotkey,
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet where it lies.
        from: u16,
        /// The subnet where it goes.
        to: u16,
        /// Alpha of the first subnet, in rao.
        amount: u64,
    },
    /// Turn one subnet's alpha on a hotkey into another's.
    SwapStake {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet of which alpha is given.
        from: u16,
        /// The subnet of which alpha is got.
        to: u16,
        /// Alpha given, in rao.
        amount: u64,
        /// Alpha got for one at least, in billionths, and whether a part of the order will do.
        limit: Option<(u64, bool)>,
    },
    /// Lend shares of a hotkey's stake to other hotkeys.
    SetChildren {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: u16,
        /// Shares of 2^64, and who gets them.
        children: Vec<(u64, Hotkey)>,
    },
    /// Set what a hotkey keeps of what lent stake earns.
    SetChildkeyTake {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: u16,
        /// Of 65535.
        take: u16,
    },
    /// Register a hotkey for work that was done.
    PowRegister {
        /// The subnet.
        netuid: u16,
        /// The block that the work is for.
        block: u64,
        /// What was found.
        nonce: u64,
        /// The seal that it gives.
        seal: Hash,
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// Set any parameter that AdminUtils has a call for.
    Admin {
        /// The call.
        call: String,
        /// Its arguments.
        arguments: Vec<Argument>,
    },
    /// Set weights in the clear.
    SetWeights {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// Uids.
        dests: Vec<u16>,
        /// Their weights.
        weights: Vec<u16>,
        /// The subnet's weights version.
        version_key: u64,
    },
    /// Commit to weights that the chain opens when the beacon has signed a round.
    CommitTimelockedWeights {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// The ciphertext.
        commit: Vec<u8>,
        /// The round.
        round: u64,
        /// The version of what is hidden.
        version: u16,
    },
    /// Commit to weights by their hash.
    CommitWeights {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// The hash.
        hash: Hash,
    },
    /// Show weights of which the chain has the hash.
    RevealWeights {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// Uids.
        uids: Vec<u16>,
        /// Their weights.
        values: Vec<u16>,
        /// What was hashed with them.
        salt: Vec<u16>,
        /// The version they were committed with.
        version_key: u64,
    },
    /// Replace the hotkey's commitment.
    SetCommitment {
        /// The subnet.
        netuid: u16,
        /// Up to three fields.
        fields: Vec<Field>,
    },
    /// Set a parameter of a subnet.
    SetHyperparameter {
        /// The subnet.
        netuid: u16,
        /// The parameter.
        parameter: Hyperparameter,
    },
    /// Set how many blocks before an epoch parameters are frozen.
    SetAdminFreezeWindow(u16),
    /// As root.
    Sudo(Box<Call>),
    /// All or nothing, in one extrinsic.
    Batch(Vec<Call>),
}
