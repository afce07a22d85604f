//! Operations on flat buffers, each with its backward pass written out. Rows are the tokens of a
//! microbatch, one sequence after the other; activations are f32 or bf16 ([`value::Value`]), sums, norms
//! and the residual stream always f32. Results do not depend on the number of threads.

pub(crate) mod attention;
pub(crate) mod linear;
pub(crate) mod loss;
pub(crate) mod norm;
pub(crate) mod product;
pub(crate) mod rope;
pub(crate) mod simd;
pub(crate) mod swiglu;
pub(crate) mod value;
