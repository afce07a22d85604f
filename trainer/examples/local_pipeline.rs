//! Trains the pipeline of a small run in one process, as a subnet would: replicas per stage, rounds
//! of local AdamW, averaged deltas. Shows loss, speed, and that every cut matters.
//!
//! ```text
//! cargo run --release -p iota-trainer --example local_pipeline -- [rounds] [steps] [d] [k] [lr] [batch] [accumulate]
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to its user")]

use std::time::Instant;

use iota_trainer::{
    Ablation, AdamConfig, CutConfig, Dataset, Error, Input, ModelConfig, Precision, Stage,
    StageConfig, held_out_loss,
};

const STAGES: u16 = 3;
const REPLICAS: usize = 2;

fn main() -> Result<(), Error> {
    let number = |index: usize, default: u32| {
        std::env::args().nth(index).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (rounds, steps) = (number(1, 6), number(2, 20));
    let (batch, accumulate) = (number(6, 8), number(7, 2));
    iota_trainer::use_threads(1);
    let d = number(3, 64);
    let model = ModelConfig {
        vocab: 256,
        d_model: d,
        layers: 3,
        heads: 4,
        kv_heads: 2,
        d_ffn: d * 5 / 2,
        context: 64,
        rope_theta: 10_000,
        precision: Precision::F32,
    };
    let cut =
        CutConfig { width: number(4, 16), bits: 8, residual: true, token_width: 0, token_span: 1 };
    let adam = AdamConfig {
        lr_micro: number(5, 4000),
        beta1_milli: 900,
        beta2_milli: 950,
        weight_decay_milli: 0,
        clip_milli: 1000,
        warmup_steps: 3,
        muon: false,
    };
    let (outer_lr, mu) = (f64::from(number(8, 1000)) / 1e3, f64::from(number(9, 300)) / 1e3);
    let config =
        |stage| StageConfig { model, cut, adam, stages: STAGES, stage, batch, seed: [7; 32] };
    let data = Dataset::embedded(model.context)?;
    let mut replicas: Vec<Vec<Stage>> = (0..REPLICAS)
        .map(|_| (0..STAGES).map(|stage| Stage::new(&config(stage))).collect())
        .collect::<Result<_, _>>()?;
    let mut theta: Vec<Vec<f32>> = replicas[0].iter().map(|s| s.params().to_vec()).collect();
    let mut momentum: Vec<Vec<f32>> = theta.iter().map(|t| vec![0.0; t.len()]).collect();
    let count: usize = theta.iter().map(Vec::len).sum();
    println!(
        "{count} parameters, ratio {:.1}, unigram {:.3}",
        cut.ratio(d),
        data.unigram_entropy()?
    );
    let loss = |stages: &[Stage], theta: &[Vec<f32>], ablation| {
        let stages: Vec<&Stage> = stages.iter().collect();
        let params: Vec<&[f32]> = theta.iter().map(Vec::as_slice).collect();
        held_out_loss(&stages, &params, &data, batch, ablation)
    };
    println!("round 0: held-out {:.4}", loss(&replicas[0], &theta, Ablation::None)?);
    let (mut next, mut tokens, start) = (0u64, 0u64, Instant::now());
    for round in 1..=rounds {
        let mut last = 0.0;
        for stages in &mut replicas {
            for (stage, theta) in stages.iter_mut().zip(&theta) {
                stage.load_params(theta)?;
            }
            for _ in 0..steps * accumulate {
                let (mut inputs, mut targets) = (Vec::new(), Vec::new());
                for _ in 0..batch {
                    // A stride coprime to most lengths walks through all of the text.
                    next = (next + 7919) % data.train_sequences();
                    let sequence = data.tokens(next)?.unwrap_or_default();
                    inputs.extend(&sequence[..sequence.len() - 1]);
                    targets.extend(&sequence[1..]);
                }
                tokens += targets.len() as u64;
                let head = stages[0].forward(Input::Tokens(&inputs))?;
                let body = stages[1].forward(Input::Code(&head))?;
                let tail = stages[2].loss_and_grad(Input::Code(&body), &targets)?;
                last = tail.loss;
                let version = stages[1].version();
                let grad = stages[1].backward(version, Input::Code(&head), &tail.grad)?;
                let grad = grad.unwrap_or_default();
                stages[0].backward(version, Input::Tokens(&inputs), &grad)?;
                if stages[0].accumulated() == accumulate {
                    for stage in stages.iter_mut() {
                        stage.step()?;
                    }
                }
            }
        }
        for (index, (theta, momentum)) in theta.iter_mut().zip(&mut momentum).enumerate() {
            for (place, (value, buffer)) in theta.iter_mut().zip(momentum).enumerate() {
                let mean =
                    replicas.iter().map(|r| f64::from(r[index].params()[place])).sum::<f64>()
                        / REPLICAS as f64;
                let gradient = f64::from(*value) - mean;
                let buf = mu * f64::from(*buffer) + gradient;
                *buffer = buf as f32;
                *value -= (outer_lr * (gradient + mu * buf)) as f32;
            }
        }
        let speed = tokens as f64 / start.elapsed().as_secs_f64();
        let held_out = loss(&replicas[0], &theta, Ablation::None)?;
        println!(
            "round {round}: held-out {held_out:.4}, train {last:.3}, {tokens} tokens, {speed:.0}/s"
        );
    }
    for cut in 0..STAGES - 1 {
        println!("cut {cut} zeroed: {:.4}", loss(&replicas[0], &theta, Ablation::ZeroCut(cut))?);
    }
    Ok(())
}
