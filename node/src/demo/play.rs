//! The course of a demo: chain, set-up, roles, run, end.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use iota_chain::{Client, to_ss58};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::demo::cast::{Cast, Member, Part};
use crate::demo::children::{Act, Children};
use crate::demo::pace::{self, DRAWING, Pace};
use crate::demo::scratch::Scratch;
use crate::demo::setup::{self, Setup};
use crate::demo::show::{DEMO, Show};
use crate::demo::summary::{self, Frame};
use crate::demo::tally::Tally;
use crate::demo::view::Course;
use crate::dev::Dev;
use crate::error::{Context, Error, Result};
use crate::preset;
use crate::printer::Printer;
use crate::protocol::manifest::Manifest;
use crate::report::{Incentive, Report};
use crate::settings::DemoSettings;
use crate::shutdown;

/// The name of the chain's process.
const LOCALNET: &str = "localnet";
/// How long the chain may take to answer.
const CHAIN_START: Duration = Duration::from_secs(30);
/// How long the roles may take to connect and prepare their data.
const ROLES_START: Duration = Duration::from_secs(120);
/// Without any report for this long, the run is given up.
const SILENCE: Duration = Duration::from_secs(120);
/// How often the view is redrawn.
const REDRAW: Duration = Duration::from_millis(200);
/// How often the metagraph is read.
const READ: Duration = Duration::from_secs(3);

/// Runs a demo to its end; no child process is left, however it ends.
///
/// # Errors
/// If the chain or all roles of a kind are lost, or the user interrupts.
pub async fn run(settings: DemoSettings) -> Result<()> {
    let stop = shutdown::token(false)?;
    let scratch = Scratch::new(settings.keep.as_deref())?;
    let cast = Cast::new(&settings);
    cast.write_wallets(&scratch.wallets()).or_argument("cannot write the wallets")?;
    let program = std::env::current_exe().or_user("cannot find this program's file")?;
    let mut children = Children::new(program, scratch.logs());
    let play = Play { settings: &settings, scratch: &scratch, cast: &cast };
    let outcome = tokio::select! {
        outcome = play.perform(&mut children) => outcome,
        () = stop.cancelled() => Err(Error::interrupted()),
    };
    children.stop().await;
    outcome
}

/// What stays the same over a demo.
struct Play<'a> {
    settings: &'a DemoSettings,
    scratch: &'a Scratch,
    cast: &'a Cast,
}

/// Where blocks come from while the run goes on, and how fast at most.
struct Blocks<'a> {
    dev: &'a Dev,
    every: Duration,
}

/// The roles that are alive.
struct Alive {
    miners: BTreeSet<String>,
    validators: BTreeSet<String>,
}

impl Play<'_> {
    async fn perform(&self, children: &mut Children) -> Result<()> {
        let printer = Printer::new(self.settings.json);
        let mut show = Show::new(printer, self.tally());
        let url = self.start_chain(children, &mut show).await?;
        let client = Client::connect(&url, CHAIN_START).await.or_user("cannot use the chain")?;
        let dev = Dev::connect(&url).await?;
        let manifest = self.set_up(&client, &dev, &mut show).await?;
        let DemoSettings { miners, validators, block_time_ms, .. } = *self.settings;
        let block_ms = pace::block_ms(&manifest, miners, validators, block_time_ms)?;
        if block_ms > block_time_ms {
            let step = format!("slowed the chain to a block each {block_ms} ms, for this machine");
            show.report(DEMO, &Report::Setup { step })?;
        }
        let mut alive = self.start_roles(children, &mut show, &url).await?;
        self.warp(&dev, &manifest, &mut show).await?;
        show.begin(self.course(&manifest));
        let blocks = Blocks { dev: &dev, every: Duration::from_millis(block_ms) };
        self.watch(children, &mut show, &client, blocks, &manifest, &mut alive).await?;
        show.report(DEMO, &incentives(self.read_metagraph(&client).await?))?;
        let frame = Frame {
            epochs: self.settings.epochs,
            start_block: manifest.start_block,
            compression: preset::compression(&manifest),
            now: show.elapsed(),
        };
        let summary = summary::summarise(&show.tally, frame);
        show.end(summary)
    }

    /// A tally that knows the miners' names.
    fn tally(&self) -> Tally {
        Tally::new(self.cast.members.iter().filter_map(|member| match member.part {
            Part::Miner { hostile, .. } => {
                Some((member.hotkey.pair.ss58(), member.name.clone(), hostile.is_some()))
            }
            Part::Validator => None,
        }))
    }

    /// How far the run goes: the last epoch's weights are paid at the first tempo after them.
    fn course(&self, manifest: &Manifest) -> Course {
        let length = manifest.phases.total();
        let end_block = manifest.start_block + (self.settings.epochs + 1) * length;
        Course { start_block: manifest.start_block, end_block, epochs: self.settings.epochs }
    }

    /// Starts the chain's process and waits until it answers; its URL.
    async fn start_chain(&self, children: &mut Children, show: &mut Show) -> Result<String> {
        let mut args: Vec<OsString> =
            ["localnet", "--instant", "--json", "--stop-on-stdin-close"].map(OsString::from).into();
        let numbers = [
            ("--port", 0),
            ("--seed", self.settings.seed),
            ("--block-time", self.settings.block_time_ms),
        ];
        for (flag, value) in numbers {
            args.extend([flag.into(), value.to_string().into()]);
        }
        show.report(DEMO, &children.start(LOCALNET, &args)?)?;
        let listening = async {
            loop {
                match children.next().await {
                    (_, Act::Said(report @ Report::Listening { .. })) => return Ok(report),
                    (_, Act::Said(report)) => tracing::debug!(%report, "before the chain answers"),
                    (name, Act::Ended(status)) => return Err(self.lost(&name, status)),
                }
            }
        };
        let report = timeout(CHAIN_START, listening)
            .await
            .map_err(|_| Error::user(format!("the chain did not start in {CHAIN_START:?}")))??;
        show.report(LOCALNET, &report)?;
        match report {
            Report::Listening { url, .. } => Ok(url),
            _ => Err(Error::user("the chain did not say where it listens")),
        }
    }

    /// Sets the chain up; writes and commits the manifest.
    async fn set_up(&self, client: &Client, dev: &Dev, show: &mut Show) -> Result<Manifest> {
        let setup = Setup::new(client, self.cast, self.settings)?;
        let mut done = |step: &str| show.report(DEMO, &Report::Setup { step: step.into() });
        setup.fund().await?;
        setup.subnet().await?;
        done("registered and started the subnet")?;
        setup.members().await?;
        done("registered miners and validators, and staked the validators")?;
        let last_tempo = dev.last_tempo(setup::NETUID).await?;
        let manifest = setup.manifest(dev.height().await?, last_tempo)?;
        setup.commit(&manifest).await?;
        let text = manifest.to_toml().or_user("cannot write the manifest")?;
        let path = self.scratch.manifest();
        std::fs::write(&path, text)
            .or_argument(format!("cannot write the manifest {}", path.display()))?;
        done("committed the manifest")?;
        Ok(manifest)
    }

    /// Moves the chain to the run's opening at once. Until then blocks came with extrinsics; from
    /// here on their number is a function of the settings alone.
    async fn warp(&self, dev: &Dev, manifest: &Manifest, show: &mut Show) -> Result<()> {
        dev.seal_manually().await?;
        let opening = manifest.start_block - setup::OPENING;
        dev.seal(opening.saturating_sub(dev.height().await?)).await?;
        let step = format!("moved the chain to block {opening}");
        show.report(DEMO, &Report::Setup { step })
    }

    /// Starts all roles and waits until each is ready.
    async fn start_roles(
        &self,
        children: &mut Children,
        show: &mut Show,
        url: &str,
    ) -> Result<Alive> {
        for member in &self.cast.members {
            let started = children.start(&member.name, &self.role_args(member, url))?;
            show.report(DEMO, &started)?;
        }
        let names = |wanted: fn(&Part) -> bool| -> BTreeSet<String> {
            let members = self.cast.members.iter().filter(|member| wanted(&member.part));
            members.map(|member| member.name.clone()).collect()
        };
        let alive = Alive {
            miners: names(|part| matches!(part, Part::Miner { .. })),
            validators: names(|part| matches!(part, Part::Validator)),
        };
        let mut awaited: BTreeSet<String> = &alive.miners | &alive.validators;
        let ready = async {
            while !awaited.is_empty() {
                match children.next().await {
                    (name, Act::Said(report)) => {
                        if matches!(report, Report::Ready { .. }) {
                            awaited.remove(&*name);
                        }
                        show.report(&name, &report)?;
                    }
                    (name, Act::Ended(status)) => return Err(self.lost(&name, status)),
                }
            }
            Ok(())
        };
        match timeout(ROLES_START, ready).await {
            Ok(outcome) => outcome.map(|()| alive),
            Err(_) => {
                let names: Vec<String> = awaited.into_iter().collect();
                Err(Error::user(format!("not ready after {ROLES_START:?}: {}", names.join(", ")))
                    .hint("pass `--keep DIR` and read the logs in it"))
            }
        }
    }

    /// What a user would type to start the member by hand.
    fn role_args(&self, member: &Member, url: &str) -> Vec<OsString> {
        let mut args: Vec<OsString> = Vec::new();
        let role = match member.part {
            Part::Miner { .. } => "miner",
            Part::Validator => "validator",
        };
        args.extend([role, "--json", "--stop-on-stdin-close", "--chain", url].map(OsString::from));
        args.extend(["--netuid".into(), setup::NETUID.to_string().into()]);
        args.extend(["--listen", "127.0.0.1:0"].map(OsString::from));
        args.extend(["--wallet.name", member.wallet(), "--wallet.hotkey"].map(OsString::from));
        args.push((&member.name).into());
        let mut path = |flag: &str, path: PathBuf| args.extend([flag.into(), path.into()]);
        path("--wallet.path", self.scratch.wallets());
        path("--manifest", self.scratch.manifest());
        path("--state", self.scratch.states().join(&member.name));
        if member.part == Part::Validator {
            path("--checkpoints", self.scratch.checkpoints().join(&member.name));
        }
        if let Some(data) = &self.settings.data {
            path("--data", data.clone());
        }
        if let Part::Miner { hostile: Some(kind), .. } = member.part {
            args.extend(["--hostile", kind.name()].map(OsString::from));
        }
        args
    }

    /// Shows the run until its last weights are paid.
    async fn watch(
        &self,
        children: &mut Children,
        show: &mut Show,
        client: &Client,
        blocks: Blocks<'_>,
        manifest: &Manifest,
        alive: &mut Alive,
    ) -> Result<()> {
        let mut redraw = ticks(REDRAW);
        let mut seal = interval(blocks.every / DRAWING);
        seal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut height = blocks.dev.height().await?;
        let mut pace = Pace::new(manifest, blocks.every);
        let mut read = ticks(READ);
        let mut last_paid = Vec::new();
        let mut last_block = (show.tally.block, Instant::now());
        while !self.is_over(&show.tally, manifest, alive) {
            tokio::select! {
                (name, act) = children.next() => match act {
                    Act::Said(report) => {
                        pace.hear(&name, show.elapsed(), &report);
                        show.report(&name, &report)?;
                    }
                    Act::Ended(status) => {
                        pace.forget(&name);
                        self.bury(&name, status, show, alive)?;
                    }
                },
                _ = seal.tick() => {
                    if pace.allows(height + 1, show.elapsed(), &alive.validators) {
                        blocks.dev.seal(1).await?;
                        pace.seal(show.elapsed());
                        height += 1;
                    }
                }
                _ = redraw.tick() => show.draw()?,
                _ = read.tick() => {
                    let paid = self.read_metagraph(client).await?;
                    // It changes once per tempo.
                    if paid.1 != last_paid {
                        last_paid.clone_from(&paid.1);
                        show.report(DEMO, &incentives(paid))?;
                    }
                }
            }
            if show.tally.block != last_block.0 {
                last_block = (show.tally.block, Instant::now());
            } else if last_block.1.elapsed() > SILENCE {
                return Err(Error::user(format!("no block for {SILENCE:?}"))
                    .hint("pass `--keep DIR` and read the logs in it"));
            }
        }
        Ok(())
    }

    /// Whether every live validator's weights for the last epoch have been paid, or the run is so
    /// late that they never will be.
    fn is_over(&self, tally: &Tally, manifest: &Manifest, alive: &Alive) -> bool {
        let length = manifest.phases.total();
        let last = self.settings.epochs - 1;
        if let Some(block) = tally.weights_block(&alive.validators, last) {
            // Tempo and epoch are equally long: this many blocks hold one tempo's end.
            if tally.block > block.saturating_add(length) || self.is_paid(tally, manifest, block) {
                return true;
            }
        }
        tally.block >= manifest.start_block + (self.settings.epochs + 2) * length
    }

    /// Whether the chain has paid by weights that were set in `block`: the tempo ends a fixed
    /// number of blocks after each epoch's start.
    fn is_paid(&self, tally: &Tally, manifest: &Manifest, block: u32) -> bool {
        let length = manifest.phases.total();
        let first = manifest.start_block + setup::PAY_DELAY;
        let next = first + (block + 1).saturating_sub(first).div_ceil(length) * length;
        tally.block > next
    }

    /// A role died: the run goes on while one of its kind lives. Without a chain it does not.
    fn bury(
        &self,
        name: &str,
        status: ExitStatus,
        show: &mut Show,
        alive: &mut Alive,
    ) -> Result<()> {
        let of_miner = alive.miners.remove(name);
        let of_validator = alive.validators.remove(name);
        let error = self.lost(name, status);
        let is_last =
            (of_miner && alive.miners.is_empty()) || (of_validator && alive.validators.is_empty());
        if is_last || !(of_miner || of_validator) {
            return Err(error);
        }
        let text = format!("{name} ended ({status}), the run goes on; {}", self.last_words(name));
        show.report(DEMO, &Report::Warning { text })
    }

    /// The error for a process without which there is no run.
    fn lost(&self, name: &str, status: ExitStatus) -> Error {
        Error::user(format!("{name} ended ({status}); {}", self.last_words(name)))
            .hint("pass `--keep DIR` and read the logs in it")
    }

    /// Where a child's log is and what it ends with.
    fn last_words(&self, name: &str) -> String {
        let path = self.scratch.logs().join(format!("{name}.log"));
        let log = std::fs::read(&path).unwrap_or_default();
        let log = String::from_utf8_lossy(&log).into_owned();
        let last = log.lines().rev().find(|line| line.starts_with("error: "));
        let last = last.or(log.lines().last()).unwrap_or("it is empty");
        format!("log {}: {last}", path.display())
    }

    /// What the chain pays the miners, and the block it was read at.
    async fn read_metagraph(&self, client: &Client) -> Result<(u32, Vec<Incentive>)> {
        let read = async {
            let (block, hash) = client.finalized().await?;
            client.neurons(setup::NETUID, hash).await.map(|neurons| (block, neurons))
        };
        let (block, neurons) = read.await.or_user("cannot read the metagraph")?;
        let pins = self.cast.pins();
        let miners = neurons
            .iter()
            .filter(|neuron| pins.iter().any(|(miner, _)| *miner == neuron.hotkey))
            .map(|neuron| Incentive {
                hotkey: to_ss58(&neuron.hotkey),
                incentive: f64::from(neuron.incentive) / f64::from(u16::MAX),
                // A miner's stake is what it was paid: it has staked nothing itself.
                emission: neuron.stake,
            })
            .collect();
        Ok((block, miners))
    }
}

fn incentives((block, miners): (u32, Vec<Incentive>)) -> Report {
    Report::Incentives { block, miners }
}

/// A timer that skips what it missed.
fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}
