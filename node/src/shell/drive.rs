//! The thread that a role's state machine has to itself.

use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::error::{Context, Result};
use crate::roles::machine::Machine;
use crate::roles::{Effect, Event, Millis, TICK_MS};

/// Feeds the machine until its events end: first every event that waits, then one piece of work.
pub(super) fn run(
    mut machine: Machine,
    mut inbox: mpsc::Receiver<Event>,
    batches: mpsc::Sender<Vec<Effect>>,
) -> Result<()> {
    let runtime = Handle::current();
    let start = Instant::now();
    let tick = Duration::from_millis(TICK_MS);
    let mut last_tick = start;
    loop {
        let now = || start.elapsed().as_millis() as Millis;
        let mut effects = Vec::new();
        while let Ok(event) = inbox.try_recv() {
            effects.extend(machine.handle(now(), event).or_user("the role failed")?);
        }
        if last_tick.elapsed() >= tick {
            last_tick = Instant::now();
            effects.extend(machine.handle(now(), Event::Tick).or_user("the role failed")?);
        }
        let worked = machine.work(now()).or_user("the role failed")?;
        let idle = worked.is_none() && effects.is_empty();
        effects.extend(worked.unwrap_or_default());
        if !effects.is_empty() && batches.blocking_send(effects).is_err() {
            return Ok(());
        }
        if idle {
            match runtime.block_on(async { timeout(tick, inbox.recv()).await }) {
                Ok(Some(event)) => {
                    let effects = machine.handle(now(), event).or_user("the role failed")?;
                    if !effects.is_empty() && batches.blocking_send(effects).is_err() {
                        return Ok(());
                    }
                }
                Ok(None) => return Ok(()),
                Err(_) => {}
            }
        }
    }
}
