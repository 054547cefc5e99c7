//! One request on its way through a handler: what it asks, whom it may call, and how it answers.

use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use gantry_protocols::kafka::codec::{DecodeError, EncodeError, decode_request, encode_response};
use gantry_protocols::kafka::frame::{FrameError, finish_response, response_header_version, start_response};
use gantry_protocols::kafka::messages::{Encodable, Request};
use gantry_protocols::outbox::Outbox;

use crate::broker::mailbox::{Mailbox, Signal, Token};
use crate::broker::produce::ProduceScratch;
use crate::broker::{Broker, Durability, DurabilityError, DurableWait};
use crate::semantics::Millis;

/// Why a request gets no answer and its connection is closed, as Kafka does.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The body is not what its key and version say.
    #[error(transparent)]
    Body(#[from] DecodeError),
    /// Our answer does not fit the version: a bug here.
    #[error(transparent)]
    Answer(#[from] EncodeError),
    /// A fetch answer cannot be written: a bug here.
    #[error(transparent)]
    Fetch(#[from] gantry_protocols::kafka::fetch_response::FetchEncodeError),
    /// Our answer is longer than a frame can be.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A produce request that wants no answer failed; closing tells the client (Kafka does the same).
    #[error("a produce request with acks=0 was refused: {0}")]
    SilentRefusal(&'static str),
}

/// How a handler left its request.
pub(crate) enum Answer {
    /// The answer stands in the output.
    Done,
    /// The client wants none (Produce with acks=0).
    Silent,
    /// It waits; the session calls it again.
    Parked(Box<dyn Waiting>),
}

/// A request that waits.
pub(crate) trait Waiting: Send {
    /// Tries to answer; `signal` is the news for this request, if that is why it is called. `Parked(None)` in
    /// words: [`Progress::Waits`] leaves it in its place.
    fn resume(&mut self, reply: &mut Reply<'_>, signal: Option<Signal>) -> Result<Progress, CallError>;

    /// Whether it waits for the disk and for nothing else.
    fn awaits_disk(&self) -> bool {
        false
    }

    /// The connection is gone: call off what was registered.
    fn abandon(&mut self, broker: &Broker) {
        let _ = broker;
    }
}

/// What a waiting request says when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Not yet.
    Waits,
    /// The answer stands in the output.
    Done,
}

/// Everything an answer needs: the output, the request's number and version, and whom to ask.
pub(crate) struct Reply<'s> {
    pub(crate) broker: &'s Arc<Broker>,
    pub(crate) mailbox: &'s Arc<Mailbox>,
    pub(crate) waker: &'s std::task::Waker,
    pub(crate) now: Millis,
    pub(crate) head: Head,
    pub(crate) out: &'s mut Outbox,
}

/// The part of a request that its answer repeats.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// Its row's place in the table of routes.
    pub(crate) kind: usize,
    /// When its bytes were there.
    pub(crate) begun: Instant,
    pub(crate) key: i16,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) token: Token,
}

impl Reply<'_> {
    /// Writes `response` as the answer's frame.
    pub(crate) fn send<M: Encodable>(&mut self, response: &M) -> Result<(), CallError> {
        let version = self.head.version;
        self.send_with(|body| Ok(encode_response(response, version, body)?))
    }

    /// Writes a frame whose body `write` appends.
    pub(crate) fn send_with(
        &mut self,
        write: impl FnOnce(&mut BytesMut) -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        let header_version = response_header_version(self.head.key, self.head.version).unwrap_or(0);
        let into = self.out.head();
        let start = start_response(into, header_version, self.head.correlation_id);
        write(into)?;
        Ok(finish_response(into, start, 0)?)
    }
}

/// A request and its [`Reply`].
pub(crate) struct Call<'s> {
    pub(crate) reply: Reply<'s>,
    pub(crate) client_id: Option<&'s str>,
    pub(crate) body: Bytes,
    pub(crate) scratch: &'s mut ProduceScratch,
}

impl<'s> Call<'s> {
    /// The broker whose verbs handlers call.
    pub(crate) fn broker(&self) -> &'s Arc<Broker> {
        self.reply.broker
    }

    /// The request's version.
    pub(crate) fn version(&self) -> i16 {
        self.reply.head.version
    }

    /// Decodes the body, behind the guard.
    pub(crate) fn decode<R: Request>(&mut self) -> Result<R, CallError> {
        Ok(decode_request(self.version(), std::mem::take(&mut self.body))?)
    }

    /// Answers at once.
    pub(crate) fn answer<M: Encodable>(&mut self, response: &M) -> Result<Answer, CallError> {
        self.reply.send(response)?;
        Ok(Answer::Done)
    }

    /// Answers with `response` once `durability` is reached, at once if it already is; `failed` makes the answer
    /// for a change that could not be made durable.
    pub(crate) fn answer_when<M: Encodable + Send + 'static>(
        &mut self,
        durability: Durability,
        response: M,
        failed: impl FnOnce(M, DurabilityError) -> M + Send + 'static,
    ) -> Result<Answer, CallError> {
        let mut wait = WhenDurable { wait: DurableWait::new(durability), parts: Some((response, failed)) };
        match wait.resume(&mut self.reply, None)? {
            Progress::Done => Ok(Answer::Done),
            Progress::Waits => Ok(Answer::Parked(Box::new(wait))),
        }
    }
}

/// An answer that is ready but must not leave before what it promises is durable.
struct WhenDurable<M, F> {
    wait: DurableWait,
    parts: Option<(M, F)>,
}

impl<M: Encodable + Send, F: FnOnce(M, DurabilityError) -> M + Send> Waiting for WhenDurable<M, F> {
    fn resume(&mut self, reply: &mut Reply<'_>, _: Option<Signal>) -> Result<Progress, CallError> {
        let (token, now) = (reply.head.token, reply.now);
        let Poll::Ready(result) = self.wait.poll(reply.broker, reply.mailbox, token, now, reply.waker) else {
            return Ok(Progress::Waits);
        };
        if let Some((response, failed)) = self.parts.take() {
            let response = match result {
                Ok(()) => response,
                Err(cause) => failed(response, cause),
            };
            reply.send(&response)?;
        }
        Ok(Progress::Done)
    }

    fn awaits_disk(&self) -> bool {
        true
    }

    fn abandon(&mut self, broker: &Broker) {
        self.wait.abandon(broker);
    }
}
