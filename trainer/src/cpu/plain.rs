//! The same stage as a plain graph of candle tensors in f64, differentiated by candle: what the
//! operations are checked against.

use candle_core::{D, DType, Device, Result, Tensor, Var};

use crate::code::Wire;
use crate::engine::Source;
use crate::model::Model;

const EPSILON: f64 = 1e-5;

/// What a stage makes, and the gradients.
pub(super) struct Expected {
    /// The code, or the losses of a tail.
    pub(super) output: Vec<f64>,
    /// Of all parameters, flat.
    pub(super) gradient: Vec<f64>,
    /// Of the code that was the source.
    pub(super) source: Option<Vec<f64>>,
}

struct Plain<'a> {
    model: &'a Model,
    weights: Vec<Tensor>,
    next: usize,
}

/// Runs a stage; `dcode` is the gradient of its code, or none for the mean loss of `targets`.
pub(super) fn run(
    model: &Model,
    params: &[f32],
    source: &Source<'_>,
    goal: std::result::Result<Wire<'_>, &[u32]>,
) -> Result<Expected> {
    let mut at = 0;
    let mut vars = Vec::new();
    for entry in &model.entries {
        let len: usize = entry.shape.iter().product();
        let part = Tensor::from_slice(&params[at..at + len], entry.shape.as_slice(), &Device::Cpu)?;
        vars.push(Var::from_tensor(&part.to_dtype(DType::F64)?)?);
        at += len;
    }
    let weights = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let mut plain = Plain { model, weights, next: 0 };
    let batch = model.config.batch as usize;
    let (x, leaf) = match source {
        Source::Tokens(tokens) => {
            let tokens = Tensor::from_slice(tokens, tokens.len(), &Device::Cpu)?;
            let rows = plain.take().index_select(&tokens, 0)?;
            (rows.reshape((batch, (), model.config.model.d_model as usize))?, None)
        }
        Source::Code(code, tokens) => {
            let shape = (batch, code.rows / batch, code.width);
            let code = Tensor::from_vec(code.values(), shape, &Device::Cpu)?;
            let leaf = Var::from_tensor(&code.to_dtype(DType::F64)?)?;
            let code = leaf.as_tensor().clone();
            (if model.config.squeezes() { plain.decode(&code, tokens)? } else { code }, Some(leaf))
        }
    };
    let mut x = x;
    for _ in 0..model.config.layers() {
        x = plain.block(&x)?;
    }
    let (output, scalar) = match goal {
        Ok(dcode) => {
            let code = if model.config.squeezes() { plain.encode(&x)? } else { x };
            let dcode = Tensor::from_vec(dcode.values(), code.shape(), &Device::Cpu)?;
            let scalar = (&code * dcode.to_dtype(DType::F64)?)?.sum_all()?;
            (code, scalar)
        }
        Err(targets) => {
            let h = rms_norm(&x, &plain.take())?;
            let logits = project(&h, &plain.take())?.flatten(0, 1)?;
            let targets = Tensor::from_slice(targets, (targets.len(), 1), &Device::Cpu)?;
            let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
            let total = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
            let losses = (total - shifted.gather(&targets, D::Minus1)?)?;
            let mean = losses.mean_all()?;
            (losses, mean)
        }
    };
    let store = scalar.backward()?;
    let flat = |tensor: &Tensor| -> Result<Vec<f64>> {
        match store.get(tensor) {
            Some(gradient) => gradient.flatten_all()?.to_vec1(),
            None => Ok(vec![0.0; tensor.elem_count()]),
        }
    };
    let mut gradient = Vec::new();
    for var in &vars {
        gradient.extend(flat(var.as_tensor())?);
    }
    let source = leaf.map(|leaf| flat(leaf.as_tensor())).transpose()?;
    Ok(Expected { output: output.flatten_all()?.to_vec1()?, gradient, source })
}

impl Plain<'_> {
    fn take(&mut self) -> Tensor {
        self.next += 1;
        self.weights[self.next - 1].clone()
    }

    fn decode(&mut self, code: &Tensor, tokens: &[u32]) -> Result<Tensor> {
        let decoder = self.take();
        let known = if tokens.is_empty() {
            code.clone()
        } else {
            let batch = code.dim(0)?;
            let table = self.take();
            let (span, width) = (self.model.token_span(), self.model.token_width());
            let context = tokens.len() / batch;
            let mut known = vec![code.clone()];
            for back in 0..span {
                let before = |at: usize| tokens[at - back.min(at % context)];
                let rows: Vec<u32> = (0..tokens.len()).map(before).collect();
                let rows = table.index_select(&Tensor::new(rows, &Device::Cpu)?, 0)?;
                let each = width / span;
                let part = rows.narrow(1, back * each, each)?;
                known.push(part.reshape((batch, context, each))?);
            }
            Tensor::cat(&known, 2)?
        };
        let x = project(&known, &decoder)?;
        if !self.model.config.cut.residual {
            return Ok(x);
        }
        let rest = self.model.config.model.d_model as usize - self.model.code_width();
        x + code.pad_with_zeros(2, 0, rest)?
    }

    fn encode(&mut self, x: &Tensor) -> Result<Tensor> {
        let x = &rms_norm(x, &self.take())?;
        let code = project(x, &self.take())?;
        if !self.model.config.cut.residual {
            return Ok(code);
        }
        code + x.narrow(2, 0, self.model.code_width())?
    }

    fn block(&mut self, x: &Tensor) -> Result<Tensor> {
        let h = rms_norm(x, &self.take())?;
        let x = (x + self.attention(&h)?)?;
        let h = rms_norm(&x, &self.take())?;
        let gated = (project(&h, &self.take())?.silu()? * project(&h, &self.take())?)?;
        x + project(&gated, &self.take())?
    }

    fn attention(&mut self, h: &Tensor) -> Result<Tensor> {
        let config = &self.model.config.model;
        let (batch, tokens, width) = h.dims3()?;
        let (heads, groups) = (config.heads as usize, config.kv_heads as usize);
        let each = width / heads;
        let split = |x: Tensor, count: usize| {
            x.reshape((batch, tokens, count, each))?.transpose(1, 2)?.contiguous()
        };
        let theta = f64::from(config.rope_theta);
        let q = rotate(&split(project(h, &self.take())?, heads)?, theta)?;
        let k = rotate(&split(project(h, &self.take())?, groups)?, theta)?;
        let v = split(project(h, &self.take())?, groups)?;
        let repeat = |x: &Tensor| {
            let shape = (batch, groups, heads / groups, tokens, each);
            x.unsqueeze(2)?.broadcast_as(shape)?.contiguous()?.reshape((batch, heads, tokens, each))
        };
        let (k, v) = (repeat(&k)?, repeat(&v)?);
        let scores = (q.matmul(&k.transpose(2, 3)?.contiguous()?)? / (each as f64).sqrt())?;
        let mask: Vec<f64> = (0..tokens * tokens)
            .map(|place| if place % tokens > place / tokens { -1e300 } else { 0.0 })
            .collect();
        let mask = Tensor::from_vec(mask, (tokens, tokens), &Device::Cpu)?;
        let scores = scores.broadcast_add(&mask)?;
        let exp = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?.exp()?;
        let weights = exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)?;
        let mixed = weights.matmul(&v)?.transpose(1, 2)?.contiguous()?;
        project(&mixed.reshape((batch, tokens, width))?, &self.take())
    }
}

fn rms_norm(x: &Tensor, scale: &Tensor) -> Result<Tensor> {
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
    x.broadcast_div(&(mean_square + EPSILON)?.sqrt()?)?.broadcast_mul(scale)
}

fn project(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let (batch, tokens, inner) = x.dims3()?;
    x.reshape((batch * tokens, inner))?.matmul(weight)?.reshape((batch, tokens, weight.dim(1)?))
}

fn rotate(x: &Tensor, theta: f64) -> Result<Tensor> {
    let (tokens, half) = (x.dim(2)?, x.dim(3)? / 2);
    let table = |f: fn(f64) -> f64| {
        let angle = |place: usize| {
            (place / half) as f64 * theta.powf(-((place % half) as f64) / half as f64)
        };
        let values: Vec<f64> = (0..tokens * half).map(|place| f(angle(place))).collect();
        Tensor::from_vec(values, (tokens, half), &Device::Cpu)
    };
    let (cos, sin) = (table(f64::cos)?, table(f64::sin)?);
    let (first, second) = (x.narrow(3, 0, half)?, x.narrow(3, half, half)?);
    let left = (first.broadcast_mul(&cos)? - second.broadcast_mul(&sin)?)?;
    let right = (second.broadcast_mul(&cos)? + first.broadcast_mul(&sin)?)?;
    Tensor::cat(&[&left, &right], 3)
}

pub(crate) mod tests {
    use proptest::prelude::*;

    use half::bf16;

    use super::*;
    use crate::adam::Update;
    use crate::code::{code_values, encode};
    use crate::config::{AdamConfig, CutConfig, ModelConfig, Precision, StageConfig};
    use crate::cpu::Cpu;
    use crate::engine::{Engine, Weights};
    use crate::gpu::device::Device;
    use crate::gpu::{Gpu, emulated};

    /// Stages of all shapes, odd sizes among them, also longer than a block of queries.
    pub(crate) fn stage() -> impl Strategy<Value = StageConfig> {
        let sizes = (1_u32..4, 1_u32..3, 1_u32..5, 1_u32..40, 1_u32..4, 2_u32..80);
        (sizes, 2_u32..40, 0_u16..3, 1_u32..3, any::<u8>()).prop_map(
            |((groups, times, half, d_ffn, layers, context), vocab, stage, batch, seed)| {
                let heads = groups * times;
                let d_model = heads * half * 2;
                StageConfig {
                    model: ModelConfig {
                        vocab,
                        d_model,
                        layers: layers + 2,
                        heads,
                        kv_heads: groups,
                        d_ffn,
                        context,
                        rope_theta: 10_000,
                        precision: Precision::F32,
                    },
                    cut: CutConfig {
                        width: if seed % 5 == 0 { d_model } else { d_model / 2 },
                        bits: 32,
                        residual: seed % 4 > 0,
                        token_width: if seed % 3 == 0 && seed % 5 > 0 { d_model / 2 } else { 0 },
                        token_span: if d_model % 4 == 0 { 1 + seed as u32 % 2 } else { 1 },
                    },
                    adam: AdamConfig {
                        lr_micro: 1,
                        beta1_milli: 0,
                        beta2_milli: 0,
                        weight_decay_milli: 0,
                        clip_milli: 0,
                        warmup_steps: 0,
                        muon: seed % 4 == 1,
                    },
                    stages: 3,
                    stage,
                    batch,
                    seed: [seed; 32],
                }
            },
        )
    }

    /// Whether errors of many numbers are averaged.
    fn wide(config: &StageConfig) -> bool {
        let model = &config.model;
        model.d_model >= 16 && model.d_ffn >= 8 && model.context >= 8 && model.vocab >= 8
    }

    /// Length of the difference, against the length of what is expected.
    fn error<T: Copy + Into<f64>>(found: &[T], expected: &[f64]) -> f64 {
        assert_eq!(found.len(), expected.len());
        let squares: f64 = expected.iter().map(|value| value * value).sum();
        let off = found.iter().zip(expected).map(|(a, b)| ((*a).into() - b).powi(2));
        (off.sum::<f64>() / (squares + 1e-12)).sqrt()
    }

    /// What roundings that follow each other may do to a number: 32 in f32, or 4 to bf16.
    const WIDE: f32 = 32.0 / (1 << 24) as f32;
    const HALF: f32 = 4.0 / (1 << 9) as f32;

    /// Code or losses, the gradient, and that of the source.
    type Made = (Vec<f32>, Vec<f32>, Option<Vec<f32>>);

    /// Inputs for a stage, drawn with a seed.
    struct Case {
        params: Vec<f32>,
        tokens: Vec<u32>,
        targets: Vec<u32>,
        /// Of 32 bits, and its gradient.
        code: Vec<u8>,
        dcode: Vec<u8>,
    }

    impl Case {
        fn new(config: &StageConfig) -> Self {
            let model = Model::new(config);
            let rows = (config.batch * config.model.context) as usize;
            let mut seed = u64::from(config.seed[0]);
            let mut random = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 33) as u32
            };
            let mut tokens =
                || (0..rows).map(|_| random() % config.model.vocab).collect::<Vec<_>>();
            let (tokens, targets) = (tokens(), tokens());
            let mut values = || {
                (0..rows * model.code_width())
                    .map(|_| random() as f32 / 2e9 - 0.5)
                    .collect::<Vec<_>>()
            };
            let mut values = || encode(&values(), model.code_width(), 32).unwrap();
            let (code, dcode) = (values(), values());
            Self { params: model.initial(), tokens, targets, code, dcode }
        }

        fn source(&self, config: &StageConfig) -> Source<'_> {
            match (config.is_head(), config.cut.token_width) {
                (true, _) => Source::Tokens(&self.tokens),
                (false, 0) => Source::Code(Wire::of(&self.code).unwrap(), &[]),
                (false, _) => Source::Code(Wire::of(&self.code).unwrap(), &self.tokens),
            }
        }

        fn dcode(&self) -> Wire<'_> {
            Wire::of(&self.dcode).unwrap()
        }

        /// Code or losses, the gradient, and that of the source.
        fn run(&self, config: &StageConfig, mut engine: impl Engine) -> Made {
            // Twice: the second pass computes in used buffers.
            let mut made = Vec::new();
            for _ in 0..2 {
                let mut pass = engine.forward(&engine.weights(), self.source(config)).unwrap();
                made.push(if config.is_tail() {
                    let losses = pass.losses(&self.targets).unwrap();
                    let (loss, source) = engine.loss_backward(pass, &self.targets).unwrap();
                    let mean = losses.iter().sum::<f32>() / losses.len() as f32;
                    assert!((loss - mean).abs() <= 1e-5 * mean.abs());
                    (losses, engine.fresh(), source)
                } else {
                    let code = code_values(&pass.code().unwrap()).unwrap();
                    let source = engine.backward(pass, self.dcode()).unwrap();
                    (code, engine.fresh(), source)
                });
            }
            assert!(made[0] == made[1]);
            let (output, gradient, source) = made.swap_remove(1);
            (output, gradient, source.map(|code| code_values(&code).unwrap()))
        }

        /// Code or losses.
        fn output(
            &self,
            config: &StageConfig,
            engine: &impl Engine,
            weights: &Weights,
        ) -> Vec<f32> {
            let mut pass = engine.forward(weights, self.source(config)).unwrap();
            if config.is_tail() {
                pass.losses(&self.targets).unwrap()
            } else {
                code_values(&pass.code().unwrap()).unwrap()
            }
        }

        /// A step along two microbatches.
        fn steps(
            &self,
            config: &StageConfig,
            engine: &mut impl Engine,
            adam: &AdamConfig,
            step: u32,
        ) {
            for number in 0..2 {
                let pass = engine.forward(&engine.weights(), self.source(config)).unwrap();
                if config.is_tail() {
                    engine.loss_backward(pass, &self.targets).unwrap();
                } else {
                    engine.backward(pass, self.dcode()).unwrap();
                }
                let length = engine.fresh_norm().unwrap();
                engine.keep(number == 0).unwrap();
                let sum = engine.norm().unwrap();
                assert!((sum / (length * f64::from(number + 1)) - 1.0).abs() < 1e-5);
            }
            let norm = engine.norm().unwrap() / 2.0;
            engine.step(&Update::new(adam, step, 1.0, 0.5, norm)).unwrap();
        }

        fn check<E: Engine>(
            &self,
            config: &StageConfig,
            of: impl Fn(Model, bool) -> E,
            rounding: f32,
            bound: f64,
        ) {
            let found = self.run(config, of(Model::new(config), false));
            let again = self.run(config, of(Model::new(config), true));
            assert!(found == again, "recomputing changes nothing");
            let expected = self.expected(config);
            let [output, gradient, source] = self.off(config, &expected, rounding);
            let agrees = |what: &str, found: f64, bound: f64, off: f64| {
                let bound = if off > 2.0 * bound { off } else { bound };
                assert!(found < bound, "{what}: {found}, not below {bound}");
            };
            agrees("output", error(&found.0, &expected.output), bound, output);
            agrees("gradient", error(&found.1, &expected.gradient), 2.0 * bound, gradient);
            assert_eq!(found.2.is_some(), expected.source.is_some());
            if let Some((found, expected)) = found.2.zip(expected.source) {
                agrees("source", error(&found, &expected), 2.0 * bound, source);
            }
        }

        /// How far the plain graph is off where what goes into it is rounded, at most in three tries, and up to a
        /// quarter: its output, gradient and that of its source. Where a row is all but zero, its norm makes of one
        /// rounding before it as much as that row's length lacks.
        fn off(&self, config: &StageConfig, expected: &Expected, rounding: f32) -> [f64; 3] {
            let mut most = [0.0_f64; 3];
            for seed in 1..=3 {
                let off = self.rounded(rounding, seed).expected(config);
                let source = off.source.as_deref().zip(expected.source.as_deref());
                let errors = [
                    error(&off.output, &expected.output),
                    error(&off.gradient, &expected.gradient),
                    source.map_or(0.0, |(off, expected)| error(off, expected)),
                ];
                most = std::array::from_fn(|i| most[i].max(errors[i].min(0.25)));
            }
            most
        }

        fn expected(&self, config: &StageConfig) -> Expected {
            let goal = if config.is_tail() { Err(&self.targets[..]) } else { Ok(self.dcode()) };
            run(&Model::new(config), &self.params, &self.source(config), goal).unwrap()
        }

        /// All numbers off by a rounding, up or down.
        fn rounded(&self, rounding: f32, mut seed: u64) -> Self {
            let mut off = |values: &[f32]| -> Vec<f32> {
                let mut next = || {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    if seed >> 63 == 0 { rounding } else { -rounding }
                };
                values.iter().map(|value| value + value * next()).collect()
            };
            let [code, dcode] = [&self.code, &self.dcode].map(|code| {
                let code = Wire::of(code).unwrap();
                encode(&off(&code.values()), code.width, 32).unwrap()
            });
            Self {
                params: off(&self.params),
                code,
                dcode,
                tokens: self.tokens.clone(),
                targets: self.targets.clone(),
            }
        }
    }

    /// The same stage with heads that there are kernels for.
    pub(crate) fn for_gpu(mut config: StageConfig) -> StageConfig {
        let wider = [4, 12, 28][usize::from(config.seed[0]) % 3];
        let each = (config.model.d_model / config.model.heads * wider).next_multiple_of(8).min(128);
        config.model.d_model = each * config.model.heads;
        let is_open = config.cut.width == config.model.d_model;
        config.cut.width = if is_open { config.model.d_model } else { config.model.d_model / 2 };
        config.cut.token_width = config.cut.token_width.min(config.model.d_model / 2);
        config
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_stage_agrees_with_the_plain_graph_forward_and_backward(config in stage()) {
            config.validate().unwrap();
            Case::new(&config).check(&config, Cpu::<f32>::new, WIDE, 5e-5);
        }

        // 2^-9 for each rounding, of which some tens follow each other, with any sign; and the norm before a
        // code makes a short row's as large as a long one's.
        #[test]
        fn so_does_a_stage_in_bf16_within_its_rounding(config in stage().prop_filter("one number's rounding", wide)) {
            Case::new(&config).check(&config, Cpu::<bf16>::new, HALF, 3e-2);
        }
    }

    /// Steps, moments, versions that are held on to, and going on from what was read.
    fn steps_as_the_cpu_does<D: Device>(config: &StageConfig, of: impl Fn() -> Gpu<D>) {
        let case = Case::new(config);
        let mut cpu = Cpu::<bf16>::new(Model::new(config), false);
        let mut gpu = of();
        let start = gpu.params().to_vec();
        assert!(start == cpu.params());
        let old = gpu.weights();
        let before = case.output(config, &gpu, &old);
        let adam = AdamConfig { lr_micro: 1000, beta1_milli: 900, beta2_milli: 950, ..config.adam };
        for step in 1..=2 {
            case.steps(config, &mut cpu, &adam, step);
            case.steps(config, &mut gpu, &adam, step);
        }
        // Some entries of a gradient are so small that rounding turns them, and AdamW steps all alike.
        let moved = |params: &[f32]| -> Vec<f32> {
            params.iter().zip(&start).map(|(a, b)| a - b).collect()
        };
        let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        assert!(error(&moved(gpu.params()), &wide(&moved(cpu.params()))) < 0.5);
        let [_, gradient, _] = case.off(config, &case.expected(config), HALF);
        for (found, expected) in gpu.moments().iter().zip(cpu.moments()) {
            assert!(error(found, &wide(&expected)) < 0.2_f64.max(gradient));
        }
        assert!(before == case.output(config, &gpu, &old), "versions in flight stay");
        let (params, [m, v]) = (gpu.params().to_vec(), gpu.moments());
        let after = case.output(config, &gpu, &gpu.weights());
        let mut again = of();
        again.load(&params, Some([&m, &v])).unwrap();
        assert!(again.params() == params && again.moments() == [m, v]);
        assert!(after == case.output(config, &again, &again.weights()));
        assert!(after == case.output(config, &gpu, &gpu.upload(&params).unwrap()));
        cpu.load(&params, None).unwrap();
        let expected = wide(&case.output(config, &cpu, &cpu.weights()));
        let stepped = Case { params, ..Case::new(config) };
        let [output, ..] = stepped.off(config, &stepped.expected(config), HALF);
        assert!(error(&after, &expected) < 3e-2_f64.max(output));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn so_does_a_stage_of_kernels(config in stage().prop_map(for_gpu).prop_filter("one number's rounding", wide)) {
            config.validate().unwrap();
            let kernels = |model, recomputes| Gpu::new(emulated::device(), model, recomputes).unwrap();
            Case::new(&config).check(&config, kernels, HALF, 3e-2);
        }

        #[test]
        fn kernels_step_as_the_cpu_does(config in stage().prop_map(for_gpu).prop_filter("one number's rounding", wide)) {
            steps_as_the_cpu_does(&config, || Gpu::new(emulated::device(), Model::new(&config), false).unwrap());
        }

        #[cfg(feature = "cuda")]
        #[test]
        fn so_does_a_stage_on_a_gpu(config in stage().prop_map(for_gpu).prop_filter("one number's rounding", wide)) {
            if let Some(device) = crate::gpu::lent() {
                let cuda = |model, recomputes| Gpu::new(device.clone(), model, recomputes).unwrap();
                Case::new(&config).check(&config, cuda, HALF, 3e-2);
                steps_as_the_cpu_does(&config, || cuda(Model::new(&config), false));
            }
        }
    }
}
