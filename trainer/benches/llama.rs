//! The model that a training step is measured with, here and in `bench/pytorch.py`: a Llama of four
//! blocks in two stages, whose cut is open.

use iota_trainer::{AdamConfig, CutConfig, Input, ModelConfig, Precision, Stage, StageConfig};

/// Tokens of a step.
pub(crate) const TOKENS: u32 = 1024;

/// Both stages.
pub(crate) fn stages(precision: Precision) -> [Stage; 2] {
    let model = ModelConfig {
        vocab: 4096,
        d_model: 512,
        layers: 4,
        heads: 8,
        kv_heads: 8,
        d_ffn: 1408,
        context: 256,
        rope_theta: 10_000,
        precision,
    };
    let stage = |stage| {
        let config = StageConfig {
            model,
            cut: CutConfig {
                width: model.d_model,
                bits: 32,
                residual: true,
                token_width: 0,
                token_span: 1,
            },
            adam: AdamConfig {
                lr_micro: 100,
                beta1_milli: 900,
                beta2_milli: 950,
                weight_decay_milli: 10,
                clip_milli: 1000,
                warmup_steps: 1,
                muon: false,
            },
            stages: 2,
            stage,
            batch: TOKENS / model.context,
            seed: [7; 32],
        };
        Stage::new(&config).unwrap()
    };
    [0, 1].map(stage)
}

/// Some tokens, one more than a step's.
pub(crate) fn text() -> Vec<u32> {
    (0..=TOKENS).map(|at| at.wrapping_mul(2_654_435_761) % 4096).collect()
}

/// One microbatch forward and backward, and a step of both optimizers; the loss.
pub(crate) fn step([head, tail]: &mut [Stage; 2], text: &[u32]) -> f32 {
    let (inputs, targets) = (&text[..TOKENS as usize], &text[1..]);
    let (code, flight) = head.depart(Input::Tokens(inputs)).unwrap();
    let made = tail.loss_and_grad(Input::Code(&code), targets).unwrap();
    head.land(flight, &made.grad).unwrap();
    head.step().unwrap();
    tail.step().unwrap();
    made.loss
}
