//! What an auditor's CPU makes of work that was done by kernels: by how much honest work differs there.

use super::{Gpu, emulated};
use crate::code::code_values;
use crate::config::{AdamConfig, CutConfig, ModelConfig, Precision, StageConfig};
use crate::model::Model;
use crate::stage::{Input, Stage};
use crate::{Dataset, Options};

const CONFIG: StageConfig = StageConfig {
    model: ModelConfig {
        vocab: 256,
        d_model: 64,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        d_ffn: 192,
        context: 64,
        rope_theta: 10_000,
        precision: Precision::Bf16,
    },
    cut: CutConfig { width: 30, bits: 4, residual: true, token_width: 32, token_span: 4 },
    adam: AdamConfig {
        lr_micro: 2_000,
        beta1_milli: 900,
        beta2_milli: 950,
        weight_decay_milli: 100,
        clip_milli: 1_000,
        warmup_steps: 5,
        muon: false,
    },
    stages: 2,
    stage: 0,
    batch: 4,
    seed: [1; 32],
};

/// Cosine, and the relative difference of lengths, of what two codes say.
fn compare(expected: &[u8], found: &[u8]) -> (f64, f64) {
    let values =
        |bytes| -> Vec<f64> { code_values(bytes).unwrap().into_iter().map(f64::from).collect() };
    let (expected, found) = (values(expected), values(found));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let [long, short] = [&expected, &found].map(|values| dot(values, values).sqrt());
    (dot(&expected, &found) / (long * short), (short / long - 1.0).abs())
}

/// A head and a tail on kernels train on the text; the CPU repeats each from what went over the wire.
#[test]
fn honest_work_of_kernels_passes_an_audit_on_the_cpu() {
    let data = Dataset::embedded(CONFIG.model.context).unwrap();
    let config = |stage| StageConfig { stage, ..CONFIG };
    let on_kernels = |stage| {
        let engine = Gpu::new(emulated::device(), Model::new(&config(stage)), false).unwrap();
        Stage::computed_by(&config(stage), Options::default(), Box::new(engine))
    };
    let (mut head, mut tail) = (on_kernels(0), on_kernels(1));
    let mut auditors = [0, 1].map(|stage| Stage::new(&config(stage)).unwrap());
    let steps: u32 = std::env::var("STEPS").ok().and_then(|s| s.parse().ok()).unwrap_or(8);
    for step in 0..steps {
        let (mut least, mut most) = ([1f64; 3], [0f64; 3]);
        let mut shown = [0f32; 2];
        for part in 0..2 {
            let first = u64::from(step * 2 + part) * u64::from(CONFIG.batch);
            let (mut inputs, mut targets) = (Vec::new(), Vec::new());
            for id in first..first + u64::from(CONFIG.batch) {
                let sequence = data.tokens(id * 7919 % data.train_sequences()).unwrap().unwrap();
                inputs.extend(&sequence[..sequence.len() - 1]);
                targets.extend(&sequence[1..]);
            }
            let (code, flight) = head.depart(Input::Tokens(&inputs)).unwrap();
            let made = tail.loss_and_grad(Input::CodeAndTokens(&code, &inputs), &targets).unwrap();
            head.land(flight, &made.grad).unwrap();
            let [of_head, of_tail] = &mut auditors;
            let version = of_head.version();
            let (again, _) = of_head.replay(version, Input::Tokens(&inputs), &made.grad).unwrap();
            let wire = Input::CodeAndTokens(&code, &inputs);
            let repeated = of_tail.loss_and_grad(wire, &targets).unwrap();
            let found = [compare(&again, &code), compare(&repeated.grad, &made.grad)];
            for (index, (cosine, off)) in found.into_iter().enumerate() {
                least[index] = least[index].min(cosine);
                most[index] = most[index].max(off);
            }
            shown = [repeated.loss, made.loss];
        }
        eprintln!("step {step}: cosine {least:.5?} lengths {most:.5?} loss {shown:?}");
        for stage in [&mut head, &mut tail] {
            stage.step().unwrap();
        }
        for stage in &mut auditors {
            stage.step().unwrap();
        }
    }
}
