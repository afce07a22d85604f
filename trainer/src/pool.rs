//! Buffers that are made once and used again.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Buffers that nobody uses now.
pub(crate) struct Pool<B>(Mutex<Vec<B>>);

impl<B> Default for Pool<B> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<B> Pool<B> {
    /// One of them, if there is one.
    pub(crate) fn take(&self) -> Option<B> {
        self.idle().pop()
    }

    /// Takes one back.
    pub(crate) fn give(&self, buffer: B) {
        self.idle().push(buffer);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.idle().len()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
