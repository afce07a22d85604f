//! The text of an epoch: what the draw gives each microbatch, as far as it is here.

use std::sync::Arc;

use iota_trainer::Dataset;

use super::Effect;
use crate::protocol::draw::{Draw, MicrobatchId};
use crate::report::Report;

/// The sequences of a microbatch, and their tokens one after the other.
pub type Drawn = (Vec<u64>, Vec<u32>);

/// An epoch's draw, and the dataset that it draws from.
#[derive(Debug)]
pub struct Text {
    dataset: Arc<Dataset>,
    draw: Draw,
}

impl Text {
    /// What a draw gives of a dataset.
    #[must_use]
    pub fn new(dataset: Arc<Dataset>, draw: Draw) -> Self {
        Self { dataset, draw }
    }

    /// The sequences of a microbatch and their tokens, context + 1 each; none where the draw gives
    /// nothing (another head, too little text), or before [`Text::is_here`].
    #[must_use]
    pub fn tokens(&self, mb: &MicrobatchId) -> Option<Drawn> {
        let ids = self.draw.ids(mb);
        let mut tokens = Vec::new();
        for id in &ids {
            tokens.extend(self.dataset.at_hand(*id)?);
        }
        (!ids.is_empty()).then_some((ids, tokens))
    }

    /// Whether a microbatch's text is here; what is not is loaded in the background, and a failure told.
    #[must_use]
    pub fn is_here(&self, mb: &MicrobatchId, out: &mut Vec<Effect>) -> bool {
        if let Some(why) = self.dataset.take_failure() {
            let text = format!("text that is needed cannot be had yet: {why}");
            out.push(Effect::Report(Report::Warning { text }));
        }
        self.dataset.is_ready(&self.draw.ids(mb))
    }

    /// Loads the text of microbatches in the background.
    pub fn prefetch(&self, microbatches: impl Iterator<Item = MicrobatchId>) {
        let ids: Vec<u64> = microbatches.flat_map(|mb| self.draw.ids(&mb)).collect();
        let _ = self.dataset.is_ready(&ids);
    }
}
