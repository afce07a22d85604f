//! `iota stage`: what stages cost, told before anybody runs one.

use clap::ValueEnum;
use iota_trainer::{StageConfig, StagePlan};
use serde_json::json;

use crate::cli::{DeviceKind, StageCommand, StagePlanArgs};
use crate::demo::view::{align, table};
use crate::error::{Context, Result};
use crate::outfit;
use crate::preset::{self, Choice};
use crate::printer::Printer;
use crate::protocol::manifest::Manifest;
use crate::roles::run::stage_config;

/// GPUs by their memory, in GiB.
const GPUS: [(&str, u64); 7] = [
    ("8 GiB", 8),
    ("RTX 4070 (12)", 12),
    ("RTX 4090 (24)", 24),
    ("RTX 5090 (32)", 32),
    ("L40S (48)", 48),
    ("H100 (80)", 80),
    ("H200 (141)", 141),
];

/// Machines by theirs.
const MACHINES: [(&str, u64); 8] = [
    ("4 GiB", 4),
    ("8 GiB", 8),
    ("16 GiB", 16),
    ("32 GiB", 32),
    ("64 GiB", 64),
    ("128 GiB", 128),
    ("256 GiB", 256),
    ("512 GiB", 512),
];

/// Runs the verb.
pub(super) fn run(command: StageCommand) -> Result<()> {
    match command {
        StageCommand::Plan(args) => plan(&args),
    }
}

/// Shows the plan of every stage.
fn plan(args: &StagePlanArgs) -> Result<()> {
    let manifest = match (&args.manifest, args.preset) {
        (Some(file), _) => outfit::manifest(file)?,
        (None, chosen) => {
            let chosen = chosen.unwrap_or_default();
            preset::manifest(chosen, Choice::unbound(chosen))
        }
    };
    let (kind, stages) = stages(&manifest, args)?;
    if args.json {
        Printer::Text.line(as_json(&manifest, kind, &stages))?;
        return Ok(());
    }
    let mut rows = table(&[
        "stage",
        "blocks",
        "parameters",
        "state",
        "in flight",
        "work",
        "all",
        "MFLOP/token",
        "wire bytes",
        "fits",
    ]);
    for (stage, planned) in stages.iter().enumerate() {
        let Planned { plan, in_flight, .. } = planned;
        rows.add_row([
            stage.to_string(),
            stage_config(&manifest, stage as u16).layers().to_string(),
            millions(plan.params),
            size(plan.state_bytes + planned.versions()),
            size(in_flight * plan.flight_bytes),
            size(plan.work_bytes),
            size(planned.bytes()),
            format!("{:.1}", plan.flops_per_token as f64 / 1e6),
            plan.wire_bytes_per_token.to_string(),
            device(kind, planned.bytes()).to_owned(),
        ]);
    }
    align(&mut rows);
    let all: u64 = stages.iter().map(|stage| stage.plan.params).sum();
    let microbatch = manifest.batch * manifest.model.context;
    for line in rows.lines() {
        Printer::Text.line(line.trim_end())?;
    }
    Printer::Text.line(format!(
        "{} parameters in {} stages; bytes as {}; microbatches of {microbatch} tokens; \
         codes {:.0}x smaller than bf16",
        millions(all),
        manifest.stages,
        match kind {
            DeviceKind::Cpu => "a CPU holds them",
            DeviceKind::Cuda => "a GPU holds them",
        },
        preset::compression(&manifest),
    ))?;
    Ok(())
}

/// A stage's plan, and how it will be used.
struct Planned {
    plan: StagePlan,
    in_flight: u64,
    /// Microbatches of a step.
    per_step: u64,
}

impl Planned {
    fn bytes(&self) -> u64 {
        self.plan.bytes(self.in_flight, self.per_step)
    }

    fn versions(&self) -> u64 {
        self.plan.versions(self.in_flight, self.per_step)
    }
}

/// Plans for a kind of device: a GPU unless there are no kernels, or another is asked for.
fn stages(manifest: &Manifest, args: &StagePlanArgs) -> Result<(DeviceKind, Vec<Planned>)> {
    let planned = |of: &dyn Fn(&StageConfig) -> Result<StagePlan>| {
        let plan = |stage| {
            let plan = of(&stage_config(manifest, stage))?;
            let in_flight = args.in_flight.unwrap_or(manifest.flights(stage) as u64);
            Ok(Planned { plan, in_flight, per_step: manifest.inner_microbatches.into() })
        };
        (0..manifest.stages).map(plan).collect::<Result<Vec<_>>>()
    };
    if args.device != Some(DeviceKind::Cpu) {
        let plans = planned(&|config| {
            StagePlan::on_gpu(config, args.recompute).or_argument("no GPU computes this")
        });
        if args.device.is_some() || plans.is_ok() {
            return Ok((DeviceKind::Cuda, plans?));
        }
    }
    Ok((DeviceKind::Cpu, planned(&|config| Ok(StagePlan::of(config, args.recompute)))?))
}

fn as_json(manifest: &Manifest, kind: DeviceKind, stages: &[Planned]) -> String {
    let stages: Vec<_> = stages
        .iter()
        .map(|planned| {
            let Planned { plan, in_flight, .. } = planned;
            json!({
                "params": plan.params,
                "in_flight": in_flight,
                "state_bytes": plan.state_bytes,
                "versions_bytes": planned.versions(),
                "in_flight_bytes": in_flight * plan.flight_bytes,
                "work_bytes": plan.work_bytes,
                "bytes": planned.bytes(),
                "flops_per_token": plan.flops_per_token,
                "wire_bytes_per_token": plan.wire_bytes_per_token,
                "fits": device(kind, planned.bytes()),
            })
        })
        .collect();
    let compression = preset::compression(manifest);
    let device = kind.to_possible_value().expect("no kind is hidden").get_name().to_owned();
    json!({"device": device, "stages": stages, "compression": compression}).to_string()
}

/// The smallest device that holds so many bytes, and a tenth for what a driver or other programs keep.
fn device(kind: DeviceKind, bytes: u64) -> &'static str {
    let fits = |(_, gib): &&(&str, u64)| bytes + bytes / 10 <= gib << 30;
    let devices = match kind {
        DeviceKind::Cpu => &MACHINES[..],
        DeviceKind::Cuda => &GPUS,
    };
    devices.iter().find(fits).map_or("no single device", |(name, _)| name)
}

fn millions(count: u64) -> String {
    match count {
        0..1_000_000_000 => format!("{:.1} M", count as f64 / 1e6),
        _ => format!("{:.2} B", count as f64 / 1e9),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}
