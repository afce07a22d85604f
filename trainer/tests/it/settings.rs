//! Settings that cannot be computed with are refused before anything is built.

use iota_trainer::{Error, Input, Stage, StageConfig};
use proptest::prelude::*;

use crate::pipeline::config;

/// Breaks a rule.
type Breaking = fn(&mut StageConfig);

fn body() -> StageConfig {
    config(1, 16, 12, 8)
}

#[test]
fn each_broken_rule_is_named() {
    let broken: [(Breaking, &str); 14] = [
        (|c| c.model.vocab = 1, "vocab"),
        (|c| c.model.context = 1, "context"),
        (|c| c.batch = 0, "batch"),
        (|c| c.model.heads = 0, "heads must divide d_model"),
        (|c| c.model.heads = 5, "heads must divide d_model"),
        (|c| c.model.kv_heads = 3, "kv_heads must divide heads"),
        (|c| c.model.kv_heads = 0, "kv_heads must divide heads"),
        (|c| c.model.heads = 32, "even"),
        (|c| c.model.d_ffn = 0, "d_ffn"),
        (|c| c.cut.width = 0, "the code must be"),
        (|c| c.cut.width = 33, "the code must be"),
        (|c| c.stages = 1, "2 stages"),
        (|c| c.stage = 3, "beyond the pipeline"),
        (|c| c.stages = 4, "needs a layer"),
    ];
    assert!(body().validate().is_ok());
    for (breaking, rule) in broken {
        let mut config = body();
        breaking(&mut config);
        let Err(Error::Config(text)) = Stage::new(&config).map(|_| ()) else {
            panic!("{rule}: not refused")
        };
        assert!(text.contains(rule), "{text:?} does not name {rule:?}");
    }
}

#[test]
fn stages_share_out_all_layers_and_the_middle_gets_the_rest() {
    for stages in 2..8u16 {
        for layers in u32::from(stages)..20 {
            let counts: Vec<u32> = (0..stages)
                .map(|stage| {
                    let mut config = body();
                    (config.stages, config.stage, config.model.layers) = (stages, stage, layers);
                    config.layers()
                })
                .collect();
            assert_eq!(counts.iter().sum::<u32>(), layers);
            let least = layers / u32::from(stages);
            assert!(counts.iter().all(|count| (least..=least + 1).contains(count)), "{counts:?}");
            // The head gets an extra layer only when at most one other stage goes without.
            let without = counts.iter().filter(|count| **count == least).count();

            assert!(counts[0] == least || without <= 1, "{counts:?}");
        }
    }
}

#[test]
fn a_cut_as_wide_as_the_model_and_one_of_a_single_dimension_both_work() {
    for width in [1, 32] {
        let mut all: Vec<Stage> =
            (0..3).map(|stage| Stage::new(&config(stage, 16, width, 8)).unwrap()).collect();
        let tokens: Vec<u32> = (0..128).map(|place| place * 37 % 256).collect();
        let sent = crate::pipeline::pass(&mut all, &tokens, &tokens);
        let bytes = 10 + 128 * config(0, 16, width, 8).cut.bytes_per_token() as usize;
        assert_eq!((sent.codes[0].len(), sent.grad.len()), (bytes, bytes));
    }
}

proptest! {
    /// Small settings at random, most of them wrong: a stage that is built also computes.
    #[test]
    fn settings_are_refused_or_work(
        model in [1u32..9, 3..9, 1..6, 1..4, 1..3, 0..9, 1..9],
        stages in 1u16..4,
        (width, batch, bits) in (0u32..7, 0u32..4, prop::sample::select(vec![32, 8, 4, 2, 1])),
    ) {
        let mut config = config(0, 2, width, bits);
        let [vocab, d_model, layers, heads, kv_heads, d_ffn, context] = model;
        (config.model.vocab, config.model.d_model, config.model.layers) = (vocab, d_model, layers);
        (config.model.heads, config.model.kv_heads) = (heads, kv_heads);
        (config.model.d_ffn, config.model.context) = (d_ffn, context);
        (config.stages, config.batch) = (stages, batch);
        let Ok(head) = Stage::new(&config) else {
            prop_assert!(config.validate().is_err());
            return Ok(());
        };
        let tokens: Vec<u32> = (0..batch * context).map(|place| place % vocab).collect();
        let code = head.forward(Input::Tokens(&tokens)).unwrap();
        config.stage = stages - 1;
        let tail = Stage::new(&config).unwrap().loss_and_grad(Input::Code(&code), &tokens).unwrap();
        prop_assert!(tail.loss.is_finite());
        prop_assert_eq!(tail.grad.len(), code.len());
    }
}
