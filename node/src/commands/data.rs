//! `iota data` and `iota tokenizer`.

use std::path::PathBuf;

use iota_trainer::{
    Build, Dataset, DatasetManifest, Origin, Repository, Step, Tokenizer, train_tokenizer,
};
use serde_json::json;

use crate::cli::{DataArgs, DataBuildArgs, DataCommand, TokenizerCommand, TokenizerTrainArgs};
use crate::demo::view::{align, table};
use crate::error::{Context, Error, Result};
use crate::printer::Printer;
use crate::progress::Progress;
use crate::text;

/// How a dataset of the hub is written.
const HUB: &str = "hf://datasets/";

/// Runs the verb.
pub(super) fn run(command: DataCommand) -> Result<()> {
    match command {
        DataCommand::Build(args) => build(args),
        DataCommand::Fetch(args) => fetch(&args),
        DataCommand::Show(args) => show(dataset(&args)?.manifest(), args.json),
    }
}

/// Runs a verb of `iota tokenizer`.
pub(super) fn tokenizer(command: TokenizerCommand) -> Result<()> {
    match command {
        TokenizerCommand::Train(args) => train(&args),
    }
}

fn build(args: DataBuildArgs) -> Result<()> {
    let (origin, prefix) = source(&args.source)?;
    let to = match (&args.out, &origin) {
        (Some(out), _) => out.clone(),
        (None, Origin::Folder(folder)) => folder.clone(),
        (None, Origin::Hub(_)) => {
            return Err(Error::argument("a dataset of the hub needs a folder for its description")
                .hint("pass `--out`"));
        }
    };
    let tokenizer = text::tokenizer(args.tokenizer.as_deref())?;
    let most = args.shards.unwrap_or(usize::MAX);
    let build = Build { origin, prefix, most, tokenizer, context: args.context, field: args.field };
    let mut progress = Progress::new();
    let tell = |step: Step<'_>| progress.tell(|| describe(step));
    let made = build.run(&text::places(), &to, args.tokenizer.as_deref(), tell);
    drop(progress);
    let made = made.or_argument("cannot build the dataset")?;
    show(&made, args.json)?;
    if args.json {
        return Ok(());
    }
    Ok(Printer::Text
        .line(format!("pass `--data {}` to `iota run init` and to nodes", to.display()))?)
}

/// Where a dataset is, and which of its files are meant.
fn source(text: &str) -> Result<(Origin, String)> {
    let Some(rest) = text.strip_prefix(HUB) else {
        let folder = PathBuf::from(text);
        return match folder.is_dir() {
            true => Ok((Origin::Folder(folder), String::new())),
            false => Err(Error::argument(format!("`{text}` is no folder"))
                .hint(format!("pass a folder, or {HUB}OWNER/NAME[@REVISION][/FOLDER]"))),
        };
    };
    let bad = || {
        Error::argument(format!("`{text}` is no dataset of the hub"))
            .hint(format!("write {HUB}OWNER/NAME[@REVISION][/FOLDER]"))
    };
    let (owner, rest) = rest.split_once('/').ok_or_else(bad)?;
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, revision) = name.split_once('@').unwrap_or((name, "main"));
    if [owner, name, revision].contains(&"") {
        return Err(bad());
    }
    let repository = Repository { name: format!("{owner}/{name}"), revision: revision.to_owned() };
    Ok((Origin::Hub(repository), prefix.to_owned()))
}

fn dataset(args: &DataArgs) -> Result<Dataset> {
    let opened = Dataset::built(&args.dataset, &text::places());
    opened
        .or_argument("cannot use the dataset")
        .map_err(|error| error.hint("name what `iota data build` wrote"))
}

fn fetch(args: &DataArgs) -> Result<()> {
    let dataset = dataset(args)?;
    let mut progress = Progress::new();
    let fetched = dataset.fetch(|step| progress.tell(|| describe(step)));
    drop(progress);
    fetched.or_user("cannot fetch the dataset")?;
    show(dataset.manifest(), args.json)
}

fn show(manifest: &DatasetManifest, is_json: bool) -> Result<()> {
    let sequences: u64 = manifest.shards.iter().map(|shard| shard.sequences).sum();
    let train: u64 = manifest.train_sequences().iter().sum();
    let tokens = sequences * (u64::from(manifest.context) + 1);
    let hash = hex::encode(manifest.hash());
    if is_json {
        let values = json!({"hash": hash, "tokenizer": manifest.tokenizer, "vocab": manifest.vocab,
            "context": manifest.context, "train_sequences": train,
            "held_out_sequences": sequences - train, "tokens": tokens, "shards": manifest.shards});
        return Ok(Printer::Text.line(values.to_string())?);
    }
    let mut shards = table(&["shard", "bytes", "sequences"]);
    for shard in &manifest.shards {
        shards.add_row([&shard.name, &shard.bytes.to_string(), &shard.sequences.to_string()]);
    }
    align(&mut shards);
    for line in shards.lines() {
        Printer::Text.line(line.trim_end())?;
    }
    Ok(Printer::Text.line(format!(
        "hash       {hash}\ntokenizer  {}, {} tokens\ncontext    {}\ntokens     {tokens}, in {train} \
         sequences to train on and {} held out",
        manifest.tokenizer,
        manifest.vocab,
        manifest.context,
        sequences - train
    ))?)
}

fn train(args: &TokenizerTrainArgs) -> Result<()> {
    if args.out.exists() {
        let text = format!("{} exists already", args.out.display());
        return Err(Error::argument(text).hint("name another `--out`, or remove this one"));
    }
    let mut progress = Progress::new();
    let tell = |bytes| progress.tell(|| format!("{} MB read", bytes / 1_000_000));
    let trained = train_tokenizer(&args.source, &args.field, args.vocab, &args.out, tell);
    drop(progress);
    trained.or_argument("cannot learn from the text")?;
    let made = Tokenizer::read(&args.out).or_user("cannot read what was written")?;
    let text = format!("wrote {}: {} tokens", args.out.display(), made.vocab());
    Ok(Printer::Text.line(text)?)
}

/// A step, as people read it.
fn describe(step: Step<'_>) -> String {
    let mega = |bytes: u64| bytes / 1_000_000;
    match step {
        Step::Fetch { name, bytes, of } => {
            format!("{name}: {} of {} MB fetched", mega(bytes), mega(of))
        }
        Step::Tokenize { name, bytes } => format!("{name}: {} MB of text tokenized", mega(bytes)),
        Step::Done { name, sequences } => format!("{name}: {sequences} sequences"),
    }
}
