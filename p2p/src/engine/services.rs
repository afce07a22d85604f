//! What bound peers get: requests, chunks of blobs, gossip.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Instant;

use codec::DecodeAll;
use futures::FutureExt;
use libp2p::gossipsub::{self, MessageAcceptance, PublishError};
use libp2p::request_response::{Event as Exchange, Message, OutboundFailure, OutboundRequestId};
use tokio::sync::oneshot;

use super::{Engine, Waiting};
use crate::config::Verdict;
use crate::event::{Event, ReplyTo};
use crate::handle::RequestError;
use crate::swarm::ServicesEvent;
use crate::{Hash, gossip, limits};

impl Engine {
    pub(super) fn service_event(&mut self, event: ServicesEvent) {
        match event {
            ServicesEvent::Request(event) => self.request_event(event),
            ServicesEvent::Blob(event) => self.blob_event(event),
            ServicesEvent::Gossip(gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            }) => {
                let acceptance = match self.hear(&message.data) {
                    Verdict::Accept => MessageAcceptance::Accept,
                    Verdict::Ignore => MessageAcceptance::Ignore,
                    Verdict::Reject => {
                        tracing::debug!(peer = %propagation_source, "gossip rejected");
                        MessageAcceptance::Reject
                    }
                };
                self.services().gossip.report_message_validation_result(
                    &message_id,
                    &propagation_source,
                    acceptance,
                );
            }
            ServicesEvent::Gossip(gossipsub::Event::Subscribed { .. }) => {
                for body in std::mem::take(&mut self.unsent) {
                    self.publish(body);
                }
            }
            ServicesEvent::Gossip(_) => {}
        }
    }

    /// Gossips a body, or keeps it until somebody listens.
    pub(super) fn publish(&mut self, body: Vec<u8>) {
        let bytes = gossip::seal(&*self.authority, &self.network, body.clone());
        let topic = self.topic.clone();
        match self.services().gossip.publish(topic, bytes) {
            Ok(_) => {}
            Err(PublishError::NoPeersSubscribedToTopic) => {
                if self.unsent.len() >= limits::MAX_UNSENT_GOSSIP {
                    self.unsent.pop_front();
                }
                self.unsent.push_back(body);
            }
            Err(error) => tracing::debug!(%error, "gossip not sent"),
        }
    }

    /// Takes gossip in, and says whether it may be forwarded.
    fn hear(&mut self, bytes: &[u8]) -> Verdict {
        let (from, body) = match gossip::open(&*self.authority, &self.network, bytes) {
            Ok(opened) => opened,
            Err(verdict) => return verdict,
        };
        if !self.admission.say(from, Instant::now()) {
            return Verdict::Ignore;
        }
        let verdict = self.authority.judge(&from, &body);
        if verdict == Verdict::Accept && self.events.try_send(Event::Gossip { from, body }).is_err()
        {
            tracing::debug!("event queue is full; gossip dropped");
        }
        verdict
    }

    fn request_event(&mut self, event: Exchange<Vec<u8>, Vec<u8>>) {
        match event {
            Exchange::Message {
                peer,
                message: Message::Request { request_id, request, channel },
                ..
            } => {
                // Whoever is not served has its stream closed, which is an error at its side.
                let Some(from) = self.registry.hotkey(&peer) else { return };
                let bytes = request.len();
                if !self.admission.ask(from, bytes, Instant::now()) {
                    tracing::debug!(%peer, "too many requests");
                    return;
                }
                self.serving_requests.insert(request_id, (from, bytes));
                let (reply, answer) = oneshot::channel();
                let event = Event::Request { from, body: request, reply: ReplyTo(reply) };
                if self.events.try_send(event).is_ok() {
                    let answer = async move { Some((channel, answer.await.ok()?)) };
                    self.answers.push(answer.boxed());
                }
            }
            Exchange::Message { message: Message::Response { request_id, response }, .. } => {
                finish(&mut self.requests, request_id, Ok(response));
            }
            Exchange::OutboundFailure { request_id, error, .. } => {
                finish(&mut self.requests, request_id, Err(failure(&error)));
            }
            Exchange::InboundFailure { request_id, .. }
            | Exchange::ResponseSent { request_id, .. } => {
                let served = self.serving_requests.remove(&request_id);
                self.served(served);
            }
        }
    }

    fn blob_event(&mut self, event: Exchange<Vec<u8>, Vec<u8>>) {
        match event {
            Exchange::Message {
                peer,
                message: Message::Request { request_id, request, channel },
                ..
            } => {
                let Some(from) = self.registry.hotkey(&peer) else { return };
                if !self.admission.ask(from, limits::MAX_CHUNK_BYTES, Instant::now()) {
                    tracing::debug!(%peer, "too many requests");
                    return;
                }
                self.serving_chunks.insert(request_id, (from, limits::MAX_CHUNK_BYTES));
                let reply = self.chunk(&request);
                // Fails when the peer is gone already.
                let _ = self.services().blob.send_response(channel, reply);
            }
            Exchange::Message { message: Message::Response { request_id, response }, .. } => {
                finish(&mut self.chunks, request_id, Ok(response));
            }
            Exchange::OutboundFailure { request_id, error, .. } => {
                finish(&mut self.chunks, request_id, Err(failure(&error)));
            }
            Exchange::InboundFailure { request_id, .. }
            | Exchange::ResponseSent { request_id, .. } => {
                let served = self.serving_chunks.remove(&request_id);
                self.served(served);
            }
        }
    }

    fn served(&mut self, served: Option<(crate::Hotkey, usize)>) {
        if let Some((from, bytes)) = served {
            self.admission.done(&from, bytes);
        }
    }

    /// Total length and one chunk of a blob; nothing for an unknown one.
    fn chunk(&self, request: &[u8]) -> Vec<u8> {
        let Ok((hash, offset)) = <(Hash, u64)>::decode_all(&mut &request[..]) else {
            return Vec::new();
        };
        let store = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bytes) = store.get(&hash) else { return Vec::new() };
        drop(store);
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(limits::MAX_CHUNK_BYTES).min(bytes.len());
        let mut reply = Vec::with_capacity(limits::CHUNK_OVERHEAD_BYTES + end - start);
        reply.extend((bytes.len() as u64).to_be_bytes());
        reply.extend(&bytes[start..end]);
        reply
    }
}

/// Why there is no reply, in our terms.
fn failure(error: &OutboundFailure) -> RequestError {
    match error {
        OutboundFailure::Timeout => RequestError::Timeout,
        OutboundFailure::DialFailure | OutboundFailure::ConnectionClosed => {
            RequestError::NotConnected
        }
        error => RequestError::Failed(error.to_string()),
    }
}

fn finish(
    waiting: &mut HashMap<OutboundRequestId, Waiting>,
    id: OutboundRequestId,
    result: Result<Vec<u8>, RequestError>,
) {
    if let Some(reply) = waiting.remove(&id) {
        // The caller may have stopped waiting.
        let _ = reply.send(result);
    }
}
