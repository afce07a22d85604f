//! `iota eval`, `iota generate` and `iota export`.

use std::io::{Write, stdout};
use std::path::Path;
use std::time::Instant;

use iota_trainer::{Dataset, Sampling, Tokenizer, Whole, needs_code, to_hugging_face};
use serde_json::json;

use crate::cli::{EvalArgs, ExportArgs, GenerateArgs};
use crate::error::{Context, Error, Result};
use crate::printer::Printer;
use crate::progress::Progress;
use crate::{preset, text};

/// Measures a model on a text.
pub(super) fn eval(args: &EvalArgs) -> Result<()> {
    let (model, tokenizer) = read(&args.checkpoint, args.tokenizer.as_deref())?;
    let context = model.config().model.context;
    let mut bytes = None;
    let sequences: Vec<Vec<u32>> = match &args.data {
        Some(path) => {
            let text = Dataset::text(path)
                .or_argument("cannot use the text")
                .map_err(|error| error.hint("check `--data`"))?;
            let tokens = tokenizer.encode_open(&text).or_argument("cannot use the text")?;
            // All but the first token are targets.
            let first = tokens.get(..1).map_or(0, |first| tokenizer.decode(first).len());
            bytes = Some(text.len().saturating_sub(first));
            // Each sequence begins with the last target of the one before it.
            let starts = (0..tokens.len().saturating_sub(1)).step_by(context as usize);
            let end = |start: usize| tokens.len().min(start + context as usize + 1);
            starts.map(|start| tokens[start..end(start)].to_vec()).collect()
        }
        None if tokenizer.name() != text::BYTES => {
            return Err(Error::argument("the text inside this program is bytes")
                .hint("with `--tokenizer`, pass `--data`, too"));
        }
        None => {
            let dataset = Dataset::embedded(context).or_argument("cannot use the text")?;
            dataset.held_out().or_user("cannot use the text")?
        }
    };
    let (start, mut progress) = (Instant::now(), Progress::new());
    let (mut sum, mut count) = (0.0, 0usize);
    for (index, sequence) in sequences.iter().enumerate() {
        let (inputs, targets) = (&sequence[..sequence.len() - 1], &sequence[1..]);
        let losses = model.losses(inputs, targets).or_user("cannot measure the model")?;
        sum += losses.iter().map(|loss| f64::from(*loss)).sum::<f64>();
        count += losses.len();
        progress.tell(|| format!("{} of {} sequences", index + 1, sequences.len()));
    }
    drop(progress);
    if count == 0 {
        return Err(Error::argument("the text has fewer than two tokens").hint("check `--data`"));
    }
    let loss = sum / count as f64;
    let bytes = bytes.unwrap_or(count).max(1);
    let (bits, perplexity) = (sum / std::f64::consts::LN_2 / bytes as f64, loss.exp());
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
    Ok(Printer::Text.line(text)?)
}

/// Samples from a model.
pub(super) fn generate(args: &GenerateArgs) -> Result<()> {
    let valid = args.temperature >= 0.0 && args.top_p > 0.0 && args.top_p <= 1.0;
    if !valid || !args.temperature.is_finite() {
        return Err(Error::argument("a draw that cannot be made")
            .hint("`--temperature` is 0 or more, `--top-p` above 0 and at most 1"));
    }
    let (model, tokenizer) = read(&args.checkpoint, args.tokenizer.as_deref())?;
    let prompt = tokenizer.encode_open(args.prompt.as_bytes());
    let prompt = prompt.or_argument("cannot go on from the prompt")?;
    let sampling = Sampling {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        seed: args.seed,
    };
    let mut out = stdout();
    let mut written = out.write_all(args.prompt.as_bytes());
    let mut text =
        Shown { tokenizer: &tokenizer, next: prompt.len(), tokens: prompt.clone(), first: 0 };
    let end = tokenizer.end();
    let take = |token: u32| {
        // A document is over.
        if end == Some(token) {
            return false;
        }
        let more = text.push(token);
        written = out.write_all(more.as_bytes()).and_then(|()| out.flush());
        written.is_ok()
    };
    let made = model.generate(&prompt, args.tokens, &sampling, take);
    made.or_argument("cannot go on from the prompt")?;
    written?;
    Ok(writeln!(out, "{}", text.take())?)
}

/// Text from tokens that come one by one.
#[derive(Debug)]
struct Shown<'a> {
    tokenizer: &'a Tokenizer,
    tokens: Vec<u32>,
    /// Tokens before this are shown, and not looked at any more.
    first: usize,
    /// Tokens before this are shown.
    next: usize,
}

/// A character takes fewer tokens: what stays unfinished for as many is none.
const LONGEST: usize = 8;

impl Shown<'_> {
    /// What a token completes; what cannot become a character any more shows as U+FFFD.
    fn push(&mut self, token: u32) -> String {
        self.tokens.push(token);
        let text = self.text(self.tokens.len());
        let is_open = text.ends_with(char::REPLACEMENT_CHARACTER);
        if is_open && self.tokens.len() - self.next < LONGEST {
            return String::new();
        }
        self.take()
    }

    /// What was not shown yet.
    fn take(&mut self) -> String {
        // Some tokenizers write a token otherwise after others, so those before are decoded with it.
        let shown = self.text(self.next).len();
        let more = self.text(self.tokens.len()).get(shown..).unwrap_or_default().to_owned();
        (self.first, self.next) = (self.next, self.tokens.len());
        more
    }

    fn text(&self, end: usize) -> String {
        let bytes = self.tokenizer.decode(&self.tokens[self.first..end]);
        String::from_utf8_lossy(&bytes).into_owned()
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
    if args.tokenizer.is_some() {
        fits(&model, &text::tokenizer(args.tokenizer.as_deref())?)?;
    }
    let file = args.tokenizer.as_deref().filter(|file| *file != Path::new(text::BYTES));
    to_hugging_face(model.checkpoints(), file, &args.hf).or_user("cannot write the model")?;
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

/// A model in a folder, and the tokenizer of its run.
fn read(folder: &Path, tokenizer: Option<&Path>) -> Result<(Whole, Tokenizer)> {
    let model = load(folder)?;
    let known = model.config().model.vocab;
    if tokenizer.is_none() && known > Tokenizer::bytes().vocab() + preset::VOCAB_STEP {
        return Err(Error::argument(format!("the model knows {known} tokens, more than bytes"))
            .hint("pass the run's `--tokenizer`, or `--tokenizer bytes` if it had none"));
    }
    let tokenizer = text::tokenizer(tokenizer)?;
    fits(&model, &tokenizer)?;
    Ok((model, tokenizer))
}

/// Checks that a model knows what a tokenizer makes.
fn fits(model: &Whole, tokenizer: &Tokenizer) -> Result<()> {
    let (known, made) = (model.config().model.vocab, tokenizer.vocab());
    if known < made {
        let text = format!("the model knows {known} tokens, the tokenizer makes {made}");
        return Err(Error::argument(text).hint("pass the run's own `--tokenizer`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_shown_when_they_are_whole_and_what_is_none_as_a_mark() {
        let show = |bytes: &[u8]| {
            let tokenizer = Tokenizer::bytes();
            let mut shown = Shown { tokenizer: &tokenizer, tokens: Vec::new(), first: 0, next: 0 };
            let mut parts: Vec<String> =
                bytes.iter().map(|byte| shown.push(u32::from(*byte))).collect();
            parts.push(shown.take());
            parts
        };
        assert_eq!(show("a\u{20ac}b".as_bytes()), ["a", "", "", "\u{20ac}", "b", ""]);
        assert_eq!(show(b"\xff\xe2\x82x\xe2").concat(), "\u{fffd}\u{fffd}x\u{fffd}");
        let long = show(&[0xff; 20]);
        assert_eq!(long.concat(), "\u{fffd}".repeat(20));
        assert!(long[LONGEST - 1].len() > 9, "shown before the end: {long:?}");
    }
}
