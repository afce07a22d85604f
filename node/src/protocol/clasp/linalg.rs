//! The little linear algebra of the fit: a symmetric positive definite solve in fixed order.

/// A lower-triangular Cholesky factor, row by row.
pub(super) struct Cholesky {
    size: usize,
    rows: Vec<f64>,
}

impl Cholesky {
    /// Factors the symmetric matrix whose lower triangle `matrix` (row-major, `size` x `size`)
    /// holds; `None` when it is not positive definite.
    pub(super) fn new(matrix: &[f64], size: usize) -> Option<Self> {
        let mut rows = matrix.to_vec();
        for row in 0..size {
            for column in 0..=row {
                let mut value = rows[row * size + column];
                for k in 0..column {
                    value -= rows[row * size + k] * rows[column * size + k];
                }
                if row == column {
                    if value.is_nan() || value <= 0.0 {
                        return None;
                    }
                    rows[row * size + row] = value.sqrt();
                } else {
                    rows[row * size + column] = value / rows[column * size + column];
                }
            }
        }
        Some(Self { size, rows })
    }

    /// Solves L y = `right`.
    fn forward(&self, right: &[f64]) -> Vec<f64> {
        let mut solution = right.to_vec();
        for row in 0..self.size {
            for k in 0..row {
                solution[row] -= self.rows[row * self.size + k] * solution[k];
            }
            solution[row] /= self.rows[row * self.size + row];
        }
        solution
    }

    /// Solves A x = `right`.
    pub(super) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let mut solution = self.forward(right);
        for row in (0..self.size).rev() {
            for k in row + 1..self.size {
                solution[row] -= self.rows[k * self.size + row] * solution[k];
            }
            solution[row] /= self.rows[row * self.size + row];
        }
        solution
    }

    /// The variance of the combination `weights`: w' A^-1 w.
    pub(super) fn variance(&self, weights: &[f64]) -> f64 {
        self.forward(weights).iter().map(|value| value * value).sum()
    }
}
