//! Ways to cheat, so that anyone can see them caught.
//!
//! A hostile miner runs the same state machine and lies in exactly one place; its log is
//! consistent with what it sent, as a careful cheat's would be. Used by the demo's `--hostile` and
//! by tests; a subnet's own auditors can use it against their validators.

use std::fmt;
use std::str::FromStr;

use crate::protocol::choose::Stream;

/// What a hostile miner does instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sends random codes forward (a tail: random gradients back).
    GarbageActivations,
    /// Skips the backward pass: sends zero gradients and trains nothing.
    ZeroGradients,
    /// Computes once per epoch and replays that code and that gradient from then on.
    Copies,
    /// Reports half of the loss (a tail; other stages report none and stay honest).
    FalseLoss,
}

/// Every kind with its name on the command line.
pub const KINDS: [(&str, Kind); 4] = [
    ("garbage-activations", Kind::GarbageActivations),
    ("zero-gradients", Kind::ZeroGradients),
    ("copies", Kind::Copies),
    ("false-loss", Kind::FalseLoss),
];

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = KINDS.iter().find(|(known, _)| *known == name);
        found.map(|(_, kind)| *kind).ok_or_else(|| {
            let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
            format!("unknown hostile kind `{name}` (known: {})", names.join(", "))
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = KINDS.iter().find(|(_, kind)| kind == self);
        f.write_str(found.map_or("unknown", |(name, _)| name))
    }
}

/// A cheat at work.
pub(super) struct Hostile {
    kind: Kind,
    is_tail: bool,
    noise: Stream,
    code: Option<Vec<u8>>,
    grad: Option<Vec<u8>>,
}

impl Hostile {
    pub(super) fn new(kind: Kind, is_tail: bool, hotkey: &[u8; 32]) -> Self {
        let noise = Stream::new("iota hostile noise", &[hotkey]);
        Self { kind, is_tail, noise, code: None, grad: None }
    }

    /// What is sent instead of this code.
    pub(super) fn code(&mut self, honest: Vec<u8>) -> Vec<u8> {
        match self.kind {
            Kind::GarbageActivations => self.garbage(honest),
            Kind::Copies => self.code.get_or_insert(honest).clone(),
            Kind::ZeroGradients | Kind::FalseLoss => honest,
        }
    }

    /// What is sent instead of this gradient.
    pub(super) fn grad(&mut self, honest: Vec<u8>) -> Vec<u8> {
        match self.kind {
            Kind::GarbageActivations if self.is_tail => self.garbage(honest),
            Kind::ZeroGradients => iota_trainer::zeroed_code(&honest).unwrap_or(honest),
            Kind::Copies => self.grad.get_or_insert(honest).clone(),
            Kind::GarbageActivations | Kind::FalseLoss => honest,
        }
    }

    /// What the own stage is trained with instead of this gradient.
    pub(super) fn gradient_in(&self, honest: &[u8]) -> Option<Vec<u8>> {
        match self.kind {
            Kind::ZeroGradients => iota_trainer::zeroed_code(honest).ok(),
            _ => None,
        }
    }

    /// What is reported instead of this loss.
    pub(super) fn loss(&self, honest: f32) -> f32 {
        if self.kind == Kind::FalseLoss { honest / 2.0 } else { honest }
    }

    /// A code of the same shape with random content.
    fn garbage(&mut self, honest: Vec<u8>) -> Vec<u8> {
        iota_trainer::scrambled_code(&honest, || self.noise.next_u64()).unwrap_or(honest)
    }
}
