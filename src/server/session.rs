//! Session: the seam between the sockets and a dialect.
//!
//! The connection owns the socket and both buffers; the session owns what one peer's requests mean. Nothing here
//! knows a frame, a code or a broker.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;

use bytes::BytesMut;
use gantry_protocols::outbox::Outbox;

/// What one connection speaks. Runs on the connection's task; never blocks, never awaits.
pub trait Session: Send {
    /// Handles every complete frame in `input`, leaves the rest; answers go to `out`.
    ///
    /// It should stop early, leaving whole frames, while `reads` is false or `out` holds
    /// `limits::OUTPUT_PER_CONNECTION` bytes: it is called again when both have passed, even if nothing new came.
    ///
    /// # Errors
    /// When the connection has to end: what stands in `out` is still sent, nothing more is read.
    fn receive(&mut self, input: &mut BytesMut, out: &mut Outbox) -> Result<(), Hangup>;

    /// Answers what no longer has to wait and registers `waker` for what still has. Called after every wake-up
    /// and after every `receive`.
    ///
    /// # Errors
    /// When the connection has to end.
    fn resume(&mut self, waker: &Waker, out: &mut Outbox) -> Result<(), Hangup>;

    /// False while so many requests wait that reading must stop (back-pressure).
    fn reads(&self) -> bool;

    /// The server stops: end what can only time out (long polls), and say whether answers are still to come.
    /// Called before each write from then on; the connection ends when it says no, or after a grace period.
    fn finishing(&mut self, _out: &mut Outbox) -> bool {
        false
    }

    /// The connection is gone; called once, also after a panic of this session.
    fn closed(&mut self);
}

/// Makes the session of a new connection.
pub type Dialect = Arc<dyn Fn(Peer) -> Box<dyn Session> + Send + Sync>;

/// Both ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who connected: the born host of its messages.
    pub remote: SocketAddr,
    /// The address it reached us by: what route and metadata answers name unless one is configured.
    pub local: SocketAddr,
}

/// Why the server ends a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hangup {
    /// One line: what the peer did, and what to do about it.
    pub why: Cow<'static, str>,
    /// True when an operator should see it: logged as a warning, else at debug level.
    pub notable: bool,
}

impl Hangup {
    /// Ends the connection as peers do every day.
    pub fn quiet(why: impl Into<Cow<'static, str>>) -> Hangup {
        Hangup { why: why.into(), notable: false }
    }

    /// Ends the connection for a reason that someone should look at, such as the wrong protocol on a port.
    pub fn notable(why: impl Into<Cow<'static, str>>) -> Hangup {
        Hangup { why: why.into(), notable: true }
    }
}
