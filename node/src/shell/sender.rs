//! The extrinsics that the machine wants: commitments in order, weights beside them.

use iota_chain::{Call, Client, Field, Keypair, Weights};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::printer::Printer;
use crate::protocol::commitment::Commitment;
use crate::report::Report;
use crate::roles::Effect;
use crate::roles::run::Run;

/// Sends extrinsics one after the other; weights may have to wait, and hold nothing else up.
#[derive(Clone)]
pub(super) struct Sender {
    client: Client,
    hotkey: Keypair,
    netuid: u16,
    /// Weights older than this many blocks are not worth waiting for: newer ones come.
    patience: u32,
    printer: Printer,
}

impl Sender {
    pub(super) fn new(run: &Run, client: &Client, hotkey: &Keypair, printer: Printer) -> Self {
        let (netuid, patience) = (run.manifest.netuid, run.manifest.phases.total());
        Self { client: client.clone(), hotkey: hotkey.clone(), netuid, patience, printer }
    }

    pub(super) async fn run(self, mut queue: mpsc::Receiver<Effect>) {
        let mut setting: Option<AbortHandle> = None;
        while let Some(effect) = queue.recv().await {
            match effect {
                Effect::Commit(commitment) => {
                    if let Err(text) = self.commit(&commitment).await
                        && self.printer.report(&Report::Warning { text }).is_err()
                    {
                        return;
                    }
                }
                Effect::SetWeights { epoch, uids, values } => {
                    // What has been sent stays sent; what still waits is superseded.
                    if let Some(older) = setting.take() {
                        older.abort();
                    }
                    let sender = self.clone();
                    let task = tokio::spawn(async move {
                        let report = sender.weights(epoch, uids, values).await;
                        // Fails only when nobody reads any more; the machine finds out, too.
                        let _ = sender.printer.report(&report);
                    });
                    setting = Some(task.abort_handle());
                }
                _ => {}
            }
        }
    }

    async fn commit(&self, commitment: &Commitment) -> Result<(), String> {
        let field = |field: Option<Vec<u8>>| field.map_or(Field::None, Field::Bytes);
        let fields = commitment.fields().into_iter().map(field).collect();
        let call = Call::SetCommitment { netuid: self.netuid, fields };
        let sent = self.client.submit(&self.hotkey, &call).await;
        sent.map(drop).map_err(|error| format!("commitment not set: {error}"))
    }

    async fn weights(&self, epoch: u32, uids: Vec<u16>, values: Vec<u16>) -> Report {
        let weights = Weights { netuid: self.netuid, uids, values, ..Weights::default() };
        let set = self.client.set_weights_within(&self.hotkey, &weights, self.patience);
        match set.await {
            Ok(set) => Report::Weights {
                epoch,
                uids: weights.uids,
                values: weights.values,
                block: set.at.number,
                reveal_block: set.reveal.map(|reveal| reveal.block),
            },
            Err(error) => Report::Warning { text: format!("weights not set: {error}") },
        }
    }
}
