//! What the engine needs of a device: memory, kernels by name and matrix products, in the order of one
//! stream.

use std::ffi::c_void;
use std::marker::PhantomData;

use bytemuck::{Pod, cast_slice, cast_slice_mut};
use half::bf16;

use crate::Error;

/// A device, with one stream of work.
pub(crate) trait Device: Send + Sync + 'static {
    /// Bytes on the device, freed when dropped, after the work that was given before.
    type Memory: Send + Sync;

    /// So many bytes, all zero.
    fn allocate(&self, bytes: usize) -> Result<Self::Memory, Error>;

    /// Where they begin.
    fn address(memory: &Self::Memory) -> u64;

    /// Copies from the host. The bytes may be changed when this returns.
    fn upload(&self, to: u64, bytes: &[u8]) -> Result<(), Error>;

    /// Copies to the host, and waits for it.
    fn download(&self, from: u64, bytes: &mut [u8]) -> Result<(), Error>;

    /// Copies on the device.
    fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<(), Error>;

    /// Sets bytes to zero.
    fn zero(&self, to: u64, bytes: usize) -> Result<(), Error>;

    /// Runs a kernel in blocks of so many threads; `shared` is the memory they share, in bytes.
    fn launch(&self, kernel: &'static str, grid: Grid, args: &[Arg]) -> Result<(), Error>;

    /// Multiplies.
    fn multiply(&self, product: &Product<'_>) -> Result<(), Error>;
}

/// How a kernel runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub(crate) blocks: [u32; 2],
    pub(crate) threads: u32,
    /// Memory that a block shares, in bytes.
    pub(crate) shared: u32,
}

impl Grid {
    /// A block for each of so many rows.
    pub(crate) fn rows(rows: usize) -> Self {
        Self { blocks: [rows as u32, 1], threads: 256, shared: 0 }
    }

    /// A thread for each of so many values.
    pub(crate) fn values(count: usize) -> Self {
        Self::rows(count.div_ceil(256))
    }
}

/// An argument of a kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg {
    Address(u64),
    Long(u64),
    Int(i32),
    Float(f32),
    Heads(HeadShape),
}

/// What a launch of attention is about, as its kernels declare it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct HeadShape {
    pub(crate) tokens: i32,
    pub(crate) heads: i32,
    pub(crate) groups: i32,
    pub(crate) each: i32,
    /// What scores are multiplied with.
    pub(crate) scale: f32,
}

impl Arg {
    /// Where its bytes are, as kernels take them.
    pub(crate) fn pointer(&self) -> *mut c_void {
        match self {
            Self::Address(value) | Self::Long(value) => std::ptr::from_ref(value).cast(),
            Self::Int(value) => std::ptr::from_ref(value).cast(),
            Self::Float(value) => std::ptr::from_ref(value).cast(),
            Self::Heads(value) => std::ptr::from_ref::<HeadShape>(value).cast::<c_void>(),
        }
        .cast_mut()
    }
}

/// Values on a device.
pub(crate) struct Array<D: Device, T> {
    memory: D::Memory,
    len: usize,
    of: PhantomData<T>,
}

impl<D: Device, T: Pod> Array<D, T> {
    /// All zero.
    pub(crate) fn new(device: &D, len: usize) -> Result<Self, Error> {
        // A device has no memory of no bytes.
        let memory = device.allocate(len.max(1) * size_of::<T>())?;
        Ok(Self { memory, len, of: PhantomData })
    }

    /// A copy of values of the host.
    pub(crate) fn of(device: &D, values: &[T]) -> Result<Self, Error> {
        let array = Self::new(device, values.len())?;
        array.all().set(device, values)?;
        Ok(array)
    }

    /// All of it.
    pub(crate) fn all(&self) -> View<'_, T> {
        View { address: D::address(&self.memory), len: self.len, of: PhantomData }
    }
}

/// Part of an array. Whatever is done through views is done in the order of the stream, so several of them
/// may be written through.
pub(crate) struct View<'a, T> {
    address: u64,
    len: usize,
    of: PhantomData<&'a T>,
}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<'_, T> {}

impl<'a, T: Pod> View<'a, T> {
    pub(crate) fn len(self) -> usize {
        self.len
    }

    pub(crate) fn arg(self) -> Arg {
        Arg::Address(self.address)
    }

    pub(crate) fn address(self) -> u64 {
        self.address
    }

    /// So many values from one on.
    pub(crate) fn part(self, first: usize, len: usize) -> Self {
        assert!(first + len <= self.len, "a view goes beyond its array");
        Self { address: self.address + (first * size_of::<T>()) as u64, len, of: PhantomData }
    }

    /// Writes values of the host to its beginning.
    pub(crate) fn set(self, device: &impl Device, values: &[T]) -> Result<(), Error> {
        device.upload(self.part(0, values.len()).address, cast_slice(values))
    }

    /// Its values.
    pub(crate) fn get(self, device: &impl Device) -> Result<Vec<T>, Error> {
        let mut values = vec![T::zeroed(); self.len];
        self.read(device, &mut values)?;
        Ok(values)
    }

    /// Reads as many values as it has.
    pub(crate) fn read(self, device: &impl Device, values: &mut [T]) -> Result<(), Error> {
        assert_eq!(self.len, values.len(), "what is read has its place");
        device.download(self.address, cast_slice_mut(values))
    }

    pub(crate) fn copy_to(self, device: &impl Device, to: View<'_, T>) -> Result<(), Error> {
        assert_eq!(self.len, to.len, "a copy has as many values");
        device.copy(self.address, to.address, self.len * size_of::<T>())
    }

    pub(crate) fn zero(self, device: &impl Device) -> Result<(), Error> {
        device.zero(self.address, self.len * size_of::<T>())
    }

    /// As a matrix of rows one after the other.
    pub(crate) fn rows(self, rows: usize, columns: usize) -> Matrix<'a, T> {
        assert!(rows * columns <= self.len, "a matrix goes beyond its array");
        Matrix { values: self, rows, columns, turned: false }
    }
}

/// A matrix on a device.
pub(crate) struct Matrix<'a, T> {
    pub(crate) values: View<'a, T>,
    /// As stored.
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Whether its transpose is meant.
    pub(crate) turned: bool,
}

impl<T> Clone for Matrix<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Matrix<'_, T> {}

impl<T: Pod> Matrix<'_, T> {
    /// Its transpose.
    pub(crate) fn t(self) -> Self {
        Self { turned: !self.turned, ..self }
    }

    /// Rows and columns, as meant.
    pub(crate) fn shape(&self) -> (usize, usize) {
        if self.turned { (self.columns, self.rows) } else { (self.rows, self.columns) }
    }
}

/// Where a product goes, row by row.
#[derive(Clone, Copy)]
pub(crate) enum Out<'a> {
    Wide(View<'a, f32>),
    /// Likewise, added to what is there.
    Added(View<'a, f32>),
    Half(View<'a, bf16>),
}

/// A product of matrices in bf16, summed in f32.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a> {
    pub(crate) left: Matrix<'a, bf16>,
    pub(crate) right: Matrix<'a, bf16>,
    pub(crate) out: Out<'a>,
}

impl Product<'_> {
    /// Rows, what is summed over, and columns.
    pub(crate) fn sizes(&self) -> [usize; 3] {
        let ((rows, depth), (same, columns)) = (self.left.shape(), self.right.shape());
        let len = match self.out {
            Out::Wide(view) | Out::Added(view) => view.len(),
            Out::Half(view) => view.len(),
        };
        assert!(depth == same && rows * columns <= len, "a product's sizes differ");
        [rows, depth, columns]
    }
}
