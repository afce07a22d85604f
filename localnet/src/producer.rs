//! When blocks are sealed.

use crate::service::Mailbox;
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at},
};

/// What makes the chain seal a block. A sealed block is final.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Sealing {
    /// Only a call of `dev_seal` (or of [`crate::Api::seal`]).
    #[default]
    Manual,
    /// Each extrinsic that becomes ready.
    Instant,
    /// The clock, with or without extrinsics. Virtual time is unaffected.
    Interval(Duration),
}

/// Asks for blocks by the clock while sealing is [`Sealing::Interval`]; ends with the service.
pub(crate) async fn run(mailbox: Mailbox, mut sealing: watch::Receiver<Sealing>) {
    loop {
        let now = *sealing.borrow_and_update();
        let changed = match now {
            Sealing::Interval(period) => tick(&mailbox, period, &mut sealing).await,
            Sealing::Manual | Sealing::Instant => sealing.changed().await.is_ok(),
        };
        if !changed {
            return;
        }
    }
}

/// Seals every `period` until the setting changes (true) or the service ends (false).
async fn tick(mailbox: &Mailbox, period: Duration, sealing: &mut watch::Receiver<Sealing>) -> bool {
    // The timer refuses a period of zero.
    let period = period.max(Duration::from_millis(1));
    let mut ticks = interval_at(Instant::now() + period, period);
    // A node that was held up does not seal the missed blocks in a burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                match mailbox.ask(|engine| engine.seal()).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => tracing::error!(%error, "no block sealed"),
                    Err(_) => return false,
                }
            }
            changed = sealing.changed() => return changed.is_ok(),
        }
    }
}
