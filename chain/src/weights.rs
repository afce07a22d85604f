//! Weights, however a subnet takes them: in the clear, timelocked, or as a hash that is shown later.
//!
//! - [`Client::set_weights`] checks, hides where the subnet wants it, and sends. Timelocked weights
//!   are shown by the chain itself, so nothing is left to do.
//! - [`Client::commit_weights`] and [`Client::reveal_weights`] are the older way by hash: what
//!   [`Committed`] holds must be kept until it is shown.

use codec::{Decode, Encode};

use crate::call::Call;
use crate::client::{BlockStream, Client};
use crate::courier::Inclusion;
use crate::error::{ReadError, SubmitError};
use crate::key::Keypair;

mod hidden;
mod read;
mod rules;
mod schedule;

pub use rules::{Refusal, WeightRules};

use rules::{Hiding, TIMELOCK_VERSION};

/// Blocks by which the chain's head is ahead of what is final, at most; a chain that claims more is
/// not waited for.
const MAX_LAG: u64 = 16;
/// Numbers in the salt of a hash.
const SALT: usize = 8;

/// One validator's weights for a mechanism of a subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Weights {
    /// The subnet.
    pub netuid: u16,
    /// The mechanism; 0 is the first, and often the only one.
    pub mechanism: u8,
    /// Uids.
    pub uids: Vec<u16>,
    /// Their weights; only ratios count.
    pub values: Vec<u16>,
    /// The version of the rules they follow; none = the one that the subnet asks for.
    pub version_key: Option<u64>,
}

/// How a subnet takes weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    /// In the clear.
    Plain,
    /// Hidden until a round of the drand beacon; the chain shows them.
    Timelocked,
    /// As a hash; the validator shows them.
    Hashed,
}

/// When hidden weights are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reveal {
    /// The first block that can show them, if no epoch is put off. Timelocked ones are shown in that
    /// epoch as soon as the beacon has signed the round.
    pub block: u32,
    /// The beacon's round that opens them, where they are timelocked.
    pub round: Option<u64>,
}

/// Weights as they were set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetWeights {
    /// Where.
    pub at: Inclusion,
    /// How.
    pub regime: Regime,
    /// When they are shown, if they are hidden.
    pub reveal: Option<Reveal>,
}

/// Weights of which the chain has the hash. Keep it until [`Client::reveal_weights`]: without it the
/// commit expires.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Committed {
    /// The weights.
    pub weights: Weights,
    /// The version they were committed with.
    pub version_key: u64,
    /// What keeps others from guessing them.
    pub salt: Vec<u16>,
    /// The first block that can show them, if no epoch is put off.
    pub reveal_block: u32,
}

/// Why weights are not set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The chain's rules could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The chain would refuse them.
    #[error("{0}")]
    Refused(Refusal),
    /// The chain refused them.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// They cannot be hidden.
    #[error("the weights cannot be hidden: {0}")]
    Hide(String),
    /// The subnet takes weights in another way.
    #[error("the subnet takes weights {0}")]
    Regime(Regime),
}

impl std::fmt::Display for Regime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain => "in the clear",
            Self::Timelocked => "timelocked",
            Self::Hashed => "by commit and reveal",
        })
    }
}

impl Client {
    /// Checks weights against the subnet's rules and sets them, in the clear or timelocked.
    ///
    /// # Errors
    /// [`WeightsError`]; [`WeightsError::Regime`] where the chain has hashes only.
    pub async fn set_weights(
        &self,
        signer: &Keypair,
        weights: &Weights,
    ) -> Result<SetWeights, WeightsError> {
        let rules = self.checked(signer, weights, None).await?;
        let version_key = weights.version_key.unwrap_or(rules.version_key);
        let regime = rules.regime();
        let (call, reveal) = match (&rules.hiding, regime) {
            (None, _) => {
                let call = Call::SetWeights {
                    netuid: weights.netuid,
                    mechanism: weights.mechanism,
                    dests: weights.uids.clone(),
                    weights: weights.values.clone(),
                    version_key,
                };
                (call, None)
            }
            (Some(hiding), Regime::Timelocked) => {
                let reveal = rules.reveal(hiding)?;
                let round = hiding.round(&rules, reveal);
                let hidden =
                    hidden::timelocked(weights, version_key, &signer.public(), hiding, round);
                let commit = hidden.map_err(|error| WeightsError::Hide(error.to_string()))?;
                let call = Call::CommitTimelockedWeights {
                    netuid: weights.netuid,
                    mechanism: weights.mechanism,
                    commit,
                    round,
                    version: TIMELOCK_VERSION,
                };
                (call, Some(Reveal { block: reveal, round: Some(round) }))
            }
            (Some(_), _) => return Err(WeightsError::Regime(regime)),
        };
        let at = self.submit(signer, &call).await?;
        Ok(SetWeights { at, regime, reveal })
    }

    /// As [`Self::set_weights`]; waits for the subnet's rate limit, if it clears within so many
    /// blocks.
    ///
    /// # Errors
    /// [`WeightsError`].
    pub async fn set_weights_within(
        &self,
        signer: &Keypair,
        weights: &Weights,
        blocks: u32,
    ) -> Result<SetWeights, WeightsError> {
        let refused = match self.set_weights(signer, weights).await {
            Err(WeightsError::Refused(refused)) => refused,
            done => return done,
        };
        let (now, _) = self.persistently(|| self.finalized()).await?;
        let last = now.saturating_add(blocks);
        let Some(clears_at) = refused.clears_at.filter(|block| *block <= last) else {
            return Err(WeightsError::Refused(refused));
        };
        tracing::debug!(%refused, "weights wait");
        let mut finalized = BlockStream::new(self.clone(), now);
        // The block after it is the first that may have them.
        while finalized.next().await?.0.saturating_add(1) < clears_at {}
        self.set_weights(signer, weights).await
    }

    /// Commits to weights by their hash. Write the result down before it is submitted: `keep` is
    /// called with it, and what it refuses is not sent.
    ///
    /// # Errors
    /// [`WeightsError`].
    pub async fn commit_weights(
        &self,
        signer: &Keypair,
        weights: &Weights,
        keep: impl FnOnce(&Committed) -> std::io::Result<()>,
    ) -> Result<(Inclusion, Committed), WeightsError> {
        let rules = self.checked(signer, weights, Some(Regime::Hashed)).await?;
        let hiding = rules.hiding.as_ref().ok_or(WeightsError::Regime(Regime::Plain))?;
        let version_key = weights.version_key.unwrap_or(rules.version_key);
        let salt: Vec<u16> = std::iter::repeat_with(rand::random).take(SALT).collect();
        let hash = hidden::hashed(weights, version_key, &signer.public(), &salt);
        let reveal_block = rules.reveal(hiding)?;
        let committed = Committed { weights: weights.clone(), version_key, salt, reveal_block };
        keep(&committed).map_err(|error| WeightsError::Hide(error.to_string()))?;
        let (netuid, mechanism) = (weights.netuid, weights.mechanism);
        let call = Call::CommitWeights { netuid, mechanism, hash };
        Ok((self.submit(signer, &call).await?, committed))
    }

    /// Shows weights that were committed, in the epoch in which the chain takes them.
    ///
    /// # Errors
    /// [`WeightsError::Submit`] with `RevealTooEarly` or `ExpiredWeightCommit` at another time.
    pub async fn reveal_weights(
        &self,
        signer: &Keypair,
        committed: &Committed,
    ) -> Result<Inclusion, WeightsError> {
        let Committed { weights, version_key, salt, .. } = committed;
        let call = Call::RevealWeights {
            netuid: weights.netuid,
            mechanism: weights.mechanism,
            uids: weights.uids.clone(),
            values: weights.values.clone(),
            salt: salt.clone(),
            version_key: *version_key,
        };
        Ok(self.submit(signer, &call).await?)
    }

    /// The rules for weights set in a way (none: the subnet's own), which they pass, at a time when it
    /// is clear to which epoch a commit will belong.
    async fn checked(
        &self,
        signer: &Keypair,
        weights: &Weights,
        how: Option<Regime>,
    ) -> Result<WeightRules, WeightsError> {
        let (netuid, mechanism, hotkey) = (weights.netuid, weights.mechanism, signer.public());
        let read = || self.weight_rules(netuid, mechanism, &hotkey);
        let mut rules = self.persistently(read).await?;
        let mut blocks = BlockStream::new(self.clone(), rules.block.saturating_add(1));
        // The epoch starts within as many blocks as the chain's head is ahead of what is final.
        for _ in 0..2 * MAX_LAG {
            if !rules.is_between_epochs() {
                break;
            }
            tracing::debug!(block = rules.best, "a commit waits for the epoch's start");
            blocks.next().await?;
            rules = self.persistently(read).await?;
        }
        rules.check(weights, how.unwrap_or(rules.regime())).map_err(WeightsError::Refused)?;
        Ok(rules)
    }
}

impl WeightRules {
    /// Whether a commit may land on either side of an epoch's start: a block takes as long to have it
    /// as blocks take to be final, about.
    fn is_between_epochs(&self) -> bool {
        let Some(hiding) = &self.hiding else { return false };
        let lag = u64::from(self.best.saturating_sub(self.block)).min(MAX_LAG);
        let next = u64::from(self.best).saturating_add(1);
        hiding.schedule.starts_between(next, next.saturating_add(lag))
    }

    /// The first block that shows what is committed in the next one.
    fn reveal(&self, hiding: &Hiding) -> Result<u32, WeightsError> {
        let block = hiding.schedule.reveal_block(self.best.into(), hiding.period);
        let block = block.and_then(|block| u32::try_from(block).ok());
        block.ok_or_else(|| WeightsError::Hide("the subnet runs no epochs".into()))
    }
}

impl Hiding {
    fn round(&self, rules: &WeightRules, reveal: u32) -> u64 {
        let blocks = u64::from(reveal.saturating_sub(rules.block));
        let (genesis, period) = (self.genesis_s, self.period_s);
        schedule::round(rules.timestamp_ms, blocks, self.block_ms, genesis, period)
    }
}
