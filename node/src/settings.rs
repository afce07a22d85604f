//! From what was typed to what will be done: flags over environment over defaults, merged once.
//!
//! Everything here is pure but [`check_data`], which asks the disk whether a path can be read.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use iota_trainer::Device;

use crate::cli::{DemoArgs, RoleArgs, WalletFlags};
use crate::env;
use crate::error::{Context, Error, Result};

/// The networks that can be named instead of typing a URL, as in the SDK.
const NETWORKS: [(&str, &str); 4] = [
    ("local", "ws://127.0.0.1:9944"),
    ("finney", "wss://entrypoint-finney.opentensor.ai:443"),
    ("test", "wss://test.finney.opentensor.ai:443"),
    ("archive", "wss://archive.chain.opentensor.ai:443"),
];

/// Where btcli keeps wallets, below the home directory.
const WALLETS: &str = ".bittensor/wallets";

/// The most processes a demo starts: each takes memory for a stage and some file handles.
const MAX_DEMO_NODES: u16 = 64;

/// The URL of one endpoint.
fn endpoint(wanted: &str) -> Result<&str> {
    if wanted.starts_with("ws://") || wanted.starts_with("wss://") {
        return Ok(wanted);
    }
    let known = NETWORKS.iter().find(|(name, _)| *name == wanted);
    known.map(|(_, url)| *url).ok_or_else(|| {
        Error::argument(format!("`--chain {wanted}` is no websocket URL and no network"))
            .hint("pass `ws://HOST:PORT`, or one of `local`, `finney`, `test`, `archive`")
    })
}

/// A way to cheat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HostileKind {
    /// Sends noise to the next stage
    GarbageActivations,
    /// Sends zeros back, and learns nothing
    ZeroGradients,
    /// Computes once per epoch, and sends the same code and gradient from then on
    Copies,
    /// Claims a better loss than it had (a tail)
    FalseLoss,
}

impl HostileKind {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::GarbageActivations => "garbage-activations",
            Self::ZeroGradients => "zero-gradients",
            Self::Copies => "copies",
            Self::FalseLoss => "false-loss",
        }
    }
}

/// Where a wallet's files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletPlace {
    /// Folder of wallets.
    pub path: PathBuf,
    /// Name of the wallet.
    pub name: String,
    /// Name of the hotkey.
    pub hotkey: String,
}

/// A miner's or validator's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSettings {
    /// URL of the chain.
    pub chain: String,
    /// The subnet.
    pub netuid: u16,
    /// Who to act for.
    pub wallet: WalletPlace,
    /// The run's manifest.
    pub manifest: PathBuf,
    /// Text to train on; `None` is the embedded one.
    pub data: Option<PathBuf>,
    /// Where to listen for peers; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Folder for what must survive a restart.
    pub state: PathBuf,
    /// Folder for the whole model, written after each merge (validators).
    pub checkpoints: Option<PathBuf>,
    /// Whether activations are computed again instead of kept (miners).
    pub recompute: bool,
    /// Where to train (miners); none: the first GPU, if it will do.
    pub device: Option<Device>,
    /// How to cheat, if at all.
    pub hostile: Option<HostileKind>,
    /// Whether events are written as JSON.
    pub json: bool,
    /// Whether the end of stdin stops the process.
    pub stop_on_stdin_close: bool,
}

/// What resolving needs of the process's surroundings.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The home directory.
    pub home: Option<PathBuf>,
    /// The value of [`env::CHAIN_ENDPOINT`].
    pub chain_endpoint: Option<String>,
    /// The value of [`env::NETWORK`].
    pub network: Option<String>,
}

impl Surroundings {
    /// The process's own.
    pub fn of_process() -> Self {
        let text = |name| std::env::var(name).ok().filter(|text: &String| !text.is_empty());
        Self {
            home: std::env::home_dir(),
            chain_endpoint: text(env::CHAIN_ENDPOINT),
            network: text(env::NETWORK),
        }
    }

    fn home(&self) -> Result<&Path> {
        self.home.as_deref().ok_or_else(|| {
            Error::argument("there is no home directory")
                .hint("set `HOME`, or pass `--wallet.path` and `--state`")
        })
    }

    /// The URLs of the chain's endpoints, separated by commas as they were given.
    ///
    /// # Errors
    /// If what was given is neither a websocket URL nor a known name.
    pub fn chain_url(&self, chain: Option<&str>) -> Result<String> {
        let wanted =
            chain.or(self.chain_endpoint.as_deref()).or(self.network.as_deref()).unwrap_or("local");
        let urls: Result<Vec<&str>> = wanted.split(',').map(endpoint).collect();
        Ok(urls?.join(","))
    }

    /// Where the wallet's files are.
    ///
    /// # Errors
    /// If there is neither a path nor a home directory, or a name would leave the folder.
    pub fn wallet(&self, flags: &WalletFlags) -> Result<WalletPlace> {
        for name in [&flags.name, &flags.hotkey] {
            if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) {
                return Err(Error::argument(format!("`{name}` is no name for a wallet or hotkey"))
                    .hint("use a plain file name; `--wallet.path` names the folder"));
            }
        }
        Ok(WalletPlace {
            path: self.wallets(flags.path.as_deref())?,
            name: flags.name.clone(),
            hotkey: flags.hotkey.clone(),
        })
    }

    /// The folder of wallets.
    ///
    /// # Errors
    /// If there is neither a path nor a home directory.
    pub fn wallets(&self, path: Option<&Path>) -> Result<PathBuf> {
        match path {
            // The shell does not expand the tilde in a variable's value.
            Some(path) => match path.strip_prefix("~") {
                Ok(rest) => Ok(self.home()?.join(rest)),
                Err(_) => Ok(path.to_owned()),
            },
            None => Ok(self.home()?.join(WALLETS)),
        }
    }

    /// A role's settings.
    ///
    /// # Errors
    /// If one of the values is unusable.
    pub fn role(&self, args: &RoleArgs, hostile: Option<HostileKind>) -> Result<RoleSettings> {
        let wallet = self.wallet(&args.wallet)?;
        let netuid = args.chain.netuid;
        let state = match &args.state {
            Some(state) => state.clone(),
            None => {
                let place = self.home()?.join(".iota").join(netuid.to_string());
                place.join(&wallet.name).join(&wallet.hotkey)
            }
        };
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Ok(RoleSettings {
            chain: self.chain_url(args.chain.chain.as_deref())?,
            netuid,
            wallet,
            manifest: args.manifest.clone(),
            data: args.data.clone(),
            listen: args.listen.unwrap_or(SocketAddr::new(any, args.port.unwrap_or(0))),
            state,
            checkpoints: None,
            recompute: false,
            device: None,
            hostile,
            json: args.json,
            stop_on_stdin_close: args.stop_on_stdin_close,
        })
    }
}

/// The demo's settings, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoSettings {
    /// Number of miners.
    pub miners: u16,
    /// Number of stages.
    pub stages: u16,
    /// Number of validators.
    pub validators: u16,
    /// Number of epochs.
    pub epochs: u32,
    /// What keys, draws and beacons follow from.
    pub seed: u64,
    /// Which miners cheat, by index.
    pub hostile: Vec<u16>,
    /// How they cheat.
    pub hostile_kind: HostileKind,
    /// Text to train on; `None` is the embedded one.
    pub data: Option<PathBuf>,
    /// Folder to keep.
    pub keep: Option<PathBuf>,
    /// Milliseconds per block.
    pub block_time_ms: u64,
    /// Whether events are written as JSON.
    pub json: bool,
}

impl DemoSettings {
    /// Checks what was typed.
    ///
    /// # Errors
    /// If the numbers do not fit together.
    pub fn new(args: &DemoArgs) -> Result<Self> {
        let DemoArgs { miners, stages, validators, .. } = *args;
        if stages < 2 {
            return Err(Error::argument(format!("a pipeline of {stages} stages has no cut"))
                .hint("pass `--stages 2` or more"));
        }
        if stages > miners {
            return Err(Error::argument(format!(
                "{miners} miners cannot serve {stages} stages: each stage needs at least one"
            ))
            .hint(format!("pass `--miners {stages}` or more, or fewer `--stages`")));
        }
        if validators == 0 {
            return Err(Error::argument("without a validator nobody is paid")
                .hint("pass `--validators 1` or more"));
        }
        if miners.saturating_add(validators) > MAX_DEMO_NODES {
            return Err(Error::argument(format!(
                "{miners} miners and {validators} validators are more than {MAX_DEMO_NODES} nodes"
            ))
            .hint("pass fewer `--miners` or `--validators`"));
        }
        if args.epochs == 0 {
            return Err(Error::argument("a run of no epochs trains nothing")
                .hint("pass `--epochs 1` or more"));
        }
        if !(100..=60_000).contains(&args.block_time) {
            return Err(Error::argument(format!(
                "a block time of {} ms is out of range",
                args.block_time
            ))
            .hint("pass `--block-time` between 100 and 60000"));
        }
        Ok(Self {
            miners,
            stages,
            validators,
            epochs: args.epochs,
            seed: args.seed,
            hostile: hostile_miners(args)?,
            hostile_kind: args.hostile_kind,
            data: args.data.clone(),
            keep: args.keep.clone(),
            block_time_ms: args.block_time,
            json: args.json,
        })
    }

    /// The stage that a miner is pinned to.
    pub fn stage_of(&self, miner: u16) -> u16 {
        miner % self.stages
    }
}

/// Which miners cheat. Every stage keeps an honest one, and only a tail can lie about the loss.
///
/// Miner `i` serves stage `i % stages`, so the last miner of a stage has the highest index. The
/// cheats are taken from the back, the middle stages before head and tail.
fn hostile_miners(args: &DemoArgs) -> Result<Vec<u16>> {
    let DemoArgs { miners, stages, hostile, .. } = *args;
    let tail = stages - 1;
    let order: Vec<u16> = match args.hostile_kind {
        HostileKind::FalseLoss => vec![tail],
        _ => (1..tail).chain([tail, 0]).collect(),
    };
    let mut candidates = Vec::new();
    let most_replicas = miners.div_ceil(stages);
    for replica in (1..most_replicas).rev() {
        let of_replica = order.iter().map(|stage| replica * stages + stage);
        candidates.extend(of_replica.filter(|miner| *miner < miners));
    }
    if usize::from(hostile) > candidates.len() {
        let place = match args.hostile_kind {
            HostileKind::FalseLoss => "the last stage",
            _ => "every stage",
        };
        return Err(Error::argument(format!(
            "{hostile} hostile miners of {miners} leave no honest one in {place}"
        ))
        .hint(format!("pass `--hostile {}` or fewer, or more `--miners`", candidates.len())));
    }
    candidates.truncate(hostile.into());
    Ok(candidates)
}

/// Checks that `--data` names a file or folder that can be read.
///
/// # Errors
/// If it cannot.
pub fn check_data(path: Option<&Path>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let read = |path: &Path| -> std::io::Result<()> {
        if path.is_dir() {
            std::fs::read_dir(path).map(drop)
        } else {
            std::fs::File::open(path).map(drop)
        }
    };
    read(path).or_argument(format!("cannot read `--data {}`", path.display())).map_err(|error| {
        error.hint("name a text file, a folder of them, or what `iota data build` wrote")
    })
}

#[cfg(test)]
mod tests;
