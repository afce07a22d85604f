//! Products agree with sums in f64, whatever their shape, place and operands.

use half::bf16;
use proptest::prelude::*;

use super::*;

/// A matrix with its own numbers, within a wider buffer, perhaps lying across.
#[derive(Clone, Debug)]
struct Operand {
    data: Vec<f32>,
    rows: usize,
    columns: usize,
    step: usize,
    lies_across: bool,
}

impl Operand {
    fn new(rows: usize, columns: usize, gap: usize, lies_across: bool, seed: u64) -> Self {
        let (long, short) = if lies_across { (columns, rows) } else { (rows, columns) };
        let step = short + gap;
        let mut state = seed;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let data = (0..long * step).map(|_| random()).collect();
        Self { data, rows, columns, step, lies_across }
    }

    fn mat<'a, T>(&self, data: &'a [T]) -> Mat<'a, T> {
        if self.lies_across {
            Mat::spread(data, self.columns, self.rows, self.step).t()
        } else {
            Mat::spread(data, self.rows, self.columns, self.step)
        }
    }

    /// An entry as a product sees it.
    fn at(&self, precision: Precision, row: usize, column: usize) -> f64 {
        let (long, short) = if self.lies_across { (column, row) } else { (row, column) };
        let value = self.data[long * self.step + short];
        match precision {
            Precision::F32 => value.into(),
            Precision::Bf16 => bf16::from_f32(value).to_f64(),
        }
    }

    fn halves(&self) -> Vec<bf16> {
        self.data.iter().map(|value| bf16::from_f32(*value)).collect()
    }
}

fn operands() -> impl Strategy<Value = (Operand, Operand)> {
    let sizes = (1_usize..60, 1_usize..90, 1_usize..80);
    (sizes, any::<(bool, bool, u64)>(), 0_usize..5).prop_map(
        |((rows, depth, columns), (a, b, seed), gap)| {
            let left = Operand::new(rows, depth, gap, a, seed);
            (left, Operand::new(depth, columns, gap, b, seed ^ 1))
        },
    )
}

proptest! {
    #[test]
    fn a_product_is_the_sum_of_products((a, b) in operands(), bf16 in any::<bool>()) {
        let precision = if bf16 { Precision::Bf16 } else { Precision::F32 };
        let (rows, depth, columns) = (a.rows, a.columns, b.columns);
        let step = columns + 3;
        let mut out = vec![7.0; rows * step];
        product(precision, Out::set(&mut out, step), a.mat(&a.data), b.mat(&b.data));
        let mut halves = vec![bf16::ZERO; rows * step];
        let (a_halves, b_halves) = (a.halves(), b.halves());
        product(
            Precision::Bf16,
            Out::set(&mut halves, step),
            a.mat(&a_halves),
            b.mat(&b_halves),
        );
        for row in 0..rows {
            for column in 0..columns {
                let sum = |precision| -> f64 {
                    let term = |at| a.at(precision, row, at) * b.at(precision, at, column);
                    (0..depth).map(term).sum()
                };
                let found = f64::from(out[row * step + column]);
                prop_assert!((found - sum(precision)).abs() < 1e-5 * depth as f64);
                let (found, sum) = (halves[row * step + column].to_f64(), sum(Precision::Bf16));
                prop_assert!((found - sum).abs() < 0.004 * sum.abs() + 1e-5 * depth as f64);
            }
            prop_assert!(out[row * step + columns..][..3] == [7.0; 3], "written beside the result");
        }
    }

    #[test]
    fn bases_are_added_and_parts_are_those_of_the_whole((a, b) in operands(), bf16 in any::<bool>()) {
        let precision = if bf16 { Precision::Bf16 } else { Precision::F32 };
        let (rows, columns) = (a.rows, b.columns);
        let slack = slack().min(1e-5 * a.columns as f32);
        let left = Panels::left(precision, a.mat(&a.data), Threads::Own);
        let right = Panels::right(precision, b.mat(&b.data), Threads::All);
        let part = Part { rows, depth: a.columns, columns };
        let mut whole = vec![0.0; rows * columns];
        multiply(Out::set(&mut whole, columns), &left, &right, part, Threads::All);

        let mut again = vec![1.5; rows * columns];
        multiply(Out::add(&mut again, columns), &left, &right, part, Threads::Own);
        let base = vec![2.5; rows * (columns + 2)];
        let mut summed = vec![f32::NAN; rows * columns];
        let out = Out::sum(&mut summed, columns, &base, columns + 2);
        multiply(out, &left, &right, part, Threads::Own);
        for (at, whole) in whole.iter().enumerate() {
            prop_assert!((again[at] - (whole + 1.5)).abs() <= slack);
            prop_assert!((summed[at] - (whole + 2.5)).abs() <= slack);
        }

        let some = Part { rows: rows.div_ceil(2), depth: a.columns, columns: columns.div_ceil(3) };
        let mut few = vec![0.0; some.rows * some.columns];
        multiply(Out::set(&mut few, some.columns), &left, &right, some, Threads::Own);
        for (row, few) in few.chunks_exact(some.columns).enumerate() {
            for (few, whole) in few.iter().zip(&whole[row * columns..]) {
                prop_assert!((few - whole).abs() <= slack);
            }
        }
    }

    #[test]
    fn the_portable_path_agrees((a, b) in operands(), bf16 in any::<bool>()) {
        let precision = if bf16 { Precision::Bf16 } else { Precision::F32 };
        let (rows, depth, columns) = (a.rows, a.columns, b.columns);
        let mut out = vec![0.0; rows * columns];
        product(precision, Out::set(&mut out, columns), a.mat(&a.data), b.mat(&b.data));
        let mut portable = vec![0.0; rows * columns];
        let left = portable::rows(precision, a.mat(&a.data));
        let right = portable::rows(precision, b.mat(&b.data).t());
        let part = Part { rows, depth, columns };
        let place = Out::set(&mut portable, columns);
        portable::multiply(place, (&left, depth), (&right, depth), part, Threads::Own);
        for (found, expected) in out.iter().zip(portable) {
            prop_assert!((found - expected).abs() < 1e-5 * depth as f32);
        }
    }
}

/// More rows than one task takes, and more columns than one stripe has.
#[test]
fn large_products_are_shared_out_and_agree_with_the_portable_path() {
    for (rows, depth, columns) in [(260, 1300, 200), (130, 40, 2300)] {
        let a = Operand::new(rows, depth, 0, false, 8);
        let b = Operand::new(depth, columns, 1, true, 9);
        for precision in [Precision::F32, Precision::Bf16] {
            let mut out = vec![0.0; rows * columns];
            product(precision, Out::set(&mut out, columns), a.mat(&a.data), b.mat(&b.data));
            let mut portable = vec![0.0; rows * columns];
            let left = portable::rows(precision, a.mat(&a.data));
            let right = portable::rows(precision, b.mat(&b.data).t());
            let part = Part { rows, depth, columns };
            let place = Out::set(&mut portable, columns);
            portable::multiply(place, (&left, depth), (&right, depth), part, Threads::All);
            let worst = out.iter().zip(portable).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-3, "{rows} x {depth} x {columns}: {worst}");
        }
    }
}

#[test]
fn fewer_terms_than_were_packed_are_summed_alone() {
    let (a, b) = (Operand::new(20, 6, 0, false, 3), Operand::new(10, 40, 0, false, 4));
    for precision in [Precision::F32, Precision::Bf16] {
        let left = Panels::left(precision, a.mat(&a.data), Threads::Own);
        let right = Panels::right(precision, b.mat(&b.data), Threads::Own);
        let mut out = vec![0.0; 20 * 40];
        let part = Part { rows: 20, depth: 6, columns: 40 };
        multiply(Out::set(&mut out, 40), &left, &right, part, Threads::Own);
        let mut expected = vec![0.0; 20 * 40];
        let first = Mat::new(&b.data[..6 * 40], 6, 40);
        product(precision, Out::set(&mut expected, 40), a.mat(&a.data), first);
        assert_eq!(out, expected);
    }
}

#[test]
fn what_is_not_finite_stays_in_its_row_and_column() {
    let mut a = Operand::new(30, 20, 0, false, 5);
    let b = Operand::new(20, 40, 0, false, 6);
    a.data[7 * 20 + 3] = f32::INFINITY;
    a.data[9 * 20] = f32::NAN;
    for precision in [Precision::F32, Precision::Bf16] {
        let mut out = vec![0.0; 30 * 40];
        product(precision, Out::set(&mut out, 40), a.mat(&a.data), b.mat(&b.data));
        for (row, out) in out.chunks_exact(40).enumerate() {
            assert_eq!(out.iter().all(|value| value.is_finite()), row != 7 && row != 9, "{row}");
        }
    }
}

#[test]
#[should_panic(expected = "a view past its buffer")]
fn a_view_past_its_buffer_is_refused() {
    let _ = Mat::new(&[0_f32; 5], 2, 3);
}

#[test]
#[should_panic(expected = "a result too large")]
fn a_result_past_its_buffer_is_refused() {
    let (a, b) = ([0_f32; 6], [0_f32; 6]);
    let (a, b) = (Mat::new(&a, 2, 3), Mat::new(&b, 3, 2));
    product(Precision::F32, Out::set(&mut [0_f32; 3], 2), a, b);
}
