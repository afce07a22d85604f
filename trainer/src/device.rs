//! Where a stage computes.

use std::fmt;
use std::str::FromStr;

use crate::config::{Precision, StageConfig};
use crate::cpu::Cpu;
use crate::engine::Engine;
use crate::model::Model;
use crate::{Error, Options, gpu};

/// A device that computes a stage. Parameters are the same on all of them; what they compute agrees within
/// the rounding of sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// All cores that the process uses.
    #[default]
    Cpu,
    /// The NVIDIA GPU of this number.
    Cuda(u32),
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = match text {
            "cpu" => return Ok(Self::Cpu),
            "cuda" => Ok(0),
            other => other.strip_prefix("cuda:").unwrap_or_default().parse(),
        };
        number.map(Self::Cuda).map_err(|_| "expected `cpu`, `cuda` or `cuda:NUMBER`".into())
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl Device {
    /// Whether this binary can use GPUs at all.
    pub const HAS_CUDA: bool = cfg!(feature = "cuda");

    /// Looks whether it is there and can compute a stage, and tells its name.
    ///
    /// # Errors
    /// [`Error::Device`] for one that is not there, [`Error::Config`] for a stage that it cannot compute.
    pub fn check(self, config: &StageConfig) -> Result<String, Error> {
        match self {
            Self::Cpu => Ok("cpu".into()),
            Self::Cuda(number) => {
                gpu::supports(config)?;
                open(number)
            }
        }
    }

    pub(crate) fn engine(
        self,
        config: &StageConfig,
        options: Options,
    ) -> Result<Box<dyn Engine>, Error> {
        self.check(config)?;
        let model = Model::new(config);
        Ok(match (self, config.model.precision) {
            (Self::Cuda(number), _) => return cuda(number, model, options.recompute),
            (Self::Cpu, Precision::F32) => Box::new(Cpu::<f32>::new(model, options.recompute)),
            (Self::Cpu, Precision::Bf16) => {
                Box::new(Cpu::<half::bf16>::new(model, options.recompute))
            }
        })
    }
}

#[cfg(feature = "cuda")]
fn open(number: u32) -> Result<String, Error> {
    Ok(gpu::open(number)?.name().to_owned())
}

#[cfg(feature = "cuda")]
fn cuda(number: u32, model: Model, recomputes: bool) -> Result<Box<dyn Engine>, Error> {
    Ok(Box::new(gpu::Gpu::new(gpu::open(number)?, model, recomputes)?))
}

#[cfg(not(feature = "cuda"))]
fn open(number: u32) -> Result<String, Error> {
    let problem = "this program was built without CUDA (cargo build --features cuda)".into();
    Err(Error::Device { device: Device::Cuda(number).to_string(), problem })
}

#[cfg(not(feature = "cuda"))]
fn cuda(number: u32, _: Model, _: bool) -> Result<Box<dyn Engine>, Error> {
    Err(open(number).expect_err("it was built without CUDA"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_as_elsewhere() {
        for (text, device) in
            [("cpu", Device::Cpu), ("cuda", Device::Cuda(0)), ("cuda:3", Device::Cuda(3))]
        {
            assert_eq!(text.parse(), Ok(device));
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:x"] {
            assert!(text.parse::<Device>().is_err(), "{text}");
        }
    }
}
