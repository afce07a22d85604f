//! One audit: windows of a miner's log, executed again.
//!
//! Everything comes from what the miner committed: the log names the snapshots, the inputs and the
//! gradients it received; the draw gives a head's tokens and a tail's targets. The validator
//! restores the snapshot, repeats the window in the logged order, and compares what it computes
//! with the hashes in the log. Where a hash differs it fetches the miner's bytes and compares by
//! cosine and norm within the manifest's tolerance, since another device rounds otherwise.
//!
//! The pseudo-gradient needs no tolerance: it is a fixed elementwise function of the last snapshot,
//! the agreed state and the committed residual, so its index must be equal bit for bit.

use std::collections::BTreeMap;
use std::sync::Arc;

use iota_trainer::{Input, Stage};

use crate::protocol::audit::{Failure, Similarity, compare};
use crate::protocol::choose::content_hash;
use crate::protocol::commitment::WorkCommitment;
use crate::protocol::delta::compress;
use crate::protocol::draw::MicrobatchId;
use crate::protocol::plan::Plan;
use crate::protocol::receipts::{Receipt, Window, WorkLog};
use crate::protocol::{Hash, Hotkey};
use crate::roles::Effect;
use crate::roles::fetches::{Arrival, Fetches};
use crate::roles::miner::tokens_hash;
use crate::roles::run::Run;
use crate::roles::text::{Drawn, Text};
use crate::wire::MAX_REQUEST_BYTES;

/// Greatest relative difference between a reported and a recomputed loss.
const LOSS_TOLERANCE: f32 = 1e-3;

/// What an audit is about.
pub(super) struct Case {
    /// The plan of the epoch.
    pub(super) plan: Arc<Plan>,
    /// Its text.
    pub(super) text: Arc<Text>,
    /// Who is audited.
    pub(super) miner: Hotkey,
    /// What it committed.
    pub(super) work: WorkCommitment,
    /// Its log, which keeps the structural rules.
    pub(super) log: WorkLog,
    /// The agreed parameters the epoch started from.
    pub(super) theta: Arc<[f32]>,
    /// The residual it committed an epoch before; none means zeros.
    pub(super) residual: Option<Hash>,
    /// Positions of the windows to repeat.
    pub(super) windows: Vec<usize>,
    /// Whether the pseudo-gradient can be checked.
    pub(super) check_delta: bool,
}

/// A value whose hash differs: the miner's bytes are fetched for a closer look.
struct Doubt {
    /// What the validator computed.
    expected: Vec<f32>,
    /// What the committed values start from; subtracted from them.
    base: Vec<f32>,
    /// Which failure it is if the two are too different.
    about: About,
}

/// What a doubt is about.
#[derive(Clone, Copy)]
enum About {
    Output(MicrobatchId),
    Gradient(MicrobatchId),
    Update(u32),
}

/// Why a blob was fetched.
#[derive(Clone, Copy)]
enum Purpose {
    Need(Hash),
    Doubt(u32),
}

/// Blocks, one of them whole, that a miner has to serve what an audit asks for.
const PATIENCE: u32 = 2;

/// An audit under way.
pub(super) struct Audit {
    run: Arc<Run>,
    case: Case,
    windows: Vec<Window>,
    /// Window and receipt within it that come next.
    at: (usize, usize),
    started: bool,
    probed: bool,
    /// Whether the text of all windows is here.
    has_text: bool,
    base: Vec<f32>,
    blobs: BTreeMap<Hash, Arc<[u8]>>,
    owed: BTreeMap<Hash, Failure>,
    doubts: BTreeMap<u32, Doubt>,
    next_doubt: u32,
    fetches: Fetches<Purpose>,
    losses: Vec<(MicrobatchId, f32)>,
    verdict: Option<Result<(), Failure>>,
}

impl Audit {
    /// Starts an audit by fetching what it needs.
    pub(super) fn start(run: Arc<Run>, case: Case, component: u16, out: &mut Vec<Effect>) -> Self {
        let all = case.log.windows();
        let windows: Vec<Window> =
            case.windows.iter().filter_map(|i| all.get(*i)).cloned().collect();
        let mut audit = Self {
            run,
            windows,
            case,
            at: (0, 0),
            started: false,
            probed: false,
            has_text: false,
            base: Vec::new(),
            blobs: BTreeMap::new(),
            owed: BTreeMap::new(),
            doubts: BTreeMap::new(),
            next_doubt: 0,
            fetches: Fetches::new(component),
            losses: Vec::new(),
            verdict: None,
        };
        audit.order(out);
        audit
    }

    /// Fetches every blob of the chosen windows once.
    fn order(&mut self, out: &mut Vec<Effect>) {
        let (head, tail) = (self.case.log.stage == 0, self.is_tail());
        let snapshot_bytes = self.run.snapshot_bytes(self.case.theta.len());
        let mut wanted: BTreeMap<Hash, (Failure, usize)> = BTreeMap::new();
        for window in &self.windows {
            if window.start.step > 0 {
                let failure = Failure::WithheldSnapshot { step: window.start.step };
                wanted.insert(window.start.hash, (failure, snapshot_bytes));
            }
            for receipt in &self.case.log.receipts[window.receipts.clone()] {
                let failure = Failure::WithheldInput { mb: receipt.mb };
                if !head {
                    wanted.insert(receipt.in_hash, (failure, MAX_REQUEST_BYTES));
                }
                if !tail {
                    wanted.insert(receipt.grad_in_hash, (failure, MAX_REQUEST_BYTES));
                }
            }
        }
        if self.case.check_delta {
            if let Some(last) = self.case.log.snapshots.last() {
                let failure = Failure::WithheldSnapshot { step: last.step };
                wanted.insert(last.hash, (failure, snapshot_bytes));
            }
            if let Some(residual) = self.case.residual {
                let bytes = self.case.theta.len() * 4;
                wanted.insert(residual, (Failure::WithheldDelta, bytes));
            }
        }
        for (hash, (failure, limit)) in wanted {
            self.owed.insert(hash, failure);
            self.fetches.start(Purpose::Need(hash), hash, vec![self.case.miner], limit, out);
        }
    }

    /// Takes a fetched blob; false if it was not for this audit.
    pub(super) fn fetched(&mut self, ticket: u64, bytes: Option<&Arc<[u8]>>) -> bool {
        match self.fetches.arrived(ticket, bytes) {
            Arrival::Blob(Purpose::Need(hash), bytes) => {
                self.owed.remove(&hash);
                self.blobs.insert(hash, Arc::clone(bytes));
            }
            Arrival::Blob(Purpose::Doubt(id), bytes) => self.resolve(id, Some(bytes)),
            Arrival::Failed => {}
            Arrival::Foreign => return false,
        }
        true
    }

    /// Asks again for what the miner did not serve; call once per block.
    pub(super) fn retry(&mut self, out: &mut Vec<Effect>) {
        if self.verdict.is_none() {
            self.fetches.retry(out);
        }
    }

    /// Ends the wait: what the miner has not served by now it withholds, unless it was asked a moment ago;
    /// call once per block.
    pub(super) fn give_up(&mut self) {
        for purpose in self.fetches.give_up_waiting(PATIENCE) {
            match purpose {
                Purpose::Need(hash) => {
                    if let Some(failure) = self.owed.remove(&hash) {
                        self.fail(failure);
                    }
                }
                Purpose::Doubt(id) => self.resolve(id, None),
            }
        }
    }

    /// The verdict, once there is one.
    pub(super) fn verdict(&self) -> Option<Result<(), Failure>> {
        self.verdict
    }

    /// Who is audited.
    pub(super) fn miner(&self) -> Hotkey {
        self.case.miner
    }

    /// Stage of the audited miner.
    pub(super) fn stage(&self) -> u16 {
        self.case.log.stage
    }

    /// Windows to repeat.
    pub(super) fn windows(&self) -> usize {
        self.windows.len()
    }

    /// Losses that the validator computed itself, at a tail.
    pub(super) fn losses(&self) -> &[(MicrobatchId, f32)] {
        &self.losses
    }

    /// Looks whether the text that is needed is here: without it nobody is judged.
    pub(super) fn look_for_text(&mut self, out: &mut Vec<Effect>) {
        let stages = self.case.plan.stages.len();
        let is_end = self.case.log.stage == 0 || usize::from(self.case.log.stage) + 1 == stages;
        let needs = is_end || self.run.manifest.cut.token_width > 0;
        let here = |window: &Window, out: &mut Vec<Effect>| {
            let mut receipts = self.case.log.receipts[window.receipts.clone()].iter();
            receipts.all(|receipt| self.case.text.is_here(&receipt.mb, out))
        };
        self.has_text =
            self.has_text || !needs || self.windows.iter().all(|window| here(window, out));
    }

    /// Whether `work` can go on now.
    pub(super) fn is_ready(&self) -> bool {
        self.has_text && self.verdict.is_none() && self.owed.is_empty() && self.doubts.is_empty()
    }

    /// Whether a first microbatch was repeated. Who cheats all the time is caught by that, long
    /// before all audits are through.
    pub(super) fn is_probed(&self) -> bool {
        self.probed
    }

    /// Whether the stage holds this audit's parameters.
    pub(super) fn is_under_way(&self) -> bool {
        self.verdict.is_none() && (self.started || self.at != (0, 0))
    }

    /// Repeats the next piece: one microbatch, the end of a window, or the pseudo-gradient.
    pub(super) fn work(&mut self, stage: &mut Stage, out: &mut Vec<Effect>) {
        if !self.is_ready() {
            return;
        }
        if let Err(failure) = self.piece(stage, out) {
            self.fail(failure);
        }
    }

    fn piece(&mut self, stage: &mut Stage, out: &mut Vec<Effect>) -> Result<(), Failure> {
        let Some(window) = self.windows.get(self.at.0).cloned() else {
            self.delta(stage)?;
            self.verdict = Some(Ok(()));
            return Ok(());
        };
        if !self.probed {
            self.probed = true;
            return self.probe(stage, &window, out);
        }
        if !self.started {
            self.restore(stage, &window)?;
            self.started = true;
        }
        let index = window.receipts.start + self.at.1;
        if index < window.receipts.end {
            let receipt = self.case.log.receipts[index].clone();
            self.at.1 += 1;
            advance(stage, receipt.bwd_step)?;
            return self.repeat(stage, &receipt, out);
        }
        advance(stage, window.end.step)?;
        self.at = (self.at.0 + 1, 0);
        self.started = false;
        if content_hash(&stage.snapshot()) != window.end.hash {
            let expected = difference(stage.params(), &self.base);
            let base = std::mem::take(&mut self.base);
            let limit = self.run.snapshot_bytes(self.case.theta.len());
            let doubt = Doubt { expected, base, about: About::Update(window.end.step) };
            self.doubt(doubt, window.end.hash, limit, out);
        }
        Ok(())
    }

    /// Repeats the first microbatch of a window; the window itself begins anew later.
    fn probe(
        &mut self,
        stage: &mut Stage,
        window: &Window,
        out: &mut Vec<Effect>,
    ) -> Result<(), Failure> {
        self.restore(stage, window)?;
        let Some(receipt) = self.case.log.receipts[window.receipts.clone()].first().cloned() else {
            return Ok(());
        };
        advance(stage, receipt.bwd_step)?;
        self.repeat(stage, &receipt, out)?;
        self.losses.clear();
        Ok(())
    }

    fn restore(&mut self, stage: &mut Stage, window: &Window) -> Result<(), Failure> {
        if window.start.step == 0 {
            stage.load_params(&self.case.theta).map_err(|_| Failure::BadLog)?;
            if content_hash(&stage.snapshot()) != window.start.hash {
                return Err(Failure::UpdateMismatch { step: 0, similarity: Similarity::NONE });
            }
        } else {
            let failure = Failure::WithheldSnapshot { step: window.start.step };
            let bytes = self.blobs.get(&window.start.hash).ok_or(failure)?;
            stage.restore(bytes).map_err(|_| Failure::BadLog)?;
            if stage.version() != window.start.step {
                return Err(Failure::BadLog);
            }
        }
        self.base = stage.params().to_vec();
        Ok(())
    }

    /// Repeats one microbatch, forward and backward.
    fn repeat(
        &mut self,
        stage: &mut Stage,
        receipt: &Receipt,
        out: &mut Vec<Effect>,
    ) -> Result<(), Failure> {
        let mb = receipt.mb;
        let withheld = Failure::WithheldInput { mb };
        if self.is_tail() {
            let (_, tokens) = self.tokens(&mb)?;
            let (inputs, targets) = self.run.split(&tokens);
            let code = self.blobs.get(&receipt.in_hash).ok_or(withheld)?;
            let input = Input::of(stage, receipt.stage.into(), code, &inputs);
            let tail = stage.loss_and_grad(input, &targets).map_err(|_| Failure::BadLog)?;
            self.losses.push((mb, tail.loss));
            self.check_loss(&mb, receipt, tail.loss)?;
            return self.check(&tail.grad, receipt.grad_out_hash, About::Gradient(mb), out);
        }
        let grad_in = self.blobs.get(&receipt.grad_in_hash).ok_or(withheld)?;
        let (code, grad) = if receipt.stage == 0 {
            if self.case.plan.stages[0].get(usize::from(mb.head)) != Some(&self.case.miner) {
                return Err(Failure::DrawMismatch { mb });
            }
            let (_, tokens) = self.tokens(&mb)?;
            let (inputs, _) = self.run.split(&tokens);
            if tokens_hash(&inputs) != receipt.in_hash {
                return Err(Failure::DrawMismatch { mb });
            }
            stage.replay(receipt.fwd_step, Input::Tokens(&inputs), grad_in)
        } else {
            let inputs = if stage.wants_tokens() {
                self.run.split(&self.tokens(&mb)?.1).0
            } else {
                Vec::new()
            };
            let code = self.blobs.get(&receipt.in_hash).ok_or(withheld)?;
            let input = Input::of(stage, receipt.stage.into(), code, &inputs);
            stage.replay(receipt.fwd_step, input, grad_in)
        }
        .map_err(|_| Failure::BadLog)?;
        self.check(&code, receipt.out_hash, About::Output(mb), out)?;
        match grad {
            Some(grad) => self.check(&grad, receipt.grad_out_hash, About::Gradient(mb), out),
            None => Ok(()),
        }
    }

    fn tokens(&self, mb: &MicrobatchId) -> Result<Drawn, Failure> {
        self.case.text.tokens(mb).ok_or(Failure::DrawMismatch { mb: *mb })
    }

    fn check_loss(
        &self,
        mb: &MicrobatchId,
        receipt: &Receipt,
        recomputed: f32,
    ) -> Result<(), Failure> {
        let claimed = receipt.loss.unwrap_or_default();
        let distance = (f32::from_bits(claimed) - recomputed).abs();
        if distance <= LOSS_TOLERANCE * recomputed.abs().max(1.0) {
            return Ok(());
        }
        Err(Failure::LossMismatch { mb: *mb, claimed, recomputed: recomputed.to_bits() })
    }

    /// Accepts recomputed wire bytes whose hash is the committed one, doubts others.
    fn check(
        &mut self,
        bytes: &[u8],
        committed: Hash,
        about: About,
        out: &mut Vec<Effect>,
    ) -> Result<(), Failure> {
        if content_hash(bytes) != committed {
            let expected = iota_trainer::code_values(bytes).map_err(|_| Failure::BadLog)?;
            let doubt = Doubt { expected, base: Vec::new(), about };
            self.doubt(doubt, committed, MAX_REQUEST_BYTES, out);
        }
        Ok(())
    }

    fn doubt(&mut self, doubt: Doubt, hash: Hash, limit: usize, out: &mut Vec<Effect>) {
        let id = self.next_doubt;
        self.next_doubt += 1;
        self.doubts.insert(id, doubt);
        self.fetches.start(Purpose::Doubt(id), hash, vec![self.case.miner], limit, out);
    }

    /// Looks closer at a doubt whose bytes arrived.
    fn resolve(&mut self, id: u32, bytes: Option<&[u8]>) {
        let Some(doubt) = self.doubts.remove(&id) else { return };
        let tolerance = self.run.tolerance();
        let committed = bytes.and_then(|bytes| match doubt.about {
            About::Update(_) => {
                let params = iota_trainer::snapshot_params(bytes).ok()?;
                Some(difference(&params, &doubt.base))
            }
            _ => iota_trainer::code_values(bytes).ok(),
        });
        let similarity =
            committed.map_or(Similarity::NONE, |committed| compare(&doubt.expected, &committed));
        if !similarity.within(tolerance) {
            self.fail(match doubt.about {
                About::Output(mb) => Failure::OutputMismatch { mb, similarity },
                About::Gradient(mb) => Failure::GradientMismatch { mb, similarity },
                About::Update(step) => Failure::UpdateMismatch { step, similarity },
            });
        }
    }

    /// Computes the pseudo-gradient from the last snapshot and compares its index.
    fn delta(&mut self, stage: &mut Stage) -> Result<(), Failure> {
        if !self.case.check_delta {
            return Ok(());
        }
        let mismatch = Failure::DeltaMismatch { similarity: Similarity::NONE };
        let last = self.case.log.snapshots.last().ok_or(Failure::BadLog)?;
        let bytes = self.blobs.get(&last.hash).ok_or(Failure::WithheldDelta)?;
        let params = iota_trainer::snapshot_params(bytes).map_err(|_| Failure::BadLog)?;
        if params.len() != stage.param_count() {
            return Err(Failure::BadLog);
        }
        let mut residual = match self.case.residual {
            None => vec![0.0; params.len()],
            Some(hash) => {
                let bytes = self.blobs.get(&hash).ok_or(Failure::WithheldDelta)?;
                super::f32_values(bytes).ok_or(mismatch)?
            }
        };
        let layout = self.run.layout(params.len()).map_err(|_| mismatch)?;
        let delta =
            compress(&self.case.theta, &params, &mut residual, &layout).map_err(|_| mismatch)?;
        let (index, _) = delta.commit(self.case.plan.epoch, self.case.log.stage, &residual);
        let work = &self.case.work;
        let equal = index.root() == work.delta_root
            && index.exponents_hash == work.exponents_hash
            && index.residual_hash == work.residual_hash;
        if equal { Ok(()) } else { Err(mismatch) }
    }

    fn is_tail(&self) -> bool {
        usize::from(self.case.log.stage) + 1 == self.case.plan.stages.len()
    }

    fn fail(&mut self, failure: Failure) {
        // The first failure stands; later ones follow from it.
        self.verdict.get_or_insert(Err(failure));
    }
}

/// Takes optimizer steps up to a version.
fn advance(stage: &mut Stage, version: u32) -> Result<(), Failure> {
    while stage.version() < version {
        stage.step().map_err(|_| Failure::BadLog)?;
    }
    Ok(())
}

fn difference(values: &[f32], base: &[f32]) -> Vec<f32> {
    values.iter().zip(base).map(|(value, base)| value - base).collect()
}
