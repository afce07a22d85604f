//! What goes wrong on purpose: answers that are lost or late, so that clients can be seen to bear it.

use jsonrpsee::core::middleware::{Batch, Notification, Request, RpcServiceT};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// An answer that is lost comes so much later, when nobody waits for it any more.
const LOST: Duration = Duration::from_secs(600);
/// Longest delay of answers, in milliseconds.
const MAX_DELAY_MS: u64 = 600_000;
/// Most methods whose answers are lost.
const MAX_METHODS: usize = 256;
/// What only a dev chain has works always: else the faults could not be taken back.
const EXEMPT: &str = "dev_";

/// The faults of a chain's RPC.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// How many answers of a method are lost from now on. The method runs.
    pub lose: BTreeMap<String, u32>,
    /// Milliseconds by which every answer is late.
    pub delay_ms: u64,
    /// Whether new blocks are not final, until this is taken back.
    pub hold_finality: bool,
}

impl Faults {
    /// Whether they are within bounds.
    pub(crate) fn is_bounded(&self) -> bool {
        self.delay_ms <= MAX_DELAY_MS && self.lose.len() <= MAX_METHODS
    }
}

/// The faults, shared by whoever sets them and all connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedFaults {
    faults: Arc<Mutex<Faults>>,
    /// The server ends, and waits for the answers it owes.
    ends: Arc<watch::Sender<bool>>,
}

impl SharedFaults {
    /// Replaces all faults.
    pub(crate) fn set(&self, faults: Faults) {
        *self.lock() = faults;
    }

    /// Lets go of the answers that are lost or late.
    pub(crate) fn end(&self) {
        self.ends.send_replace(true);
    }

    /// Waits that long, unless the server ends.
    async fn wait(&self, time: Duration) {
        let mut ends = self.ends.subscribe();
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = ends.wait_for(|ends| *ends) => {}
        }
    }

    /// The delay of an answer of this method, and whether it is lost.
    fn meet(&self, method: &str) -> (Duration, bool) {
        if method.starts_with(EXEMPT) {
            return (Duration::ZERO, false);
        }
        let mut faults = self.lock();
        let delay = Duration::from_millis(faults.delay_ms);
        let lost = faults.lose.get_mut(method).filter(|left| **left > 0);
        let is_lost = lost.is_some();
        if let Some(left) = lost {
            *left -= 1;
        }
        (delay, is_lost)
    }

    fn lock(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers through the faults. In a batch none is lost, but all are late.
#[derive(Clone)]
pub(super) struct Faulty<S> {
    pub(super) service: S,
    pub(super) faults: SharedFaults,
}

impl<S> RpcServiceT for Faulty<S>
where
    S: RpcServiceT<MethodResponse: Send, BatchResponse: Send> + Clone + Send + Sync + 'static,
{
    type MethodResponse = S::MethodResponse;
    type NotificationResponse = S::NotificationResponse;
    type BatchResponse = S::BatchResponse;

    fn call<'a>(
        &self,
        request: Request<'a>,
    ) -> impl Future<Output = Self::MethodResponse> + Send + 'a {
        let (service, faults) = (self.service.clone(), self.faults.clone());
        let (delay, is_lost) = faults.meet(request.method_name());
        async move {
            let answer = service.call(request).await;
            if is_lost {
                faults.wait(LOST).await;
            } else if !delay.is_zero() {
                faults.wait(delay).await;
            }
            answer
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = Self::BatchResponse> + Send + 'a {
        let (service, faults) = (self.service.clone(), self.faults.clone());
        let (delay, _) = faults.meet("");
        async move {
            let answers = service.batch(batch).await;
            if !delay.is_zero() {
                faults.wait(delay).await;
            }
            answers
        }
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = Self::NotificationResponse> + Send + 'a {
        self.service.notification(notification)
    }
}
