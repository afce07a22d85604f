//! Either role, for whoever drives one.

use super::miner::{Error, Miner};
use super::validator::Validator;
use super::{Effect, Event, Millis};

/// A role.
pub enum Machine {
    /// A miner.
    Miner(Box<Miner>),
    /// A validator.
    Validator(Box<Validator>),
}

impl Machine {
    /// Takes one event.
    ///
    /// # Errors
    /// [`Error`] when the role itself cannot go on.
    pub fn handle(&mut self, now: Millis, event: Event) -> Result<Vec<Effect>, Error> {
        match self {
            Self::Miner(miner) => miner.handle(now, event),
            Self::Validator(validator) => validator.handle(now, event),
        }
    }

    /// Does one piece of work, if there is any; call while no event waits.
    ///
    /// # Errors
    /// [`Error`] when the role itself cannot go on.
    pub fn work(&mut self, now: Millis) -> Result<Option<Vec<Effect>>, Error> {
        match self {
            Self::Miner(miner) => miner.work(now),
            Self::Validator(validator) => validator.work(now),
        }
    }
}
