//! What a command starts with: a connection, keys, a manifest. Each is read here, so that what is
//! wrong with it is said in one way, with what to do.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use iota_chain::wallet::{Password, Wallet, WalletError};
use iota_chain::{Client, ConnectError, Keypair};
use iota_trainer::StagePlan;

use crate::cli::ChainArgs;
use crate::error::{Context, Error, Result};
use crate::protocol::manifest::Manifest;
use crate::roles::run::stage_config;
use crate::settings::{Surroundings, WalletPlace};

/// Snapshots of an epoch that must fit into a node's store, beside what else is in it.
const SNAPSHOTS: u64 = 8;
/// How long a chain may take to answer.
const CONNECT: Duration = Duration::from_secs(20);

/// Connects to a chain by its endpoints, separated by commas: the first that answers.
///
/// # Errors
/// If none answers, or it is no chain that we can use.
pub async fn connect(urls: &str) -> Result<Client> {
    let urls: Vec<String> = urls.split(',').map(str::to_owned).collect();
    Client::connect_any(&urls, CONNECT).await.map_err(unreached)
}

/// Connects to the chain that was named, or that the environment names.
///
/// # Errors
/// As [`connect`]; also if the name is none.
pub async fn reach(chain: &ChainArgs) -> Result<Client> {
    connect(&Surroundings::of_process().chain_url(chain.chain.as_deref())?).await
}

/// A chain's metadata from the first endpoint, as `iota_metadata::parse` reads it.
///
/// # Errors
/// If it does not answer.
pub async fn metadata(urls: &str) -> Result<Vec<u8>> {
    let url = urls.split(',').next().unwrap_or(urls);
    iota_chain::metadata(url, CONNECT).await.map_err(unreached)
}

fn unreached(error: ConnectError) -> Error {
    let hint = match error {
        ConnectError::Incompatible { .. } => "pass the `--chain` of a Subtensor node",
        ConnectError::Syncing { .. } => "wait until it has caught up, or pass another `--chain`",
        _ => "check `--chain`, and that the node is running",
    };
    Error::argument(error).hint(hint)
}

/// Reads a hotkey.
///
/// # Errors
/// If its file is missing or unusable.
pub fn hotkey(place: &WalletPlace) -> Result<Keypair> {
    let wallet = Wallet::new(&place.path, &place.name);
    let path = wallet.hotkey_path(&place.hotkey);
    open(place, &path, |password| wallet.hotkey(&place.hotkey, password))
}

/// Reads a coldkey.
///
/// # Errors
/// If its file is missing or unusable.
pub fn coldkey(place: &WalletPlace) -> Result<Keypair> {
    let wallet = Wallet::new(&place.path, &place.name);
    open(place, &wallet.coldkey_path(), |password| wallet.coldkey(password))
}

/// Reads a key, with its password where it has one.
fn open(
    place: &WalletPlace,
    path: &Path,
    read: impl Fn(Option<&Password>) -> std::result::Result<Keypair, WalletError>,
) -> Result<Keypair> {
    let found = match read(None) {
        Err(WalletError::Encrypted { .. }) => read(password(path)?.as_ref()),
        other => other,
    };
    found.map_err(|error| unusable(error, place))
}

/// The password of a key file: from its environment variable, else typed; none where nobody can
/// type.
///
/// # Errors
/// If the variable holds none, or the terminal cannot be read.
pub fn password(path: &Path) -> Result<Option<Password>> {
    let variable = Password::variable(path);
    if let Ok(value) = std::env::var(&variable) {
        let password = Password::unveil(&variable, &value).ok_or_else(|| {
            Error::argument(format!("`{variable}` holds no password"))
                .hint("set it as the Bittensor wallet does, or unset it to be asked")
        });
        return password.map(Some);
    }
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let typed = rpassword::prompt_password(format!("password of {}: ", path.display()));
    let typed = typed.or_argument("cannot read the terminal")?;
    Ok(Some(typed.into()))
}

/// What to do about a wallet.
pub(crate) fn unusable(error: WalletError, place: &WalletPlace) -> Error {
    let WalletPlace { name, hotkey, .. } = place;
    let hint = match &error {
        WalletError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            format!(
                "make it with `iota wallet new --wallet.name {name} --wallet.hotkey {hotkey}`, or \
                 pass the `--wallet.path` where it is"
            )
        }
        WalletError::Io { .. } => "check the file's owner and mode".into(),
        WalletError::Corrupt { .. } => {
            "restore the file from a copy or its phrase, or pass another `--wallet.name`".into()
        }
        WalletError::Exists { .. } => {
            "keys are never overwritten; pass another `--wallet.hotkey`".into()
        }
        WalletError::Encrypted { path } => format!(
            "type its password at a terminal, or set `{}` as the Bittensor wallet does",
            Password::variable(path)
        ),
        _ => "try again; a password is not kept anywhere else".into(),
    };
    Error::argument(error).hint(hint)
}

/// Reads a manifest.
///
/// # Errors
/// If it is missing, no manifest, or breaks a rule.
pub fn manifest(path: &Path) -> Result<Manifest> {
    let shown = path.display();
    let hint = "pass the `--manifest` that the run's owner published";
    let text = std::fs::read_to_string(path)
        .or_argument(format!("cannot read the manifest {shown}"))
        .map_err(|error| error.hint(hint))?;
    Manifest::from_toml(&text)
        .or_argument(format!("cannot use the manifest {shown}"))
        .map_err(|error| error.hint(hint))
}

/// Reads the manifest of a run that this node can take part in.
///
/// # Errors
/// As [`manifest`], and for a run whose stages are too large for nodes.
pub fn runnable(path: &Path) -> Result<Manifest> {
    let manifest = manifest(path)?;
    check_size(&manifest)?;
    Ok(manifest)
}

/// Refuses a model whose snapshots of an epoch do not fit into what a node keeps for its peers.
///
/// # Errors
/// Naming the stage that is too large.
pub fn check_size(manifest: &Manifest) -> Result<()> {
    // Parameters and two moments, in the snapshot at the start and some after it.
    let most = iota_p2p::limits::MAX_STORE_BYTES as u64 / (12 * SNAPSHOTS);
    for stage in 0..manifest.stages {
        let params = StagePlan::of(&stage_config(manifest, stage), false).params;
        if params > most {
            return Err(Error::argument(format!(
                "stage {stage} has {params} parameters: its snapshots are more than a node keeps"
            ))
            .hint(format!("a stage may have {most}; `iota stage plan` shows what each has")));
        }
    }
    Ok(())
}
