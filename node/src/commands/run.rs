//! `iota run`: what the owner of a subnet does once.

use iota_chain::{Call, Field};

use crate::cli::{RunCommand, RunInitArgs, RunStartArgs};
use crate::error::{Context, Error, Result};
use crate::preset::{self, Choice};
use crate::printer::Printer;
use crate::protocol::commitment::Commitment;
use crate::settings::Surroundings;
use crate::{outfit, text};

/// Runs the verb.
pub(super) async fn run(command: RunCommand) -> Result<()> {
    match command {
        RunCommand::Init(args) => init(&args).await,
        RunCommand::Start(args) => start(&args).await,
    }
}

/// Writes a manifest of the preset.
async fn init(args: &RunInitArgs) -> Result<()> {
    let shown = args.file.display();
    if args.file.exists() {
        return Err(Error::argument(format!("{shown} exists already"))
            .hint("name another file, or remove this one"));
    }
    let client = outfit::reach(&args.chain).await?;
    let choice = Choice {
        name: "run".into(),
        genesis: client.genesis_hash(),
        netuid: args.chain.netuid,
        start_block: args.start_block,
        stages: args.stages.unwrap_or_else(|| args.preset.stages()),
        seed: rand::random(),
        pins: Vec::new(),
    };
    let mut manifest = preset::manifest(args.preset, choice);
    let data = text::open(args.data.as_deref(), manifest.model.context)?;
    preset::fit(&mut manifest, data.manifest());
    outfit::check_size(&manifest)?;
    let toml = manifest.to_toml().or_argument("cannot make a manifest of these values")?;
    std::fs::write(&args.file, toml).or_argument(format!("cannot write {shown}"))?;
    Printer::Text.line(format!("wrote {shown}; change it, then run `iota run start {shown}`"))?;
    Ok(())
}

/// Commits the manifest's hash.
async fn start(args: &RunStartArgs) -> Result<()> {
    let around = Surroundings::of_process();
    let hotkey = outfit::hotkey(&around.wallet(&args.wallet)?)?;
    let manifest = outfit::runnable(&args.file)?;
    let client = outfit::reach(&args.chain).await?;
    if client.genesis_hash() != manifest.genesis || manifest.netuid != args.chain.netuid {
        return Err(Error::argument("the manifest is for another chain or subnet")
            .hint("check `--chain` and `--netuid`"));
    }
    let fields = Commitment::of_manifest(manifest.hash()).fields();
    let fields = fields.into_iter().map(|field| field.map_or(Field::None, Field::Bytes)).collect();
    let call = Call::SetCommitment { netuid: manifest.netuid, fields };
    let included = client.submit(&hotkey, &call).await.or_user("cannot commit the manifest")?;
    Printer::Text.line(format!(
        "the manifest {} stands on chain since block {}; epoch 0 starts at block {}",
        hex::encode(manifest.hash()),
        included.number,
        manifest.start_block
    ))?;
    Ok(())
}
