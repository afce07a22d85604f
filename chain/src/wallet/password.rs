//! Passwords, and the environment variables in which the Bittensor tools pass them.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Start of a password variable's name.
const PREFIX: &str = "BT_PW_";

/// A password. It is never shown, and its memory is wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl Password {
    /// The variable that holds a key file's password: `BT_PW_` and the file's path in upper case,
    /// with `_` for `/` and `.`, as the Bittensor wallet names it.
    #[must_use]
    pub fn variable(path: &Path) -> String {
        let path = path.to_string_lossy().replace(['/', '.'], "_").to_uppercase();
        format!("{PREFIX}{path}")
    }

    /// Reads the value of a password variable: base64 of the password, veiled (not encrypted) by
    /// the variable's own name.
    #[must_use]
    pub fn unveil(variable: &str, value: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(value.trim()).ok()?);
        let plain = bytes.iter().zip(variable.bytes().cycle()).map(|(byte, veil)| byte ^ veil);
        let plain = Zeroizing::new(plain.collect::<Vec<u8>>());
        std::str::from_utf8(&plain).ok().map(|text| Self::from(text.to_owned()))
    }

    /// The value that [`Password::unveil`] reads.
    #[must_use]
    pub fn veil(&self, variable: &str) -> String {
        let bytes = self.0.bytes().zip(variable.bytes().cycle()).map(|(byte, veil)| byte ^ veil);
        STANDARD.encode(bytes.collect::<Vec<u8>>())
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What bittensor-wallet 4.1.1 put into its environment for this file and password.
    #[test]
    fn a_variable_is_named_and_veiled_as_the_bittensor_wallet_does() {
        let variable = Password::variable(Path::new("/tmp/fxw/w/coldkey"));
        assert_eq!(variable, "BT_PW__TMP_FXW_W_COLDKEY");
        let password = Password::unveil(&variable, "ITstIjI8K3QlPy01PQ==").unwrap();
        assert_eq!(password.text(), "correct horse");
        assert_eq!(password.veil(&variable), "ITstIjI8K3QlPy01PQ==");
        assert_eq!(format!("{password:?}"), "Password");
        assert!(Password::unveil(&variable, "?").is_none());
    }
}
