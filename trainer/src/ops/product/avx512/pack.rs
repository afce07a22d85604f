//! Copies of operands in the order in which a kernel reads them.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, __mmask16, __mmask32, _mm256_maskz_loadu_epi16, _mm512_castpd_ps,
    _mm512_castps_pd, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cvtepu16_epi32,
    _mm512_cvtne2ps_pbh, _mm512_maskz_loadu_epi16, _mm512_maskz_loadu_ps, _mm512_permutexvar_epi16,
    _mm512_set_epi16, _mm512_setzero_si512, _mm512_shuffle_f32x4, _mm512_slli_epi32,
    _mm512_store_si512, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd,
    _mm512_unpacklo_ps,
};
use std::mem::transmute;

use super::{LANES, Line, Mat, Precision};
use crate::ops::value::Value;

/// Packs `count` rows of `mat` from `first` on, at most 16, all columns: lane by lane a line, `step`
/// lines apart. Lanes of missing rows are zero.
///
/// # Safety
/// The CPU has the instructions; the rows are in `mat`; `to` holds `step` lines for each lane.
pub(super) unsafe fn strip<T: Value>(
    precision: Precision,
    mat: Mat<'_, T>,
    first: usize,
    count: usize,
    to: *mut Line,
    step: usize,
) {
    // SAFETY: passed on.
    unsafe {
        match precision {
            Precision::F32 => pack::<T, false>(mat, first, count, to, step),
            Precision::Bf16 => pack::<T, true>(mat, first, count, to, step),
        }
    }
}

/// The first `count` of 16 entries.
fn first_of_16(count: usize) -> __mmask16 {
    if count >= LANES { 0xffff } else { (1 << count) - 1 }
}

/// The first `count` of 32 entries.
fn first_of_32(count: usize) -> __mmask32 {
    if count >= 2 * LANES { u32::MAX } else { (1 << count) - 1 }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
unsafe fn pack<T: Value, const BF16: bool>(
    mat: Mat<'_, T>,
    first: usize,
    count: usize,
    to: *mut Line,
    step: usize,
) {
    let depth = mat.columns;
    let from = mat.data.as_ptr();
    let per_lane = if BF16 { 2 } else { 1 };
    let mut to = to.cast::<__m512i>();
    if mat.row_step == 1 || count == 0 {
        // Rows lie beside each other: a column is read at once.
        let mask = first_of_16(count);
        let mut at = 0;
        while at < depth {
            // SAFETY: column `at` of the strip's rows; the next one is read where there is one.
            unsafe {
                let column = from.wrapping_add(first + at * mat.column_step);
                let line = if BF16 {
                    let more = if at + 1 < depth { mask } else { 0 };
                    let next = column.wrapping_add(mat.column_step);
                    pairs(load::<T>(column, mask), load::<T>(next, more))
                } else {
                    _mm512_castps_si512(load::<T>(column, mask))
                };
                _mm512_store_si512(to, line);
                to = to.wrapping_add(step);
            }
            at += per_lane;
        }
        return;
    }
    // Columns lie beside each other: 16 lanes of each row are read and transposed.
    let mut at = 0;
    while at < depth {
        let left = depth - at;
        let mut square = [_mm512_setzero_si512(); LANES];
        for (row, line) in square.iter_mut().enumerate() {
            if row < count {
                // SAFETY: the masks hold the reads within the row.
                *line = unsafe {
                    let from = from.add((first + row) * mat.row_step + at);
                    if !BF16 {
                        _mm512_castps_si512(load::<T>(from, first_of_16(left)))
                    } else if T::PRECISION == Precision::F32 {
                        let low = load::<T>(from, first_of_16(left));
                        let mask = first_of_16(left.saturating_sub(LANES));
                        let high = load::<T>(from.wrapping_add(LANES), mask);
                        transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low))
                    } else {
                        _mm512_maskz_loadu_epi16(first_of_32(left), from.cast())
                    }
                };
            }
        }
        let lanes = left.div_ceil(per_lane).min(LANES);
        for line in &transpose(square)[..lanes] {
            // SAFETY: as many lines as lanes are left.
            unsafe { _mm512_store_si512(to, *line) };
            to = to.wrapping_add(step);
        }
        at += LANES * per_lane;
    }
}

/// Up to 16 values as f32.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn load<T: Value>(from: *const T, mask: __mmask16) -> __m512 {
    // SAFETY: only what the mask names is read; T is f32 or bf16, as it says.
    unsafe {
        if T::PRECISION == Precision::F32 {
            _mm512_maskz_loadu_ps(mask, from.cast())
        } else {
            let half = _mm256_maskz_loadu_epi16(mask, from.cast());
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(half)))
        }
    }
}

/// Lanes of two columns, rounded to bf16: the first in the lower half.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn pairs(first: __m512, second: __m512) -> __m512i {
    // SAFETY: both are 512 bits, and any bits are a value of either.
    let both = unsafe { transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(second, first)) };
    let order = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4,
        19, 3, 18, 2, 17, 1, 16, 0,
    );
    _mm512_permutexvar_epi16(order, both)
}

/// 16 x 16 lanes, rows for columns.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn transpose(rows: [__m512i; LANES]) -> [__m512i; LANES] {
    let pd = |line: __m512| _mm512_castps_pd(line);
    let ps = |line| _mm512_castpd_ps(line);
    // Four rows each: column j of every quarter of the lines.
    let mut fours = [_mm512_castsi512_ps(rows[0]); LANES];
    for (rows, four) in rows.as_chunks::<4>().0.iter().zip(fours.as_chunks_mut::<4>().0) {
        let [a, b, c, d] = rows.map(|row| _mm512_castsi512_ps(row));
        let (ab_low, ab_high) = (pd(_mm512_unpacklo_ps(a, b)), pd(_mm512_unpackhi_ps(a, b)));
        let (cd_low, cd_high) = (pd(_mm512_unpacklo_ps(c, d)), pd(_mm512_unpackhi_ps(c, d)));
        *four = [
            ps(_mm512_unpacklo_pd(ab_low, cd_low)),
            ps(_mm512_unpackhi_pd(ab_low, cd_low)),
            ps(_mm512_unpacklo_pd(ab_high, cd_high)),
            ps(_mm512_unpackhi_pd(ab_high, cd_high)),
        ];
    }
    // The quarters of the four fours, side by side.
    let mut out = rows;
    for column in 0..4 {
        let [a, b, c, d] = [0, 4, 8, 12].map(|row| fours[row + column]);
        let even = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0x88>(c, d));
        let odd = (_mm512_shuffle_f32x4::<0xdd>(a, b), _mm512_shuffle_f32x4::<0xdd>(c, d));
        let line = |line| _mm512_castps_si512(line);
        out[column] = line(_mm512_shuffle_f32x4::<0x88>(even.0, even.1));
        out[4 + column] = line(_mm512_shuffle_f32x4::<0x88>(odd.0, odd.1));
        out[8 + column] = line(_mm512_shuffle_f32x4::<0xdd>(even.0, even.1));
        out[12 + column] = line(_mm512_shuffle_f32x4::<0xdd>(odd.0, odd.1));
    }
    out
}
