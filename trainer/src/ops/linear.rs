//! `y = x w` for rows of a width and a weight (width, outer), and its gradients. Operands that several
//! products share are packed once, by [`rows`] or [`rows_t`].

use super::product::{Mat, Out, Panels, Part, Precision, Threads, multiply};
use super::value::Value;

/// Rows of a width, for [`apply`].
pub(crate) fn rows<T: Value>(precision: Precision, x: &[T], width: usize) -> Panels {
    Panels::left(precision, Mat::new(x, x.len() / width, width), Threads::All)
}

/// Their transpose, for [`of_weight`].
pub(crate) fn rows_t<T: Value>(precision: Precision, x: &[T], width: usize) -> Panels {
    Panels::left(precision, Mat::new(x, x.len() / width, width).t(), Threads::All)
}

/// `x w`.
pub(crate) fn apply<T: Value>(x: &Panels, weight: &[f32], out: Out<'_, T>) {
    let columns = weight.len() / x.depth();
    let weight = Mat::new(weight, x.depth(), columns);
    let weight = Panels::right(x.precision(), weight, Threads::All);
    multiply(out, x, &weight, Part { rows: x.outer(), depth: x.depth(), columns }, Threads::All);
}

/// The gradient of `x` from that of `y`: `dy w^T`.
pub(crate) fn of_rows<T: Value>(dy: &Panels, weight: &[f32], out: Out<'_, T>) {
    let columns = weight.len() / dy.depth();
    let weight = Mat::new(weight, columns, dy.depth()).t();
    let weight = Panels::right(dy.precision(), weight, Threads::All);
    multiply(out, dy, &weight, Part { rows: dy.outer(), depth: dy.depth(), columns }, Threads::All);
}

/// The gradient of `w` from that of `y`: `x^T dy`.
pub(crate) fn of_weight<T: Value>(x_t: &Panels, dy: &[T], out: &mut [f32]) {
    let columns = dy.len() / x_t.depth();
    let dy = Panels::right(x_t.precision(), Mat::new(dy, x_t.depth(), columns), Threads::All);
    let part = Part { rows: x_t.outer(), depth: x_t.depth(), columns };
    multiply(Out::set(out, columns), x_t, &dy, part, Threads::All);
}
