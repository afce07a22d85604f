//! The fit's columns: level, trend, surprisal, and one contrast per miner but the last of a stage.
//!
//! Deviation coding makes effects sum to zero within a stage: the last miner of a stage has -1 in
//! all its siblings' columns. Covariates are centred and scaled, so the level is the mean loss and
//! the ridge means the same whatever the units; a covariate that hardly varies has no column.

use super::{Record, Seat, seats};
use crate::protocol::Hotkey;
use std::collections::BTreeMap;

/// A sparse row: columns and their values.
type Row = Vec<(usize, f64)>;

/// One miner's place in the design.
pub(super) struct Miner {
    pub(super) hotkey: Hotkey,
    /// Records through it.
    pub(super) records: u32,
    /// Miners of its stage.
    pub(super) siblings: usize,
    /// The combination of columns that is its effect (sum-to-zero form).
    pub(super) contrast: Row,
}

/// Rows, right-hand side and what the columns mean.
pub(super) struct Design {
    pub(super) rows: Vec<Row>,
    pub(super) losses: Vec<f64>,
    /// Columns that are not miners (level first): no ridge on them.
    pub(super) covariates: usize,
    pub(super) columns: usize,
    pub(super) miners: Vec<Miner>,
    /// Scale of the surprisal column, when there is one, and its column.
    pub(super) surprisal: Option<(usize, f64)>,
}

/// Centres and scales to unit variance; `None` when the values hardly vary.
fn standardise(values: &[f64]) -> Option<(Vec<f64>, f64)> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let centred: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let deviation = (centred.iter().map(|value| value * value).sum::<f64>() / count).sqrt();
    let least = 1e-9 * (1.0 + mean.abs());
    (deviation > least)
        .then(|| (centred.into_iter().map(|value| value / deviation).collect(), deviation))
}

impl Design {
    /// Lays out the columns for well-formed records.
    pub(super) fn new(records: &[Record]) -> Self {
        let mut rows: Vec<Row> = records.iter().map(|_| vec![(0, 1.0)]).collect();
        let mut columns = 1;
        let mut append = |values: &[f64]| {
            for (row, value) in rows.iter_mut().zip(values) {
                row.push((columns, *value));
            }
            columns += 1;
            columns - 1
        };
        // The loss falls along a curve, so time has a square too.
        let times: Vec<f64> = records.iter().map(|record| record.time).collect();
        if let Some((linear, _)) = standardise(&times) {
            append(&linear);
            let squares: Vec<f64> = linear.iter().map(|value| value * value).collect();
            if let Some((square, _)) = standardise(&squares) {
                append(&square);
            }
        }
        let surprisals: Vec<f64> = records.iter().map(|record| record.surprisal).collect();
        let surprisal =
            standardise(&surprisals).map(|(values, deviation)| (append(&values), deviation));
        let covariates = columns;
        let (miners, columns) = miners(records, covariates);
        let place: BTreeMap<Seat, usize> =
            miners.iter().enumerate().map(|(index, (seat, _))| (*seat, index)).collect();
        for (row, record) in rows.iter_mut().zip(records) {
            for seat in record.pathway.iter().copied().enumerate() {
                row.extend(miners[place[&seat]].1.contrast.iter().copied());
            }
        }
        let losses = records.iter().map(|record| record.loss).collect();
        let miners = miners.into_iter().map(|(_, miner)| miner).collect();
        Self { rows, losses, covariates, columns, miners, surprisal }
    }
}

/// The miners' contrasts, with columns from `first` on; also the number of columns in all.
fn miners(records: &[Record], first: usize) -> (Vec<(Seat, Miner)>, usize) {
    let counts = seats(records);
    let mut columns = first;
    let mut miners = Vec::with_capacity(counts.len());
    let stages = records.first().map_or(0, |record| record.pathway.len());
    for stage in 0..stages {
        let seats: Vec<(&Seat, &u32)> =
            counts.range((stage, [0; 32])..=(stage, [255; 32])).collect();
        let free = seats.len() - 1;
        for (index, (seat, count)) in seats.iter().enumerate() {
            let contrast = if index < free {
                vec![(columns + index, 1.0)]
            } else {
                (columns..columns + free).map(|column| (column, -1.0)).collect()
            };
            let (hotkey, records, siblings) = (seat.1, **count, seats.len());
            miners.push((**seat, Miner { hotkey, records, siblings, contrast }));
        }
        columns += free;
    }
    (miners, columns)
}
