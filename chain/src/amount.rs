//! Amounts of TAO in its smallest unit.

use std::fmt;
use std::str::FromStr;

/// 10^-9 TAO. Displays as TAO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rao(pub u64);

/// 10^-9 of a subnet's own token. Displays as alpha.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alpha(pub u64);

/// Rao per TAO.
const TAO: u64 = 1_000_000_000;
/// Decimals of TAO.
const DECIMALS: usize = 9;

impl Rao {
    /// Whole TAO, saturating.
    #[must_use]
    pub const fn tao(tao: u64) -> Self {
        Self(tao.saturating_mul(TAO))
    }
}

/// An amount as people write it: TAO, with up to nine decimals.
impl FromStr for Rao {
    type Err = ParseRaoError;

    fn from_str(text: &str) -> Result<Self, ParseRaoError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > DECIMALS {
            return Err(ParseRaoError);
        }
        let rao = format!("{whole}{fraction:0<DECIMALS$}").parse().map_err(|_| ParseRaoError)?;
        Ok(Self(rao))
    }
}

/// A text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an amount with up to nine decimals, below 18446744073")]
pub struct ParseRaoError;

impl fmt::Display for Rao {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09} TAO", self.0 / TAO, self.0 % TAO)
    }
}

impl FromStr for Alpha {
    type Err = ParseRaoError;

    fn from_str(text: &str) -> Result<Self, ParseRaoError> {
        text.parse().map(|Rao(rao)| Self(rao))
    }
}

impl fmt::Display for Alpha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09} alpha", self.0 / TAO, self.0 % TAO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tao_are_read_with_up_to_nine_decimals() {
        let rao = |text: &str| text.parse::<Rao>().map(|rao| rao.0);
        assert_eq!(rao("1.5"), Ok(1_500_000_000));
        assert_eq!(rao("0.000000001"), Ok(1));
        assert_eq!(rao("18446744073.709551615"), Ok(u64::MAX));
        for wrong in ["", ".5", "1.0000000001", "-1", "+1", "1e3", "18446744073.709551616", "1.2.3"]
        {
            assert_eq!(rao(wrong), Err(ParseRaoError), "{wrong}");
        }
        assert_eq!(Rao(1_234).to_string().trim_end_matches(" TAO").parse(), Ok(Rao(1_234)));
    }

    #[test]
    fn rao_displays_as_tao_with_nine_decimals() {
        assert_eq!(Rao(1_500_000_000).to_string(), "1.500000000 TAO");
        assert_eq!(Rao(1).to_string(), "0.000000001 TAO");
        assert_eq!(Rao::tao(u64::MAX), Rao(u64::MAX));
    }
}
