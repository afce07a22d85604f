//! The process around a role: chain, peers and disk on one side, the state machine on the other.
//!
//! ```text
//! chain -> blocks --+                          +--> commitments, weights -> chain
//! peers -> events --+--> machine (own thread) -+--> requests, blobs, gossip -> peers
//!                                              +--> reports -> stdout
//! ```
//!
//! The machine's thread does nothing but compute. All queues are bounded, and a full one slows down
//! whoever fills it. Nothing here decides anything about the protocol.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use iota_chain::{Call, Client, Keypair};
use iota_p2p::Handle;
use iota_trainer::{Dataset, Device, Reference};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::error::{Context, Error, Result};
use crate::printer::Printer;
use crate::protocol::commitment::Commitment;
use crate::protocol::manifest::Manifest;
use crate::protocol::members::Role;
use crate::protocol::scores::Scores;
use crate::report::Report;
use crate::roles::machine::Machine;
use crate::roles::miner::{Kind, Miner};
use crate::roles::run::Run;
use crate::roles::validator::Validator;
use crate::roles::{Event, Signer};
use crate::settings::{HostileKind, RoleSettings};
use crate::{outfit, text};

mod authority;
mod checkpoints;
mod drive;
mod effects;
mod feed;
mod sender;

use authority::Keys;
use checkpoints::Checkpoints;
use effects::{Effects, State};

/// Events that wait for the machine.
const EVENTS: usize = 4096;
/// Batches of effects that wait to be carried out.
const EFFECTS: usize = 1024;
/// The version that `serve_axon` publishes.
pub(crate) const AXON_VERSION: u32 = 1;

/// Runs a miner or a validator until it is stopped.
///
/// # Errors
/// What the user gave is unusable (exit code 2), or the world refuses (1).
pub async fn run(role: Role, settings: &RoleSettings, stop: CancellationToken) -> Result<()> {
    let printer = Printer::new(settings.json);
    let hotkey = outfit::hotkey(&settings.wallet)?;
    let manifest = outfit::runnable(&settings.manifest)?;
    let dataset = Arc::new(read_text(settings, &manifest)?);
    let client = outfit::connect(&settings.chain).await?;
    check_run(&client, settings, &manifest, &hotkey).await?;
    // Several roles share a machine; results do not depend on the number of threads.
    iota_trainer::use_threads(1);
    let state = State::open(&settings.state)?;
    let checkpoints = settings
        .checkpoints
        .clone()
        .map(Checkpoints::open)
        .transpose()
        .or_argument("cannot use the folder for checkpoints")
        .map_err(|error| error.hint("pass another `--checkpoints`"))?;
    let keys = Arc::new(Keys::new(hotkey.clone()));
    let text = Arc::clone(&dataset);
    let reference = tokio::task::spawn_blocking(move || Reference::new(&text));
    let reference = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        made = reference => made
            .or_user("the thread that reads the text ended unexpectedly")?
            .or_user("cannot have the text")?,
    };
    let reference = Arc::new(reference);
    let signer: Arc<dyn Signer> = Arc::clone(&keys) as _;
    let mut run = Run::new(manifest, dataset, reference, signer);
    run.keeps_checkpoints = settings.checkpoints.is_some();
    run.recompute = settings.recompute;
    let device;
    (run.device, device) = place(role, &run, settings.device)?;
    let run = Arc::new(run);
    let (peers, peer_events) = listen(settings, &client, &keys).await?;
    serve_axon(&client, settings, &hotkey, peers.port()).await?;
    let machine = machine(role, &run, settings, &peers, &state)?;
    printer.report(&Report::Ready {
        role: if role == Role::Miner { "miner" } else { "validator" }.into(),
        hotkey: hotkey.ss58(),
        peer_id: peers.peer_id().to_string(),
        port: peers.port(),
        device,
    })?;
    let (events, inbox) = mpsc::channel::<Event>(EVENTS);
    let (batches, outbox) = mpsc::channel(EFFECTS);
    let disk = (state, checkpoints);
    let effects = Effects::new(&run, &client, &hotkey, &peers, &events, printer, disk);
    let waiting = effects.replies();
    let mut tasks = tokio::task::JoinSet::new();
    let follow = feed::Blocks { client, run, keys, peers, chain_url: settings.chain.clone() };
    tasks.spawn(follow.run(events.clone()));
    tasks.spawn(feed::peers(peer_events, events, waiting));
    tasks.spawn(effects.run(outbox));
    let thread = tokio::task::spawn_blocking(move || drive::run(machine, inbox, batches));
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        ended = tasks.join_next() => match ended {
            Some(Ok(Err(error))) => Err(error),
            _ => Err(Error::user("a part of the node ended unexpectedly")),
        },
        ended = thread => match ended {
            Ok(result) => result,
            Err(_) => Err(Error::user("the role's thread ended unexpectedly")),
        },
    }
}

fn read_text(settings: &RoleSettings, manifest: &Manifest) -> Result<Dataset> {
    let dataset = text::open(settings.data.as_deref(), manifest.model.context)?;
    if dataset.manifest().hash() != manifest.dataset {
        return Err(Error::argument("the text is not the one that the manifest names")
            .hint("pass the run's text with `--data`"));
    }
    let (data, model) = (dataset.manifest(), &manifest.model);
    if data.context != model.context || data.vocab > model.vocab {
        let text = format!(
            "the text has sequences of {} tokens of {}, the model of {} of {}",
            data.context, data.vocab, model.context, model.vocab
        );
        return Err(Error::argument(text).hint("the run's owner made a wrong manifest"));
    }
    Ok(dataset)
}

/// Where the role computes, and what that is called. Validators repeat what others did on the CPU.
fn place(role: Role, run: &Run, wanted: Option<Device>) -> Result<(Device, String)> {
    let check = |device: Device| device.check(&run.stage_config(0));
    match (role, wanted) {
        (Role::Miner, Some(device)) => {
            let name = check(device).or_argument(format!("cannot train on `{device}`"));
            Ok((device, name.map_err(|error| error.hint("`--device cpu` always works"))?))
        }
        (Role::Miner, None) if Device::HAS_CUDA => match check(Device::Cuda(0)) {
            Ok(name) => Ok((Device::Cuda(0), name)),
            Err(why) => Ok((Device::Cpu, format!("cpu ({why})"))),
        },
        _ => Ok((Device::Cpu, Device::Cpu.to_string())),
    }
}

/// Checks that the manifest is for this chain and published by the subnet's owner, and that the
/// hotkey is registered.
async fn check_run(
    client: &Client,
    settings: &RoleSettings,
    manifest: &Manifest,
    hotkey: &Keypair,
) -> Result<()> {
    if manifest.genesis != client.genesis_hash() || manifest.netuid != settings.netuid {
        return Err(Error::argument("the manifest is for another chain or subnet")
            .hint("check `--chain`, `--netuid` and `--manifest`"));
    }
    let (_, hash) = client.finalized().await.or_user("cannot read the chain")?;
    let view = client.block_view(settings.netuid, hash).await.or_user("cannot read the chain")?;
    if !view.neurons.iter().any(|neuron| neuron.hotkey == hotkey.public()) {
        return Err(Error::argument(format!("hotkey {} is not registered", hotkey.ss58()))
            .hint(format!("run `iota register --netuid {}`", settings.netuid)));
    }
    let owner =
        client.subnet_owner_hotkey(settings.netuid).await.or_user("cannot read the chain")?;
    let published =
        view.commitments.iter().filter(|(who, _, _)| Some(*who) == owner).any(|(_, _, fields)| {
            Commitment::from_fields(fields).manifest == Some(manifest.hash())
        });
    if !published {
        return Err(Error::argument("the subnet's owner has not published this manifest")
            .hint("get the manifest of the run from the subnet's owner"));
    }
    Ok(())
}

async fn listen(
    settings: &RoleSettings,
    client: &Client,
    keys: &Arc<Keys>,
) -> Result<(Handle, mpsc::Receiver<iota_p2p::Event>)> {
    let config = iota_p2p::Config {
        ip: settings.listen.ip(),
        port: settings.listen.port(),
        node_key: keys.node_key(),
        network: iota_p2p::Network { genesis: client.genesis_hash(), netuid: settings.netuid },
    };
    let started = iota_p2p::spawn(config, Arc::clone(keys) as _).await;
    started
        .or_argument("cannot listen for peers")
        .map_err(|error| error.hint("pass another `--port`, or none for a free one"))
}

/// Publishes where this node listens. An unspecified address stands for the chain endpoint's host,
/// which is right where chain and nodes share a machine.
async fn serve_axon(
    client: &Client,
    settings: &RoleSettings,
    hotkey: &Keypair,
    port: u16,
) -> Result<()> {
    let ip = match settings.listen.ip() {
        IpAddr::V4(ip) if ip.is_loopback() => Ipv4Addr::UNSPECIFIED.into(),
        ip => ip,
    };
    let (netuid, at) = (settings.netuid, SocketAddr::new(ip, port));
    let call = Call::ServeAxon { netuid, version: AXON_VERSION, at };
    client.submit(hotkey, &call).await.or_user("cannot publish the address")?;
    Ok(())
}

fn machine(
    role: Role,
    run: &Arc<Run>,
    settings: &RoleSettings,
    peers: &Handle,
    state: &State,
) -> Result<Machine> {
    let peer_id = peers.peer_id().to_bytes();
    match role {
        Role::Miner => {
            let hostile = settings.hostile.map(|kind| match kind {
                HostileKind::GarbageActivations => Kind::GarbageActivations,
                HostileKind::ZeroGradients => Kind::ZeroGradients,
                HostileKind::Copies => Kind::Copies,
                HostileKind::FalseLoss => Kind::FalseLoss,
            });
            Ok(Machine::Miner(Box::new(Miner::new(Arc::clone(run), peer_id, hostile))))
        }
        Role::Validator => {
            let saved = state.load("scores").and_then(|bytes| Scores::from_bytes(&bytes).ok());
            let validator = Validator::new(Arc::clone(run), peer_id, saved);
            let validator = validator.or_argument("cannot build the manifest's model")?;
            Ok(Machine::Validator(Box::new(validator)))
        }
    }
}
