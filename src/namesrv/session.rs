//! One connection to the name server: frames in, answers out.
//!
//! Everything is answered at once, except changes of the key-value configuration, which wait for their file.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Poll, Waker};

use bytes::{Bytes, BytesMut};
use gantry_protocols::outbox::Outbox;
use gantry_protocols::remoting::foreign;
use gantry_protocols::remoting::frame::{Frame, FrameError};
use gantry_protocols::remoting::header::HeaderDecodeError;
use gantry_protocols::remoting::{HeaderView, ResponseCode};
use tracing::debug;

use super::ROUTES;
use super::call::{Answer, Call, Refusal, ReplyTo};
use super::kv_keeper::Version;
use super::name_server::NameServer;
use crate::limits;
use crate::semantics::routes::ConnectionId;

/// Bytes of a frame's two length words, after which its protocol is known.
const PREFIX_SIZE: usize = 8;
/// Changes of the configuration that wait in one connection before reading stops; tools send one at a time.
const WAITING_MAX: usize = 64;

/// The state of one connection.
pub struct Session {
    server: Arc<NameServer>,
    connection: ConnectionId,
    local: SocketAddr,
    waiting: Vec<(ReplyTo, Version)>,
    fresh: bool,
}

/// Why a connection is closed from our side.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The bytes are no remoting frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// They belong to another protocol.
    #[error("these bytes are {0}, this port speaks RocketMQ remoting (name server)")]
    Foreign(foreign::Foreign),
    /// The header cannot be read, so its request cannot be answered.
    #[error(transparent)]
    Header(#[from] HeaderDecodeError),
}

impl Session {
    /// A session for a connection that reached us at `local`.
    pub fn new(server: Arc<NameServer>, local: SocketAddr) -> Self {
        let connection = server.next_connection();
        Self { server, connection, local, waiting: Vec::new(), fresh: true }
    }

    /// Handles every complete frame of `input`; never blocks.
    ///
    /// # Errors
    /// [`SessionError`]: the connection has to end.
    pub fn receive(&mut self, input: &mut BytesMut, out: &mut Outbox) -> Result<(), SessionError> {
        if self.fresh && !input.is_empty() {
            if let Some(foreign) = foreign::recognise(input) {
                return Err(SessionError::Foreign(foreign));
            }
            self.fresh = input.len() < PREFIX_SIZE;
        }
        while self.reads() {
            let Some(frame) = Frame::split(input, limits::REMOTING_FRAME_SIZE)? else { break };
            self.handle(&frame, out)?;
        }
        Ok(())
    }

    /// Answers what no longer has to wait and registers `waker` for what still has.
    pub fn resume(&mut self, waker: &Waker, out: &mut Outbox) {
        let server = &self.server;
        self.waiting.retain(|(to, version)| match server.poll_kept(*version, waker) {
            Poll::Pending => true,
            Poll::Ready(Ok(())) => {
                to.write(out, ResponseCode::SUCCESS, None, Bytes::new(), |_| {});
                false
            }
            Poll::Ready(Err(error)) => {
                to.refuse(out, &Refusal::new(ResponseCode::SYSTEM_ERROR, error.to_string()));
                false
            }
        });
    }

    /// Whether more requests may be read.
    pub fn reads(&self) -> bool {
        self.waiting.len() < WAITING_MAX
    }

    /// Whether answers are still to come.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The connection is gone: brokers that registered over it go with it.
    pub fn closed(&mut self) {
        self.waiting.clear();
        self.server.connection_closed(self.connection);
    }

    fn handle(&mut self, frame: &Frame, out: &mut Outbox) -> Result<(), SessionError> {
        let view = HeaderView::of(frame)?;
        if view.flag.is_response() {
            return Ok(());
        }
        let to = ReplyTo { codec: frame.codec, opaque: view.opaque, oneway: view.flag.is_oneway() };
        let code = view.request_code();
        debug!(%code, opaque = view.opaque, "request");
        let mut call = Call {
            server: &self.server,
            connection: self.connection,
            asked_at: self.local.ip(),
            now: self.server.now(),
            view: &view,
            body: &frame.body,
            to,
            out: &mut *out,
        };
        let answer = match ROUTES.find(code) {
            Some((_, run)) => run(&mut call),
            None => Err(Refusal::unsupported(code)),
        };
        match answer {
            Ok(Answer::Done) => {}
            Ok(Answer::WhenKept(version)) => self.waiting.push((to, version)),
            Err(refusal) => {
                debug!(%code, answer = %refusal.code, remark = %refusal.remark, "refused");
                to.refuse(out, &refusal);
            }
        }
        Ok(())
    }
}
