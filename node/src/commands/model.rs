//! `iota eval`, `iota generate` and `iota export`.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::Path;
use std::time::Instant;

use iota_trainer::{Dataset, Sampling, Whole, needs_code, to_hugging_face};
use serde_json::json;

use crate::cli::{EvalArgs, ExportArgs, GenerateArgs};
use crate::error::{Context, Error, Result};
use crate::printer::Printer;

/// Token ids of bytes.
const BYTES: u32 = 256;

/// Measures a model on a text.
pub(super) fn eval(args: &EvalArgs) -> Result<()> {
    let model = read(&args.checkpoint)?;
    let context = model.config().model.context;
    let sequences: Vec<Vec<u32>> = match &args.data {
        Some(path) => {
            let text = Dataset::text(path)
                .or_argument("cannot use the text")
                .map_err(|error| error.hint("check `--data`"))?;
            let tokens: Vec<u32> = text.into_iter().map(u32::from).collect();
            // Each sequence begins with the last target of the one before it.
            let starts = (0..tokens.len().saturating_sub(1)).step_by(context as usize);
            let end = |start: usize| tokens.len().min(start + context as usize + 1);
            starts.map(|start| tokens[start..end(start)].to_vec()).collect()
        }
        None => {
            let dataset = Dataset::embedded(context).or_argument("cannot use the text")?;
            dataset.held_out().collect()
        }
    };
    let (start, shows) = (Instant::now(), stderr().is_terminal());
    let (mut sum, mut count) = (0.0, 0usize);
    for (index, sequence) in sequences.iter().enumerate() {
        let (inputs, targets) = (&sequence[..sequence.len() - 1], &sequence[1..]);
        let losses = model.losses(inputs, targets).or_user("cannot measure the model")?;
        sum += losses.iter().map(|loss| f64::from(*loss)).sum::<f64>();
        count += losses.len();
        if shows && start.elapsed().as_secs() > 0 {
            // A closed stderr is no error.
            let _ = write!(stderr(), "\r{} of {} sequences", index + 1, sequences.len());
        }
    }
    if count == 0 {
        return Err(Error::argument("the text has fewer than two tokens").hint("check `--data`"));
    }
    let loss = sum / count as f64;
    // Tokens are bytes, so bits per token are bits per byte.
    let (bits, perplexity) = (loss / std::f64::consts::LN_2, loss.exp());
    let text = if args.json {
        let values = json!({"loss": loss, "bits_per_byte": bits, "perplexity": perplexity,
            "tokens": count, "seconds": start.elapsed().as_secs_f64()});
        values.to_string()
    } else {
        format!(
            "loss        {loss:.4} nats per token\nbits        {bits:.4} per byte\n\
             perplexity  {perplexity:.3} per token\ntokens      {count}"
        )
    };
    if shows && start.elapsed().as_secs() > 0 {
        let _ = writeln!(stderr());
    }
    Ok(Printer::Text.line(text)?)
}

/// Samples from a model.
pub(super) fn generate(args: &GenerateArgs) -> Result<()> {
    let valid = args.temperature >= 0.0 && args.top_p > 0.0 && args.top_p <= 1.0;
    if !valid || !args.temperature.is_finite() {
        return Err(Error::argument("a draw that cannot be made")
            .hint("`--temperature` is 0 or more, `--top-p` above 0 and at most 1"));
    }
    let model = read(&args.checkpoint)?;
    let prompt: Vec<u32> = args.prompt.bytes().map(u32::from).collect();
    let sampling = Sampling {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        seed: args.seed,
    };
    let mut out = stdout();
    let mut written = out.write_all(args.prompt.as_bytes());
    let mut text = Characters::default();
    let take = |token: u32| {
        let more = text.push(token as u8);
        written = out.write_all(more.as_bytes()).and_then(|()| out.flush());
        written.is_ok()
    };
    let made = model.generate(&prompt, args.tokens, &sampling, take);
    made.or_argument("cannot go on from the prompt")?;
    written?;
    Ok(writeln!(out, "{}", String::from_utf8_lossy(&text.waiting))?)
}

/// Characters from bytes that come one by one.
#[derive(Debug, Default)]
struct Characters {
    /// The beginning of one.
    waiting: Vec<u8>,
}

impl Characters {
    /// What a byte completes; what cannot become a character any more shows as U+FFFD.
    fn push(&mut self, byte: u8) -> String {
        self.waiting.push(byte);
        let mut made = String::new();
        while !self.waiting.is_empty() {
            match std::str::from_utf8(&self.waiting) {
                Ok(text) => {
                    made.push_str(text);
                    self.waiting.clear();
                }
                Err(error) => match error.error_len() {
                    Some(bad) => {
                        made.push(char::REPLACEMENT_CHARACTER);
                        self.waiting.drain(..bad);
                    }
                    None => break,
                },
            }
        }
        made
    }
}

/// Writes a model for other programs.
pub(super) fn export(args: &ExportArgs) -> Result<()> {
    let is_free = std::fs::read_dir(&args.hf).map_or(true, |mut files| files.next().is_none());
    if !is_free {
        return Err(Error::argument(format!("{} is not empty", args.hf.display()))
            .hint("pass a new folder with `--hf`"));
    }
    let model = load(&args.checkpoint)?;
    to_hugging_face(model.checkpoints(), &args.hf).or_user("cannot write the model")?;
    let how = if needs_code(model.config()) { ", trust_remote_code=True" } else { "" };
    let folder = args.hf.display();
    let text = format!(
        "{folder} is written; in Python:\n  \
         AutoModelForCausalLM.from_pretrained(\"{folder}\"{how})"
    );
    Ok(Printer::Text.line(text)?)
}

/// A model in a folder.
fn load(folder: &Path) -> Result<Whole> {
    Whole::read(folder).or_argument("cannot use the checkpoint").map_err(|error| {
        error.hint("pass a folder with `stage-0.safetensors` and so on, as a validator writes them")
    })
}

/// A model in a folder, of which tokens are bytes: those of every run so far.
fn read(folder: &Path) -> Result<Whole> {
    let model = load(folder)?;
    if model.config().model.vocab < BYTES {
        return Err(Error::argument(format!("the model knows fewer tokens than {BYTES} bytes")));
    }
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_shown_when_they_are_whole_and_what_is_none_as_a_mark() {
        let show = |bytes: &[u8]| {
            let mut characters = Characters::default();
            let parts: Vec<String> = bytes.iter().map(|byte| characters.push(*byte)).collect();
            (parts, characters.waiting)
        };
        let (parts, waiting) = show("a\u{20ac}".as_bytes());
        assert_eq!((parts, waiting), (["a", "", "", "\u{20ac}"].map(String::from).into(), vec![]));
        let (parts, waiting) = show(b"\xff\xe2\x82x\xe2");
        assert_eq!(parts.concat(), "\u{fffd}\u{fffd}x");
        assert_eq!(waiting, b"\xe2");
    }
}
