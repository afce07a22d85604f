//! `iota bench`: studies that anybody can repeat.

use std::io::{Write, stderr};

use iota_trainer::{AdamConfig, CutConfig, Dataset, ModelConfig, Precision, StageConfig, study};
use serde_json::json;

use crate::cli::{BenchCommand, BottleneckArgs};
use crate::demo::view::{align, table};
use crate::error::{Context, Error, Result};
use crate::printer::Printer;

/// Runs the verb.
pub(super) fn run(command: BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Bottleneck(args) => bottleneck(&args),
    }
}

/// What one ratio came to.
struct Row {
    /// None: no cut is squeezed.
    ratio: Option<u32>,
    width: u32,
    losses: Vec<f64>,
    seconds: f64,
}

/// Compares cuts at as many tokens.
fn bottleneck(args: &BottleneckArgs) -> Result<()> {
    let data = Dataset::embedded(CONTEXT).or_argument("cannot use the text")?;
    let mut rows: Vec<Row> = Vec::new();
    let ratios: Vec<Option<u32>> =
        std::iter::once(None).chain(args.ratios.iter().copied().map(Some)).collect();
    for ratio in &ratios {
        let config = config(args, width(args, *ratio)?, 0);
        config.validate().or_argument(format!("no model with {}", name(*ratio)))?;
    }
    for ratio in ratios {
        let width = width(args, ratio)?;
        let mut row = Row { ratio, width, losses: Vec::new(), seconds: 0.0 };
        for seed in &args.seeds {
            let mut seconds = 0.0;
            let config = config(args, width, *seed);
            let tell = |progress: study::Progress| {
                seconds = progress.time.as_secs_f64();
                // Progress is for people; a closed stderr is no error.
                let _ = writeln!(
                    stderr(),
                    "{}, seed {seed}: step {} of {}, {:.4} nats",
                    name(ratio),
                    progress.step,
                    args.steps,
                    progress.loss
                );
            };
            let every = args.steps.div_ceil(4);
            let loss = study::train(&config, &data, args.steps, every, tell);
            row.losses.push(loss.or_user("cannot train this model")?);
            row.seconds += seconds;
        }
        if args.json {
            let (loss, spread) = mean(&row.losses);
            let values = json!({"ratio": ratio, "width": width, "loss": loss, "spread": spread,
                "seeds": args.seeds, "steps": args.steps, "seconds": row.seconds});
            Printer::Json.line(values)?;
        }
        rows.push(row);
    }
    if args.json { Ok(()) } else { show(&rows) }
}

/// Inputs of a sequence, and sequences of a step.
const CONTEXT: u32 = 256;
const BATCH: u32 = 8;

fn name(ratio: Option<u32>) -> String {
    ratio.map_or("uncompressed".into(), |ratio| format!("{ratio}x"))
}

/// Dimensions of a code: as many values as fit beside a byte for their scale.
fn width(args: &BottleneckArgs, ratio: Option<u32>) -> Result<u32> {
    let Some(ratio) = ratio else { return Ok(args.d_model) };
    let fit = |bytes: u32| ((bytes - 1) * 8).checked_div(args.bits).unwrap_or_default();
    match (2 * args.d_model).checked_div(ratio) {
        Some(bytes @ 2..) if (1..args.d_model).contains(&fit(bytes)) => Ok(fit(bytes)),
        _ => Err(Error::argument(format!("a code {ratio} times smaller is none"))
            .hint("ratios are greater than 16 / bits, and leave a code of one value at least")),
    }
}

fn config(args: &BottleneckArgs, width: u32, seed: u8) -> StageConfig {
    let squeezes = width < args.d_model;
    let tokens =
        args.token_width.unwrap_or(args.d_model - width) / args.token_span * args.token_span;
    StageConfig {
        model: ModelConfig {
            vocab: 256,
            d_model: args.d_model,
            layers: args.layers,
            heads: args.d_model.div_ceil(32),
            kv_heads: args.d_model.div_ceil(32),
            d_ffn: args.d_model * 11 / 4,
            context: CONTEXT,
            rope_theta: 10_000,
            precision: Precision::Bf16,
        },
        cut: CutConfig {
            width,
            bits: if squeezes { args.bits } else { 32 },
            residual: !args.no_residual,
            token_width: if squeezes { tokens } else { 0 },
            token_span: args.token_span,
        },
        adam: AdamConfig {
            lr_micro: args.lr_micro,
            beta1_milli: 900,
            beta2_milli: 950,
            weight_decay_milli: 100,
            clip_milli: 1_000,
            warmup_steps: 50,
            muon: args.muon,
        },
        stages: args.stages,
        stage: 0,
        batch: BATCH,
        seed: [seed; 32],
    }
}

/// Mean, and half of the distance between the greatest and the least.
fn mean(losses: &[f64]) -> (f64, f64) {
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let most = losses.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (losses.iter().sum::<f64>() / losses.len().max(1) as f64, (most - least) / 2.0)
}

fn show(rows: &[Row]) -> Result<()> {
    let mut shown =
        table(&["cut", "code", "loss, nats", "spread", "against uncompressed", "seconds"]);
    let whole = rows.first().map_or(f64::NAN, |row| mean(&row.losses).0);
    for row in rows {
        let (loss, spread) = mean(&row.losses);
        shown.add_row([
            name(row.ratio),
            row.width.to_string(),
            format!("{loss:.4}"),
            format!("{spread:.4}"),
            format!("{:+.2} %", 100.0 * (loss / whole - 1.0)),
            format!("{:.0}", row.seconds),
        ]);
    }
    align(&mut shown);
    for line in shown.lines() {
        Printer::Text.line(line.trim_end())?;
    }
    Ok(())
}
