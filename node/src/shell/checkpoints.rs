//! The whole model on disk, a folder per epoch.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use iota_trainer::{Checkpoint, Error, StageConfig, Whole};

/// Epochs kept.
const KEPT: usize = 3;
/// What the folder of an epoch begins with.
const EPOCH: &str = "epoch-";
/// What it ends with until it is whole.
const ASIDE: &str = ".new";

/// Where checkpoints go.
#[derive(Debug)]
pub(super) struct Checkpoints {
    folder: PathBuf,
    /// One epoch is written at a time.
    busy: Mutex<()>,
}

impl Checkpoints {
    /// Makes the folder if it is missing, and removes what an interrupted run left half written.
    pub(super) fn open(folder: PathBuf) -> std::io::Result<Self> {
        fs::create_dir_all(&folder)?;
        for file in fs::read_dir(&folder)?.flatten() {
            let name = file.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(EPOCH) && name.ends_with(ASIDE) {
                fs::remove_dir_all(file.path())?;
            }
        }
        Ok(Self { folder, busy: Mutex::new(()) })
    }

    /// Writes an epoch's folder aside and renames it, then removes all but the last ones. False: an
    /// earlier epoch is still being written, and this one is left out.
    pub(super) fn write(
        &self,
        epoch: u32,
        stages: Vec<(StageConfig, Vec<f32>)>,
    ) -> Result<bool, Error> {
        let Ok(_one) = self.busy.try_lock() else { return Ok(false) };
        let name = format!("{EPOCH}{epoch}");
        let (aside, place) = (self.folder.join(format!("{name}{ASIDE}")), self.folder.join(name));
        let failed = |source| Error::Write { path: place.clone(), source };
        let written = || {
            fs::create_dir_all(&aside).map_err(failed)?;
            for (config, params) in stages {
                let path = Whole::file(&aside, config.stage);
                let notes = HashMap::from([("epoch".into(), epoch.to_string())]);
                Checkpoint { config, params, moments: None, step: 0, notes }.write(&path)?;
            }
            // The same epoch of an earlier run.
            if place.exists() {
                fs::remove_dir_all(&place).map_err(failed)?;
            }
            fs::rename(&aside, &place).map_err(failed)
        };
        written().inspect_err(|_| {
            // What was begun is of no use.
            let _ = fs::remove_dir_all(&aside);
        })?;
        let others = self.epochs().into_iter().filter(|other| *other != epoch).rev();
        for old in others.skip(KEPT - 1) {
            fs::remove_dir_all(self.folder.join(format!("{EPOCH}{old}"))).map_err(failed)?;
        }
        Ok(true)
    }

    /// Epochs in the folder, in order.
    fn epochs(&self) -> Vec<u32> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let epoch = |name: String| {
            let epoch = name.strip_prefix(EPOCH)?.parse::<u32>().ok()?;
            (name == format!("{EPOCH}{epoch}")).then_some(epoch)
        };
        let mut epochs: Vec<u32> =
            files.filter_map(|file| epoch(file.file_name().into_string().ok()?)).collect();
        epochs.sort_unstable();
        epochs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset::{Choice, small};
    use crate::roles::run::stage_config;

    #[test]
    fn the_last_epochs_are_kept_whole() {
        let manifest = small(Choice {
            name: "test".into(),
            genesis: [1; 32],
            netuid: 1,
            start_block: 64,
            stages: 2,
            seed: 7,
            pins: Vec::new(),
        });
        let configs = [stage_config(&manifest, 0), stage_config(&manifest, 1)];
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("deep/er");
        fs::create_dir_all(place.join("epoch-9.new")).unwrap();
        fs::create_dir_all(place.join("epoch-007")).unwrap();
        let checkpoints = Checkpoints::open(place).unwrap();
        for epoch in 8..13 {
            let stages = configs.map(|config| {
                let mut params = iota_trainer::Stage::new(&config).unwrap().params().to_vec();
                params[0] = epoch as f32;
                (config, params)
            });
            assert!(checkpoints.write(epoch, stages.to_vec()).unwrap());
        }
        assert_eq!(checkpoints.epochs(), [10, 11, 12]);
        let model = Whole::read(&folder.path().join("deep/er/epoch-12")).unwrap();
        assert!(model.checkpoints().iter().all(|stage| stage.params[0] == 12.0));
        assert_eq!(model.checkpoints()[1].notes["epoch"], "12");

        // A new run in the same folder counts from 0 again, and keeps what it writes.
        let stages = configs
            .map(|config| (config, iota_trainer::Stage::new(&config).unwrap().params().to_vec()));
        assert!(checkpoints.write(1, stages.to_vec()).unwrap());
        assert_eq!(checkpoints.epochs(), [1, 11, 12]);
    }
}
