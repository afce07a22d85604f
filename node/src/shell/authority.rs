//! The node's keys, and who is registered, as the transport and the roles ask for them.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use iota_chain::Keypair;
use iota_p2p::{Authority, Hotkey};

use crate::roles::Signer;

/// The own hotkey and the hotkeys registered now.
pub(super) struct Keys {
    hotkey: Keypair,
    registered: RwLock<HashSet<Hotkey>>,
}

impl Keys {
    pub(super) fn new(hotkey: Keypair) -> Self {
        Self { hotkey, registered: RwLock::default() }
    }

    /// Seed of a fresh libp2p key. The hotkey vouches for it, so it need not outlive the process.
    pub(super) fn node_key(&self) -> [u8; 32] {
        // sr25519 signatures are randomised: nobody else can compute this one.
        blake3::derive_key("iota node key", &self.hotkey.sign(b"iota node key"))
    }

    /// Takes the registered hotkeys of a block; whether they changed.
    pub(super) fn update(&self, hotkeys: HashSet<Hotkey>) -> bool {
        let mut registered = self.registered.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *registered != hotkeys;
        *registered = hotkeys;
        changed
    }
}

impl Authority for Keys {
    fn hotkey(&self) -> Hotkey {
        self.hotkey.public()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.hotkey.sign(message)
    }

    fn verify(&self, hotkey: &Hotkey, message: &[u8], signature: &[u8; 64]) -> bool {
        Keypair::verify(hotkey, message, signature)
    }

    fn is_registered(&self, hotkey: &Hotkey) -> bool {
        self.registered.read().unwrap_or_else(PoisonError::into_inner).contains(hotkey)
    }

    fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

impl Signer for Keys {
    fn hotkey(&self) -> Hotkey {
        self.hotkey.public()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.hotkey.sign(message)
    }
}
