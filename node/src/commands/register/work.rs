//! Registration by work: all cores look for a nonce, for a block that is recent enough.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use iota_chain::{Call, Client, Hotkey, MAX_WORK_AGE, Puzzle, Solution};
use serde_json::json;
use tokio::sync::mpsc;

use crate::commands::order::{Effect, Order, refused};
use crate::error::{Context, Error, Result};
use crate::printer::Printer;

/// Nonces that a thread tries before it looks whether it should go on.
const CHUNK: u64 = 1 << 14;
/// Time between looks at the chain.
const PAUSE: Duration = Duration::from_secs(1);
/// Blocks after which work starts anew: what is found must still be included.
const RENEW: u32 = MAX_WORK_AGE - 3;

/// Finds a nonce and registers the hotkey with it.
pub(super) async fn run(order: &Order, threads: Option<NonZeroUsize>) -> Result<()> {
    let (coldkey, hotkey, netuid) = (order.coldkey()?, order.hotkey()?, order.netuid);
    let what = format!("cannot register on subnet {netuid}");
    let threads = threads.or_else(|| std::thread::available_parallelism().ok());
    let threads = threads.map_or(1, NonZeroUsize::get);
    let miner = Miner {
        client: &order.client,
        netuid,
        keys: (hotkey.public(), coldkey.public()),
        threads,
        what: &what,
    };
    let hashes = miner.puzzle().await?.difficulty;
    let text = format!(
        "registers {} on subnet {netuid} by work: about {hashes} hashes on {threads} threads",
        hotkey.ss58()
    );
    let object = json!({
        "netuid": netuid,
        "hotkey": hotkey.ss58(),
        "difficulty": hashes,
        "threads": threads,
    });
    let Some(effect) = order.agreed(&coldkey, Effect::new(text, object), None)? else {
        return Ok(());
    };
    let (block, Solution { nonce, seal }) = miner.solve(order.printer()).await?;
    let call =
        Call::PowRegister { netuid, block: block.into(), nonce, seal, hotkey: hotkey.public() };
    let included = order.client.submit(&coldkey, &call).await;
    let included = included.map_err(|error| refused(&what, &error))?;
    order.done(effect, included, &json!({ "nonce": nonce, "work_block": block }))
}

struct Miner<'a> {
    client: &'a Client,
    netuid: u16,
    /// Hotkey and coldkey.
    keys: (Hotkey, Hotkey),
    threads: usize,
    what: &'a str,
}

impl Miner<'_> {
    async fn puzzle(&self) -> Result<Puzzle> {
        let puzzle = self.client.puzzle(self.netuid, &self.keys.0, &self.keys.1).await;
        puzzle.or_user(self.what)?.ok_or_else(|| {
            Error::user(format!("{}: the chain takes no work for it", self.what))
                .hint("register without `--pow`, for the burn")
        })
    }

    /// A block that is recent enough, and the nonce that solves its puzzle.
    async fn solve(&self, printer: Printer) -> Result<(u32, Solution)> {
        let mut screen = printer.screen();
        let started = Instant::now();
        let mut before = 0;
        loop {
            let puzzle = self.puzzle().await?;
            let mut search = Search::start(&puzzle, self.threads);
            loop {
                let found = tokio::time::timeout(PAUSE, search.found.recv()).await;
                if let Some(screen) = &mut screen {
                    let rate = (before + search.tried()) as f64 / started.elapsed().as_secs_f64();
                    screen.draw(&[progress(rate, puzzle.difficulty)])?;
                }
                let newest = self.client.best().await.or_user(self.what)?;
                if newest.saturating_sub(puzzle.number) >= RENEW {
                    break;
                }
                if let Ok(found) = found {
                    let stopped = || Error::user(format!("{}: the search stopped", self.what));
                    return Ok((puzzle.number, found.ok_or_else(stopped)?));
                }
            }
            before += search.tried();
        }
    }
}

fn progress(rate: f64, difficulty: u64) -> String {
    let expected = difficulty as f64 / rate.max(1.0);
    format!("{:.2} million hashes per second; expected to take {expected:.0} s", rate / 1e6)
}

/// Threads at work; they stop when this is dropped.
struct Search {
    next: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    found: mpsc::Receiver<Solution>,
}

impl Search {
    fn start(puzzle: &Puzzle, threads: usize) -> Self {
        let (next, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (sender, found) = mpsc::channel(1);
        for _ in 0..threads {
            let (puzzle, sender) = (puzzle.clone(), sender.clone());
            let (next, is_over) = (Arc::clone(&next), Arc::clone(&is_over));
            tokio::task::spawn_blocking(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let from = next.fetch_add(CHUNK, Ordering::Relaxed);
                    if let Some(solution) = puzzle.search(from..from.saturating_add(CHUNK)) {
                        // One is enough: whoever comes later may fail to tell.
                        let _ = sender.try_send(solution);
                        return;
                    }
                }
            });
        }
        Self { next, is_over, found }
    }

    /// Nonces tried so far.
    fn tried(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
