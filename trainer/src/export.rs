//! A whole model as a folder that Python `transformers` loads.
//!
//! With open cuts that are not rounded it is a Llama. Else `modeling_iota.py` beside it puts the cuts between a
//! Llama's layers, and loading wants `trust_remote_code=True`.

use std::fs;
use std::path::Path;

use bytemuck::cast_slice;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Value, json};

use crate::checkpoint::replace;
use crate::model::Model;
use crate::{Checkpoint, Error, StageConfig, Tokenizer};

/// The cuts, in Python.
const CODE: &str = include_str!("export/modeling_iota.py");

/// Writes `config.json`, `model.safetensors`, the file `tokenizer`, or a tokenizer of bytes where there is none
/// and bytes are what tokens are, and the code of the cuts where there are any.
///
/// # Errors
/// [`Error::Input`] unless `stages` are all stages of one model, in order; [`Error::Read`] and
/// [`Error::Write`] for what the system refuses.
pub fn to_hugging_face(
    stages: &[Checkpoint],
    tokenizer: Option<&Path>,
    folder: &Path,
) -> Result<(), Error> {
    let config = whole(stages)?;
    fs::create_dir_all(folder)
        .map_err(|source| Error::Write { path: folder.to_owned(), source })?;
    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    for stage in stages {
        let model = Model::new(&stage.config);
        for (entry, values) in model.entries.iter().zip(model.parts(&stage.params)) {
            let name = name(&entry.name, &stage.config);
            match entry.shape[..] {
                // Ours are input x output, a linear layer's there output x input; tables are alike.
                [rows, columns] if !entry.name.contains("tokens") => {
                    let across =
                        (0..rows * columns).map(|at| values[at % rows * columns + at / rows]);
                    tensors.push((name, vec![columns, rows], across.collect()));
                }
                _ => tensors.push((name, entry.shape.clone(), values.to_vec())),
            }
        }
    }
    let views = tensors.iter().map(|(name, shape, values)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), cast_slice(values));
        view.map(|view| (name, view)).map_err(|error| Error::Input(error.to_string()))
    });
    let views = views.collect::<Result<Vec<_>, _>>()?;
    let notes = [("format".into(), "pt".into())].into();
    let bytes = serialize(views, Some(notes)).map_err(|error| Error::Input(error.to_string()))?;
    replace(&folder.join("model.safetensors"), &bytes)?;
    if needs_code(config) {
        replace(&folder.join("modeling_iota.py"), CODE.as_bytes())?;
    }
    let (spelled, end) = match tokenizer {
        Some(file) => (Some(as_trained(file)?), Tokenizer::read(file)?.end_token()),
        None => ((config.model.vocab == 256).then(of_bytes), None),
    };
    let mut settings = settings(stages, config);
    if let Some((_, id)) = &end {
        settings["eos_token_id"] = json!(id);
    }
    replace(&folder.join("config.json"), pretty(&settings).as_bytes())?;
    if let Some(spelled) = spelled {
        replace(&folder.join("tokenizer.json"), pretty(&spelled).as_bytes())?;
        let mut settings = json!({"tokenizer_class": "PreTrainedTokenizerFast",
            "clean_up_tokenization_spaces": false, "model_max_length": config.model.context});
        if let Some((text, _)) = &end {
            settings["eos_token"] = json!(text);
        }
        replace(&folder.join("tokenizer_config.json"), pretty(&settings).as_bytes())?;
    }
    Ok(())
}

/// Whether a model is no plain Llama.
#[must_use]
pub fn needs_code(config: &StageConfig) -> bool {
    config.squeezes() || config.cut.bits < 32
}

/// The settings that all stages share.
pub(crate) fn whole(stages: &[Checkpoint]) -> Result<&StageConfig, Error> {
    let first = stages.first().ok_or_else(|| Error::Input("a model has stages".into()))?;
    let belongs = |(index, stage): (usize, &Checkpoint)| {
        let mut config = stage.config;
        let is_next = usize::from(config.stage) == index;
        config.stage = 0;
        is_next && config == first.config && stage.params.len() == Model::new(&stage.config).count()
    };
    if stages.len() == usize::from(first.config.stages) && stages.iter().enumerate().all(belongs) {
        return Ok(&first.config);
    }
    Err(Error::Input("not all stages of one model, in order".into()))
}

/// A tensor's name in the folder. What lies behind a cut belongs to the layer there.
fn name(ours: &str, stage: &StageConfig) -> String {
    let cut = |layer: u32, part: &str| format!("model.layers.{layer}.cut.{part}.weight");
    match ours {
        "lm_head" => "lm_head.weight".into(),
        "encode_norm" => cut(stage.first_layer() + stage.layers(), "norm"),
        "encode" => cut(stage.first_layer() + stage.layers(), "encode"),
        "decode" => cut(stage.first_layer(), "decode"),
        "decode_tokens" => cut(stage.first_layer(), "tokens"),
        other => format!("model.{other}.weight"),
    }
}

fn settings(stages: &[Checkpoint], config: &StageConfig) -> Value {
    let model = &config.model;
    let mut settings = json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": model.vocab,
        "hidden_size": model.d_model,
        "intermediate_size": model.d_ffn,
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.kv_heads,
        "head_dim": model.d_model / model.heads,
        "max_position_embeddings": model.context,
        "rope_theta": f64::from(model.rope_theta),
        "rms_norm_eps": 1e-5,
        "hidden_act": "silu",
        "attention_bias": false,
        "mlp_bias": false,
        "tie_word_embeddings": false,
        "bos_token_id": null,
        "eos_token_id": null,
        "dtype": "float32",
    });
    if needs_code(config) {
        let layers: Vec<u32> = stages[1..].iter().map(|stage| stage.config.first_layer()).collect();
        settings["architectures"] = json!(["IotaForCausalLM"]);
        // A cache would not hold the tokens before the present one.
        settings["use_cache"] = json!(config.cut.token_span == 1 || config.cut.token_width == 0);
        settings["auto_map"] = json!({"AutoModelForCausalLM": "modeling_iota.IotaForCausalLM"});
        settings["iota_cuts"] = json!({
            "layers": layers,
            "width": config.cut.width,
            "bits": config.cut.bits,
            "residual": config.cut.residual,
            "token_width": config.cut.token_width,
            "token_span": config.cut.token_span,
        });
    }
    settings
}

/// A `tokenizer.json` that does what was done to train: nothing is cut off, filled up or added.
fn as_trained(file: &Path) -> Result<Value, Error> {
    let read = |source| Error::Read { path: file.to_owned(), source };
    let bytes = fs::read(file).map_err(read)?;
    let mut spelled: Value = serde_json::from_slice(&bytes).map_err(|error| {
        let problem = format!("is no tokenizer: {error}");
        Error::Text { path: file.to_owned(), problem }
    })?;
    for part in ["truncation", "padding", "post_processor"] {
        spelled[part] = Value::Null;
    }
    Ok(spelled)
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// A tokenizer of the `tokenizers` library whose tokens are bytes. It spells each byte as a printable
/// character: those that are ones themselves, the others by characters from 256 on.
fn of_bytes() -> Value {
    let is_printable = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let mut spare = 256;
    let mut vocab = serde_json::Map::new();
    for byte in 0..256 {
        let spelled = if is_printable(byte) {
            byte
        } else {
            spare += 1;
            spare - 1
        };
        vocab.insert(char::from_u32(spelled).unwrap_or_default().to_string(), byte.into());
    }
    let spelling = json!({"type": "ByteLevel", "add_prefix_space": false,
        "trim_offsets": false, "use_regex": false});
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": spelling,
        "post_processor": null,
        "decoder": spelling,
        "model": {"type": "BPE", "dropout": null, "unk_token": null,
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
            "byte_fallback": false, "ignore_merges": false, "vocab": vocab, "merges": []},
    })
}
