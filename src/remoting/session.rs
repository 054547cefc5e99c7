//! One remoting connection: frames in, answers out in any order, matched by `opaque`.
//!
//! All sends that one read delivered are staged and appended together; an answer that waits for the flush or
//! for a message parks and does not hold up the others.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use gantry_protocols::outbox::Outbox;
use gantry_protocols::remoting::foreign;
use gantry_protocols::remoting::frame::{Frame, FrameError};
use gantry_protocols::remoting::header::{HeadEncodeError, HeaderDecodeError};
use gantry_protocols::remoting::headers::CustomHeader;
use gantry_protocols::remoting::headers::client::NotifyConsumerIdsChangedRequest;
use gantry_protocols::remoting::{Codec, Flag, Head, HeaderView, RequestCode};
use tracing::debug;

use super::call::{Answer, Call, Refusal, Reply, ReplyTo, Waiting};
use super::{ROUTES, client_call, send};
use crate::broker::Broker;
use crate::broker::append::{StagedSend, Submission};
use crate::broker::client_calls::{CallId, ClientAnswer};
use crate::broker::mailbox::{Mailbox, Signal, Token};
use crate::limits;
use crate::semantics::Dialect;

/// The state of one connection.
pub(crate) struct Session {
    broker: Arc<Broker>,
    mailbox: Arc<Mailbox>,
    submission: Submission,
    staged: Vec<(ReplyTo, StagedSend)>,
    parked: HashMap<Token, (ReplyTo, Box<dyn Waiting>)>,
    polled: Vec<Token>,
    signals: Vec<Signal>,
    last_token: u32,
    last_opaque: i32,
    codec: Codec,
    fresh: bool,
    /// When the request at hand began: one reading of the clock for all sends of a read.
    begun: Instant,
    waker: Waker,
}

/// Why a connection is closed from our side.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The bytes are no remoting frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// They belong to another protocol.
    #[error("these bytes are {0}, this port speaks RocketMQ remoting")]
    Foreign(foreign::Foreign),
    /// The header cannot be read, so its request cannot be answered.
    #[error(transparent)]
    Header(#[from] HeaderDecodeError),
    /// A request of ours does not fit a frame.
    #[error(transparent)]
    Request(#[from] HeadEncodeError),
}

impl Session {
    /// A session for the connection behind `mailbox`.
    pub(crate) fn new(broker: Arc<Broker>, mailbox: Arc<Mailbox>) -> Self {
        Self {
            broker,
            mailbox,
            submission: Submission::default(),
            staged: Vec::new(),
            parked: HashMap::new(),
            polled: Vec::new(),
            signals: Vec::new(),
            last_token: 0,
            last_opaque: 0,
            codec: Codec::Json,
            fresh: true,
            begun: Instant::now(),
            waker: Waker::noop().clone(),
        }
    }

    /// Handles every complete frame of `input`.
    pub(crate) fn receive(&mut self, input: &mut BytesMut, out: &mut Outbox) -> Result<(), SessionError> {
        if self.fresh && !input.is_empty() {
            if let Some(foreign) = foreign::recognise(input) {
                return Err(SessionError::Foreign(foreign));
            }
            self.fresh = input.len() < 8;
        }
        self.begun = Instant::now();
        while out.len() < limits::OUTPUT_PER_CONNECTION {
            let Some(frame) = Frame::split(input, limits::REMOTING_FRAME_SIZE)? else { break };
            self.handle(&frame, out)?;
        }
        self.submit(out);
        Ok(())
    }

    /// Answers what no longer has to wait.
    pub(crate) fn resume(&mut self, waker: &Waker, out: &mut Outbox) -> Result<(), SessionError> {
        self.waker.clone_from(waker);
        let mut signals = std::mem::take(&mut self.signals);
        self.mailbox.drain(waker, &mut signals);
        for signal in signals.drain(..) {
            match signal {
                Signal::Wake(token) | Signal::Group(token, _) => self.call_parked(token, Some(signal), out),
                Signal::Answered(token, ..) => self.call_parked(token, Some(signal), out),
                Signal::ConsumersChanged(group) => self.notify(&group, out)?,
                Signal::Ask(id, ask) => client_call::write(&self.broker, self.codec, id, &ask, out)?,
            }
        }
        self.signals = signals;
        for token in std::mem::take(&mut self.polled) {
            self.call_parked(token, None, out);
        }
        Ok(())
    }

    /// Whether answers wait for the disk, so that a stopping server should let them.
    pub(crate) fn awaits_disk(&self) -> bool {
        !self.polled.is_empty()
    }

    /// The connection is gone: its waits and its clients with it.
    pub(crate) fn closed(&mut self) {
        for (_, waiting) in self.parked.values_mut() {
            waiting.abandon(&self.broker);
        }
        self.parked.clear();
        self.broker.connection_closed(self.mailbox.id());
    }

    fn handle(&mut self, frame: &Frame, out: &mut Outbox) -> Result<(), SessionError> {
        let view = HeaderView::of(frame)?;
        self.codec = frame.codec;
        if view.flag.is_response() {
            self.client_answered(&view, frame.body.clone());
            return Ok(());
        }
        self.last_token = self.last_token.wrapping_add(1);
        let token = Token(self.last_token);
        let code = view.request_code();
        let found = ROUTES.find(code);
        let to = ReplyTo {
            kind: found.and_then(|(place, _)| u16::try_from(place).ok()),
            begun: self.begun,
            codec: frame.codec,
            opaque: view.opaque,
            oneway: view.flag.is_oneway(),
            token,
        };
        debug!(%code, opaque = view.opaque, "request");
        if !send::is_send(code) {
            self.submit(out);
        }
        let reply = Reply {
            broker: &self.broker,
            mailbox: &self.mailbox,
            waker: &self.waker,
            now: self.broker.now(),
            to,
            out: &mut *out,
        };
        let may_hold = self.parked.len() < limits::REMOTING_WAITERS_PER_CONNECTION;
        let mut call = Call {
            reply,
            view: &view,
            body: Bytes::clone(&frame.body),
            may_hold,
            submission: &mut self.submission,
        };
        let answer = match found {
            Some((_, run)) => run(&mut call),
            None => Err(Refusal::unsupported(code)),
        };
        match answer {
            Ok(Answer::Done) => self.answered(to, false),
            Ok(Answer::Staged(staged)) => self.staged.push((to, staged)),
            Ok(Answer::Parked(waiting)) => self.park(to, waiting),
            Err(refusal) => {
                debug!(%code, answer = %refusal.code, remark = %refusal.remark, "refused");
                call.reply.refuse(&refusal);
                self.answered(to, false);
            }
        }
        Ok(())
    }

    /// Appends what was staged and answers it, at once or when it is durable.
    fn submit(&mut self, out: &mut Outbox) {
        if self.staged.is_empty() {
            return;
        }
        let staged = std::mem::take(&mut self.staged);
        let Some((to, _)) = staged.first() else { return };
        self.last_token = self.last_token.wrapping_add(1);
        // Each send of the group is counted by itself.
        let to = ReplyTo { token: Token(self.last_token), kind: None, ..*to };
        let mut reply = Reply {
            broker: &self.broker,
            mailbox: &self.mailbox,
            waker: &self.waker,
            now: self.broker.now(),
            to,
            out,
        };
        if let Some(waiting) = send::submit(&mut reply, &mut self.submission, staged) {
            self.park(to, waiting);
        }
    }

    fn park(&mut self, to: ReplyTo, waiting: Box<dyn Waiting>) {
        if waiting.polls() {
            self.polled.push(to.token);
        }
        self.parked.insert(to.token, (to, waiting));
    }

    fn call_parked(&mut self, token: Token, signal: Option<Signal>, out: &mut Outbox) {
        let Some((to, mut waiting)) = self.parked.remove(&token) else { return };
        let mut reply = Reply {
            broker: &self.broker,
            mailbox: &self.mailbox,
            waker: &self.waker,
            now: self.broker.now(),
            to,
            out,
        };
        let polled = signal.is_none();
        if !waiting.resume(&mut reply, signal) {
            if polled {
                self.polled.push(token);
            }
            self.parked.insert(token, (to, waiting));
        } else {
            self.answered(to, true);
        }
    }

    /// Counts a request; the next one of this read begins now.
    fn answered(&mut self, to: ReplyTo, waited: bool) {
        self.begun = Instant::now();
        if let Some(kind) = to.kind {
            let took = self.begun.duration_since(to.begun);
            self.broker.answered(Dialect::Native, kind.into(), waited, took, 1);
        }
    }

    /// The client answers a question that the broker put to it.
    fn client_answered(&self, view: &HeaderView<'_>, body: Bytes) {
        let remark = view.remark.map(|remark| remark.text().into_owned());
        let answer = ClientAnswer { code: view.code, remark, body };
        self.broker.client_answered(self.mailbox.id(), CallId(view.opaque), answer);
    }

    /// Tells the client that the members of its group changed; it rebalances.
    fn notify(&mut self, group: &str, out: &mut Outbox) -> Result<(), SessionError> {
        self.last_opaque = self.last_opaque.wrapping_add(1);
        let head = Head::request(RequestCode::NOTIFY_CONSUMER_IDS_CHANGED, self.last_opaque, Flag::ONEWAY);
        let header = NotifyConsumerIdsChangedRequest { consumer_group: group.into() };
        head.write(self.codec, 0, out.head(), |ext| header.write(ext))?;
        Ok(())
    }
}
