//! Running the runtime's code on an overlay over one state.
//!
//! A panic of the runtime (a bug, or arguments that do not decode) is caught; what the code had
//! written until then is taken back.

use super::state::{Changes, View};
use sp_externalities::set_and_run_with_externalities;
use sp_state_machine::Ext;
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// The runtime's code panicked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the runtime panicked: {message}")]
pub struct RuntimePanic {
    /// What it said.
    pub message: String,
}

/// One state and the changes made on it so far.
pub(super) struct Overlay<'a> {
    /// The state below.
    view: View<'a>,
    /// What was written on top of it.
    changes: Changes,
}

impl<'a> Overlay<'a> {
    /// Starts without changes.
    pub(super) fn new(view: View<'a>) -> Self {
        Self { view, changes: Changes::default() }
    }

    /// Runs `code`; keeps what it wrote.
    pub(super) fn run<R>(&mut self, code: impl FnOnce() -> R) -> Result<R, RuntimePanic> {
        self.run_if(code, |_| true)
    }

    /// Runs `code`; keeps what it wrote if `keep` says so of its result.
    pub(super) fn run_if<R>(
        &mut self,
        code: impl FnOnce() -> R,
        keep: impl FnOnce(&R) -> bool,
    ) -> Result<R, RuntimePanic> {
        let depth = self.changes.transaction_depth();
        self.changes.start_transaction();
        let result = {
            let mut ext = Ext::new(&mut self.changes, &self.view, None);
            catch_unwind(AssertUnwindSafe(|| set_and_run_with_externalities(&mut ext, code)))
        };
        // A panic leaves the runtime's own layers open.
        while self.changes.transaction_depth() > depth + 1 {
            self.changes.rollback_transaction().expect("the depth says that a layer is open");
        }
        let kept = result.as_ref().is_ok_and(keep);
        let closed = if kept {
            self.changes.commit_transaction()
        } else {
            self.changes.rollback_transaction()
        };
        closed.expect("this function opened the layer");
        result.map_err(|panic| RuntimePanic { message: message(panic.as_ref()) })
    }

    /// Ends with the changes.
    pub(super) fn into_changes(self) -> Changes {
        self.changes
    }
}

/// The text of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{super::state::States, *};
    use frame_support::storage::{unhashed, with_storage_layer};
    use sp_runtime::DispatchError;

    #[test]
    fn takes_back_what_panicking_code_wrote() {
        let (states, root) = States::new(Default::default());
        let mut overlay = Overlay::new(states.view(root));
        overlay.run(|| unhashed::put(b"a", &1_u8)).unwrap();
        let panic = overlay.run(|| {
            let _: Result<(), DispatchError> = with_storage_layer(|| {
                unhashed::put(b"a", &2_u8);
                panic!("on purpose {}", 1)
            });
        });
        assert_eq!(panic, Err(RuntimePanic { message: "on purpose 1".to_owned() }));
        overlay.run_if(|| unhashed::put(b"a", &3_u8), |_| false).unwrap();
        assert_eq!(overlay.run(|| unhashed::get::<u8>(b"a")), Ok(Some(1)));
    }
}
