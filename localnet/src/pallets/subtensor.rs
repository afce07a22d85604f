//! `SubtensorModule`: subnets, neurons, stake, weights, Yuma Consensus and emission.

pub mod yuma;
