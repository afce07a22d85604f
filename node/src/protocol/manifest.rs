//! The run manifest: everything that nodes must agree on before they meet.
//!
//! The owner publishes it as TOML and commits [`Manifest::hash`] on chain; a node refuses a manifest
//! whose hash differs. The hash is BLAKE2b-256 over the canonical SCALE encoding, so comments and
//! order of the TOML do not matter. All numbers are integers.

use blake2::{Blake2b, Digest, digest::consts::U32};
use codec::{Decode, Encode};
pub use iota_trainer::{AdamConfig as Adam, CutConfig as Cut, ModelConfig as Model};
use serde::{Deserialize, Serialize};

use super::{Hash, Hotkey};

mod hex32;
#[cfg(test)]
pub(in crate::protocol) mod tests;
mod validate;

pub use validate::ManifestError;

/// Longest TOML text that is read: room for the most pins.
pub const MAX_TOML_BYTES: usize = 1 << 20;
/// Version of the protocol that this code speaks.
pub const PROTOCOL_VERSION: u32 = 2;

/// Blocks of each phase of an epoch; their sum is the epoch's length L.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phases {
    /// Training.
    pub train: u32,
    /// Work commitments.
    pub commit: u32,
    /// Re-execution and vetoes.
    pub audit: u32,
    /// Butterfly merges.
    pub merge: u32,
    /// Weights, and the next epoch's members.
    pub settle: u32,
}

impl Phases {
    /// Blocks of an epoch.
    #[must_use]
    pub fn total(&self) -> u32 {
        [self.train, self.commit, self.audit, self.merge, self.settle]
            .into_iter()
            .fold(0, u32::saturating_add)
    }
}

/// The outer optimizer, Nesterov SGD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outer {
    /// Learning rate, in thousandths.
    pub lr_milli: u32,
    /// Momentum, in thousandths.
    pub momentum_milli: u32,
}

/// Compression of pseudo-gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeltaRules {
    /// Elements that share an exponent.
    pub block: u32,
    /// Greatest root mean square of one contribution, in millionths.
    pub max_rms_micro: u32,
}

/// How work is audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRules {
    /// Windows that each validator repeats per miner and epoch.
    pub windows: u32,
    /// Up to this many miners every validator audits everybody; beyond, a seeded sample.
    pub audit_all_up_to: u32,
    /// Least cosine between recomputed and committed values, in millionths.
    pub min_cosine_ppm: u32,
    /// Greatest difference of their norms, in millionths.
    pub max_norm_error_ppm: u32,
}

/// How CLASP's estimates become credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaspRules {
    /// Least effect that is flagged, in thousandths of the mean loss.
    pub min_effect_milli: u32,
}

/// How work becomes scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreRules {
    /// Decay per epoch, in thousandths.
    pub gamma_milli: u32,
    /// Epochs that count; a failed audit costs all of them.
    pub window_epochs: u32,
}

/// A miner that the owner has put on a stage.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The miner's public key, as hex.
    #[serde(with = "hex32")]
    pub hotkey: Hotkey,
    /// Its stage, 0 = head.
    pub stage: u16,
}

/// A run, as the owner publishes it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Protocol version; [`PROTOCOL_VERSION`].
    pub version: u32,
    /// Name of the run, for people.
    pub name: String,
    /// Genesis hash of the chain, as hex.
    #[serde(with = "hex32")]
    pub genesis: Hash,
    /// The subnet.
    pub netuid: u16,
    /// First block of epoch 0.
    pub start_block: u32,
    /// Blocks before the end of Train at which heads stop drawing.
    pub draw_guard: u32,
    /// Blocks before an epoch by which its members must be committed.
    pub member_quorum: u32,
    /// Seconds after the last Commit block before which no audit randomness counts.
    pub seed_margin_s: u32,
    /// Pipeline stages.
    pub stages: u16,
    /// Sequences per microbatch.
    pub batch: u32,
    /// Microbatches per optimizer step.
    pub inner_microbatches: u32,
    /// Optimizer steps between two snapshots.
    pub snapshot_every: u32,
    /// Microbatches that one head keeps in flight.
    pub max_in_flight: u32,
    /// Microbatches that one head draws per epoch at most. It bounds how far replicas of a stage
    /// drift apart before they merge, whatever their speed (the `H` of DiLoCo, arXiv 2311.08105).
    pub max_draws: u32,
    /// Time for one hop's answer before another replica is tried, in milliseconds.
    pub hop_timeout_ms: u32,
    /// Least stake of a validator that decides, in rao.
    pub min_validator_stake: u64,
    /// Hash of the dataset manifest, as hex.
    #[serde(with = "hex32")]
    pub dataset: Hash,
    /// Seed of the initial parameters, as hex.
    #[serde(with = "hex32")]
    pub init_seed: Hash,
    /// Blocks of each phase.
    pub phases: Phases,
    /// The model.
    pub model: Model,
    /// Stage cuts.
    pub cut: Cut,
    /// Inner optimizer; its moments start at zero in every epoch.
    pub adam: Adam,
    /// Outer optimizer.
    pub outer: Outer,
    /// Pseudo-gradients.
    pub delta: DeltaRules,
    /// Audits.
    pub audit: AuditRules,
    /// CLASP.
    pub clasp: ClaspRules,
    /// Scores.
    pub scores: ScoreRules,
    /// Miners with a fixed stage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Pin>,
}

/// Heads whose microbatches a replica behind them can hold at a time.
const HEADS_IN_FLIGHT: u32 = 4;

impl Manifest {
    /// Microbatches that a replica of a stage keeps in flight at most, each with its activations. A stage
    /// that holds as many starts no more until gradients come back, for which later stages need nothing
    /// of it: waiting cannot deadlock.
    #[must_use]
    pub fn flights(&self, stage: u16) -> usize {
        let flights = match stage {
            0 => self.max_in_flight,
            // A tail answers at once.
            stage if stage + 1 == self.stages => 1,
            _ => self.max_in_flight.saturating_mul(HEADS_IN_FLIGHT),
        };
        flights as usize
    }

    /// BLAKE2b-256 of the canonical encoding: what the owner commits on chain.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Blake2b::<U32>::digest(self.encode()).into()
    }

    /// Reads and validates a TOML manifest.
    ///
    /// # Errors
    /// [`ManifestError`] with the line that does not parse or the rule that is broken.
    pub fn from_toml(text: &str) -> Result<Self, ManifestError> {
        if text.len() > MAX_TOML_BYTES {
            return Err(ManifestError::TooLong { bytes: text.len(), limit: MAX_TOML_BYTES });
        }
        let manifest: Self = toml::from_str(text)?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// The manifest as TOML.
    ///
    /// # Errors
    /// [`ManifestError`] for a manifest that breaks a rule.
    pub fn to_toml(&self) -> Result<String, ManifestError> {
        self.validate()?;
        toml::to_string_pretty(self).map_err(ManifestError::Write)
    }

    /// The stage on which a miner is pinned.
    #[must_use]
    pub fn pinned(&self, hotkey: &Hotkey) -> Option<u16> {
        self.pins.iter().find(|pin| pin.hotkey == *hotkey).map(|pin| pin.stage)
    }
}
