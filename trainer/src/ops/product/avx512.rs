//! Products by AVX-512, with the bf16 units (`vdpbf16ps`) where operands are rounded to bf16.
//!
//! Both precisions are one algorithm over 32-bit *lanes*: a lane is an f32, or a pair of bf16 that
//! follow each other along the sum. Operands are copied into panels of [`ROWS`] rows or [`COLUMNS`]
//! columns, lane by lane; a kernel keeps a tile of [`ROWS`] x [`COLUMNS`] sums in 28 registers from the
//! first lane to the last (BLIS, doi 10.1145/2764454, without its loop over blocks of the sum, so that
//! results are written once, in any type).

mod kernel;
mod pack;

use std::arch::is_x86_feature_detected;
use std::cell::RefCell;

use rayon::prelude::*;

use super::{Base, Mat, Out, Part, Place, Precision, Threads};
use crate::buffer::Buffer;
use crate::ops::value::Value;

/// Rows of a tile.
const ROWS: usize = 14;
/// Columns of a tile: two registers.
const COLUMNS: usize = 2 * LANES;
/// Lanes of a register.
const LANES: usize = 16;
/// Panels of rows that a task multiplies with each panel of columns: its part of the left operand
/// stays in the second-level cache.
const GROUP: usize = 8;
/// Lines of packed columns that a task goes through.
const STRIPE: usize = 1 << 12;

/// A register's worth of lanes.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
struct Line([u32; LANES]);

// SAFETY: any bits are a line, and it has no padding: 16 x 4 bytes, aligned to as many.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Line {}

/// Whether this CPU can.
pub(super) fn available() -> bool {
    // So that the portable path can be tested on any CPU.
    #[cfg(test)]
    if std::env::var_os("IOTA_TEST_PORTABLE").is_some() {
        return false;
    }
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bf16")
}

thread_local! {
    /// Buffers that no panels are in now.
    static IDLE: RefCell<Vec<Buffer<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Panels of an operand: of a left one, `lanes` lines for each [`ROWS`] rows; of a right one, twice as
/// many for each [`COLUMNS`] columns.
pub(super) struct Lines {
    lines: Buffer<Line>,
    lanes: usize,
}

impl Drop for Lines {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        IDLE.with_borrow_mut(|idle| idle.push(lines));
    }
}

/// How many lanes hold so many terms.
fn lanes(precision: Precision, depth: usize) -> usize {
    match precision {
        Precision::F32 => depth,
        Precision::Bf16 => depth.div_ceil(2),
    }
}

/// Packs rows of a left operand, or of a right one's transpose.
pub(super) fn pack<T: Value>(
    precision: Precision,
    mat: Mat<'_, T>,
    is_left: bool,
    threads: Threads,
) -> Lines {
    let lanes = lanes(precision, mat.columns);
    let (each, per_lane, strips) = if is_left {
        (ROWS, 1, mat.rows.div_ceil(ROWS))
    } else {
        (LANES, 2, 2 * mat.rows.div_ceil(COLUMNS))
    };
    let mut lines = IDLE.with_borrow_mut(Vec::pop).unwrap_or_default();
    if lines.len() < strips * lanes {
        lines = Buffer::new(strips * lanes);
    }
    let place = Place::new(&mut lines);
    let strip = |at: usize| {
        let first = at * each;
        let count = each.min(mat.rows.saturating_sub(first));
        // SAFETY: this CPU has the instructions (`available`). A strip's lines are its own: a panel of the
        // left operand, every other line of a panel of the right one.
        unsafe {
            let to = place.get().add(at / per_lane * per_lane * lanes + at % per_lane);
            pack::strip(precision, mat, first, count, to, per_lane);
        }
    };
    match threads {
        Threads::All => (0..strips).into_par_iter().with_min_len(4).for_each(strip),
        Threads::Own => (0..strips).for_each(strip),
    }
    Lines { lines, lanes }
}

/// Multiplies. The caller has checked sizes.
pub(super) fn multiply<T: Value>(
    precision: Precision,
    out: Out<'_, T>,
    left: &Lines,
    right: &Lines,
    Part { rows, depth, columns }: Part,
    threads: Threads,
) {
    let lanes = lanes(precision, depth);
    let (tall, wide) = (rows.div_ceil(ROWS), columns.div_ceil(COLUMNS));
    let width = (STRIPE / (2 * lanes).max(1)).clamp(1, wide.max(1));
    let stripes = wide.div_ceil(width);
    let (base, base_step) = match out.base {
        Base::Nothing => (None, 0),
        Base::Itself => (Some(out.data.cast::<f32>().cast_const()), out.step),
        Base::Rows(rows, step) => (Some(rows.as_ptr()), step),
    };
    let shared = (Place(out.data), base.map(|base| Place(base.cast_mut())), out.step);
    let task = |at: usize| {
        let (data, base, step) = shared;
        let (group, stripe) = (at / stripes * GROUP, at % stripes * width);
        for panel in stripe..wide.min(stripe + width) {
            for tile in group..tall.min(group + GROUP) {
                let (row, column) = (tile * ROWS, panel * COLUMNS);
                // SAFETY: the panels hold at least `lanes` lanes each. A tile is written by one task, and
                // lies within the result, and within its base (the caller checks both).
                unsafe {
                    kernel::run(
                        precision,
                        kernel::Tile {
                            a: left.lines.as_ptr().add(tile * left.lanes),
                            b: right.lines.as_ptr().add(panel * right.lanes * 2),
                            lanes,
                            out: data.get().add(row * step + column),
                            step,
                            base: base
                                .map(|base| base.get().add(row * base_step + column).cast_const()),
                            base_step,
                            rows: ROWS.min(rows - row),
                            columns: COLUMNS.min(columns - column),
                        },
                    );
                }
            }
        }
    };
    let tasks = tall.div_ceil(GROUP) * stripes;
    match threads {
        Threads::All => (0..tasks).into_par_iter().for_each(task),
        Threads::Own => (0..tasks).for_each(task),
    }
}
