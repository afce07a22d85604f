//! Amounts of TAO in its smallest unit.

use std::fmt;

/// 10^-9 TAO. Displays as TAO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rao(pub u64);

/// Rao per TAO.
const TAO: u64 = 1_000_000_000;

impl Rao {
    /// Whole TAO, saturating.
    #[must_use]
    pub const fn tao(tao: u64) -> Self {
        Self(tao.saturating_mul(TAO))
    }
}

impl fmt::Display for Rao {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09} TAO", self.0 / TAO, self.0 % TAO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rao_displays_as_tao_with_nine_decimals() {
        assert_eq!(Rao(1_500_000_000).to_string(), "1.500000000 TAO");
        assert_eq!(Rao(1).to_string(), "0.000000001 TAO");
        assert_eq!(Rao::tao(u64::MAX), Rao(u64::MAX));
    }
}
