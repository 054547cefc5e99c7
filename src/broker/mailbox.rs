//! Where the rest of the broker leaves word for one connection.
//!
//! Any thread posts a [`Signal`]; the connection's task drains them the next time it runs. Posting wakes
//! that task once, however many signals stand in the box. Not a channel: a connection that is gone simply
//! never drains, and its box is dropped with the last handle.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use super::client_calls::{CallOutcome, ClientAsk};
use crate::semantics::client_calls::CallId;
use crate::semantics::kafka_group::Outcome;

/// Names one connection for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Names one parked request of a connection; chosen by its session, never reused while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u32);

/// One piece of news for a connection.
#[derive(Debug)]
pub enum Signal {
    /// The parked request may go on: its data arrived or its time is up.
    Wake(Token),
    /// The group machine answered the parked request.
    Group(Token, Outcome),
    /// The membership of a native consumer group changed (NOTIFY_CONSUMER_IDS_CHANGED is due).
    ConsumersChanged(Arc<str>),
    /// A question has to be put to the client behind this connection.
    Ask(CallId, Box<ClientAsk>),
    /// A question that the parked request put to a client has ended.
    Answered(Token, CallId, CallOutcome),
}

/// The box itself; shared between the session that drains it and everyone who may answer it.
#[derive(Debug)]
pub struct Mailbox {
    id: ConnectionId,
    remote: SocketAddr,
    local: SocketAddr,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    signals: Vec<Signal>,
    waker: Option<Waker>,
}

static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1);

impl Mailbox {
    /// A box for the connection between `local` and `remote`, with a fresh id.
    #[must_use]
    pub fn new(remote: SocketAddr, local: SocketAddr) -> Arc<Self> {
        let id = ConnectionId(NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed));
        Arc::new(Self { id, remote, local, inner: Mutex::default() })
    }

    /// The connection's id.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The client's end.
    #[must_use]
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Our end: the address that the client dialled, hence the one it can dial again.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Leaves `signal` and wakes the connection. Never blocks beyond a short lock.
    pub fn post(&self, signal: Signal) {
        let waker = {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.signals.push(signal);
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Moves all signals into `into` and remembers whom to wake for the next one.
    pub fn drain(&self, waker: &Waker, into: &mut Vec<Signal>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        into.append(&mut inner.signals);
        match &mut inner.waker {
            Some(kept) => kept.clone_from(waker),
            empty => *empty = Some(waker.clone()),
        }
    }
}
