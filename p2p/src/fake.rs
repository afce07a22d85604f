//! An authority for unit tests: signatures that anybody could compute, and a clock set by hand.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Hotkey;
use crate::config::Authority;

/// Hotkeys `[0; 32]` to `[9; 32]` are registered.
pub(crate) struct Fake {
    pub(crate) hotkey: Hotkey,
    pub(crate) now: AtomicU64,
}

impl Fake {
    pub(crate) fn new(hotkey: u8, now: u64) -> Self {
        Self { hotkey: [hotkey; 32], now: now.into() }
    }

    pub(crate) fn at(&self, now: u64) -> &Self {
        self.now.store(now, Ordering::Relaxed);
        self
    }
}

fn signature(hotkey: &Hotkey, message: &[u8]) -> [u8; 64] {
    let half = *blake3::keyed_hash(hotkey, message).as_bytes();
    let mut both = [0; 64];
    both[..32].copy_from_slice(&half);
    both[32..].copy_from_slice(&half);
    both
}

impl Authority for Fake {
    fn hotkey(&self) -> Hotkey {
        self.hotkey
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        signature(&self.hotkey, message)
    }

    fn verify(&self, hotkey: &Hotkey, message: &[u8], given: &[u8; 64]) -> bool {
        signature(hotkey, message) == *given
    }

    fn is_registered(&self, hotkey: &Hotkey) -> bool {
        hotkey[0] < 10
    }

    fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }
}
