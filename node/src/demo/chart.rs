//! A curve in a terminal: braille dots, two columns and four rows to a character.

/// The first braille pattern: no dots.
const BLANK: u32 = 0x2800;
/// The bit of the dot at (column, row from the top) within a character.
const DOTS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// A curve that keeps as many points as a wide terminal can show.
#[derive(Clone, Debug)]
pub struct Curve {
    points: Vec<(f64, f64)>,
    /// How many values are averaged into one point.
    stride: u32,
    /// The sums of the point that is being filled, and how many values it holds.
    filling: (f64, f64, u32),
}

impl Default for Curve {
    fn default() -> Self {
        Self { points: Vec::new(), stride: 1, filling: (0.0, 0.0, 0) }
    }
}

/// Points kept; beyond it neighbours are averaged pairwise.
const MAX_POINTS: usize = 1024;

impl Curve {
    /// Adds a value; `x` must not go back. A value that is not finite is left out.
    pub fn push(&mut self, x: f64, y: f64) {
        if !x.is_finite() || !y.is_finite() {
            return;
        }
        let (x_sum, y_sum, count) = self.filling;
        self.filling = (x_sum + x, y_sum + y, count + 1);
        if count + 1 < self.stride {
            return;
        }
        let (x_sum, y_sum, count) = std::mem::take(&mut self.filling);
        self.points.push((x_sum / f64::from(count), y_sum / f64::from(count)));
        if self.points.len() >= MAX_POINTS {
            let pairs = self.points.chunks_exact(2);
            self.points = pairs
                .map(|pair| ((pair[0].0 + pair[1].0) / 2.0, (pair[0].1 + pair[1].1) / 2.0))
                .collect();
            self.stride = self.stride.saturating_mul(2);
        }
    }

    /// The lowest and highest value, if there are any.
    fn range(&self) -> Option<(f64, f64)> {
        let mut values = self.points.iter().map(|point| point.1);
        let first = values.next()?;
        Some(values.fold((first, first), |(low, high), y| (low.min(y), high.max(y))))
    }

    /// The curve as `rows` lines of `columns` characters with its range at the left; `end` is the
    /// x at the right edge, so that the curve grows to the right while it is drawn. Empty without
    /// points or room.
    pub fn draw(&self, columns: usize, rows: usize, end: f64) -> Vec<String> {
        let Some((low, high)) = self.range() else { return Vec::new() };
        let (label_width, gap) = (7, 1);
        if rows == 0 || columns <= label_width + gap {
            return Vec::new();
        }
        let width = columns - label_width - gap;
        let start = self.points[0].0;
        let x_span = (end.max(self.points[self.points.len() - 1].0) - start).max(f64::EPSILON);
        let y_span = (high - low).max(f64::EPSILON);
        let mut cells = vec![vec![0_u32; width]; rows];
        // The mean of all points that fall on one column of dots.
        let dots = width * 2;
        let mut sums = vec![(0.0, 0_u32); dots];
        for (x, y) in &self.points {
            let sum = &mut sums[place((x - start) / x_span, dots)];
            *sum = (sum.0 + y, sum.1 + 1);
        }
        for (column, (sum, count)) in sums.into_iter().enumerate() {
            if count > 0 {
                let height = (high - sum / f64::from(count)) / y_span;
                let row = place(height, rows * 4);
                cells[row / 4][column / 2] |= DOTS[column % 2][row % 4];
            }
        }
        let labelled = |row: usize| match row {
            0 => format!("{high:>label_width$.3}"),
            row if row == rows - 1 => format!("{low:>label_width$.3}"),
            _ => " ".repeat(label_width),
        };
        let dots = |cells: &[u32]| -> String {
            cells.iter().map(|bits| char::from_u32(BLANK + bits).unwrap_or(' ')).collect()
        };
        let lines = cells.iter().enumerate();
        lines.map(|(row, cells)| format!("{} {}", labelled(row), dots(cells))).collect()
    }
}

/// Which of `count` equal parts of `[0, 1]` a value falls into.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the value is clamped into 0..count, and counts are columns of a terminal"
)]
fn place(value: f64, count: usize) -> usize {
    let last = count.saturating_sub(1);
    ((value.clamp(0.0, 1.0) * last as f64).round() as usize).min(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(f64, f64)]) -> Curve {
        let mut curve = Curve::default();
        for (x, y) in points {
            curve.push(*x, *y);
        }
        curve
    }

    #[test]
    fn a_falling_line_runs_from_the_top_left_to_the_bottom_right() {
        let lines = curve(&[(0.0, 6.0), (1.0, 5.0), (2.0, 4.0), (3.0, 3.0)]).draw(10, 2, 3.0);
        assert_eq!(lines, ["  6.000 \u{2821}\u{2800}", "  3.000 \u{2800}\u{2882}"]);
    }

    #[test]
    fn nothing_is_drawn_without_points_or_room() {
        assert!(Curve::default().draw(80, 5, 1.0).is_empty());
        assert!(curve(&[(0.0, 1.0)]).draw(5, 5, 1.0).is_empty());
        assert!(curve(&[(0.0, 1.0)]).draw(80, 0, 1.0).is_empty());
    }

    #[test]
    fn a_value_that_is_not_finite_does_not_spoil_the_range() {
        let lines = curve(&[(0.0, 2.0), (1.0, f64::NAN), (2.0, f64::INFINITY), (3.0, 1.0)]);
        assert_eq!(lines.range(), Some((1.0, 2.0)));
    }

    #[test]
    fn memory_stays_bounded_and_the_ends_remain() {
        let mut curve = Curve::default();
        for i in 0..100_000_u32 {
            curve.push(f64::from(i), f64::from(i));
        }
        assert!(curve.points.len() < MAX_POINTS);
        let (low, high) = curve.range().unwrap();
        assert!(low < 500.0 && high > 99_500.0, "{low} {high}");
    }
}
