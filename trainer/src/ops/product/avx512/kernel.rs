//! A tile of sums in registers.

use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512bh, __m512i, __mmask16, _MM_HINT_ET0, _mm_prefetch,
    _mm256_mask_storeu_epi16, _mm512_add_ps, _mm512_castps_si512, _mm512_cvtneps_pbh,
    _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_load_ps, _mm512_mask_storeu_ps,
    _mm512_maskz_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps,
};
use std::mem::transmute;

use super::{COLUMNS, LANES, Line, Precision, ROWS};
use crate::ops::value::Value;

/// One tile of a product.
pub(super) struct Tile<T> {
    /// A panel of rows: `lanes` lines.
    pub(super) a: *const Line,
    /// A panel of columns: `lanes` pairs of lines.
    pub(super) b: *const Line,
    pub(super) lanes: usize,
    /// The first entry of the tile.
    pub(super) out: *mut T,
    pub(super) step: usize,
    /// The first entry of what the tile is added to.
    pub(super) base: Option<*const f32>,
    pub(super) base_step: usize,
    /// At most [`ROWS`] and [`COLUMNS`].
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// Computes and writes a tile.
///
/// # Safety
/// The CPU has the instructions; the panels can be read, and the entries of the result written, by this
/// thread alone.
pub(super) unsafe fn run<T: Value>(precision: Precision, tile: Tile<T>) {
    // SAFETY: passed on.
    unsafe {
        match precision {
            Precision::F32 => compute::<T, false>(tile),
            Precision::Bf16 => compute::<T, true>(tile),
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
unsafe fn compute<T: Value, const BF16: bool>(tile: Tile<T>) {
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    let (mut a, mut b) = (tile.a.cast::<f32>(), tile.b.cast::<f32>());
    // Rows are written out: with a loop over them, sums would be kept in memory.
    macro_rules! for_each_row {
        ($body:ident) => {
            $body!(0 1 2 3 4 5 6 7 8 9 10 11 12 13)
        };
    }
    // The result is written at once at the end: its lines are fetched meanwhile.
    for row in 0..tile.rows {
        let out = tile.out.wrapping_add(row * tile.step).cast::<i8>();
        _mm_prefetch::<_MM_HINT_ET0>(out);
        _mm_prefetch::<_MM_HINT_ET0>(out.wrapping_add(64));
    }
    for _ in 0..tile.lanes {
        // SAFETY: lines are aligned, and as many as `lanes` says.
        unsafe {
            let (first, second) = (_mm512_load_ps(b), _mm512_load_ps(b.add(LANES)));
            macro_rules! add {
                ($($row:literal)*) => { $(
                    let value = _mm512_set1_ps(*a.add($row));
                    sums[$row][0] = multiply_add::<BF16>(sums[$row][0], value, first);
                    sums[$row][1] = multiply_add::<BF16>(sums[$row][1], value, second);
                )* };
            }
            for_each_row!(add);
            a = a.add(LANES);
            b = b.add(COLUMNS);
        }
    }
    let mask = |first: usize| -> __mmask16 {
        match tile.columns.saturating_sub(first) {
            0 => 0,
            some => 0xffff >> (LANES - some.min(LANES)),
        }
    };
    let masks = [mask(0), mask(LANES)];
    macro_rules! write_rows {
        ($($row:literal)*) => { $( if $row < tile.rows {
            // SAFETY: the row lies in the result, and of its columns those that the masks name; so
            // in the base.
            unsafe { write(&tile, $row, sums[$row], masks) };
        } )* };
    }
    for_each_row!(write_rows);
}

/// Writes a row of a tile.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn write<T: Value>(tile: &Tile<T>, row: usize, sums: [__m512; 2], masks: [__mmask16; 2]) {
    for (half, (sum, mask)) in sums.into_iter().zip(masks).enumerate() {
        // SAFETY: passed on.
        unsafe {
            let sum = match tile.base {
                Some(base) => {
                    let base = base.wrapping_add(row * tile.base_step + half * LANES);
                    _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, base))
                }
                None => sum,
            };
            store(tile.out.wrapping_add(row * tile.step + half * LANES), sum, mask);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn multiply_add<const BF16: bool>(sum: __m512, a: __m512, b: __m512) -> __m512 {
    if BF16 {
        // SAFETY: both are 512 bits, and any bits are a value of either.
        let pairs =
            |lanes: __m512| unsafe { transmute::<__m512i, __m512bh>(_mm512_castps_si512(lanes)) };
        _mm512_dpbf16_ps(sum, pairs(a), pairs(b))
    } else {
        _mm512_fmadd_ps(a, b, sum)
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn store<T: Value>(out: *mut T, sums: __m512, mask: __mmask16) {
    // SAFETY: the mask names entries that lie in the result; T is f32 or bf16, as it says.
    unsafe {
        match T::PRECISION {
            Precision::F32 => _mm512_mask_storeu_ps(out.cast(), mask, sums),
            Precision::Bf16 => {
                let near = transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(sums));
                _mm256_mask_storeu_epi16(out.cast(), mask, near);
            }
        }
    }
}
