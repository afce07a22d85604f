//! Rows split into heads and rotated by position (arXiv 2104.09864): (B, T, H, E) to (B, H, T, E), and back.

/// What all blocks of a stage share: the rotary angles of each token and pair, (T, E / 2).
pub(crate) struct Angles {
    cos: Vec<f32>,
    sin: Vec<f32>,
    half: usize,
}

impl Angles {
    pub(crate) fn new(tokens: usize, each: usize, theta: f64) -> Self {
        let half = each / 2;
        let angle = |place: usize| {
            let (token, pair) = (place / half, place % half);
            token as f64 * theta.powf(-(pair as f64) / half as f64)
        };
        let table =
            |of: fn(f64) -> f64| (0..tokens * half).map(|at| of(angle(at)) as f32).collect();
        Self { cos: table(f64::cos), sin: table(f64::sin), half }
    }

    /// Rotates each token of a head, (T, E); back with `sign` -1.
    fn rotate(&self, head: &mut [f32], sign: f32) {
        let half = self.half;
        let angles = self.cos.chunks_exact(half).zip(self.sin.chunks_exact(half));
        for (token, (cos, sin)) in head.chunks_exact_mut(2 * half).zip(angles) {
            let (first, second) = token.split_at_mut(half);
            for ((a, b), (cos, sin)) in first.iter_mut().zip(second).zip(cos.iter().zip(sin)) {
                let sin = sign * sin;
                (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
            }
        }
    }

    /// Splits rows into heads and rotates them.
    pub(crate) fn split(&self, rows: &[f32], tokens: usize, heads: usize) -> Vec<f32> {
        let mut out = split(rows, tokens, heads, 2 * self.half);
        out.chunks_exact_mut(tokens * 2 * self.half).for_each(|head| self.rotate(head, 1.0));
        out
    }

    /// The gradient of the rows from that of the rotated heads: rotated back, and joined.
    pub(crate) fn join(&self, mut heads: Vec<f32>, tokens: usize, count: usize) -> Vec<f32> {
        heads.chunks_exact_mut(tokens * 2 * self.half).for_each(|head| self.rotate(head, -1.0));
        join(&heads, tokens, count, 2 * self.half)
    }
}

/// Rows (B, T, H, E) by head: (B, H, T, E).
pub(crate) fn split(rows: &[f32], tokens: usize, heads: usize, each: usize) -> Vec<f32> {
    swap(rows, tokens, heads, each)
}

/// Heads (B, H, T, E) by row: (B, T, H, E).
pub(crate) fn join(by_head: &[f32], tokens: usize, heads: usize, each: usize) -> Vec<f32> {
    swap(by_head, heads, tokens, each)
}

/// (B, outer, inner, E) to (B, inner, outer, E).
fn swap(from: &[f32], outer: usize, inner: usize, each: usize) -> Vec<f32> {
    let mut to = vec![0.0; from.len()];
    let size = outer * inner * each;
    for (from, to) in from.chunks_exact(size).zip(to.chunks_exact_mut(size)) {
        for (at, entry) in from.chunks_exact(each).enumerate() {
            let place = (at % inner) * outer + at / inner;
            to[place * each..(place + 1) * each].copy_from_slice(entry);
        }
    }
    to
}
