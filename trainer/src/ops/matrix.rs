//! Matrix products over strided views, by the `gemm` crate: f32 in, f32 sums.

use gemm::Parallelism;

/// A matrix within a buffer.
#[derive(Clone, Copy)]
pub(crate) struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
}

impl<'a> Mat<'a> {
    /// Rows one after the other.
    pub(crate) fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert!(data.len() >= rows * columns, "{} for {rows} x {columns}", data.len());
        Self { data, rows, columns, row_step: columns, column_step: 1 }
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

/// `out = kept * out + a b`, rows of `out` one after the other.
pub(crate) fn product(out: &mut [f32], kept: f32, a: Mat<'_>, b: Mat<'_>) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert!(b.rows == k && out.len() >= m * n, "{m} x {k} times {} x {n}", b.rows);
    let threads = rayon::current_num_threads();
    // Threads share out rows and columns of the result, never a sum.
    let parallelism = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
    let step = |step: usize| step as isize;
    // SAFETY: `Mat::new` and the assertion above hold every index that is read or written within its
    // slice (a transpose has the same indices), and `out` is borrowed apart from `a` and `b`.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            step(n),
            kept != 0.0,
            a.data.as_ptr(),
            step(a.column_step),
            step(a.row_step),
            b.data.as_ptr(),
            step(b.column_step),
            step(b.row_step),
            kept,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// `x w` for rows of a width and a weight (width, outer).
pub(crate) fn linear(x: &[f32], weight: &[f32], width: usize) -> Vec<f32> {
    let (rows, outer) = (x.len() / width, weight.len() / width);
    let mut out = vec![0.0; rows * outer];
    product(&mut out, 0.0, Mat::new(x, rows, width), Mat::new(weight, width, outer));
    out
}

/// Adds the gradient of the weight to `dweight`; `dx = kept * dx + ` the gradient of `x`.
pub(crate) fn linear_backward(
    (x, weight): (&[f32], &[f32]),
    width: usize,
    dy: &[f32],
    (dx, kept): (&mut [f32], f32),
    dweight: &mut [f32],
) {
    let (rows, outer) = (x.len() / width, weight.len() / width);
    let dy = Mat::new(dy, rows, outer);
    product(dx, kept, dy, Mat::new(weight, width, outer).t());
    product(dweight, 1.0, Mat::new(x, rows, width).t(), dy);
}
