//! What a stage holds, taken out of it and put back: parameters, snapshots, checkpoints.

use std::collections::HashMap;

use super::{Stage, next_era};
use crate::Error;
use crate::checkpoint::Checkpoint;

/// Greatest parameter, first and second moment that are loaded. A step moves a parameter by at most
/// 1e8 times the first moment (where the second is 0) over the bias correction's least, 1e-3, and moments
/// decay by a thousandth or more: all steps together stay below 1e35, so none makes a parameter infinite.
const GREATEST_LOADED: [f32; 3] = [1e30, 1e20, 1e37];
/// First bytes of a snapshot.
const SNAPSHOT_MAGIC: &[u8; 8] = b"iotasnp1";

impl Stage {
    /// Takes new parameters; moments, version and accumulation start anew.
    ///
    /// # Errors
    /// [`Error::Input`] for another number of parameters, [`Error::Diverged`] for a NaN.
    pub fn load_params(&mut self, params: &[f32]) -> Result<(), Error> {
        self.set(params, None, 0)
    }

    fn set(
        &mut self,
        params: &[f32],
        moments: Option<[&[f32]; 2]>,
        version: u32,
    ) -> Result<(), Error> {
        let [m, v] = moments.unwrap_or_default();
        let expected = self.param_count();
        let lengths = [params.len(), m.len(), v.len()];
        if lengths != [expected; 3] && (lengths[0] != expected || moments.is_some()) {
            let text = format!("{} parameters, expected {expected}", params.len());
            return Err(Error::Input(text));
        }
        for (part, greatest) in [params, m, v].into_iter().zip(GREATEST_LOADED) {
            // NaN is beyond any bound.
            if !part.iter().all(|value| value.abs() <= greatest) {
                return Err(Error::Diverged("a parameter"));
            }
        }
        if v.iter().any(|value| *value < 0.0) {
            return Err(Error::Input("a second moment is negative".into()));
        }
        self.engine.load(params, moments)?;
        self.version = version;
        self.rate = 1.0;
        self.versions.clear();
        self.accumulated = 0;
        self.era = next_era();
        Ok(())
    }

    /// Parameters, moments and version as canonical bytes. What is accumulated is not part of it.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let [m, v] = self.engine.moments();
        let mut bytes = Vec::with_capacity(16 + m.len() * 12);
        bytes.extend(SNAPSHOT_MAGIC);
        bytes.extend(self.version.to_le_bytes());
        bytes.extend((m.len() as u32).to_le_bytes());
        let values = self.params().iter().chain(&m).chain(&v);
        values.for_each(|value| bytes.extend(value.to_le_bytes()));
        bytes
    }

    /// Takes a snapshot's parameters, moments and version.
    ///
    /// # Errors
    /// [`Error::Input`] for bytes that are no snapshot of this stage.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let (step, values) = read_snapshot(bytes)?;
        let (params, moments) = values.split_at(values.len() / 3);
        let (m, v) = moments.split_at(moments.len() / 2);
        self.set(params, Some([m, v]), step)
    }

    /// The stage as it is, to be written. What is accumulated is not part of it.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let [m, v] = self.engine.moments();
        Checkpoint {
            config: self.config,
            params: self.params().to_vec(),
            moments: Some((m, v)),
            step: self.version,
            notes: HashMap::new(),
        }
    }

    /// Goes on from a checkpoint, bit for bit as though it had never stopped.
    ///
    /// # Errors
    /// [`Error::Input`] for a checkpoint of another stage or without moments.
    pub fn resume(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let Some((m, v)) = &checkpoint.moments else {
            return Err(Error::Input("the checkpoint has no moments: load its parameters".into()));
        };
        if checkpoint.config != self.config {
            return Err(Error::Input("the checkpoint is of a stage with other settings".into()));
        }
        self.set(&checkpoint.params, Some([m, v]), checkpoint.step)
    }
}

/// Step and values (parameters, then first, then second moments) of a snapshot.
fn read_snapshot(bytes: &[u8]) -> Result<(u32, Vec<f32>), Error> {
    let bad = || Error::Input("not a snapshot".into());
    let rest = bytes.strip_prefix(SNAPSHOT_MAGIC).ok_or_else(bad)?;
    let (step, rest) = rest.split_first_chunk::<4>().ok_or_else(bad)?;
    let (len, rest) = rest.split_first_chunk::<4>().ok_or_else(bad)?;
    let expected = (u32::from_le_bytes(*len) as usize).checked_mul(12).ok_or_else(bad)?;
    if rest.len() != expected {
        return Err(bad());
    }
    let values = rest.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Ok((u32::from_le_bytes(*step), values))
}

/// The parameters in a snapshot.
///
/// # Errors
/// [`Error::Input`] for bytes that are no snapshot.
pub fn snapshot_params(bytes: &[u8]) -> Result<Vec<f32>, Error> {
    let (_, mut values) = read_snapshot(bytes)?;
    values.truncate(values.len() / 3);
    Ok(values)
}
