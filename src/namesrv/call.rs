//! One request to the name server on its way through a handler, and how it is answered or refused.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use gantry_protocols::outbox::Outbox;
use gantry_protocols::remoting::bodies;
use gantry_protocols::remoting::ext_writer::ExtWriter;
use gantry_protocols::remoting::headers::CustomHeader;
use gantry_protocols::remoting::{Codec, Head, HeaderView, ResponseCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::kv_keeper::Version;
use super::name_server::NameServer;
pub(super) use crate::requests::Refusal;
use crate::semantics::Millis;
use crate::semantics::routes::ConnectionId;

/// How a handler left its request.
pub(super) enum Answer {
    /// The answer stands in the output (or none is wanted).
    Done,
    /// Success, once the key-value file holds this version.
    WhenKept(Version),
}

/// What an answer repeats of its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReplyTo {
    pub(super) codec: Codec,
    pub(super) opaque: i32,
    pub(super) oneway: bool,
}

impl ReplyTo {
    /// Writes an answer: code, remark, named fields, and the body by reference.
    pub(super) fn write(
        self,
        out: &mut Outbox,
        code: ResponseCode,
        remark: Option<&str>,
        body: Bytes,
        fields: impl FnOnce(&mut ExtWriter<'_>),
    ) {
        if self.oneway {
            return;
        }
        let head = Head::response(code, self.opaque, remark);
        match head.write(self.codec, body.len(), out.head(), fields) {
            Ok(()) => out.push(body),
            Err(error) => tracing::error!(%error, code = code.0, "an answer does not fit its frame"),
        }
    }

    /// A refusal with its remark.
    pub(super) fn refuse(self, out: &mut Outbox, refusal: &Refusal) {
        self.write(out, refusal.code, Some(&refusal.remark), Bytes::new(), |_| {});
    }
}

/// A request and where its answer goes.
pub(super) struct Call<'s> {
    pub(super) server: &'s Arc<NameServer>,
    pub(super) connection: ConnectionId,
    /// The address that the peer reached us by.
    pub(super) asked_at: IpAddr,
    pub(super) now: Millis,
    pub(super) view: &'s HeaderView<'s>,
    pub(super) body: &'s Bytes,
    pub(super) to: ReplyTo,
    pub(super) out: &'s mut Outbox,
}

impl<'s> Call<'s> {
    /// The request's named fields.
    pub(super) fn header<H: CustomHeader<'s>>(&self) -> Result<H, Refusal> {
        Ok(H::decode(self.view)?)
    }

    /// The request's JSON body, in a peer's dialect.
    pub(super) fn json_body<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        Ok(bodies::decode(self.body)?)
    }

    /// Success without fields or body.
    pub(super) fn success(&mut self) -> Result<Answer, Refusal> {
        self.to.write(self.out, ResponseCode::SUCCESS, None, Bytes::new(), |_| {});
        Ok(Answer::Done)
    }

    /// Success with the fields of `header` and a body that may be empty.
    pub(super) fn answer<'h>(
        &mut self,
        header: &impl CustomHeader<'h>,
        body: Bytes,
    ) -> Result<Answer, Refusal> {
        self.to.write(self.out, ResponseCode::SUCCESS, None, body, |ext| header.write(ext));
        Ok(Answer::Done)
    }

    /// Success with a body as it is.
    pub(super) fn answer_body(&mut self, body: Bytes) -> Result<Answer, Refusal> {
        self.to.write(self.out, ResponseCode::SUCCESS, None, body, |_| {});
        Ok(Answer::Done)
    }

    /// Success with `body` as standard JSON: integer keys are quoted, which every client reads.
    pub(super) fn answer_json(&mut self, body: &impl Serialize) -> Result<Answer, Refusal> {
        self.answer_body(bodies::encode(body)?)
    }
}
