//! What a stage takes of a GPU's memory: its arrays are made on a device that has none, and counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Gpu;
use crate::Error;
use crate::config::StageConfig;
use crate::gpu;
use crate::gpu::device::{Arg, Device, Grid, Product};
use crate::model::Model;

/// Bytes of a stage on a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Parameters and the optimizer's state, all the time.
    pub(crate) state: u64,
    /// Parameters of another version.
    pub(crate) version: u64,
    /// Of each microbatch in flight.
    pub(crate) flight: u64,
    /// What passes compute in, whatever is in flight.
    pub(crate) work: u64,
}

impl Cost {
    /// # Errors
    /// [`Error::Config`] for a stage that there are no kernels for.
    pub(crate) fn of(config: &StageConfig, recomputes: bool) -> Result<Self, Error> {
        gpu::supports(config)?;
        let counter = Arc::new(Counter::default());
        let gpu = Gpu::empty(Arc::clone(&counter), Model::new(config), recomputes)?;
        let state = counter.take();
        if !config.is_tail() {
            gpu.params.copy(&counter)?;
        }
        let version = counter.take();
        gpu.shared.buffers()?;
        let flight = counter.take();
        gpu.shared.new_work()?;
        Ok(Self { state, version, flight, work: counter.take() })
    }
}

/// A device that does nothing, and counts the bytes that it is asked for.
#[derive(Default)]
struct Counter(AtomicU64);

impl Counter {
    /// Bytes since the last time.
    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Device for Counter {
    type Memory = ();

    fn allocate(&self, bytes: usize) -> Result<(), Error> {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(())
    }

    fn address((): &()) -> u64 {
        0
    }

    fn upload(&self, _: u64, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn download(&self, _: u64, _: &mut [u8]) -> Result<(), Error> {
        Ok(())
    }

    fn copy(&self, _: u64, _: u64, _: usize) -> Result<(), Error> {
        Ok(())
    }

    fn zero(&self, _: u64, _: usize) -> Result<(), Error> {
        Ok(())
    }

    fn launch(&self, _: &'static str, _: Grid, _: &[Arg]) -> Result<(), Error> {
        Ok(())
    }

    fn multiply(&self, _: &Product<'_>) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::adam::Update;
    use crate::code::{self, Wire};
    use crate::cpu::plain::tests::{for_gpu, stage};
    use crate::engine::{Engine, Source};

    /// One step along two microbatches that are in flight at once.
    fn step(gpu: &mut Gpu<Counter>, holds_on: bool) {
        let config = gpu.shared.model.config;
        let rows = (config.batch * config.model.context) as usize;
        let tokens = vec![0; rows];
        let code = code::empty(rows, gpu.shared.model.code_width(), config.cut.bits);
        let code = Wire::of(&code).unwrap();
        let beside = if config.cut.token_width > 0 { &tokens[..] } else { &[] };
        let source =
            if config.is_head() { Source::Tokens(&tokens) } else { Source::Code(code, beside) };
        let weights = gpu.weights();
        let passes = [(); 2].map(|()| gpu.forward(&weights, source).unwrap());
        for (pass, begins) in passes.into_iter().zip([true, false]) {
            if config.is_tail() {
                gpu.loss_backward(pass, &tokens).unwrap();
            } else {
                gpu.backward(pass, code).unwrap();
            }
            gpu.keep(begins).unwrap();
        }
        let _held = holds_on.then_some(weights);
        gpu.step(&Update::new(&config.adam, 1, 1.0, 0.5, 1.0)).unwrap();
    }

    proptest! {
        /// Beside it is what a pass makes for its time: where each token's rows are, and sums of a norm.
        #[test]
        fn a_plan_tells_the_bytes_that_are_held(config in stage().prop_map(for_gpu), recomputes: bool) {
            let config = StageConfig {
                model: crate::ModelConfig { precision: crate::Precision::Bf16, ..config.model },
                ..config
            };
            let planned = Cost::of(&config, recomputes).unwrap();
            let counter = Arc::new(Counter::default());
            let model = Model::new(&config);
            let for_a_time = 16 * u64::from(config.batch * config.model.context) * model.token_span() as u64
                + 4096;
            let mut gpu = Gpu::empty(Arc::clone(&counter), model, recomputes).unwrap();
            step(&mut gpu, !config.is_tail());
            let all = planned.state + planned.version + 2 * planned.flight + planned.work;
            let found = counter.take();
            prop_assert!((all..=all + 2 * for_a_time).contains(&found), "{all} planned, {found} made");
            step(&mut gpu, false);
            prop_assert!(counter.take() <= 2 * for_a_time, "buffers are used again");
        }
    }
}
