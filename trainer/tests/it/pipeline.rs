//! Three stages in one process, trained as one model: what the tests of this folder share.

use iota_trainer::{
    AdamConfig, CutConfig, Dataset, Input, ModelConfig, Precision, Stage, StageConfig, TailOutput,
};

/// Stages of every pipeline here.
pub(crate) const STAGES: u16 = 3;
/// Sequences of a microbatch.
pub(crate) const BATCH: u32 = 8;

/// The setting of one stage: a small model with cuts of these many dimensions.
pub(crate) fn config(stage: u16, context: u32, width: u32, bits: u32) -> StageConfig {
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
            precision: Precision::F32,
        },
        cut: CutConfig { width, bits, residual: true, token_width: 0, token_span: 1 },
        adam: AdamConfig {
            lr_micro: 4_000,
            beta1_milli: 900,
            beta2_milli: 950,
            weight_decay_milli: 0,
            clip_milli: 1_000,
            warmup_steps: 3,
            muon: false,
        },
        stages: STAGES,
        stage,
        batch: BATCH,
        seed: [7; 32],
    }
}

/// The stages of a pipeline.
pub(crate) fn stages(context: u32, width: u32, bits: u32) -> Vec<Stage> {
    // So small a model is several times faster on one thread; a test that wants more asks before.
    iota_trainer::use_threads(1);
    let stage = |stage| Stage::new(&config(stage, context, width, bits)).unwrap();
    (0..STAGES).map(stage).collect()
}

/// Inputs and targets of the microbatch with this number.
pub(crate) fn microbatch(data: &Dataset, number: u64) -> (Vec<u32>, Vec<u32>) {
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for index in 0..u64::from(BATCH) {
        // A stride coprime to most lengths walks through all of the text.
        let id = (number * u64::from(BATCH) + index) * 7919 % data.train_sequences();
        let sequence = data.tokens(id).unwrap().unwrap();
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
    let (head, first) = stages[0].depart(Input::Tokens(inputs)).unwrap();
    let (body, second) = stages[1].depart(Input::of(&stages[1], 1, &head, inputs)).unwrap();
    let input = Input::of(&stages[2], 2, &body, inputs);
    let tail = stages[2].loss_and_grad(input, targets).unwrap();
    let grad = stages[1].land(second, &tail.grad).unwrap().unwrap();
    let none = stages[0].land(first, &grad).unwrap();
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

/// A code in f32 form with these values: what [`iota_trainer::code`] specifies, written by hand.
pub(crate) fn float_code(values: &[f32], width: u32) -> Vec<u8> {
    let mut bytes = vec![0xC0, 32];
    bytes.extend((values.len() as u32 / width).to_le_bytes());
    bytes.extend(width.to_le_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// A seeded source of numbers (splitmix64).
pub(crate) fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// Parameters, first and second moments of a snapshot, as it lays them out.
pub(crate) fn snapshot_parts(snapshot: &[u8], count: usize) -> [Vec<f32>; 3] {
    let header = snapshot.len() - 12 * count;
    let values = snapshot[header..].as_chunks::<4>().0;
    let part = |index: usize| {
        let part = &values[index * count..(index + 1) * count];
        part.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    };
    [part(0), part(1), part(2)]
}
