//! How fast blocks may come on this machine.
//!
//! Phases are counted in blocks, and an audit that does not finish in its phase vetoes nobody. A
//! subnet's chain is slow enough for that; here the chain is made to wait for a slow machine. Only
//! the real time between blocks changes: the chain's own clock, and so its randomness, does not.

use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use iota_trainer::{Input, Stage, zeroed_code};

use crate::error::{Context, Result};
use crate::protocol::manifest::Manifest;
use crate::roles::run::stage_config;

/// Blocks of an Audit phase in which nothing is repeated yet (logs, randomness) or any more (the
/// veto is on its way).
const OTHER_BLOCKS: u32 = 6;
/// Times the measured work that must fit: the machine does other things, too.
const SLACK: f64 = 1.5;
/// Measurements, of which the fastest counts.
const TRIES: u32 = 3;

/// Milliseconds between blocks: what is wanted, or more where audits need it.
///
/// # Errors
/// If the manifest's model cannot be built.
pub fn block_ms(manifest: &Manifest, miners: u16, validators: u16, wanted: u64) -> Result<u64> {
    let microbatches = manifest.snapshot_every * manifest.inner_microbatches;
    let per_miner = f64::from(manifest.audit.windows * microbatches);
    // A validator repeats one microbatch at a time.
    let cores = available_parallelism().map_or(1, usize::from).min(validators.into());
    let all = f64::from(miners) * f64::from(validators) * per_miner / cores as f64;
    let blocks = manifest.phases.audit.saturating_sub(OTHER_BLOCKS).max(1);
    let needed = SLACK * all * measure(manifest)?.as_secs_f64() * 1e3 / f64::from(blocks);
    Ok(wanted.max(needed as u64))
}

/// Time to repeat one microbatch at the first stage.
fn measure(manifest: &Manifest) -> Result<Duration> {
    const WHAT: &str = "cannot build the manifest's model";
    iota_trainer::use_threads(1);
    let mut stage = Stage::new(&stage_config(manifest, 0)).or_user(WHAT)?;
    let tokens = vec![0; (manifest.batch * manifest.model.context) as usize];
    let code = stage.forward(Input::Tokens(&tokens)).or_user(WHAT)?;
    let gradient = zeroed_code(&code).or_user(WHAT)?;
    let mut fastest = Duration::MAX;
    for _ in 0..TRIES {
        let start = Instant::now();
        stage.replay(0, Input::Tokens(&tokens), &gradient).or_user(WHAT)?;
        fastest = fastest.min(start.elapsed());
    }
    Ok(fastest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset::{self, Choice};

    #[test]
    fn blocks_come_as_wanted_unless_audits_need_longer() {
        let manifest = preset::small(Choice {
            name: "test".into(),
            genesis: [1; 32],
            netuid: 1,
            start_block: 64,
            stages: 3,
            dataset: [2; 32],
            seed: 7,
            pins: Vec::new(),
        });
        assert_eq!(block_ms(&manifest, 1, 1, 600_000).unwrap(), 600_000);
        let (few, many) = (block_ms(&manifest, 64, 1, 1), block_ms(&manifest, 2048, 1, 1));
        assert!(few.unwrap() > 1 && many.unwrap() > 1_000);
    }
}
