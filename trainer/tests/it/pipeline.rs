//! Three stages in one process, trained as one model: what the tests of this folder share.

use iota_trainer::{
    AdamConfig, CutConfig, Dataset, Input, ModelConfig, Stage, StageConfig, TailOutput,
};

/// Stages of every pipeline here.
pub(crate) const STAGES: u16 = 3;
/// Sequences of a microbatch.
pub(crate) const BATCH: u32 = 8;

/// The setting of one stage: a small model with cuts of these many dimensions.
pub(crate) fn config(stage: u16, context: u32, width: u32, int8: bool) -> StageConfig {
    StageConfig {
        model: ModelConfig {
            vocab: 256,
            d_model: 32,
            layers: 3,
            heads: 4,
            kv_heads: 2,
            d_ffn: 80,
            context,
            rope_theta: 10_000,
        },
        cut: CutConfig { width, int8 },
        adam: AdamConfig {
            lr_micro: 4_000,
            beta1_milli: 900,
            beta2_milli: 950,
            weight_decay_milli: 0,
            clip_milli: 1_000,
            warmup_steps: 3,
        },
        stages: STAGES,
        stage,
        batch: BATCH,
        seed: [7; 32],
    }
}

/// The stages of a pipeline.
pub(crate) fn stages(context: u32, width: u32, int8: bool) -> Vec<Stage> {
    (0..STAGES).map(|stage| Stage::new(&config(stage, context, width, int8)).unwrap()).collect()
}

/// Inputs and targets of the microbatch with this number.
pub(crate) fn microbatch(data: &Dataset, number: u64) -> (Vec<u32>, Vec<u32>) {
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for index in 0..u64::from(BATCH) {
        // A stride coprime to most lengths walks through all of the text.
        let id = (number * u64::from(BATCH) + index) * 7919 % data.train_sequences();
        let sequence = data.tokens(id).unwrap();
        inputs.extend(&sequence[..sequence.len() - 1]);
        targets.extend(&sequence[1..]);
    }
    (inputs, targets)
}

/// Everything that went over the wire for one microbatch.
pub(crate) struct Pass {
    pub(crate) codes: [Vec<u8>; 2],
    pub(crate) tail: TailOutput,
    /// The gradient that the body sends to the head.
    pub(crate) grad: Vec<u8>,
}

/// One microbatch forward and backward; gradients accumulate in the stages.
pub(crate) fn pass(stages: &mut [Stage], inputs: &[u32], targets: &[u32]) -> Pass {
    let head = stages[0].forward(Input::Tokens(inputs)).unwrap();
    let body = stages[1].forward(Input::Code(&head)).unwrap();
    let tail = stages[2].loss_and_grad(&body, targets).unwrap();
    let version = stages[1].version();
    let grad = stages[1].backward(version, Input::Code(&head), &tail.grad).unwrap().unwrap();
    let none = stages[0].backward(version, Input::Tokens(inputs), &grad).unwrap();
    assert!(none.is_none(), "nobody comes before the head");
    Pass { codes: [head, body], tail, grad }
}

/// One optimizer step of every stage on one microbatch; its loss before the step.
pub(crate) fn step(stages: &mut [Stage], data: &Dataset, number: u64) -> f32 {
    let (inputs, targets) = microbatch(data, number);
    let loss = pass(stages, &inputs, &targets).tail.loss;
    for stage in stages {
        stage.step().unwrap();
    }
    loss
}
