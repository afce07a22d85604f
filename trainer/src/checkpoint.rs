//! Stages on disk: one safetensors file each, written whole or not at all, and verified when read.
//!
//! A file holds the parameters by name and shape, in f32 as they are computed with (weights are input x
//! output); where training goes on, `adam.m` and `adam.v`, the moments, flat, too. Its metadata are the
//! stage's settings (`stage`, JSON), the steps taken (`step`), the version of this form (`format`), what
//! the caller adds, and the BLAKE3 of all of these and of names and values (`blake3`).

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::Path;

use bytemuck::cast_slice;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use crate::model::Model;
use crate::{Error, StageConfig};

/// The version of files of this form.
const FORMAT: &str = "2";
/// Greatest file that is read, in bytes.
const GREATEST: u64 = 1 << 36;

/// One stage, from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Its settings.
    pub config: StageConfig,
    /// Parameters, flat, in the order of the architecture.
    pub params: Vec<f32>,
    /// First and second moments, where they were kept.
    pub moments: Option<(Vec<f32>, Vec<f32>)>,
    /// Steps taken since the parameters were loaded.
    pub step: u32,
    /// What the writer added.
    pub notes: HashMap<String, String>,
}

impl Checkpoint {
    /// Writes the file: aside first, synced, then renamed, so that a crash leaves the old or the new one.
    ///
    /// # Errors
    /// [`Error::Input`] for as many values as the settings do not call for, [`Error::Write`] for what the
    /// system refuses.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let model = Model::new(&self.config);
        let lengths = [Some(&self.params), self.moments.as_ref().map(|moments| &moments.0)];
        let second = self.moments.as_ref().map(|moments| &moments.1);
        if lengths.into_iter().chain([second]).flatten().any(|part| part.len() != model.count()) {
            return Err(Error::Input(format!("not {} parameters or moments", model.count())));
        }
        let mut tensors: Vec<(String, Vec<usize>, &[f32])> = Vec::new();
        for (entry, part) in model.entries.iter().zip(model.parts(&self.params)) {
            tensors.push((entry.name.clone(), entry.shape.clone(), part));
        }
        if let Some((first, second)) = &self.moments {
            tensors.push(("adam.m".into(), vec![first.len()], first));
            tensors.push(("adam.v".into(), vec![second.len()], second));
        }
        let views = tensors.iter().map(|(name, shape, values)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), cast_slice(values));
            view.map(|view| (name.as_str(), view)).map_err(|error| Error::Input(error.to_string()))
        });
        let views = views.collect::<Result<Vec<_>, _>>()?;
        let mut notes = self.notes.clone();
        let config = serde_json::to_string(&self.config);
        notes.insert("stage".into(), config.map_err(|error| Error::Input(error.to_string()))?);
        notes.insert("step".into(), self.step.to_string());
        notes.insert("format".into(), FORMAT.into());
        notes.insert("blake3".into(), hash(&views, &notes));
        let bytes =
            serialize(views, Some(notes)).map_err(|error| Error::Input(error.to_string()))?;
        replace(path, &bytes)
    }

    /// Reads a file and checks all of it.
    ///
    /// # Errors
    /// [`Error::Read`] for what cannot be read, [`Error::Text`] for a file that is none of ours, damaged, or
    /// holds other tensors than its settings call for.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let bad = |problem: &str| Error::Text { path: path.to_owned(), problem: problem.into() };
        if fs::metadata(path).map_err(read)?.len() > GREATEST {
            return Err(bad("is too large for a stage"));
        }
        let bytes = fs::read(path).map_err(read)?;
        let broken = |error| bad(&format!("is no safetensors file: {error}"));
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(broken)?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(broken)?;
        let mut notes = header.metadata().clone().unwrap_or_default();
        let mut note = |name: &str| notes.remove(name).ok_or_else(|| bad("is no stage of ours"));
        if note("format")? != FORMAT {
            return Err(bad("is of another version of this program"));
        }
        let expected = note("blake3")?;
        notes.insert("format".into(), FORMAT.into());
        if hash(&tensors.iter().collect::<Vec<_>>(), &notes) != expected {
            return Err(bad("is damaged: it does not hash to what it says"));
        }
        let mut note = |name: &str| notes.remove(name).ok_or_else(|| bad("is no stage of ours"));
        let (config, step, _) = (note("stage")?, note("step")?, note("format")?);
        let config: StageConfig =
            serde_json::from_str(&config).map_err(|_| bad("has settings that are none"))?;
        config.validate()?;
        let model = Model::new(&config);
        if tensors.names().len() < model.entries.len() {
            return Err(bad("has fewer tensors than its settings call for"));
        }
        let values = |name: &str, shape: &[usize]| -> Result<Vec<f32>, Error> {
            let view = tensors.tensor(name).map_err(|_| bad(&format!("has no tensor {name}")))?;
            if view.dtype() != Dtype::F32 || view.shape() != shape {
                return Err(bad(&format!("has a tensor {name} that is not f32 {shape:?}")));
            }
            let bytes = view.data().as_chunks::<4>().0;
            Ok(bytes.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
        };
        let mut params = Vec::new();
        for entry in &model.entries {
            params.extend(values(&entry.name, &entry.shape)?);
        }
        let moments = match tensors.tensor("adam.m") {
            Ok(_) => Some((values("adam.m", &[params.len()])?, values("adam.v", &[params.len()])?)),
            Err(_) => None,
        };
        let step = step.parse().map_err(|_| bad("has a step that is no number"))?;
        Ok(Self { config, params, moments, step, notes })
    }
}

/// BLAKE3 of names and values, in the order of the names, and of notes.
fn hash<S: AsRef<str> + Ord>(
    tensors: &[(S, TensorView<'_>)],
    notes: &HashMap<String, String>,
) -> String {
    let mut sorted: Vec<_> = tensors.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let views = sorted.into_iter().map(|(name, view)| (name.as_ref(), view.data()));
    let notes: BTreeMap<&String, &String> = notes.iter().collect();
    let notes = notes.into_iter().map(|(name, text)| (name.as_str(), text.as_bytes()));
    let mut hasher = blake3::Hasher::new();
    for (name, data) in views.chain(notes) {
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
        hasher.update(&(data.len() as u64).to_le_bytes()).update(data);
    }
    hasher.finalize().to_hex().to_string()
}

/// Replaces a file, or leaves the old one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let write = || {
        let mut file = fs::File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write().map_err(|source| {
        // What was begun is of no use; that it cannot be removed says nothing more.
        let _ = fs::remove_file(&aside);
        Error::Write { path: path.to_owned(), source }
    })
}
