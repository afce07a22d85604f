//! The operations of a stage on flat f32 buffers, forward and backward, one file each.
//!
//! Shapes: N = B x T rows (sequences times tokens), D model width, H heads of width E, G key/value heads.
//! Rows lie one after the other. Each backward pass adds to the gradient of a parameter and writes that
//! of an input. No sum is split between threads, so results do not depend on their number.

pub(crate) mod attention;
pub(crate) mod loss;
pub(crate) mod matrix;
pub(crate) mod norm;
pub(crate) mod rope;
pub(crate) mod swiglu;
