//! Loading shards behind the back of who will need them: a role must not stand still while gigabytes come.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Dataset;

/// Time between a shard that could not be loaded and the next try.
const REST: Duration = Duration::from_secs(30);

/// What is loaded.
#[derive(Debug, Default)]
pub(super) struct Behind {
    /// Each shard once, but for the one that is being loaded.
    queue: VecDeque<usize>,
    is_running: bool,
    failed: Option<Instant>,
    failure: Option<String>,
}

impl Dataset {
    /// Whether [`Dataset::at_hand`] has these train sequences; what it has not is loaded in the background.
    #[must_use]
    pub fn is_ready(self: &Arc<Self>, ids: &[u64]) -> bool {
        let missing = self.missing(ids);
        if !missing.is_empty() {
            self.load_behind(missing);
        }
        self.missing(ids).is_empty()
    }

    /// Why a shard could not be loaded in the background, once.
    #[must_use]
    pub fn take_failure(&self) -> Option<String> {
        self.behind().failure.take()
    }

    /// The shards of train sequences that are not loaded, in the order of the ids.
    fn missing(&self, ids: &[u64]) -> Vec<usize> {
        let mut missing: Vec<usize> = Vec::new();
        for (shard, _) in ids.iter().filter_map(|id| self.place(*id)) {
            if self.shards[shard].get().is_none() && !missing.contains(&shard) {
                missing.push(shard);
            }
        }
        missing
    }

    fn behind(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads shards in a thread, of which there is one at a time.
    fn load_behind(self: &Arc<Self>, shards: Vec<usize>) {
        let mut behind = self.behind();
        // What failed just now fails again.
        let rests = behind.failed.is_some_and(|failed| failed.elapsed() < REST);
        for shard in shards {
            if !behind.queue.contains(&shard) {
                behind.queue.push_back(shard);
            }
        }
        if behind.is_running || rests {
            return;
        }
        let dataset = Arc::clone(self);
        let work = move || {
            while let Some(shard) = dataset.next_behind() {
                // A thread that died would leave everybody waiting.
                let loaded = catch_unwind(AssertUnwindSafe(|| dataset.load(shard).map(drop)));
                let failure = match loaded {
                    Ok(Ok(())) => continue,
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => {
                        format!("{}: reading it panicked", dataset.manifest.shards[shard].name)
                    }
                };
                let mut behind = dataset.behind();
                behind.failed = Some(Instant::now());
                behind.failure = Some(failure);
                behind.queue.clear();
            }
        };
        let started = std::thread::Builder::new().name("iota-data".into()).spawn(work);
        behind.is_running = started.is_ok();
    }

    /// The shard that the thread loads next; the thread ends without one.
    fn next_behind(&self) -> Option<usize> {
        let mut behind = self.behind();
        let next = behind.queue.pop_front();
        behind.is_running = next.is_some();
        next
    }
}
