//! Questions of administrators that only a consumer itself can answer: they are put to it over its own connection.
//!
//! The question goes to the mailbox of the client's connection, the answer to the mailbox of the one who asked. A client
//! that does not answer in time, or goes, ends the wait. Lock order: clients, then this one; never the reverse.
//! Source: RocketMQ 5.3.3 `broker/client/net/Broker2Client.java`, `AdminBrokerProcessor.callConsumer`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use gantry_store::format::{FrameView, message_id};

use super::Broker;
use super::mailbox::{ConnectionId, Mailbox, Signal, Token};
use super::read::ReadRefusal;
use crate::limits;
use crate::semantics::Millis;
pub use crate::semantics::client_calls::CallId;
use crate::semantics::client_calls::ClientCalls;
use crate::semantics::subscriptions::ConnectionId as Channel;

/// How long a consumer may take to say what it does or to consume a message.
pub const CALL_TIMEOUT_MS: i64 = 10_000;
/// How long a consumer may take to say which offsets it holds.
pub const STATUS_TIMEOUT_MS: i64 = 5_000;

/// A question to a consumer.
#[derive(Clone, Debug)]
pub enum ClientAsk {
    /// What it is doing.
    Running {
        /// Its group.
        group: Arc<str>,
        /// Its id.
        client_id: Arc<str>,
        /// With the stacks of its threads.
        with_stacks: bool,
    },
    /// Consume this message now.
    Consume {
        /// Its group.
        group: Arc<str>,
        /// Its id.
        client_id: Arc<str>,
        /// Offset message id.
        message_id: Arc<str>,
        /// The message in stored form.
        frame: Bytes,
    },
    /// Which offsets it holds.
    Status {
        /// Its group.
        group: Arc<str>,
        /// The topic.
        topic: Arc<str>,
    },
}

/// What a consumer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAnswer {
    /// Its code.
    pub code: i32,
    /// Its words.
    pub remark: Option<String>,
    /// Its body.
    pub body: Bytes,
}

/// How a question ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// With an answer.
    Answered(ClientAnswer),
    /// The time is over.
    TimedOut,
    /// The client's connection is gone.
    Gone,
}

/// Why a question is not put.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No such client in the group; members of Kafka cannot be asked.
    #[error("The Consumer <{group}> <{client}> not online")]
    Offline {
        /// The group.
        group: String,
        /// The client.
        client: String,
    },
    /// Too many questions are open.
    #[error("{0} questions to clients are open already; try again")]
    Busy(usize),
}

/// The open questions.
#[derive(Debug)]
pub(super) struct CallDesk(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    calls: ClientCalls<(Arc<Mailbox>, Token)>,
    timer: Option<Waker>,
}

impl Default for CallDesk {
    fn default() -> Self {
        Self(Mutex::new(Inner { calls: ClientCalls::new(limits::CLIENT_CALLS), timer: None }))
    }
}

impl CallDesk {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what waited too long; gives the next deadline and remembers whom to wake for an earlier one.
    pub(super) fn tick(&self, now: Millis, timer: &Waker) -> Option<Millis> {
        let mut inner = self.lock();
        for (id, (mailbox, token)) in inner.calls.expire(now) {
            mailbox.post(Signal::Answered(token, id, CallOutcome::TimedOut));
        }
        inner.timer = Some(timer.clone());
        inner.calls.next_deadline()
    }

    /// The connection is gone: it answers nothing any more.
    pub(super) fn closed(&self, connection: ConnectionId) {
        for (id, (mailbox, token)) in self.lock().calls.closed(Channel(connection.0)) {
            mailbox.post(Signal::Answered(token, id, CallOutcome::Gone));
        }
    }
}

impl Broker {
    /// Puts a question to a client of a native group; the answer comes to `asker` as
    /// `Signal::Answered(token, id, …)`, exactly once unless it is called off.
    ///
    /// # Errors
    /// [`AskError`].
    pub fn ask_client(
        &self,
        (group, client): (&str, &str),
        ask: ClientAsk,
        (asker, token): (&Arc<Mailbox>, Token),
        timeout_ms: i64,
    ) -> Result<CallId, AskError> {
        let offline = || AskError::Offline { group: group.to_owned(), client: client.to_owned() };
        let target = self.clients.mailbox_of(group, client).ok_or_else(offline)?;
        let deadline = self.now().plus(timeout_ms);
        let (id, timer) = {
            let mut inner = self.calls.lock();
            let waiter = (Arc::clone(asker), token);
            let begun = inner.calls.begin(Channel(target.id().0), deadline, waiter);
            let id = begun.ok_or(AskError::Busy(limits::CLIENT_CALLS))?;
            (id, inner.timer.take())
        };
        target.post(Signal::Ask(id, Box::new(ask)));
        if let Some(timer) = timer {
            timer.wake();
        }
        Ok(id)
    }

    /// A client answered over `connection`; an answer that nobody waits for is dropped.
    pub fn client_answered(&self, connection: ConnectionId, id: CallId, answer: ClientAnswer) {
        let waiter = self.calls.lock().calls.answered(Channel(connection.0), id);
        if let Some((mailbox, token)) = waiter {
            mailbox.post(Signal::Answered(token, id, CallOutcome::Answered(answer)));
        }
    }

    /// Calls a question off.
    pub fn forget_call(&self, id: CallId) {
        self.calls.lock().calls.cancel(id);
    }

    /// The message of an offset message id in stored form; `None` where there is none.
    ///
    /// # Errors
    /// The store's.
    pub fn message_of_id(&self, id: &str) -> Result<Option<Bytes>, ReadRefusal> {
        let Ok((_, offset)) = message_id::decode(id) else { return Ok(None) };
        let found = self.view_message(offset.0)?;
        Ok(found.filter(|frame| FrameView::parse(frame).is_ok()))
    }
}
