//! One remoting request on its way through a handler, and how it is answered or refused.

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use gantry_protocols::outbox::Outbox;
use gantry_protocols::remoting::bodies::{self, BodyError};
use gantry_protocols::remoting::ext_writer::ExtWriter;
use gantry_protocols::remoting::headers::CustomHeader;
use gantry_protocols::remoting::{Codec, Head, HeaderView, ResponseCode};
use serde::Serialize;

use super::errors;
use crate::broker::append::StagedSend;
use crate::broker::mailbox::{Mailbox, Signal, Token};
use crate::broker::{Broker, Durability, DurableWait};
pub(crate) use crate::requests::Refusal;
use crate::semantics::Millis;

/// How a handler left its request.
pub(crate) enum Answer {
    /// The answer stands in the output (or none is wanted).
    Done,
    /// A send that waits in the submission for the append of this read.
    Staged(StagedSend),
    /// It waits; the session calls it again.
    Parked(Box<dyn Waiting>),
}

/// A request that waits; its answer may leave in any order.
pub(crate) trait Waiting: Send {
    /// Tries to answer; true when it did. `signal` is the news for this request, if that is why it is called.
    fn resume(&mut self, reply: &mut Reply<'_>, signal: Option<Signal>) -> bool;

    /// Whether it waits for a flush or a state file, and so wants to be called at every wake-up.
    fn polls(&self) -> bool {
        false
    }

    /// The connection is gone: call off what was registered.
    fn abandon(&mut self, broker: &Broker) {
        let _ = broker;
    }
}

/// What an answer repeats of its request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyTo {
    /// Its row's place in the table of routes; `None` when no row has it.
    pub(crate) kind: Option<u16>,
    /// When its bytes were there.
    pub(crate) begun: Instant,
    pub(crate) codec: Codec,
    pub(crate) opaque: i32,
    pub(crate) oneway: bool,
    pub(crate) token: Token,
}

/// Everything an answer needs.
pub(crate) struct Reply<'s> {
    pub(crate) broker: &'s Arc<Broker>,
    pub(crate) mailbox: &'s Arc<Mailbox>,
    pub(crate) waker: &'s Waker,
    pub(crate) now: Millis,
    pub(crate) to: ReplyTo,
    pub(crate) out: &'s mut Outbox,
}

impl Reply<'_> {
    /// Writes an answer: code, remark, named fields, and the body's segments by reference.
    pub(crate) fn write(
        &mut self,
        code: ResponseCode,
        remark: Option<&str>,
        body: &mut Vec<Bytes>,
        fields: impl FnOnce(&mut ExtWriter<'_>),
    ) {
        if self.to.oneway {
            body.clear();
            return;
        }
        let body_len = body.iter().map(Bytes::len).sum();
        let head = Head::response(code, self.to.opaque, remark);
        match head.write(self.to.codec, body_len, self.out.head(), fields) {
            Ok(()) => body.drain(..).for_each(|segment| self.out.push(segment)),
            Err(error) => tracing::error!(%error, code = code.0, "an answer does not fit its frame"),
        }
    }

    /// Success with the fields of `header` and no body.
    pub(crate) fn header<'h>(&mut self, header: &impl CustomHeader<'h>) {
        self.write(ResponseCode::SUCCESS, None, &mut Vec::new(), |ext| header.write(ext));
    }

    /// A refusal with its remark.
    pub(crate) fn refuse(&mut self, refusal: &Refusal) {
        self.write(refusal.code, Some(&refusal.remark), &mut Vec::new(), |_| {});
    }
}

/// A change that was made, on its way to the disk.
struct DurableChange(DurableWait);

impl Waiting for DurableChange {
    fn resume(&mut self, reply: &mut Reply<'_>, _: Option<Signal>) -> bool {
        match self.0.poll(reply.broker, reply.mailbox, reply.to.token, reply.now, reply.waker) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) => reply.write(ResponseCode::SUCCESS, None, &mut Vec::new(), |_| {}),
            Poll::Ready(Err(error)) => reply.refuse(&errors::durability(error)),
        }
        true
    }

    fn polls(&self) -> bool {
        true
    }

    fn abandon(&mut self, broker: &Broker) {
        self.0.abandon(broker);
    }
}

/// A request and its [`Reply`].
pub(crate) struct Call<'s> {
    pub(crate) reply: Reply<'s>,
    pub(crate) view: &'s HeaderView<'s>,
    pub(crate) body: Bytes,
    /// Whether the connection may hold one more request; above its bound, long polls are answered at once.
    pub(crate) may_hold: bool,
    pub(crate) submission: &'s mut crate::broker::append::Submission,
}

impl<'s> Call<'s> {
    /// The broker whose verbs handlers call.
    pub(crate) fn broker(&self) -> &'s Arc<Broker> {
        self.reply.broker
    }

    /// The request's named fields.
    pub(crate) fn header<H: CustomHeader<'s>>(&self) -> Result<H, Refusal> {
        Ok(H::decode(self.view)?)
    }

    /// Success without fields or body.
    pub(crate) fn success(&mut self) -> Result<Answer, Refusal> {
        self.reply.write(ResponseCode::SUCCESS, None, &mut Vec::new(), |_| {});
        Ok(Answer::Done)
    }

    /// Success without fields or body, as soon as `durability` holds.
    pub(crate) fn success_when(&mut self, durability: Durability) -> Result<Answer, Refusal> {
        let mut change = DurableChange(DurableWait::new(durability));
        let answered = change.resume(&mut self.reply, None);
        Ok(if answered { Answer::Done } else { Answer::Parked(Box::new(change)) })
    }

    /// Success with the fields of `header`.
    pub(crate) fn answer<'h>(&mut self, header: &impl CustomHeader<'h>) -> Result<Answer, Refusal> {
        self.reply.header(header);
        Ok(Answer::Done)
    }

    /// Success with the fields of `header` and `body` as JSON.
    pub(crate) fn answer_with<'h>(
        &mut self,
        header: &impl CustomHeader<'h>,
        body: &impl Serialize,
    ) -> Result<Answer, Refusal> {
        let text = bodies::encode(body).map_err(|error| unwritable(&error))?;
        self.reply.write(ResponseCode::SUCCESS, None, &mut vec![text], |ext| header.write(ext));
        Ok(Answer::Done)
    }

    /// Success with a body that is text already.
    pub(crate) fn answer_body(&mut self, text: Result<Bytes, BodyError>) -> Result<Answer, Refusal> {
        self.reply.write(ResponseCode::SUCCESS, None, &mut vec![text?], |_| {});
        Ok(Answer::Done)
    }

    /// Success with `body` as JSON.
    pub(crate) fn answer_json(&mut self, body: &impl Serialize) -> Result<Answer, Refusal> {
        let text = bodies::encode(body).map_err(|error| unwritable(&error))?;
        self.reply.write(ResponseCode::SUCCESS, None, &mut vec![text], |_| {});
        Ok(Answer::Done)
    }

    /// The request's JSON body, through the reader that tolerates what fastjson writes.
    pub(crate) fn json_body<T: serde::de::DeserializeOwned>(&self) -> Result<T, Refusal> {
        bodies::decode(&self.body).map_err(|error| {
            Refusal::new(ResponseCode::SYSTEM_ERROR, format!("the body cannot be read: {error}"))
        })
    }
}

fn unwritable(error: &BodyError) -> Refusal {
    Refusal::new(ResponseCode::SYSTEM_ERROR, format!("the answer has no JSON form: {error}"))
}
