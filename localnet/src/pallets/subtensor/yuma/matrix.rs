//! Sparse matrices of 32.32 fixed point, one row per validator, and what Yuma does with them.
//!
//! A [`Row`] keeps the order in which its entries came, and may hold zeros: "absent" and "zero"
//! differ in the bond rules. Divisions by zero, and results out of range, leave zero.

use super::{I32F32, ZERO};

/// Entries of one row: (column, value).
pub(super) type Row = Vec<(u16, I32F32)>;

/// Sum of `values`.
pub(super) fn sum(values: &[I32F32]) -> I32F32 {
    values.iter().fold(ZERO, |sum, value| sum.saturating_add(*value))
}

/// Sum of a row's values.
pub(super) fn row_sum(row: &[(u16, I32F32)]) -> I32F32 {
    row.iter().fold(ZERO, |sum, (_, value)| sum.saturating_add(*value))
}

/// Divides all by `total`, unless that is zero.
pub(super) fn divide(values: &mut [I32F32], total: I32F32) {
    if total != ZERO {
        for value in values {
            *value = quotient(*value, total);
        }
    }
}

/// Makes the sum one, unless it is zero.
pub(super) fn normalize(values: &mut [I32F32]) {
    let total = sum(values);
    divide(values, total);
}

/// Makes each row's sum one, unless it is zero.
pub(super) fn normalize_rows(rows: &mut [Row]) {
    for row in rows {
        let total = row_sum(row);
        if total > ZERO {
            row.iter_mut().for_each(|(_, value)| *value = quotient(*value, total));
        }
    }
}

/// Makes each column's sum one, unless it is zero.
pub(super) fn normalize_columns(rows: &mut [Row], columns: usize) {
    let mut totals = vec![ZERO; columns];
    for (column, value) in rows.iter().flatten() {
        if let Some(total) = totals.get_mut(usize::from(*column)) {
            *total = total.saturating_add(*value);
        }
    }
    divide_columns(rows, &totals);
}

/// Makes each column's greatest value one, unless it is zero.
pub(super) fn upscale_columns(rows: &mut [Row], columns: usize) {
    let mut greatest = vec![ZERO; columns];
    for (column, value) in rows.iter().flatten() {
        if let Some(best) = greatest.get_mut(usize::from(*column)) {
            *best = (*best).max(*value);
        }
    }
    divide_columns(rows, &greatest);
}

fn divide_columns(rows: &mut [Row], by: &[I32F32]) {
    for (column, value) in rows.iter_mut().flatten() {
        let divisor = at(by, *column);
        if divisor != ZERO {
            *value = quotient(*value, divisor);
        }
    }
}

/// Lowers each entry to its column's limit. Where the limit is zero, entries above it vanish.
pub(super) fn clip_columns(rows: &[Row], limits: &[I32F32]) -> Vec<Row> {
    let clip = |(column, value): &(u16, I32F32)| {
        let limit = at(limits, *column);
        if limit >= *value {
            Some((*column, *value))
        } else if limit > ZERO {
            Some((*column, limit))
        } else {
            None
        }
    };
    rows.iter().map(|row| row.iter().filter_map(clip).collect()).collect()
}

/// For each column, the sum over rows of `by[row] * value`.
pub(super) fn column_dot(rows: &[Row], by: &[I32F32], columns: usize) -> Vec<I32F32> {
    let mut dots = vec![ZERO; columns];
    for (row, factor) in rows.iter().zip(by) {
        for (column, value) in row {
            if let Some(dot) = dots.get_mut(usize::from(*column)) {
                *dot = dot.saturating_add(factor.saturating_mul(*value));
            }
        }
    }
    dots
}

/// For each row, the sum over columns of `by[column] * value`.
pub(super) fn row_dot(rows: &[Row], by: &[I32F32]) -> Vec<I32F32> {
    let dot = |row: &Row| {
        row.iter().fold(ZERO, |sum, (column, value)| {
            sum.saturating_add(at(by, *column).saturating_mul(*value))
        })
    };
    rows.iter().map(dot).collect()
}

/// Multiplies each row by its factor.
pub(super) fn scale_rows(rows: &[Row], by: &[I32F32]) -> Vec<Row> {
    rows.iter()
        .zip(by)
        .map(|(row, factor)| {
            row.iter().map(|(column, value)| (*column, value.saturating_mul(*factor))).collect()
        })
        .collect()
}

/// `from + share * (to - from)`, with entries above zero only. The ends are returned unchanged.
pub(super) fn interpolate(from: &[Row], to: &[Row], columns: usize, share: I32F32) -> Vec<Row> {
    if share == ZERO {
        return from.to_vec();
    }
    if share == super::ONE {
        return to.to_vec();
    }
    from.iter()
        .zip(to)
        .map(|(from, to)| {
            let (from, to) = (dense(from, columns), dense(to, columns));
            let mixed = from.iter().zip(&to).map(|(from, to)| {
                from.saturating_add(share.saturating_mul(to.saturating_sub(*from)))
            });
            positive(mixed)
        })
        .collect()
}

/// Moving average `alpha * new + (1 - alpha) * old`, with entries above zero only.
pub(super) fn moving_average(new: &[Row], old: &[Row], alpha: I32F32) -> Vec<Row> {
    let rest = super::ONE.saturating_sub(alpha);
    let columns = new.len();
    new.iter()
        .zip(old)
        .map(|(new, old)| {
            let mut mixed = vec![ZERO; columns];
            for (row, factor) in [(new, alpha), (old, rest)] {
                for (column, value) in row {
                    if let Some(cell) = mixed.get_mut(usize::from(*column)) {
                        *cell = cell.saturating_add(factor.saturating_mul(*value));
                    }
                }
            }
            positive(mixed.into_iter())
        })
        .collect()
}

/// `values[column]`, or zero beyond the end.
pub(super) fn at(values: &[I32F32], column: u16) -> I32F32 {
    values.get(usize::from(column)).copied().unwrap_or(ZERO)
}

fn quotient(value: I32F32, divisor: I32F32) -> I32F32 {
    value.checked_div(divisor).unwrap_or(ZERO)
}

fn dense(row: &Row, columns: usize) -> Vec<I32F32> {
    let mut cells = vec![ZERO; columns];
    for (column, value) in row {
        if let Some(cell) = cells.get_mut(usize::from(*column)) {
            *cell = *value;
        }
    }
    cells
}

fn positive(cells: impl Iterator<Item = I32F32>) -> Row {
    (0..=u16::MAX).zip(cells).filter(|(_, value)| *value > ZERO).collect()
}
