//! Matrix products over strided views: operands in f32 or rounded to bf16, sums in f32.
//!
//! Where the CPU has AVX-512 the kernels are our own (`avx512`): an entry of the result is one sum in the order
//! of its terms, whatever the number of threads and wherever it lies. Elsewhere they are the `gemm` crate's, with
//! operands rounded beforehand where that is asked for; the order depends on the shapes, never on threads.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
#[cfg(test)]
mod tests;

use super::value::Value;
pub(crate) use crate::config::Precision;

/// How much sums of a few terms differ between products of other shapes.
#[cfg(test)]
pub(crate) fn slack() -> f32 {
    #[cfg(target_arch = "x86_64")]
    if avx512::available() {
        return 0.0;
    }
    1e-3
}

/// Who computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    /// All of the pool.
    All,
    /// The calling one.
    Own,
}

/// A matrix within a buffer: one of its two steps is 1.
#[derive(Clone, Copy)]
pub(crate) struct Mat<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
}

impl<'a, T> Mat<'a, T> {
    /// Rows one after the other.
    pub(crate) fn new(data: &'a [T], rows: usize, columns: usize) -> Self {
        Self::spread(data, rows, columns, columns)
    }

    /// Rows that begin every `step` entries.
    pub(crate) fn spread(data: &'a [T], rows: usize, columns: usize, step: usize) -> Self {
        assert!(columns <= step && fits(data.len(), rows, columns, step), "a view past its buffer");
        Self { data, rows, columns, row_step: step, column_step: 1 }
    }

    /// The transpose, in place.
    pub(crate) fn t(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_step: self.column_step,
            column_step: self.row_step,
            ..self
        }
    }
}

/// What a product is added to.
#[derive(Clone, Copy)]
enum Base<'a> {
    Nothing,
    /// What is in its place.
    Itself,
    /// Rows of another buffer, which begin every so many entries.
    Rows(&'a [f32], usize),
}

/// Where a product goes: rows that begin every `step` entries.
pub(crate) struct Out<'a, T> {
    data: *mut T,
    len: usize,
    step: usize,
    base: Base<'a>,
    mine: std::marker::PhantomData<&'a mut [T]>,
}

impl<'a, T> Out<'a, T> {
    /// Replaces what is there.
    pub(crate) fn set(data: &'a mut [T], step: usize) -> Self {
        // SAFETY: borrowed for as long as this lives.
        unsafe { Self::place(data.as_mut_ptr(), data.len(), step) }
    }

    /// As [`Out::set`], for some columns of rows of which other tasks write the others.
    ///
    /// # Safety
    /// The entries that a product writes are in an allocation and nobody else's while this lives.
    pub(crate) unsafe fn place(data: *mut T, len: usize, step: usize) -> Self {
        Self { data, len, step, base: Base::Nothing, mine: std::marker::PhantomData }
    }
}

impl<'a> Out<'a, f32> {
    /// Is added to what is there.
    pub(crate) fn add(data: &'a mut [f32], step: usize) -> Self {
        Self { base: Base::Itself, ..Self::set(data, step) }
    }

    /// Replaces what is there by the sum of the product and other rows.
    pub(crate) fn sum(data: &'a mut [f32], step: usize, base: &'a [f32], base_step: usize) -> Self {
        Self { base: Base::Rows(base, base_step), ..Self::set(data, step) }
    }
}

/// Whether the last row of a view ends within its buffer.
fn fits(len: usize, rows: usize, columns: usize, step: usize) -> bool {
    rows == 0 || (rows - 1) * step + columns <= len
}

/// An operand in the order in which kernels read it, for several products.
pub(crate) struct Panels {
    outer: usize,
    depth: usize,
    precision: Precision,
    kind: Kind,
}

enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Lines),
    Portable(Vec<f32>),
}

impl Panels {
    /// Rows of a left operand, columns of a right one.
    pub(crate) fn outer(&self) -> usize {
        self.outer
    }

    /// Terms of a sum.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// What it was rounded to.
    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// A left operand.
    pub(crate) fn left<T: Value>(precision: Precision, mat: Mat<'_, T>, threads: Threads) -> Self {
        Self::new(precision, mat, true, threads)
    }

    /// A right operand.
    pub(crate) fn right<T: Value>(precision: Precision, mat: Mat<'_, T>, threads: Threads) -> Self {
        Self::new(precision, mat.t(), false, threads)
    }

    fn new<T: Value>(
        precision: Precision,
        mat: Mat<'_, T>,
        is_left: bool,
        threads: Threads,
    ) -> Self {
        let (outer, depth) = (mat.rows, mat.columns);
        #[cfg(target_arch = "x86_64")]
        if avx512::available() {
            let kind = Kind::Avx512(avx512::pack(precision, mat, is_left, threads));
            return Self { outer, depth, precision, kind };
        }
        let _ = (is_left, threads);
        Self { outer, depth, precision, kind: Kind::Portable(portable::rows(precision, mat)) }
    }
}

/// How much of two operands is multiplied: their first rows, terms and columns.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) columns: usize,
}

/// Multiplies the first parts of packed operands. In bf16 a depth that is not all of theirs is even.
pub(crate) fn multiply<T: Value>(
    out: Out<'_, T>,
    left: &Panels,
    right: &Panels,
    part: Part,
    threads: Threads,
) {
    let Part { rows, depth, columns } = part;
    assert!(left.depth == right.depth || depth < left.depth.max(right.depth), "depths differ");
    assert!(rows <= left.outer && columns <= right.outer && depth <= left.depth.min(right.depth));
    assert!(left.precision == right.precision, "operands of two precisions");
    assert!(columns <= out.step && fits(out.len, rows, columns, out.step), "a result too large");
    if let Base::Rows(base, step) = out.base {
        assert!(columns <= step && fits(base.len(), rows, columns, step), "a base too small");
    }
    let whole = depth.is_multiple_of(2) || depth == left.depth && depth == right.depth;
    assert!(left.precision == Precision::F32 || whole, "half a pair");
    match (&left.kind, &right.kind) {
        #[cfg(target_arch = "x86_64")]
        (Kind::Avx512(left_lines), Kind::Avx512(right_lines)) => {
            avx512::multiply(left.precision, out, left_lines, right_lines, part, threads);
        }
        (Kind::Portable(left_rows), Kind::Portable(right_rows)) => {
            let (left, right) = ((&left_rows[..], left.depth), (&right_rows[..], right.depth));
            portable::multiply(out, left, right, part, threads);
        }
        #[cfg(target_arch = "x86_64")]
        _ => unreachable!("the CPU is the same for both"),
    }
}

/// The product of `a` and `b`, by all threads.
#[cfg(test)]
pub(crate) fn product<A: Value, B: Value, C: Value>(
    precision: Precision,
    out: Out<'_, C>,
    a: Mat<'_, A>,
    b: Mat<'_, B>,
) {
    let part = Part { rows: a.rows, depth: a.columns, columns: b.columns };
    assert!(a.columns == b.rows, "{} terms and {}", a.columns, b.rows);
    let left = Panels::left(precision, a, Threads::All);
    let right = Panels::right(precision, b, Threads::All);
    multiply(out, &left, &right, part, Threads::All);
}

/// A place that tasks write apart from each other.
pub(crate) struct Place<T>(*mut T);

impl<T> Clone for Place<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Place<T> {}

// SAFETY: whoever writes through one says why no other task writes the same entries.
unsafe impl<T: Send> Send for Place<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Place<T> {}

impl<T> Place<T> {
    pub(crate) fn new(data: &mut [T]) -> Self {
        Self(data.as_mut_ptr())
    }

    /// The address. (A method, so that closures hold the place and not its pointer.)
    pub(crate) fn get(self) -> *mut T {
        self.0
    }
}
