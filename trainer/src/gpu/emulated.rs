//! A device on the CPU that runs the kernels' own source, compiled as C++ (emulate.hpp).

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use half::bf16;
use libloading::Library;

use super::device::{Arg, Device, Grid, Matrix, Out, Product};
use crate::Error;

/// Sources with kernels, in the folder of this one.
const SOURCES: [&str; 8] = ["adam", "attention", "code", "cut", "loss", "norm", "rope", "swiglu"];

/// Bytes that a block shares at most: those of `shared_tiles` in emulate.hpp, less than any GPU's.
const SHARED: u32 = 1 << 16;

type Kernel = unsafe extern "C" fn(*mut *mut c_void);
type Launch = unsafe extern "C" fn(Kernel, *const u32, u32, *mut *mut c_void);

/// Kernels that were compiled for the CPU.
pub(crate) struct Emulated {
    library: Library,
    /// Kernels share their blocks' memory and fibers.
    turn: Mutex<()>,
}

/// Bytes, aligned as kernels want them.
pub(crate) struct Memory(Box<[UnsafeCell<u128>]>);

// SAFETY: they are read and written by the device's work alone, which takes turns.
unsafe impl Send for Memory {}
// SAFETY: likewise.
unsafe impl Sync for Memory {}

/// The one of this process, compiled when it is first asked for.
pub(crate) fn device() -> std::sync::Arc<Emulated> {
    static DEVICE: OnceLock<std::sync::Arc<Emulated>> = OnceLock::new();
    std::sync::Arc::clone(DEVICE.get_or_init(|| std::sync::Arc::new(Emulated::compile())))
}

/// Names of the kernels of a source.
fn kernels(source: &str) -> Vec<String> {
    let source = source.replace("__launch_bounds__(THREADS)", "").replace('\\', "");
    let mut names = Vec::new();
    for declared in source.split("__global__ void").skip(1) {
        let name = declared.split('(').next().unwrap_or_default().trim();
        match name.strip_suffix("##E") {
            Some(stem) => names.extend(["32", "64", "128"].map(|width| format!("{stem}{width}"))),
            None => names.push(name.to_owned()),
        }
    }
    names
}

impl Emulated {
    fn compile() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gpu");
        let mut unit = format!("#include \"{}\"\n", folder.join("emulate.hpp").display());
        for name in SOURCES {
            let path = folder.join(format!("{name}.cu"));
            unit += &format!("#include \"{}\"\n", path.display());
            for kernel in kernels(&std::fs::read_to_string(path).expect("a source can be read")) {
                unit += &format!(
                    "extern \"C\" void emulated_{kernel}(void **values) {{ call({kernel}, values); }}\n"
                );
            }
        }
        let made = tempfile::tempdir().expect("a temporary folder");
        let (source, library): (PathBuf, PathBuf) =
            (made.path().join("kernels.cpp"), made.path().join("kernels.so"));
        std::fs::write(&source, unit).expect("the unit can be written");
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
        // Nothing is fused that a kernel keeps apart, whatever the CPU has.
        let status = Command::new(&compiler)
            .args(["-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-w"])
            // Checks of what some systems fortify take a jump between fibers for an error.
            .args(["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=0", "-o"])
            .args([&library, &source])
            .status();
        let done = status.is_ok_and(|status| status.success());
        assert!(done, "`{compiler}` compiles the kernels for the CPU: a C++ compiler is needed");
        // SAFETY: what is loaded was just made of our own sources.
        let library = unsafe { Library::new(&library) }.expect("the library can be loaded");
        Self { library, turn: Mutex::default() }
    }
}

impl Device for Emulated {
    type Memory = Memory;

    fn allocate(&self, bytes: usize) -> Result<Memory, Error> {
        Ok(Memory((0..bytes.div_ceil(16)).map(|_| UnsafeCell::new(0)).collect()))
    }

    fn address(memory: &Memory) -> u64 {
        memory.0.as_ptr() as u64
    }

    fn upload(&self, to: u64, bytes: &[u8]) -> Result<(), Error> {
        self.copy(bytes.as_ptr() as u64, to, bytes.len())
    }

    fn download(&self, from: u64, bytes: &mut [u8]) -> Result<(), Error> {
        self.copy(from, bytes.as_mut_ptr() as u64, bytes.len())
    }

    fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<(), Error> {
        // SAFETY: views lie within their arrays.
        unsafe { std::ptr::copy(from as *const u8, to as *mut u8, bytes) };
        Ok(())
    }

    fn zero(&self, to: u64, bytes: usize) -> Result<(), Error> {
        // SAFETY: likewise.
        unsafe { std::ptr::write_bytes(to as *mut u8, 0, bytes) };
        Ok(())
    }

    fn launch(&self, kernel: &'static str, grid: Grid, args: &[Arg]) -> Result<(), Error> {
        assert!(grid.shared <= SHARED, "a block shares more than there is");
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut values: Vec<*mut c_void> = args.iter().map(Arg::pointer).collect();
        let name = format!("emulated_{kernel}");
        // SAFETY: the symbols have these types (emulate.hpp); arguments are the kernel's, which tests show.
        unsafe {
            let run = self.library.get::<Launch>(b"emulated_launch").expect("a launch");
            let kernel = self.library.get::<Kernel>(name.as_bytes()).expect("a kernel");
            run(*kernel, grid.blocks.as_ptr(), grid.threads, values.as_mut_ptr());
        }
        Ok(())
    }

    fn multiply(&self, product: &Product<'_>) -> Result<(), Error> {
        let [rows, depth, columns] = product.sizes();
        let (left, right) = (values(&product.left), values(&product.right));
        let mut sums = vec![0.0; columns];
        for row in 0..rows {
            sums.fill(0.0);
            for i in 0..depth {
                let (factor, right) = (left[row * depth + i], &right[i * columns..][..columns]);
                sums.iter_mut().zip(right).for_each(|(sum, right)| *sum += factor * right);
            }
            for (column, sum) in sums.iter().enumerate() {
                let place = row * columns + column;
                // SAFETY: a product's place lies within its array.
                unsafe {
                    match product.out {
                        Out::Wide(out) => (out.address() as *mut f32).add(place).write(*sum),
                        Out::Added(out) => *(out.address() as *mut f32).add(place) += sum,
                        Out::Half(out) => {
                            (out.address() as *mut bf16).add(place).write(bf16::from_f32(*sum));
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// A matrix as it is meant, row by row.
fn values(matrix: &Matrix<'_, bf16>) -> Vec<f32> {
    let (rows, columns) = matrix.shape();
    let from = matrix.values.address() as *const bf16;
    let place = |row: usize, column: usize| {
        let (row, column) = if matrix.turned { (column, row) } else { (row, column) };
        row * matrix.columns + column
    };
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    // SAFETY: a matrix lies within its array.
    places.map(|(row, column)| unsafe { from.add(place(row, column)).read().to_f32() }).collect()
}
