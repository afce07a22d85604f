//! What an auditor's CPU makes of work that was done by kernels: by how much honest work differs there.

use std::sync::Arc;

use super::device::Device;
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

/// Steps of a window.
const STEPS: u32 = 4;

/// Cosine, and the relative difference of lengths.
fn compare(expected: &[f32], found: &[f32]) -> (f64, f64) {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let [long, short] = [expected, found].map(|values| dot(values, values).sqrt());
    (dot(expected, found) / (long * short), (short / long - 1.0).abs())
}

/// What a microbatch of the text trains on: inputs and targets.
fn microbatch(data: &Dataset, number: u32) -> (Vec<u32>, Vec<u32>) {
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    let first = u64::from(number * CONFIG.batch);
    for id in first..first + u64::from(CONFIG.batch) {
        let sequence = data.tokens(id * 7919 % data.train_sequences()).unwrap().unwrap();
        inputs.extend(&sequence[..sequence.len() - 1]);
        targets.extend(&sequence[1..]);
    }
    (inputs, targets)
}

/// A head and a tail on kernels train on the text; the CPU repeats each from what went over the wire. A run
/// allows a cosine of 0.99 and lengths that differ by 5 %: honest work is ten times nearer.
fn audit<D: Device>(device: &Arc<D>, muon: bool) {
    let data = Dataset::embedded(CONFIG.model.context).unwrap();
    let config = |stage| StageConfig { stage, adam: AdamConfig { muon, ..CONFIG.adam }, ..CONFIG };
    let on_kernels = |stage| {
        let engine = Gpu::new(Arc::clone(device), Model::new(&config(stage)), false).unwrap();
        Stage::computed_by(&config(stage), Options::default(), Box::new(engine))
    };
    let [mut head, mut tail] = [0, 1].map(on_kernels);
    let [mut of_head, mut of_tail] = [0, 1].map(|stage| Stage::new(&config(stage)).unwrap());
    let starts = [head.params().to_vec(), tail.params().to_vec()];
    let close = |what: &str, expected: &[f32], found: &[f32], (least, most): (f64, f64)| {
        let (cosine, off) = compare(expected, found);
        assert!(cosine >= least && off <= most, "{what}: cosine {cosine}, lengths {off}");
    };
    let of_codes = |what: &str, expected: &[u8], found: &[u8]| {
        let [expected, found] = [expected, found].map(|code| code_values(code).unwrap());
        close(what, &expected, &found, (0.999, 0.005));
    };
    for number in 0..2 * STEPS {
        let (inputs, targets) = microbatch(&data, number);
        let (code, flight) = head.depart(Input::Tokens(&inputs)).unwrap();
        let wire = Input::CodeAndTokens(&code, &inputs);
        let made = tail.loss_and_grad(wire, &targets).unwrap();
        head.land(flight, &made.grad).unwrap();
        let version = of_head.version();
        let (again, _) = of_head.replay(version, Input::Tokens(&inputs), &made.grad).unwrap();
        let repeated = of_tail.loss_and_grad(wire, &targets).unwrap();
        of_codes("a code", &again, &code);
        of_codes("a gradient", &repeated.grad, &made.grad);
        assert!((repeated.loss - made.loss).abs() < 1e-3 * made.loss);
        if number % 2 == 1 {
            for stage in [&mut head, &mut tail, &mut of_head, &mut of_tail] {
                stage.step().unwrap();
            }
        }
    }
    for (start, stages) in starts.iter().zip([[&of_head, &head], [&of_tail, &tail]]) {
        let moved = |stage: &Stage| -> Vec<f32> {
            stage.params().iter().zip(start).map(|(now, start)| now - start).collect()
        };
        let [expected, found] = stages.map(moved);
        close("an update", &expected, &found, (0.999, 0.005));
    }
}

#[test]
fn honest_work_of_kernels_passes_an_audit_on_the_cpu() {
    audit(&emulated::device(), false);
}

#[test]
fn so_it_does_where_matrices_follow_muon() {
    audit(&emulated::device(), true);
}

#[cfg(feature = "cuda")]
#[test]
fn so_does_that_of_a_gpu() {
    if let Some(device) = super::lent() {
        audit(&device, false);
        audit(&device, true);
    }
}
