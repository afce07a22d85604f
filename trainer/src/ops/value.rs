//! What activations are stored as, and so what products round to.

use half::bf16;

use super::product::Precision;

/// f32 or bf16.
pub(crate) trait Value: bytemuck::Pod + Default + Send + Sync {
    /// The precision of products of such activations.
    const PRECISION: Precision;

    /// As f32, exactly.
    fn wide(self) -> f32;

    /// The nearest value, ties to even.
    fn near(value: f32) -> Self;
}

impl Value for f32 {
    const PRECISION: Precision = Precision::F32;

    #[inline(always)]
    fn wide(self) -> f32 {
        self
    }

    #[inline(always)]
    fn near(value: f32) -> Self {
        value
    }
}

impl Value for bf16 {
    const PRECISION: Precision = Precision::Bf16;

    #[inline(always)]
    fn wide(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    // Without branches, so that loops over it become vector instructions.
    #[inline(always)]
    fn near(value: f32) -> Self {
        let bits = value.to_bits();
        let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
        let quiet = bits >> 16 | 0x40;
        Self::from_bits(if value.is_nan() { quiet } else { rounded } as u16)
    }
}
