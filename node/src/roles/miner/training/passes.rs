//! A replica's passes: what a head draws or a neighbour sends goes forward, on to the next hop, and back.

use std::collections::BTreeSet;

use iota_trainer::{Input, Stage};

use super::{Error, Flight, Training, Waiting, tokens_hash};
use crate::protocol::Hotkey;
use crate::protocol::draw::MicrobatchId;
use crate::protocol::receipts::Receipt;
use crate::report::Report;
use crate::roles::{Effect, Millis, Ticket};
use crate::wire::Request;

impl Training {
    pub(super) fn draw(
        &mut self,
        now: Millis,
        stage: &mut Stage,
        out: &mut Vec<Effect>,
    ) -> Result<bool, Error> {
        let Some(head) = self.head else { return Ok(false) };
        let manifest = &self.run.manifest;
        let in_flight = self.flights.len() >= manifest.max_in_flight as usize;
        if !self.open || in_flight || self.next_k >= manifest.max_draws {
            return Ok(false);
        }
        let mb = MicrobatchId { epoch: self.plan.epoch, head, k: self.next_k };
        if !self.has_room() || !self.has_text(&mb, out) {
            return Ok(false);
        }
        // Too little text for the plan's heads: there is nothing to train on.
        let Some((ids, tokens)) = self.text.tokens(&mb) else { return Ok(false) };
        out.push(Effect::Report(Report::Draw {
            epoch: mb.epoch,
            head: self.run.name(&self.me),
            k: u64::from(mb.k),
            ids,
        }));
        self.next_k += 1;
        let (inputs, _) = self.run.split(&tokens);
        let waiting = Waiting { from: self.me, mb, bytes: Vec::new(), path: Vec::new() };
        self.depart(now, stage, waiting, inputs, out)?;
        Ok(true)
    }

    pub(super) fn forward(
        &mut self,
        now: Millis,
        stage: &mut Stage,
        waiting: Waiting,
        out: &mut Vec<Effect>,
    ) -> Result<(), Error> {
        if self.is_tail() {
            return self.land(stage, waiting, out);
        }
        let mut inputs = Vec::new();
        if stage.wants_tokens() {
            let Some((_, tokens)) = self.text.tokens(&waiting.mb) else {
                return Ok(());
            };
            inputs = self.run.split(&tokens).0;
        }
        self.depart(now, stage, waiting, inputs, out)
    }

    /// Forward through a head or body stage, and on to the next hop.
    fn depart(
        &mut self,
        now: Millis,
        stage: &mut Stage,
        waiting: Waiting,
        tokens: Vec<u32>,
        out: &mut Vec<Effect>,
    ) -> Result<(), Error> {
        let input = Input::of(stage, self.index.into(), &waiting.bytes, &tokens);
        let (code, pass) = match stage.depart(input) {
            Ok(made) => made,
            // A code that does not decode is the sender's fault: it gets no gradient.
            Err(error) if self.index > 0 && !is_own(&error) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let code = match &mut self.hostile {
            Some(hostile) => hostile.code(code),
            None => code,
        };
        let prev = (self.index > 0).then_some(waiting.from);
        let mut path = waiting.path;
        path.push(self.me);
        let flight = Flight {
            input: waiting.bytes.into(),
            tokens,
            prev,
            path,
            pass,
            code: code.into(),
            next: None,
            tried: BTreeSet::new(),
            deadline: now,
        };
        self.flights.insert(waiting.mb, flight);
        self.route(now, waiting.mb, out);
        Ok(())
    }

    /// Sends a flight to the best replica not tried yet, or abandons it.
    pub(super) fn route(&mut self, now: Millis, mb: MicrobatchId, out: &mut Vec<Effect>) {
        let Some(mut flight) = self.flights.remove(&mb) else { return };
        let next_stage = usize::from(self.index) + 1;
        let left: Vec<Hotkey> = self.plan.stages[next_stage]
            .iter()
            .filter(|r| !flight.tried.contains(*r))
            .copied()
            .collect();
        let Some(to) = self.router.choose(&left, now) else { return };
        self.router.sent(to, now);
        flight.next = Some(to);
        flight.tried.insert(to);
        let hops_left = self.plan.stages.len() - next_stage;
        flight.deadline = now + u64::from(self.run.manifest.hop_timeout_ms) * hops_left as u64;
        let ticket = self.ticket(mb, to);
        let body = Request::Forward { mb, code: flight.code.to_vec(), path: flight.path.clone() };
        out.push(Effect::Request { to, ticket, body });
        self.flights.insert(mb, flight);
    }

    /// Forward and backward at the tail.
    fn land(
        &mut self,
        stage: &mut Stage,
        waiting: Waiting,
        out: &mut Vec<Effect>,
    ) -> Result<(), Error> {
        let Some((_, tokens)) = self.text.tokens(&waiting.mb) else {
            return Ok(());
        };
        let (inputs, targets) = self.run.split(&tokens);
        let input = Input::of(stage, self.index.into(), &waiting.bytes, &inputs);
        let tail = match stage.loss_and_grad(input, &targets) {
            Ok(tail) => tail,
            Err(error) if is_own(&error) => return Err(error.into()),
            Err(_) => return Ok(()),
        };
        let (mut loss, mut grad) = (tail.loss, tail.grad);
        if let Some(hostile) = &mut self.hostile {
            loss = hostile.loss(loss);
            grad = hostile.grad(grad);
        }
        let mut path = waiting.path;
        path.push(self.me);
        out.push(Effect::Report(Report::Microbatch {
            epoch: waiting.mb.epoch,
            head: self.run.name(&self.plan.stages[0][usize::from(waiting.mb.head)]),
            k: u64::from(waiting.mb.k),
            loss: f64::from(loss),
            tokens: targets.len() as u64,
            path: path.iter().map(|hop| self.run.name(hop)).collect(),
        }));
        let receipt = Receipt {
            fwd_step: stage.version(),
            prev: Some(waiting.from),
            in_hash: self.provide(&waiting.bytes, out),
            grad_out_hash: self.provide(&grad, out),
            loss: Some(loss.to_bits()),
            ..self.receipt(waiting.mb, stage, targets.len())
        };
        self.log.receipts.push(receipt);
        self.send_back(waiting.from, waiting.mb, grad, out);
        Ok(())
    }

    pub(super) fn backward(
        &mut self,
        now: Millis,
        stage: &mut Stage,
        waiting: Waiting,
        out: &mut Vec<Effect>,
    ) -> Result<(), Error> {
        let Some(flight) = self.flights.remove(&waiting.mb) else { return Ok(()) };
        self.router.returned(waiting.from, now);
        let zeroed = self.hostile.as_ref().and_then(|hostile| hostile.gradient_in(&waiting.bytes));
        let grad_in = zeroed.as_deref().unwrap_or(&waiting.bytes);
        let fwd_step = flight.pass.version();
        // A gradient that does not decode, or a version that auditors no longer keep: not counted.
        let grad = match stage.land(flight.pass, grad_in) {
            Ok(grad) => grad,
            Err(error) if is_own(&error) => return Err(error.into()),
            Err(_) => return Ok(()),
        };
        let in_hash = if self.index == 0 {
            tokens_hash(&flight.tokens)
        } else {
            self.provide(&flight.input, out)
        };
        let grad = grad.map(|grad| match &mut self.hostile {
            Some(hostile) => hostile.grad(grad),
            None => grad,
        });
        let grad_out_hash = grad.as_ref().map_or([0; 32], |grad| self.provide(grad, out));
        let receipt = Receipt {
            fwd_step,
            prev: flight.prev,
            next: Some(waiting.from),
            in_hash,
            out_hash: self.provide(&flight.code, out),
            grad_in_hash: self.provide(&waiting.bytes, out),
            grad_out_hash,
            ..self.receipt(waiting.mb, stage, self.run.targets())
        };
        self.log.receipts.push(receipt);
        if let (Some(prev), Some(grad)) = (flight.prev, grad) {
            self.send_back(prev, waiting.mb, grad, out);
        }
        Ok(())
    }

    /// A receipt at the stage's present place, with the fields that differ by stage left empty.
    fn receipt(&self, mb: MicrobatchId, stage: &Stage, tokens: usize) -> Receipt {
        Receipt {
            mb,
            stage: self.index,
            fwd_step: 0,
            bwd_step: stage.version(),
            // The gradient just accumulated is the last of its step.
            acc: (stage.accumulated() - 1) as u16,
            prev: None,
            next: None,
            in_hash: [0; 32],
            out_hash: [0; 32],
            grad_in_hash: [0; 32],
            grad_out_hash: [0; 32],
            loss: None,
            tokens: tokens as u32,
        }
    }

    fn send_back(&mut self, to: Hotkey, mb: MicrobatchId, grad: Vec<u8>, out: &mut Vec<Effect>) {
        let ticket = self.ticket(mb, to);
        out.push(Effect::Request { to, ticket, body: Request::Backward { mb, grad } });
    }

    fn ticket(&mut self, mb: MicrobatchId, to: Hotkey) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.sent.insert(ticket, (mb, to));
        ticket
    }
}

/// Whether what failed is the own device, whatever a peer sent.
fn is_own(error: &iota_trainer::Error) -> bool {
    matches!(error, iota_trainer::Error::Device { .. })
}
