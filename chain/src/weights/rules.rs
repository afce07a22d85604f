//! What a set of weights meets on a subnet, read at one block, and checked before anything is signed.
//!
//! The checks are the chain's own, in its order (`SubtensorModule::set_weights`), so that the name
//! of a refusal is the one the chain would give. Whether the stake suffices is left to the chain: it
//! counts inherited and root stake, which no one entry tells.

use std::collections::BTreeSet;
use std::fmt;

use super::schedule::Schedule;
use super::{Regime, Weights};

/// The version of timelocked weights that is spoken here.
pub(crate) const TIMELOCK_VERSION: u16 = 4;
/// Commits of one hotkey that may be open.
const MAX_OPEN: usize = 10;

/// A subnet's rules for the weights of one hotkey.
#[derive(Clone, Debug)]
pub struct WeightRules {
    /// The block they were read at.
    pub block: u32,
    /// The newest block, which is not final yet where the chain takes time for that.
    pub(crate) best: u32,
    /// The time of `block`, unix milliseconds.
    pub(crate) timestamp_ms: u64,
    /// Whether the subnet has this mechanism.
    pub(crate) has_mechanism: bool,
    /// Neurons.
    pub(crate) neurons: u16,
    /// The hotkey's, if it is registered.
    pub(crate) uid: Option<u16>,
    /// Whether it owns the subnet.
    pub(crate) is_owner: bool,
    /// Whether it has a validator permit.
    pub(crate) permit: bool,
    /// The subnet's version of weights.
    pub version_key: u64,
    /// Block of its last weights or of its registration, and blocks between two settings.
    pub(crate) last_update: u64,
    pub(crate) rate_limit: u64,
    /// Least number of weights, and greatest share of one, of 65535.
    pub(crate) least: u16,
    pub(crate) max_share: u16,
    /// How weights are hidden, if they are.
    pub(crate) hiding: Option<Hiding>,
}

/// How a subnet hides weights.
#[derive(Clone, Debug)]
pub(crate) struct Hiding {
    /// Whether the chain has timelocked commits, and the version it wants.
    pub(crate) timelock_version: Option<u16>,
    /// Epochs from commit to reveal.
    pub(crate) period: u64,
    pub(crate) schedule: Schedule,
    /// Commits of the hotkey that are open: timelocked ones, and hashes that have not expired.
    pub(crate) open_timelocked: usize,
    pub(crate) open_hashed: usize,
    /// The beacon: its key, unix time of round 1 and seconds between rounds.
    pub(crate) beacon: iota_timelock::PublicKey,
    pub(crate) genesis_s: u64,
    pub(crate) period_s: u64,
    /// Milliseconds between blocks.
    pub(crate) block_ms: u64,
}

/// Why the chain would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The chain's name for it.
    pub name: &'static str,
    /// What is the matter, and what to do.
    pub reason: String,
    /// The block from which on it is no matter any more, where time alone helps.
    pub clears_at: Option<u32>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)?;
        match self.clears_at {
            Some(block) => write!(f, " (possible from block {block} on)"),
            None => Ok(()),
        }
    }
}

impl WeightRules {
    /// How the subnet takes weights.
    #[must_use]
    pub fn regime(&self) -> Regime {
        match &self.hiding {
            None => Regime::Plain,
            Some(hiding) if hiding.timelock_version.is_some() => Regime::Timelocked,
            Some(_) => Regime::Hashed,
        }
    }

    /// Checks weights that are set in this way in the next block.
    ///
    /// # Errors
    /// The first check that the chain would not let pass.
    pub fn check(&self, weights: &Weights, how: Regime) -> Result<(), Refusal> {
        let no = |name, reason: String| Err(Refusal { name, reason, clears_at: None });
        let (uids, values) = (&weights.uids, &weights.values);
        if uids.len() != values.len() {
            let reason = format!("{} uids, but {} weights", uids.len(), values.len());
            return no("WeightVecNotEqualSize", reason);
        }
        if !self.has_mechanism {
            let reason =
                format!("subnet {} has no mechanism {}", weights.netuid, weights.mechanism);
            return no("MechanismDoesNotExist", reason);
        }
        if uids.len() > usize::from(self.neurons) {
            let reason = format!("{} weights for {} neurons", uids.len(), self.neurons);
            return no("UidsLengthExceedUidsInSubNet", reason);
        }
        let Some(uid) = self.uid else {
            let reason = format!("register the hotkey on subnet {}", weights.netuid);
            return no("HotKeyNotRegisteredInSubNet", reason);
        };
        if let Some(version_key) = weights.version_key.filter(|key| *key < self.version_key) {
            let reason = format!(
                "the subnet wants version {} or later, not {version_key}",
                self.version_key
            );
            return no("IncorrectWeightVersionKey", reason);
        }
        self.check_hiding(how)?;
        self.check_rate()?;
        let only_itself = *uids == [uid];
        if !self.permit && !only_itself && !self.is_owner {
            let reason = "the hotkey has no validator permit: add stake, and wait one tempo";
            return no("NeuronNoValidatorPermit", reason.into());
        }
        if uids.iter().collect::<BTreeSet<_>>().len() != uids.len() {
            return no("DuplicateUids", "a uid is named twice".into());
        }
        if let Some(wrong) = uids.iter().find(|uid| **uid >= self.neurons) {
            let reason =
                format!("there is no uid {wrong}: the subnet has {} neurons", self.neurons);
            return no("UidVecContainInvalidOne", reason);
        }
        let least = self.least.min(self.neurons);
        if uids.len() < usize::from(least) && !only_itself {
            let reason = format!("the subnet wants {least} weights or more");
            return no("WeightVecLengthIsLow", reason);
        }
        if !only_itself && self.max_share < u16::MAX && !is_within(values, self.max_share) {
            let share = 100.0 * f64::from(self.max_share) / f64::from(u16::MAX);
            let reason = format!("one weight may be {share:.1} % of all at most");
            return no("MaxWeightExceeded", reason);
        }
        Ok(())
    }

    fn check_hiding(&self, how: Regime) -> Result<(), Refusal> {
        let Some(hiding) = &self.hiding else { return Ok(()) };
        let refusal = |name, reason: String| Err(Refusal { name, reason, clears_at: None });
        let other = hiding.timelock_version.filter(|version| *version != TIMELOCK_VERSION);
        if let (Regime::Timelocked, Some(version)) = (how, other) {
            let reason = format!(
                "the chain wants timelocked weights of version {version}, and version \
                 {TIMELOCK_VERSION} is known here: update this program"
            );
            return refusal("IncorrectCommitRevealVersion", reason);
        }
        let open = if how == Regime::Hashed { hiding.open_hashed } else { hiding.open_timelocked };
        if open >= MAX_OPEN {
            let reason = format!("{open} commits wait to be shown; wait for the next epoch");
            return refusal("TooManyUnrevealedCommits", reason);
        }
        Ok(())
    }

    fn check_rate(&self) -> Result<(), Refusal> {
        let from = self.last_update.saturating_add(self.rate_limit);
        if self.last_update == 0 || u64::from(self.best) + 1 >= from {
            return Ok(());
        }
        let name = match self.regime() {
            Regime::Plain => "SettingWeightsTooFast",
            Regime::Timelocked | Regime::Hashed => "CommittingWeightsTooFast",
        };
        let reason = format!(
            "the last weights, or the registration, were in block {}, and {} blocks must pass",
            self.last_update, self.rate_limit
        );
        Err(Refusal { name, reason, clears_at: u32::try_from(from).ok() })
    }
}

/// Whether no weight's share of the sum is above `limit` of 65535.
fn is_within(values: &[u16], limit: u16) -> bool {
    let sum: u64 = values.iter().copied().map(u64::from).sum();
    let greatest = values.iter().copied().max().map_or(0, u64::from);
    greatest * u64::from(u16::MAX) <= sum * u64::from(limit)
}
