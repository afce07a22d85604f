//! Root-mean-square norm over rows (arXiv 1910.07467): `y = scale * x / sqrt(mean(x^2) + e)`.

/// Added to the mean square before its root.
const EPSILON: f32 = 1e-5;

/// One over the root mean square of each row.
pub(crate) fn inverse_roots(x: &[f32], width: usize) -> Vec<f32> {
    let of_row = |row: &[f32]| {
        let squares: f32 = row.iter().map(|value| value * value).sum();
        1.0 / (squares / width as f32 + EPSILON).sqrt()
    };
    x.chunks_exact(width).map(of_row).collect()
}

/// The norm, given [`inverse_roots`].
pub(crate) fn forward(x: &[f32], scale: &[f32], inverse: &[f32]) -> Vec<f32> {
    let rows = x.chunks_exact(scale.len()).zip(inverse);
    rows.flat_map(|(row, inverse)| row.iter().zip(scale).map(move |(x, s)| x * inverse * s))
        .collect()
}

/// Adds the gradient of `x` to `dx` and that of the scale to `dscale`.
pub(crate) fn backward(
    x: &[f32],
    scale: &[f32],
    inverse: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    dscale: &mut [f32],
) {
    let width = scale.len();
    let rows = x.chunks_exact(width).zip(dy.chunks_exact(width)).zip(inverse);
    for (((x, dy), inverse), dx) in rows.zip(dx.chunks_exact_mut(width)) {
        // dx = inverse * (scale dy - x * inverse^2 * mean(scale dy x))
        let along: f32 = x.iter().zip(dy).zip(scale).map(|((x, dy), s)| x * dy * s).sum();
        let along = along * inverse * inverse / width as f32;
        let entries = x.iter().zip(dy).zip(scale);
        for (((x, dy), s), (dx, ds)) in entries.zip(dx.iter_mut().zip(dscale.iter_mut())) {
            *dx += inverse * (dy * s - x * along);
            *ds += dy * x * inverse;
        }
    }
}
