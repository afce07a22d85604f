//! `iota bench`: studies that anybody can repeat.

use std::fmt::{Display, Formatter};
use std::io::{Write, stderr};

use iota_trainer::{AdamConfig, CutConfig, Dataset, ModelConfig, Precision, StageConfig, study};
use serde_json::json;

use crate::cli::{BenchCommand, BottleneckArgs};
use crate::demo::view::{align, table};
use crate::error::{Context, Error, Result};
use crate::printer::Printer;
use plot::{Line, plot};

mod plot;

/// Runs the verb.
pub(super) fn run(command: BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Bottleneck(args) => bottleneck(&args),
    }
}

/// What crosses a cut.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// The residual stream as it is: a Llama.
    Open,
    /// As many bytes, half of its dimensions as they are, and tokens beside them as where it is squeezed. What
    /// the tokens are worth, and what squeezing costs, is the distance from here.
    Beside,
    /// A code so many times smaller.
    Ratio(u32),
}

impl Display for Cut {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open => f.write_str("uncompressed"),
            Self::Beside => f.write_str("1x, tokens beside"),
            Self::Ratio(ratio) => write!(f, "{ratio}x"),
        }
    }
}

/// What one cut came to.
struct Row {
    cut: Cut,
    config: StageConfig,
    /// At the end, by seed.
    losses: Vec<f64>,
    /// Steps, and the mean loss there.
    curve: Vec<(u32, f64)>,
    seconds: f64,
}

/// How often a run is measured.
const POINTS: u32 = 8;

/// Compares cuts at as many tokens.
fn bottleneck(args: &BottleneckArgs) -> Result<()> {
    let data = Dataset::embedded(CONTEXT).or_argument("cannot use the text")?;
    let ratios = args.ratios.iter().copied().map(Cut::Ratio);
    let mut rows: Vec<Row> = Vec::new();
    for cut in [Cut::Open, Cut::Beside].into_iter().chain(ratios) {
        let config = config(args, cut)?;
        config.validate().or_argument(format!("no model with {cut}"))?;
        let (losses, curve) = (Vec::new(), Vec::new());
        rows.push(Row { cut, config, losses, curve, seconds: 0.0 });
    }
    for row in &mut rows {
        row.run(args, &data)?;
        if args.json {
            let (loss, spread) = mean(&row.losses);
            let cut = &row.config.cut;
            let values = json!({"cut": row.cut.to_string(), "width": cut.width, "bits": cut.bits,
                "token_width": cut.token_width, "token_span": cut.token_span,
                "loss": loss, "spread": spread, "losses": row.losses, "curve": row.curve,
                "seeds": args.seeds, "steps": args.steps, "seconds": row.seconds});
            Printer::Json.line(values)?;
        }
    }
    if !args.json {
        show(&rows)?;
    }
    if let Some(file) = &args.plot {
        let shown = file.display();
        let lines: Vec<Line> = rows.iter().map(Row::line).collect();
        std::fs::write(file, plot("steps", "nats per byte", &lines))
            .or_argument(format!("cannot write {shown}"))?;
    }
    Ok(())
}

impl Row {
    fn line(&self) -> Line {
        let points = self.curve.iter().map(|(step, loss)| (f64::from(*step), *loss));
        Line { name: self.cut.to_string(), points: points.collect() }
    }

    /// Trains with each seed.
    fn run(&mut self, args: &BottleneckArgs, data: &Dataset) -> Result<()> {
        for seed in &args.seeds {
            let (mut seconds, mut at) = (0.0, 0);
            let config = StageConfig { seed: [*seed; 32], ..self.config };
            let (cut, curve) = (self.cut, &mut self.curve);
            let share = 1.0 / args.seeds.len() as f64;
            let tell = |progress: study::Progress| {
                seconds = progress.time.as_secs_f64();
                if curve.len() == at {
                    curve.push((progress.step, 0.0));
                }
                curve[at].1 += share * progress.loss;
                at += 1;
                // Progress is for people; a closed stderr is no error.
                let _ = writeln!(
                    stderr(),
                    "{cut}, seed {seed}: step {} of {}, {:.4} nats",
                    progress.step,
                    args.steps,
                    progress.loss
                );
            };
            let every = args.steps.div_ceil(POINTS);
            let loss = study::train(&config, data, args.steps, every, tell);
            self.losses.push(loss.or_user("cannot train this model")?);
            self.seconds += seconds;
        }
        Ok(())
    }
}

/// Inputs of a sequence, and sequences of a step.
const CONTEXT: u32 = 256;
const BATCH: u32 = 8;

/// Dimensions of a code: as many values as fit beside a byte for their scale.
fn width(args: &BottleneckArgs, ratio: u32) -> Result<u32> {
    let fit = |bytes: u32| ((bytes - 1) * 8).checked_div(args.bits).unwrap_or_default();
    match (2 * args.d_model).checked_div(ratio) {
        Some(bytes @ 2..) if (1..args.d_model).contains(&fit(bytes)) => Ok(fit(bytes)),
        _ => Err(Error::argument(format!("a code {ratio} times smaller is none"))
            .hint("ratios are greater than 16 / bits, and leave a code of one value at least")),
    }
}

/// A model with such cuts; its seed follows.
fn config(args: &BottleneckArgs, cut: Cut) -> Result<StageConfig> {
    let (width, bits) = match cut {
        Cut::Open => (args.d_model, 32),
        Cut::Beside => (args.d_model / 2, 32),
        Cut::Ratio(ratio) => (width(args, ratio)?, args.bits),
    };
    let free = args.d_model - width;
    let tokens = args.token_width.map_or(free, |tokens| tokens.min(free));
    Ok(StageConfig {
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
            bits,
            residual: !args.no_residual,
            token_width: tokens / args.token_span * args.token_span,
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
        seed: [0; 32],
    })
}

/// Mean, and half of the distance between the greatest and the least.
fn mean(losses: &[f64]) -> (f64, f64) {
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let most = losses.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (losses.iter().sum::<f64>() / losses.len().max(1) as f64, (most - least) / 2.0)
}

fn show(rows: &[Row]) -> Result<()> {
    let heads =
        ["cut", "code", "loss, nats", "spread", "against uncompressed", "against 1x", "seconds"];
    let mut shown = table(&heads);
    let of = |cut: Cut| {
        let row = rows.iter().find(|row| row.cut == cut);
        row.map_or(f64::NAN, |row| mean(&row.losses).0)
    };
    let (open, beside) = (of(Cut::Open), of(Cut::Beside));
    for row in rows {
        let (loss, spread) = mean(&row.losses);
        let more = |than: f64| format!("{:+.2} %", 100.0 * (loss / than - 1.0));
        shown.add_row([
            row.cut.to_string(),
            format!("{} x {} bits", row.config.cut.width, row.config.cut.bits),
            format!("{loss:.4}"),
            format!("{spread:.4}"),
            more(open),
            more(beside),
            format!("{:.0}", row.seconds),
        ]);
    }
    align(&mut shown);
    for line in shown.lines() {
        Printer::Text.line(line.trim_end())?;
    }
    Ok(())
}
