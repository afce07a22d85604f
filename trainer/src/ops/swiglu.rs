//! The gated activation of the feed-forward layer (arXiv 2002.05202): `silu(gate) * up`.

/// `silu(gate) * up`.
pub(crate) fn forward(gate: &[f32], up: &[f32]) -> Vec<f32> {
    gate.iter().zip(up).map(|(gate, up)| gate * sigmoid(*gate) * up).collect()
}

/// The gradients of gate and up.
pub(crate) fn backward(gate: &[f32], up: &[f32], dy: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let slopes = |((gate, up), dy): ((&f32, &f32), &f32)| {
        let open = sigmoid(*gate);
        let silu = gate * open;
        (dy * up * (open + silu * (1.0 - open)), dy * silu)
    };
    gate.iter().zip(up).zip(dy).map(slopes).unzip()
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
