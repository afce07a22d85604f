//! A stage on a GPU: kernels of our own, and matrix products of the device's library.
//!
//! The engine knows a [`device::Device`] alone. One is CUDA; another, in tests, runs the same kernels' source
//! on the CPU.

#[cfg(test)]
mod audited;
mod block;
#[cfg(test)]
mod codes;
#[cfg(feature = "cuda")]
mod cuda;
pub(crate) mod device;
#[cfg(test)]
pub(crate) mod emulated;
mod engine;
mod muon;
mod ops;

pub(crate) use engine::Cost;
#[cfg(any(test, feature = "cuda"))]
pub(crate) use engine::Gpu;

/// The GPU of this number, opened once in a process.
///
/// # Errors
/// [`crate::Error::Device`] when there is none that can be used.
#[cfg(feature = "cuda")]
pub(crate) fn open(number: u32) -> Result<std::sync::Arc<cuda::Cuda>, crate::Error> {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex, PoisonError};

    static OPEN: Mutex<Option<HashMap<u32, Arc<cuda::Cuda>>>> = Mutex::new(None);
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let open = open.get_or_insert_default();
    if let Some(found) = open.get(&number) {
        return Ok(Arc::clone(found));
    }
    let opened = Arc::new(cuda::Cuda::open(number as usize)?);
    open.insert(number, Arc::clone(&opened));
    Ok(opened)
}

/// A GPU to run tests on, where one is asked for.
#[cfg(all(test, feature = "cuda"))]
pub(crate) fn lent() -> Option<std::sync::Arc<cuda::Cuda>> {
    std::env::var_os("IOTA_TEST_GPU").map(|_| open(0).expect("there is a GPU"))
}

/// Whether there are kernels for a stage.
///
/// # Errors
/// [`crate::Error::Config`] saying what there is none for.
pub(crate) fn supports(config: &crate::StageConfig) -> Result<(), crate::Error> {
    if config.model.precision != crate::Precision::Bf16 {
        let text = "a GPU computes in bf16, and the run's precision is f32";
        return Err(crate::Error::Config(text.into()));
    }
    ops::Attention::new(&config.model, config.batch as usize).map(|_| ())
}
