//! Errors as the command line shows them: one line that says what is wrong, one that says what to
//! do, and an exit code.
//!
//! | kind | meaning | exit code |
//! |---|---|---|
//! | user | the request is clear, and the world refuses it (a registration fails, a run stalls) | 1 |
//! | argument | a flag, a file or an address that was given is unusable | 2 |
//! | unexpected | everything else | 2 |
//! | interrupted | the user stopped the command | 130 |
//! | closed | the reader of our output went away: not an error | 0 |

use std::fmt;
use std::io;
use std::process::ExitCode;

/// A result of a command.
pub type Result<T> = std::result::Result<T, Error>;

/// Whose problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The world refuses.
    User,
    /// What was given is unusable.
    Argument,
    /// A problem that nobody foresaw.
    Unexpected,
    /// The user stopped the command.
    Interrupted,
    /// The reader of our output went away.
    Closed,
}

/// What ends a command.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    cause: anyhow::Error,
    hint: Option<String>,
}

impl Error {
    /// The world refuses the request.
    pub fn user(message: impl fmt::Display) -> Self {
        Self::new(Kind::User, anyhow::anyhow!("{message}"))
    }

    /// A flag, a file or an address is unusable.
    pub fn argument(message: impl fmt::Display) -> Self {
        Self::new(Kind::Argument, anyhow::anyhow!("{message}"))
    }

    /// What was given is unusable, as a library says; `what` was tried.
    pub fn argument_from(cause: impl Into<anyhow::Error>, what: impl fmt::Display) -> Self {
        Self::new(Kind::Argument, cause.into().context(what.to_string()))
    }

    /// The user stopped the command.
    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, anyhow::anyhow!("interrupted"))
    }

    fn new(kind: Kind, cause: anyhow::Error) -> Self {
        Self { kind, cause, hint: None }
    }

    /// Adds what to do, naming the flag or command.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Whose problem it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            Kind::User => 1,
            Kind::Argument | Kind::Unexpected => 2,
            // 128 + SIGINT, as shells have it.
            Kind::Interrupted => 130,
            Kind::Closed => 0,
        })
    }
}

/// `error: what: cause: cause`, then `hint: what to do`, each on one line.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        write!(f, "error: {}", one_line(format!("{:#}", self.cause)))?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {}", one_line(hint.clone())),
            None => Ok(()),
        }
    }
}

impl From<anyhow::Error> for Error {
    fn from(cause: anyhow::Error) -> Self {
        let is_closed = cause
            .chain()
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe);
        Self::new(if is_closed { Kind::Closed } else { Kind::Unexpected }, cause)
    }
}

impl From<io::Error> for Error {
    fn from(cause: io::Error) -> Self {
        anyhow::Error::from(cause).into()
    }
}

/// Turns library errors into the command line's kinds.
pub trait Context<T> {
    /// The world refuses the request; `what` was tried.
    ///
    /// # Errors
    /// The error, with its kind.
    fn or_user(self, what: impl fmt::Display) -> Result<T>;

    /// What was given is unusable; `what` was tried.
    ///
    /// # Errors
    /// The error, with its kind.
    fn or_argument(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<anyhow::Error>> Context<T> for std::result::Result<T, E> {
    fn or_user(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error::new(Kind::User, error.into().context(what.to_string())))
    }

    fn or_argument(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error::argument_from(error, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_stand_on_one_line_and_the_hint_on_its_own() {
        let cause = io::Error::new(io::ErrorKind::NotFound, "no such\nfile");
        let error = Err::<(), _>(cause)
            .or_argument("cannot read `--data x`")
            .unwrap_err()
            .hint("name a file");
        assert_eq!(
            error.to_string(),
            "error: cannot read `--data x`: no such file\nhint: name a file"
        );
        assert_eq!(error.exit_code(), ExitCode::from(2));
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let error = Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(error.kind(), Kind::Closed);
        assert_eq!(error.exit_code(), ExitCode::SUCCESS);
    }

    #[test]
    fn a_refusal_by_the_world_exits_with_one() {
        assert_eq!(Error::user("no such subnet").exit_code(), ExitCode::from(1));
    }
}
