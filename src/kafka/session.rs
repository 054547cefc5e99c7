//! One Kafka connection: frames in, answers out in the order of their requests (KIP-98 clients rely on it).
//!
//! A request that must wait keeps its slot; later ones are handled meanwhile and their answers stay behind it.
//! At [`limits::KAFKA_PARKED_PER_CONNECTION`] waiting requests the session stops reading, so TCP carries the pressure back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use gantry_protocols::kafka::frame::{FrameError, RequestHeader, split_frame};
use gantry_protocols::outbox::Outbox;
use gantry_protocols::remoting::foreign::{self, Foreign};
use tracing::debug;

use super::call::{Answer, Call, CallError, Head, Progress, Reply, Waiting};
use super::{api_versions, route};
use crate::broker::Broker;
use crate::broker::mailbox::{Mailbox, Signal, Token};
use crate::broker::produce::ProduceScratch;
use crate::limits;
use crate::semantics::Dialect;

/// The state of one connection.
pub(crate) struct Session {
    broker: Arc<Broker>,
    mailbox: Arc<Mailbox>,
    slots: VecDeque<Slot>,
    signals: Vec<Signal>,
    last_token: u32,
    /// When the request at hand began.
    begun: Instant,
    waker: Waker,
    scratch: ProduceScratch,
}

struct Slot {
    head: Head,
    out: Outbox,
    waiting: Option<Box<dyn Waiting>>,
}

/// Why a connection is closed from our side.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The bytes are no Kafka frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// They belong to another protocol.
    #[error("these bytes are {0}, this port speaks Kafka")]
    Foreign(Foreign),
    /// The key or version is not served.
    #[error("api key {key} version {version} is not served here; clients learn what is from ApiVersions")]
    NotServed {
        /// API key.
        key: i16,
        /// Version asked for.
        version: i16,
    },
    /// A request could not be handled.
    #[error("{api} version {version}: {cause}")]
    Call {
        /// Name of the API.
        api: &'static str,
        /// Version asked for.
        version: i16,
        /// What went wrong.
        cause: CallError,
    },
}

/// Bytes that are no frame, named as what they are where they are known.
fn named(input: &[u8], error: FrameError) -> SessionError {
    match foreign::recognise(input) {
        Some(Foreign::Kafka) | None => error.into(),
        Some(foreign) => SessionError::Foreign(foreign),
    }
}

impl Session {
    /// A session for the connection behind `mailbox`.
    pub(crate) fn new(broker: Arc<Broker>, mailbox: Arc<Mailbox>) -> Self {
        let waker = Waker::noop().clone();
        Self {
            broker,
            mailbox,
            slots: VecDeque::new(),
            signals: Vec::new(),
            last_token: 0,
            begun: Instant::now(),
            waker,
            scratch: ProduceScratch::default(),
        }
    }

    /// Handles every complete frame of `input`.
    pub(crate) fn receive(&mut self, input: &mut BytesMut, out: &mut Outbox) -> Result<(), SessionError> {
        self.begun = Instant::now();
        while self.reads() && out.len() < limits::OUTPUT_PER_CONNECTION {
            let Some(frame) =
                split_frame(input, limits::KAFKA_FRAME_SIZE).map_err(|error| named(input, error))?
            else {
                break;
            };
            self.handle(&frame, out)?;
        }
        Ok(())
    }

    /// Answers what no longer has to wait.
    pub(crate) fn resume(&mut self, waker: &Waker, out: &mut Outbox) -> Result<(), SessionError> {
        self.waker.clone_from(waker);
        let mut signals = std::mem::take(&mut self.signals);
        self.mailbox.drain(waker, &mut signals);
        for signal in signals.drain(..) {
            self.deliver(signal)?;
        }
        self.signals = signals;
        for at in 0..self.slots.len() {
            self.resume_slot(at, None)?;
        }
        self.release(out);
        Ok(())
    }

    /// Whether answers wait for the disk only, so that a stopping server should let them.
    pub(crate) fn awaits_disk(&self) -> bool {
        self.slots.iter().any(|slot| slot.waiting.as_ref().is_some_and(|waiting| waiting.awaits_disk()))
    }

    /// Whether more requests may be read.
    pub(crate) fn reads(&self) -> bool {
        self.slots.len() < limits::KAFKA_PARKED_PER_CONNECTION
    }

    /// The connection is gone.
    pub(crate) fn closed(&mut self) {
        for slot in &mut self.slots {
            if let Some(waiting) = &mut slot.waiting {
                waiting.abandon(&self.broker);
            }
        }
        self.slots.clear();
    }

    fn handle(&mut self, frame: &Bytes, out: &mut Outbox) -> Result<(), SessionError> {
        let (header, body) = RequestHeader::decode(frame)?;
        let (key, version) = (header.api_key, header.api_version);
        self.last_token = self.last_token.wrapping_add(1);
        let (kind, route) = route(key).ok_or(SessionError::NotServed { key, version })?;
        let head = Head {
            kind,
            begun: self.begun,
            key,
            version,
            correlation_id: header.correlation_id,
            token: Token(self.last_token),
        };
        let call_error = |cause| SessionError::Call { api: route.name(), version, cause };
        let mut own = Outbox::default();
        let in_order = self.slots.is_empty();
        let reply = Reply {
            broker: &self.broker,
            mailbox: &self.mailbox,
            waker: &self.waker,
            now: self.broker.now(),
            head,
            out: if in_order { out } else { &mut own },
        };
        let mut call =
            Call { reply, client_id: header.client_id.as_deref(), body, scratch: &mut self.scratch };
        let answer = if route.serves(version) {
            (route.run)(&mut call)
        } else if key == api_versions::KEY {
            api_versions::unsupported(&mut call)
        } else {
            return Err(SessionError::NotServed { key, version });
        };
        debug!(api = route.name(), version, client = header.client_id.as_deref(), "request");
        match answer.map_err(call_error)? {
            Answer::Done if in_order => {}
            Answer::Silent => {}
            Answer::Done => self.slots.push_back(Slot { head, out: own, waiting: None }),
            Answer::Parked(waiting) => {
                self.slots.push_back(Slot { head, out: own, waiting: Some(waiting) });
                return Ok(());
            }
        }
        self.begun = Instant::now();
        let took = self.begun.duration_since(head.begun);
        self.broker.answered(Dialect::Kafka, kind, false, took, 1);
        Ok(())
    }

    fn deliver(&mut self, signal: Signal) -> Result<(), SessionError> {
        let token = match &signal {
            Signal::Wake(token) | Signal::Group(token, _) => *token,
            Signal::ConsumersChanged(_) | Signal::Ask(..) | Signal::Answered(..) => return Ok(()),
        };
        match self.slots.iter().position(|slot| slot.head.token == token) {
            Some(at) => self.resume_slot(at, Some(signal)),
            None => Ok(()),
        }
    }

    fn resume_slot(&mut self, at: usize, signal: Option<Signal>) -> Result<(), SessionError> {
        let Some(slot) = self.slots.get_mut(at) else { return Ok(()) };
        let Some(waiting) = &mut slot.waiting else { return Ok(()) };
        let mut reply = Reply {
            broker: &self.broker,
            mailbox: &self.mailbox,
            waker: &self.waker,
            now: self.broker.now(),
            head: slot.head,
            out: &mut slot.out,
        };
        let Head { kind, begun, key, version, .. } = slot.head;
        let name = |key| route(key).map_or("?", |(_, route)| route.name());
        let progress = waiting.resume(&mut reply, signal);
        if progress.map_err(|cause| SessionError::Call { api: name(key), version, cause })? == Progress::Done
        {
            slot.waiting = None;
            self.broker.answered(Dialect::Kafka, kind, true, begun.elapsed(), 1);
        }
        Ok(())
    }

    fn release(&mut self, out: &mut Outbox) {
        while self.slots.front().is_some_and(|slot| slot.waiting.is_none()) {
            if let Some(mut slot) = self.slots.pop_front() {
                out.append(&mut slot.out);
            }
        }
    }
}
