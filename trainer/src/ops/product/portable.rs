//! Products on any CPU, by the `gemm` crate.

use gemm::Parallelism;

use super::{Base, Mat, Out, Part, Precision, Threads};
use crate::ops::value::Value;

/// Rows one after the other, rounded where that is asked for.
pub(super) fn rows<T: Value>(precision: Precision, mat: Mat<'_, T>) -> Vec<f32> {
    let mut values = Vec::with_capacity(mat.rows * mat.columns);
    for row in 0..mat.rows {
        for column in 0..mat.columns {
            let value = mat.data[row * mat.row_step + column * mat.column_step].wide();
            values.push(match precision {
                Precision::F32 => value,
                Precision::Bf16 => half::bf16::near(value).wide(),
            });
        }
    }
    values
}

/// Multiplies rows of `left` and rows of `right`, each with the distance between them.
pub(super) fn multiply<T: Value>(
    out: Out<'_, T>,
    left: (&[f32], usize),
    right: (&[f32], usize),
    Part { rows, depth, columns }: Part,
    threads: Threads,
) {
    let mut sums = vec![0f32; rows * columns];
    let parallelism = match (threads, rayon::current_num_threads()) {
        // Threads share out rows and columns of the result, never a sum.
        (Threads::All, count @ 2..) => Parallelism::Rayon(count),
        _ => Parallelism::None,
    };
    let step = |step: usize| step as isize;
    // SAFETY: `left` and `right` hold at least as many rows, of at least `depth` entries, as `part` says
    // (the caller checks), and `sums` has rows x columns.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            sums.as_mut_ptr(),
            1,
            step(columns),
            false,
            left.0.as_ptr(),
            1,
            step(left.1),
            right.0.as_ptr(),
            step(right.1),
            1,
            0.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
    for row in 0..rows {
        for column in 0..columns {
            let sum = sums[row * columns + column];
            // SAFETY: the entry lies within the result (the caller checks), which `Out` holds alone.
            unsafe {
                let at = out.data.add(row * out.step + column);
                *at = T::near(match out.base {
                    Base::Nothing => sum,
                    Base::Itself => (*at).wide() + sum,
                    Base::Rows(base, step) => base[row * step + column] + sum,
                });
            }
        }
    }
}
