//! Who wants to know what becomes of an extrinsic.
//!
//! Each waiting extrinsic has at most one watcher (the pool refuses a second submission), so the
//! pool's limit bounds the watchers too.

use crate::{
    chain::{Admission, SealedBlock},
    runtime::Hash,
};
use serde::Serialize;
use std::collections::HashMap;
use tokio::sync::mpsc;

/// News of one extrinsic that its watcher may leave unread; an extrinsic has fewer.
const UNREAD: usize = 16;

/// What became of an extrinsic, written as `author_extrinsicUpdate` has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Status {
    /// It waits for its sender's earlier extrinsics.
    Future,
    /// The next block may hold it.
    Ready,
    /// This block holds it.
    InBlock(Hash),
    /// This block, which holds it, is final. The last status.
    Finalized(Hash),
    /// This extrinsic took its place. The last status.
    Usurped(Hash),
    /// It turned out invalid. The last status.
    Invalid,
}

/// The watchers.
#[derive(Default)]
pub(super) struct Watchers {
    by_extrinsic: HashMap<Hash, mpsc::Sender<Status>>,
    /// Extrinsics that a block holds which is not final yet, and that block.
    not_final: Vec<(Hash, Hash)>,
}

impl Watchers {
    /// Starts to report on an extrinsic.
    pub(super) fn watch(&mut self, hash: Hash) -> mpsc::Receiver<Status> {
        let (statuses, reports) = mpsc::channel(UNREAD);
        self.by_extrinsic.insert(hash, statuses);
        reports
    }

    /// The pool took an extrinsic.
    pub(super) fn admitted(&mut self, hash: Hash, admission: &Admission) {
        self.report(&hash, if admission.ready { Status::Ready } else { Status::Future });
        for other in &admission.promoted {
            self.report(other, Status::Ready);
        }
        for other in &admission.replaced {
            self.finish(other, Status::Usurped(hash));
        }
    }

    /// A block was sealed.
    pub(super) fn sealed(&mut self, block: &SealedBlock) {
        for included in &block.extrinsics {
            if self.by_extrinsic.contains_key(&included.hash) {
                self.report(&included.hash, Status::InBlock(block.hash));
                self.not_final.push((included.hash, block.hash));
            }
        }
        for (hash, _) in &block.dropped {
            self.finish(hash, Status::Invalid);
        }
        for hash in &block.promoted {
            self.report(hash, Status::Ready);
        }
    }

    /// All blocks are final.
    pub(super) fn finalize(&mut self) {
        for (extrinsic, block) in std::mem::take(&mut self.not_final) {
            self.finish(&extrinsic, Status::Finalized(block));
        }
    }

    /// Reports a status. A watcher that has gone, or does not read, is forgotten.
    fn report(&mut self, hash: &Hash, status: Status) {
        if let Some(watcher) = self.by_extrinsic.get(hash)
            && watcher.try_send(status).is_err()
        {
            self.by_extrinsic.remove(hash);
        }
    }

    /// Reports the last status.
    fn finish(&mut self, hash: &Hash, status: Status) {
        self.report(hash, status);
        self.by_extrinsic.remove(hash);
    }
}
