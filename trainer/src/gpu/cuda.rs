//! NVIDIA GPUs through the CUDA driver and cuBLAS, both loaded when they are first asked for: a binary built
//! with this runs without them, too.

use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::cublas::{self, CudaBlas};
use cudarc::driver::{self, CudaContext, CudaSlice, CudaStream, DevicePtr, DriverError};

use super::device::{Arg, Device, Grid, Matrix, Out, Product};
use crate::Error;

/// The kernels, compiled for the GPUs that build.rs names.
const KERNELS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin"));
/// Shared memory that a kernel has without asking, in bytes.
const SHARED: u32 = 48 << 10;

/// One GPU.
pub(crate) struct Cuda {
    name: String,
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    /// Used by one thread at a time.
    blas: Mutex<CudaBlas>,
    module: driver::sys::CUmodule,
    /// Kernels that were asked for.
    kernels: Mutex<HashMap<&'static str, Kernel>>,
}

/// Bytes of a GPU.
pub(crate) struct Memory(CudaSlice<u8>);

impl Drop for Memory {
    fn drop(&mut self) {
        // They are freed next, by whichever thread this is; a failure shows at the next call.
        let _ = self.0.context().bind_to_thread();
    }
}

#[derive(Clone, Copy)]
struct Kernel {
    function: driver::sys::CUfunction,
    /// Shared memory it may take.
    shared: u32,
}

// SAFETY: a module and its functions belong to the context, which any thread may bind.
unsafe impl Send for Cuda {}
// SAFETY: likewise; what is not safe to share lies behind a lock.
unsafe impl Sync for Cuda {}

impl Cuda {
    /// The GPU of this number.
    ///
    /// # Errors
    /// [`Error::Device`] where there is no driver, no cuBLAS, no such GPU, or none that the kernels fit.
    pub(crate) fn open(ordinal: usize) -> Result<Self, Error> {
        let refuse = |problem: String| Error::Device { device: format!("cuda:{ordinal}"), problem };
        // SAFETY: this only looks for the libraries.
        let (has_driver, has_blas) =
            unsafe { (driver::sys::is_culib_present(), cublas::sys::is_culib_present()) };
        if !has_driver {
            return Err(refuse("there is no NVIDIA driver (libcuda)".into()));
        }
        if !has_blas {
            return Err(refuse("there is no cuBLAS of CUDA 13 (libcublas.so.13)".into()));
        }
        let told = |error: DriverError| refuse(error.to_string());
        let context = CudaContext::new(ordinal).map_err(told)?;
        // Everything runs in one stream, so nothing waits for events.
        // SAFETY: for the same reason, memory is freed after what was given before.
        unsafe { context.disable_event_tracking() };
        let stream = context.default_stream();
        let name = format!("cuda:{ordinal} ({})", context.name().map_err(told)?);
        let blas = CudaBlas::new(Arc::clone(&stream)).map_err(|error| refuse(error.to_string()))?;
        context.bind_to_thread().map_err(told)?;
        // SAFETY: the image is what nvcc wrote.
        let module = unsafe { driver::result::module::load_data(KERNELS.as_ptr().cast()) };
        let module = module.map_err(|error| {
            refuse(format!("the kernels do not fit it (sm_80 and later do): {error}"))
        })?;
        let (blas, kernels) = (Mutex::new(blas), Mutex::default());
        Ok(Self { name, context, stream, blas, module, kernels })
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn told<R, E: std::fmt::Display>(&self, result: Result<R, E>) -> Result<R, Error> {
        let refuse =
            |error: E| Error::Device { device: self.name.clone(), problem: error.to_string() };
        result.map_err(refuse)
    }

    fn bound(&self) -> Result<driver::sys::CUstream, Error> {
        self.told(self.context.bind_to_thread())?;
        Ok(self.stream.cu_stream())
    }

    /// A kernel that may take so much shared memory.
    fn kernel(&self, name: &'static str, shared: u32) -> Result<driver::sys::CUfunction, Error> {
        let mut kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kernel = match kernels.get(name) {
            Some(kernel) => *kernel,
            None => {
                let symbol = self.told(CString::new(name))?;
                // SAFETY: the module is loaded as long as this lives.
                let found = unsafe { driver::result::module::get_function(self.module, symbol) };
                Kernel { function: self.told(found)?, shared: SHARED }
            }
        };
        if shared > kernel.shared {
            use driver::sys::CUfunction_attribute_enum as Attribute;
            let wanted = Attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            let set = driver::result::function::set_function_attribute;
            // SAFETY: the function was just found.
            self.told(unsafe { set(kernel.function, wanted, shared as i32) })?;
            kernel.shared = shared;
        }
        kernels.insert(name, kernel);
        Ok(kernel.function)
    }
}

impl Device for Cuda {
    type Memory = Memory;

    fn allocate(&self, bytes: usize) -> Result<Memory, Error> {
        Ok(Memory(self.told(self.stream.alloc_zeros::<u8>(bytes))?))
    }

    fn address(Memory(bytes): &Memory) -> u64 {
        bytes.device_ptr(bytes.stream()).0
    }

    fn upload(&self, to: u64, bytes: &[u8]) -> Result<(), Error> {
        self.bound()?;
        // In order with the default stream, and the bytes were read when this returns.
        // SAFETY: views lie within their arrays.
        self.told(unsafe { driver::result::memcpy_htod_sync(to, bytes) })
    }

    fn download(&self, from: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let stream = self.bound()?;
        // SAFETY: likewise, and the bytes are borrowed until the stream is done.
        self.told(unsafe { driver::result::memcpy_dtoh_async(bytes, from, stream) })?;
        self.told(self.stream.synchronize())
    }

    fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<(), Error> {
        let stream = self.bound()?;
        // SAFETY: views lie within their arrays.
        self.told(unsafe { driver::result::memcpy_dtod_async(to, from, bytes, stream) })
    }

    fn zero(&self, to: u64, bytes: usize) -> Result<(), Error> {
        let stream = self.bound()?;
        // SAFETY: likewise.
        self.told(unsafe { driver::result::memset_d8_async(to, 0, bytes, stream) })
    }

    fn launch(&self, kernel: &'static str, grid: Grid, args: &[Arg]) -> Result<(), Error> {
        let stream = self.bound()?;
        let function = self.kernel(kernel, grid.shared)?;
        let mut values: Vec<*mut c_void> = args.iter().map(Arg::pointer).collect();
        let (blocks, threads) = ((grid.blocks[0], grid.blocks[1], 1), (grid.threads, 1, 1));
        let launch = driver::result::launch_kernel;
        // SAFETY: arguments are the kernel's, as the tests of the same calls elsewhere show.
        self.told(unsafe { launch(function, blocks, threads, grid.shared, stream, &mut values) })
    }

    fn multiply(&self, product: &Product<'_>) -> Result<(), Error> {
        use cublas::sys::{
            cublasComputeType_t as Compute, cublasGemmAlgo_t as Algorithm,
            cublasOperation_t as Operation, cudaDataType as Type,
        };
        self.bound()?;
        let [rows, depth, columns] = product.sizes().map(|size| size as i32);
        let (out, out_type, beta) = match product.out {
            Out::Wide(out) => (out.address(), Type::CUDA_R_32F, 0f32),
            Out::Added(out) => (out.address(), Type::CUDA_R_32F, 1f32),
            Out::Half(out) => (out.address(), Type::CUDA_R_16BF, 0f32),
        };
        let turned = |matrix: &Matrix<'_, _>| match matrix.turned {
            true => Operation::CUBLAS_OP_T,
            false => Operation::CUBLAS_OP_N,
        };
        let (left, right, half) = (&product.left, &product.right, Type::CUDA_R_16BF);
        let blas = self.blas.lock().unwrap_or_else(PoisonError::into_inner);
        let alpha = 1f32;
        // cuBLAS knows columns, where this has rows: it makes the transpose of the product.
        // SAFETY: matrices lie within their arrays, as their sizes say.
        self.told(unsafe {
            cublas::result::gemm_ex(
                *blas.handle(),
                turned(right),
                turned(left),
                columns,
                rows,
                depth,
                (&raw const alpha).cast(),
                right.values.address() as *const c_void,
                half,
                right.columns as i32,
                left.values.address() as *const c_void,
                half,
                left.columns as i32,
                (&raw const beta).cast(),
                out as *mut c_void,
                out_type,
                columns,
                Compute::CUBLAS_COMPUTE_32F,
                Algorithm::CUBLAS_GEMM_DEFAULT,
            )
        })
    }
}
